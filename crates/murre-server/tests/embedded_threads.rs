//! The threads of a person's own server, right and wrong ones: what is wrong is answered, and never ends the process.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use actix_rt::{Arbiter, System};
use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use murre_server::{Broker, ServeError, config::Config};

/// How long a test waits for anything before it fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// A server of somebody's own on a free port, which ends with this value.
struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// With so many threads, and these brokers at `/0/ws`, `/1/ws` and so on.
    fn start(threads: usize, brokers: &[&Broker]) -> Self {
        let brokers: Vec<Broker> = brokers.iter().map(|broker| (*broker).clone()).collect();
        let (started, has_started) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let make = move || {
                    let app = App::new().route("/die", web::get().to(die)).route("/", web::get().to(alive));
                    brokers.iter().enumerate().fold(app, |app, (number, broker)| {
                        app.service(web::scope(&format!("/{number}")).service(broker.service("/ws")))
                    })
                };
                let server = HttpServer::new(make)
                    .workers(threads)
                    .client_disconnect_timeout(Duration::ZERO)
                    .disable_signals()
                    .shutdown_timeout(0)
                    .bind(("127.0.0.1", 0))
                    .expect("a free port");
                let address = server.addrs()[0];
                let server = server.run();
                started.send((address, server.handle())).expect("the test waits");
                server.await.expect("the server ends well");
            });
        });
        let (address, handle) = has_started.recv().expect("the server starts");
        Self { address, handle, thread: Some(thread) }
    }

    /// The status that a request is answered with, over a connection of its own.
    fn status(&self, path: &str, headers: &str) -> u16 {
        self.open(path, headers).1
    }

    fn open(&self, path: &str, headers: &str) -> (TcpStream, u16) {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address).expect("it reads");
        let mut line = [0; 12];
        stream.read_exact(&mut line).expect("it answers");
        let status = std::str::from_utf8(&line[9..]).ok().and_then(|status| status.parse().ok());
        (stream, status.expect("a status"))
    }

    /// The status that a right handshake is answered with.
    fn upgrade(&self, broker: usize) -> u16 {
        self.status(&format!("/{broker}/ws"), HANDSHAKE)
    }

    /// The statuses of as many handshakes as there are threads, which take them in turn.
    fn upgrades<const N: usize>(&self) -> [u16; N] {
        let mut statuses = [(); N].map(|()| self.upgrade(0));
        statuses.sort_unstable();
        statuses
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the server's thread panicked");
        }
    }
}

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn alive() -> &'static str {
    "alive"
}

/// Ends the thread that it runs on.
async fn die() -> HttpResponse {
    Arbiter::current().stop();
    HttpResponse::Ok().finish()
}

fn broker(workers: usize) -> Broker {
    Broker::new(Config::default(), workers).expect("a broker")
}

fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

#[test]
fn with_as_many_threads_as_workers_every_thread_takes_clients() {
    let broker = broker(2);
    let server = Server::start(broker.workers(), &[&broker]);
    wait_until("both threads are there", || broker.is_ready());

    assert_eq!(server.upgrades(), [101, 101]);
    assert_eq!(server.status("/0/ws", ""), 426);
    assert_eq!(server.status("/0/ws", &format!("{HANDSHAKE}Origin: https://elsewhere.example\r\n")), 403);
}

#[test]
fn with_too_few_threads_clients_are_told_to_come_later() {
    let broker = broker(3);
    let server = Server::start(2, &[&broker]);

    assert_eq!(server.upgrades(), [503, 503]);
    assert!(!broker.is_ready());
    assert_eq!(server.status("/", ""), 200);
}

#[test]
fn with_too_many_threads_the_surplus_ones_take_no_clients() {
    let broker = broker(1);
    let server = Server::start(2, &[&broker]);
    wait_until("the first thread is there", || broker.is_ready());

    assert_eq!(server.upgrades(), [101, 503]);
    assert_eq!(server.status("/", ""), 200);
}

#[test]
fn of_two_brokers_on_one_thread_the_first_has_it() {
    let (first, second) = (broker(1), broker(1));
    let server = Server::start(1, &[&first, &second]);

    assert_eq!((server.upgrade(0), server.upgrade(1)), (101, 503));
}

#[test]
fn when_a_thread_dies_its_broker_takes_no_more_and_the_process_goes_on() {
    let broker = broker(2);
    let server = Server::start(2, &[&broker]);
    wait_until("both threads are there", || broker.is_ready());
    let sessions = [server.open("/0/ws", HANDSHAKE).0, server.open("/0/ws", HANDSHAKE).0];

    server.status("/die", "");
    wait_until("the broker knows", || !broker.is_ready());

    for mut session in sessions {
        // told by the broker, or dropped with its thread
        let mut rest = Vec::new();
        session.read_to_end(&mut rest).ok();
    }
    wait_until("the server has another thread", || server.status("/", "") == 200);
    assert_eq!(server.upgrade(0), 503);
}

#[actix_web::test]
async fn a_broker_that_was_shut_down_takes_no_more_and_the_server_goes_on() {
    let broker = broker(1);
    let server = Server::start(1, &[&broker]);
    let (mut session, status) = server.open("/0/ws", HANDSHAKE);
    assert_eq!((status, broker.sessions()), (101, 1));

    broker.shut_down().await;

    assert_eq!(broker.sessions(), 0);
    session.read_to_end(&mut Vec::new()).expect("the connection ends well");
    assert_eq!((server.upgrade(0), server.status("/", "")), (503, 200));
}

#[actix_web::test]
async fn a_broker_that_never_began_is_shut_down_at_once() {
    let mut config = Config::default();
    config.server.shutdown_timeout = DEADLINE * 10;
    let broker = Broker::new(config, 3).expect("a broker");

    let shut_down = tokio::time::timeout(DEADLINE, broker.shut_down());

    assert!(shut_down.await.is_ok() && !broker.is_ready());
}

#[test]
fn a_number_of_workers_that_can_not_be_is_refused() {
    for workers in [0, 65] {
        let refused = Broker::new(Config::default(), workers);
        assert!(matches!(refused, Err(ServeError::Workers(n)) if n == workers));
    }
}

#[test]
fn an_origin_that_is_none_is_refused() {
    let mut config = Config::default();
    config.server.origins = vec!["not an origin".to_owned()];

    assert!(matches!(Broker::new(config, 1), Err(ServeError::Origins(_))));
}
