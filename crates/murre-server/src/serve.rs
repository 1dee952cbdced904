//! Starting and stopping a broker.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use actix_http::HttpService;
use actix_server::{Server, ServerHandle};
use actix_service::{apply, map_config};
use actix_web::{App, dev::AppConfig};
use murre_core::ids::WORKERS_MAX;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    closing,
    config::Config,
    files, http,
    process::Process,
    shell::{
        accept::Pace,
        upgrade::{Upgrade, prepare},
    },
    websocket::origin::OwnHost,
};

/// Connections that the system may hold before they are accepted.
const BACKLOG: i32 = 4096;
/// Connections that a worker has room for beside as many HTTP streams as it may have sessions: who comes then still
/// gets an answer.
const CONNECTIONS_BESIDE: usize = 1024;

/// Why a broker did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Something else listens there.
    #[error(
        "{0} is in use by another program; stop that, or choose another address with --bind (port 0: a free one)"
    )]
    InUse(
        /// The address.
        SocketAddr,
    ),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {why}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        why: io::Error,
    },
    /// `server.origins` has something that is no origin.
    #[error("server.origins: {0}")]
    Origins(
        /// What.
        String,
    ),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] murre_store::StoreError),
    /// A number of workers that a broker can't have.
    #[error("a broker can't have {0} workers; make it for 1 to 64, as many as the server has threads")]
    Workers(
        /// The number that was asked for.
        usize,
    ),
    /// The process ran out of something.
    #[error("the broker could not go on: {0}")]
    Io(#[from] io::Error),
    /// A thread of the broker's ended by itself.
    #[error("the broker ended by itself; the log says more")]
    Died,
}

impl ServeError {
    /// Whether it is because another process has the store open.
    pub fn is_store_in_use(&self) -> bool {
        matches!(self, Self::Store(murre_store::StoreError::InUse { .. }))
    }
}

/// A broker that runs on threads of its own.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    workers: usize,
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// The address that it listens on; the port that was chosen where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many worker threads it has.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Asks it to stop: clients are told, what is pending for them is sent within `server.shutdown_timeout`.
    pub fn stop(&self) {
        // a second request finds it stopping already
        let _ = self.stop.send(());
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It ended otherwise than by [`Self::stop`].
    pub fn join(mut self) -> Result<(), ServeError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().map_err(|_| ServeError::Died)?.map_err(ServeError::Io)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a broker on threads of its own; it accepts connections when this returns.
///
/// # Errors
/// The address can't be listened on, or the configuration names something that isn't.
pub fn start(config: Config) -> Result<Running, ServeError> {
    let workers = match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
    .min(WORKERS_MAX);
    let listener = listen(config.server.bind)?;
    let address = listener.local_addr()?;
    let own_host = if address.ip().is_loopback() { OwnHost::AddressOnly } else { OwnHost::AnyName };
    let shutdown_timeout = config.server.shutdown_timeout;
    let process = Process::new(config, workers, own_host)?;
    let (started, has_started) = mpsc::channel();
    let served = process.clone();
    let thread = std::thread::Builder::new().name("murre".into()).spawn(move || {
        let system = actix_rt::System::new();
        system.block_on(async move {
            let server = serve(&served, listener, workers)?;
            let _ = started.send(server.handle());
            let ended = server.await;
            // the workers' threads have ended: nothing is published any more
            served.close_log();
            ended
        })
    })?;
    let Ok(server) = has_started.recv() else {
        return Err(thread
            .join()
            .map_err(|_| ServeError::Died)?
            .err()
            .map_or(ServeError::Died, ServeError::Io));
    };
    wait_until_ready(&process);
    let (stop, stopped) = mpsc::channel();
    std::thread::Builder::new().name("murre stop".into()).spawn(move || {
        // ends by a request, or with the handle on the broker
        let _ = stopped.recv();
        shut_down(&process, &server, shutdown_timeout);
    })?;
    Ok(Running { address, workers, stop, thread: Some(thread) })
}

/// Runs a broker until SIGTERM or SIGINT, and stops it in good order. `ready` is told the broker once it accepts.
///
/// # Errors
/// As [`start`]; or the broker ended by itself.
pub fn run(config: Config, ready: impl FnOnce(&Running)) -> Result<(), ServeError> {
    files::allow_as_many_as_possible();
    let running = start(config)?;
    // before anyone is told that the broker is there, since that may bring a signal at once
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _context = runtime.enter();
        Signals::listen()?
    };
    let stop = running.stop.clone();
    std::thread::Builder::new().name("murre signals".into()).spawn(move || {
        let name = runtime.block_on(signals.next());
        tracing::info!("{name}: shutting down");
        let _ = stop.send(());
        // whoever asks twice does not want to wait
        runtime.block_on(signals.next());
        std::process::exit(130);
    })?;
    ready(&running);
    running.join()
}

/// The signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let open = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        // once, not for each connection
        prepare(&socket);
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    open().map_err(|why| match why.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse(address),
        _ => ServeError::Bind { address, why },
    })
}

fn serve(process: &Arc<Process>, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let process = process.clone();
    let builder = Server::build().workers(workers).disable_signals().shutdown_timeout(0);
    // of the server's only what is no session: a connection counts until its request was an upgrade, or it ends.
    // sessions are bounded by the hubs
    let sessions_max = process.config.limits.sessions_max.div_ceil(workers);
    let connections_max = sessions_max.saturating_add(CONNECTIONS_BESIDE).min(usize::MAX >> 1);
    let builder = builder.max_concurrent_connections(connections_max);
    let server = builder.listen("murre", listener, move || {
        let process = process.clone();
        let app = {
            let process = process.clone();
            move || App::new().configure(|routes| http::configure(routes, &process))
        };
        let http = HttpService::build()
            .client_request_timeout(process.config.server.handshake_timeout)
            .client_disconnect_timeout(Duration::ZERO)
            .upgrade(Upgrade(process.clone()))
            .h1(map_config(app(), |()| AppConfig::default()))
            .tcp();
        apply(Pace(process), http)
    })?;
    Ok(server.run())
}

/// Nothing is accepted before all workers have registered; this waits until they have.
fn wait_until_ready(process: &Process) {
    while !process.is_ready() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Tells the clients, waits until they have gone and what they sent is done, then stops the server.
fn shut_down(process: &Process, server: &ServerHandle, timeout: Duration) {
    process.set_stopping();
    closing::say_farewell(process);
    let deadline = std::time::Instant::now() + timeout;
    while process.sessions() > 0 && std::time::Instant::now() < deadline {
        std::thread::sleep(closing::LOOK_INTERVAL);
    }
    closing::settle(process, deadline);
    drop(server.stop(false));
}
