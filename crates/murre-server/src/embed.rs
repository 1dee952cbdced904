//! The broker inside a person's own actix-web server.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use actix_web::{App, HttpServer};
//! use murre_server::{Broker, config::Config};
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let broker = Broker::new(Config::default(), 2)?;
//!     let mounted = broker.clone();
//!     HttpServer::new(move || App::new().service(mounted.service("/ws")))
//!         .workers(broker.workers())
//!         .client_disconnect_timeout(Duration::ZERO)
//!         .on_connect(murre_server::embed::on_connect)
//!         .bind(("127.0.0.1", 8080))?
//!         .run()
//!         .await?;
//!     Ok(())
//! }
//! ```
//!
//! # What the server has to be
//! - Its number of workers is the broker's: `workers(broker.workers())`. Each of its threads is a worker of the broker
//!   from the moment on that it makes its `App`. With fewer threads the broker never begins, with more the surplus
//!   ones take no clients: those are answered 503, and the log says why.
//! - It runs in an actix system: under `#[actix_web::main]`, not `#[tokio::main]`.
//! - `client_disconnect_timeout(Duration::ZERO)`: else TCP stays open for a second behind the close frames.
//! - [`on_connect`]: else a message may wait until the one before it is acknowledged, and a client that reads nothing
//!   keeps its connection as long as it likes. Under TLS, where it can't reach the socket, at least
//!   `tcp_nodelay(true)`.
//! - `h1_allow_half_closed` stays true, as it is by default: else a client that half-closes gets no answers.
//! - `max_connections`, 25,000 for each worker by default, holds for the broker's clients too.
//! - [`Broker::shut_down`] before the server stops, best as its `shutdown_signal`: else it waits for clients that
//!   nobody has told, and then drops them, and the next start finds the store as after a crash.
//!
//! Of the [`Config`] all holds but `server.bind`, `server.workers`, `server.handshake_timeout`, `server.echo` and
//! `limits.accepts_per_turn`, which are the server's business here.
//!
//! # What differs from a broker of its own
//! Clients can't tell the two apart, but for one that sends faster than the broker takes and ends TCP without waiting
//! for the answer to its close frame: with more than 16 MiB waiting it may lose up to its last 32 KiB. It is told so
//! with 1011, in case it still listens, and the log says so. Behind `murre serve` nothing is lost then.
//!
//! # When a thread dies
//! It takes its share of the topics with it. Clients are told that the broker goes away, and from then on all are
//! answered 503; the process goes on, and a new broker needs a new process, or a new server with threads of its own.

use std::{
    any::Any,
    cell::{Cell, OnceCell},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use actix_http::StatusCode;
use actix_rt::net::TcpStream;
use actix_web::{
    HttpRequest, HttpResponse, Resource,
    dev::{self, AppService, Extensions, HttpServiceFactory},
    web,
};
use murre_core::{hub::Peer, ids::WORKERS_MAX, session::SessionKind};

use crate::{
    ServeError, closing,
    config::Config,
    process::Process,
    shell::{
        actor,
        runtime::{Local, NoWorker},
        upgrade::{SUBPROTOCOLS, codec_of, prepare, websocket_limits},
    },
    websocket::{
        AllowedOrigins, Refusal,
        handshake::{Accepted, judge},
        origin::OwnHost,
    },
};

thread_local! {
    /// Dropped with the thread, and so tells of its end.
    static PRESENCE: OnceCell<Presence> = const { OnceCell::new() };
}

/// A broker for an actix-web server of one's own. A handle: all clones are the same broker.
///
/// It begins when all of its [`workers`](Self::workers) have their threads, and lives as long as those do.
#[derive(Clone)]
pub struct Broker {
    process: Arc<Process>,
    /// For a server that other machines reach; the process has those for one that they don't.
    public_origins: AllowedOrigins,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker of so many workers, 1 to 64: one for each thread of the server that it is mounted in.
    ///
    /// # Errors
    /// [`ServeError::Workers`], or [`ServeError::Origins`] where `server.origins` has something that is no origin.
    pub fn new(config: Config, workers: usize) -> Result<Self, ServeError> {
        if !(1..=WORKERS_MAX).contains(&workers) {
            return Err(ServeError::Workers(workers));
        }
        let public_origins = AllowedOrigins::own(OwnHost::AnyName).and_listed(&config.server.origins);
        let public_origins = public_origins.map_err(|why| ServeError::Origins(why.to_string()))?;
        Ok(Self { process: Process::new(config, workers, OwnHost::AddressOnly)?, public_origins })
    }

    /// How many worker threads the server has to have, for `HttpServer::workers`.
    pub fn workers(&self) -> usize {
        self.process.worker_count()
    }

    /// Whether clients are welcome: all workers have their threads, and nobody has asked it to stop.
    pub fn is_ready(&self) -> bool {
        self.process.is_ready()
    }

    /// Connections that are open now, on all workers.
    pub fn sessions(&self) -> u64 {
        self.process.sessions()
    }

    /// The broker's WebSocket endpoint, for `App::service` or a scope's, at `path`.
    pub fn service(&self, path: impl Into<String>) -> Service {
        Service { broker: self.clone(), path: path.into() }
    }

    /// Tells the clients that the broker goes away, and waits until all have received what was pending for them, or
    /// until `server.shutdown_timeout` is over; then closes the store, if there is one, so that the next start goes on
    /// where this one ended. New clients are answered 503, and one that is still there gets no more acknowledgements.
    /// The server goes on with everything else.
    pub async fn shut_down(&self) {
        self.process.set_stopping();
        closing::say_farewell(&self.process);
        let timeout = self.process.config.server.shutdown_timeout;
        let deadline = Instant::now() + timeout;
        let gone = async {
            while self.sessions() > 0 {
                tokio::time::sleep(closing::LOOK_INTERVAL).await;
            }
        };
        // whoever has not gone until then is dropped with the server
        let _ = tokio::time::timeout(timeout, gone).await;
        let process = self.process.clone();
        let closed = actix_rt::task::spawn_blocking(move || {
            closing::settle(&process, deadline);
            process.close_log();
        });
        if closed.await.is_err() {
            tracing::error!("the store could not be closed in order");
        }
    }
}

/// Sets what the system does for a client's socket by itself, for `HttpServer::on_connect`: it sends what is written at
/// once, asks after a silent peer, and gives up a socket that takes nothing for 15 minutes. It concerns all
/// connections of the server.
pub fn on_connect(socket: &dyn Any, _: &mut Extensions) {
    if let Some(stream) = socket.downcast_ref::<TcpStream>() {
        prepare(stream);
    }
}

/// The endpoint at `/ws`, for `App::service`: `App::new().service(murre_server::service(&broker))`. Another path:
/// [`Broker::service`].
pub fn service(broker: &Broker) -> Service {
    broker.service("/ws")
}

/// A broker's WebSocket endpoint, for `App::service` or `Scope::service`.
#[derive(Debug)]
pub struct Service {
    broker: Broker,
    path: String,
}

impl HttpServiceFactory for Service {
    fn register(self, app: &mut AppService) {
        let is_local = app.config().local_addr().ip().is_loopback();
        let endpoint = Rc::new(Endpoint::new(self.broker, is_local));
        let answer = move |request: HttpRequest, payload: web::Payload| {
            let answer = endpoint.answer(&request, payload.into_inner());
            async { answer }
        };
        Resource::new(self.path).route(web::to(answer)).register(app);
    }
}

/// The endpoint on one thread.
struct Endpoint {
    local: Result<Local, NoWorker>,
    process: Arc<Process>,
    origins: AllowedOrigins,
    /// Whether the log has it that threads are missing.
    warned: Cell<bool>,
}

impl Endpoint {
    fn new(broker: Broker, is_local: bool) -> Self {
        let Broker { process, public_origins } = broker;
        let local = Local::try_on_this_thread(&process);
        match &local {
            Ok(_) => PRESENCE.with(|presence| {
                presence.get_or_init(|| Presence(process.clone()));
            }),
            Err(why) => tracing::error!("this thread takes no clients for the broker: {why}"),
        }
        let origins = if is_local { process.origins.clone() } else { public_origins };
        Self { local, process, origins, warned: Cell::new(false) }
    }

    fn answer(&self, request: &HttpRequest, payload: dev::Payload) -> HttpResponse {
        self.open(request, payload).unwrap_or_else(|refusal| {
            if let Ok(local) = &self.local {
                local.peek_hub(|hub| hub.handshake_refused());
            }
            refusal.into_response().map_into_boxed_body().into()
        })
    }

    fn open(&self, request: &HttpRequest, payload: dev::Payload) -> Result<HttpResponse, Refusal> {
        let accepted = self.judge(request, &payload)?;
        let local = self.worker().map_err(|why| unavailable(&why))?;
        let (codec, peer) = (codec_of(accepted.subprotocol), request.peer_addr().map(Peer::from));
        let key = local
            .with_hub(|now, hub, _| hub.open(now, SessionKind::Client, codec, peer))
            .map_err(|refused| unavailable(&refused.to_string()))?;
        let body = actor::start(local.clone(), key, websocket_limits(&self.process), payload);
        Ok(accepted.into_response().set_body(body).map_into_boxed_body().into())
    }

    fn judge(&self, request: &HttpRequest, payload: &dev::Payload) -> Result<Accepted<'static>, Refusal> {
        self.origins.check(request.headers())?;
        let accepted = judge(request.into(), &SUBPROTOCOLS)?;
        if matches!(payload, dev::Payload::None) {
            // in order but for what the HTTP layer demands of an upgrade
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "only `Upgrade: websocket` alone is taken for a WebSocket handshake",
            ));
        }
        Ok(accepted)
    }

    /// The thread's worker, if it may have clients now.
    fn worker(&self) -> Result<&Local, String> {
        let local = self.local.as_ref().map_err(NoWorker::to_string)?;
        if self.process.is_ready() {
            return Ok(local);
        }
        let why = if self.process.is_stopping() {
            "the broker goes away".to_owned()
        } else if self.process.is_incomplete() {
            "the broker has lost a worker thread; the server's log says more".to_owned()
        } else {
            if !self.warned.replace(true) {
                let workers = self.process.worker_count();
                tracing::warn!("the broker waits for its {workers} threads; has the server as many workers?");
            }
            "the broker has not begun; try again later".to_owned()
        };
        Err(why)
    }
}

fn unavailable(why: &str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

/// A worker's thread lives.
struct Presence(Arc<Process>);

impl Drop for Presence {
    fn drop(&mut self) {
        let Self(process) = self;
        process.set_incomplete();
        if !process.is_stopping() {
            tracing::error!(
                "a thread of the broker's ended, and with it a part of the topics; the broker takes no more clients. \
                 A server that is to stop tells the broker before, with Broker::shut_down"
            );
            closing::say_farewell(process);
        }
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[actix_rt::test]
    async fn a_client_that_reads_nothing_is_given_up_by_the_system() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();

        on_connect(&stream, &mut Extensions::new());

        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).tcp_user_timeout().unwrap().is_some());
    }
}
