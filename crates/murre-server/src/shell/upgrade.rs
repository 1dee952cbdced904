//! Upgrade requests to connections: every request with `Upgrade: websocket` comes here, whatever its path.

use std::{future::Ready, os::fd::AsFd, sync::Arc, time::Duration};

use actix_codec::Framed;
use actix_http::{Request, StatusCode, h1};
use actix_rt::net::TcpStream;
use actix_service::{Service, ServiceFactory};
use murre_core::{hub::Peer, session::SessionKind};
use murre_protocol::{Codec, SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK};
use socket2::{SockRef, TcpKeepalive};

use super::{
    connection::Connection,
    echo::Echo,
    runtime::Local,
    socket::{Socket, Stream},
};
use crate::{
    process::Process,
    websocket::{
        Limits, Refusal,
        handshake::{Accepted, UpgradeRequest, judge},
    },
};

/// The system asks after a silent peer this long after it was last heard.
const PROBE_AFTER: Duration = Duration::from_secs(60);
/// And this often again.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
/// A socket that takes nothing for so long is given up, also where its client asked for no keep-alive.
const TAKES_NOTHING_MAX: Duration = Duration::from_secs(15 * 60);

/// The subprotocols that this broker speaks.
pub(crate) const SUBPROTOCOLS: [&str; 2] = [SUBPROTOCOL_MSGPACK, SUBPROTOCOL_JSON];

/// The encoding that a subprotocol means.
pub(crate) fn codec_of(subprotocol: Option<&str>) -> Option<Codec> {
    match subprotocol {
        Some(SUBPROTOCOL_MSGPACK) => Some(Codec::MessagePack),
        Some(SUBPROTOCOL_JSON) => Some(Codec::Json),
        _ => None,
    }
}

/// What of a WebSocket message this broker takes.
pub(crate) fn websocket_limits(process: &Process) -> Limits {
    Limits { max_message: process.config.limits.max_message, ..Limits::default() }
}

/// Makes the upgrade service of each worker.
pub(crate) struct Upgrade(pub(crate) Arc<Process>);

impl ServiceFactory<(Request, Framed<TcpStream, h1::Codec>)> for Upgrade {
    type Response = ();
    type Error = actix_http::Error;
    type Config = ();
    type Service = UpgradeService;
    type InitError = ();
    type Future = Ready<Result<UpgradeService, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        std::future::ready(Ok(UpgradeService {
            local: Local::on_this_thread(&self.0),
            process: self.0.clone(),
        }))
    }
}

/// Answers upgrade requests on one worker.
pub(crate) struct UpgradeService {
    local: Local,
    process: Arc<Process>,
}

/// What an upgrade request comes to.
enum Judged {
    Session(Accepted<'static>),
    Echo(Accepted<'static>),
}

impl UpgradeService {
    fn judge(&self, request: &Request) -> Result<Judged, Refusal> {
        let path = request.path();
        let echo = self.process.config.server.echo && path == "/echo";
        if path != "/ws" && !echo {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "WebSocket is at /ws"));
        }
        if echo {
            // an echo takes whatever subprotocol is offered by answering none
            let mut headers = request.head().headers.clone();
            headers.remove(actix_http::header::SEC_WEBSOCKET_PROTOCOL);
            let request =
                UpgradeRequest { method: request.method(), version: request.version(), headers: &headers };
            return Ok(Judged::Echo(judge(request, &[])?));
        }
        self.process.origins.check(&request.head().headers)?;
        Ok(Judged::Session(judge(request.into(), &SUBPROTOCOLS)?))
    }

    fn start<IO: Stream + 'static>(&self, request: &Request, framed: Framed<IO, h1::Codec>) {
        let parts = framed.into_parts();
        let unread = parts.read_buf.to_vec();
        let limits = websocket_limits(&self.process);
        let mut answer = Vec::new();
        match self.judge(request) {
            Ok(Judged::Echo(accepted)) => {
                accepted.write_http1(&mut answer);
                actix_rt::spawn(Echo::new(Socket::new(parts.io, limits, unread, answer)));
            }
            Ok(Judged::Session(accepted)) => {
                let (codec, peer) = (codec_of(accepted.subprotocol), request.peer_addr().map(Peer::from));
                match self.local.with_hub(|now, hub, _| hub.open(now, SessionKind::Client, codec, peer)) {
                    Ok(key) => {
                        accepted.write_http1(&mut answer);
                        let socket = Socket::new(parts.io, limits, unread, answer);
                        actix_rt::spawn(Connection::new(self.local.clone(), key, socket));
                    }
                    Err(refused) => {
                        self.refuse(
                            &Refusal::new(StatusCode::SERVICE_UNAVAILABLE, &refused.to_string()),
                            parts.io,
                        );
                    }
                }
            }
            Err(refusal) => self.refuse(&refusal, parts.io),
        }
    }

    fn refuse<IO: Stream + 'static>(&self, refusal: &Refusal, io: IO) {
        self.local.peek_hub(|hub| hub.handshake_refused());
        let mut answer = Vec::new();
        refusal.write_http1(&mut answer);
        let mut socket = Socket::new(io, websocket_limits(&self.process), Vec::new(), answer);
        actix_rt::spawn(async move {
            let answered = std::future::poll_fn(|cx| socket.poll_write(cx, |_| {}));
            let _ = actix_rt::time::timeout(Duration::from_secs(2), answered).await;
            let _ = std::future::poll_fn(|cx| socket.poll_shutdown(cx)).await;
        });
    }
}

/// Sets what the system does for a session's socket by itself. Set on a socket that listens, it holds for all that
/// are accepted from it.
pub(crate) fn prepare(socket: &impl AsFd) {
    let socket = SockRef::from(socket);
    // a socket that can't be told is still a socket
    let _ = socket.set_tcp_nodelay(true);
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_INTERVAL);
    let _ = socket.set_tcp_keepalive(&probes);
    let _ = socket.set_tcp_user_timeout(Some(TAKES_NOTHING_MAX));
}

impl Service<(Request, Framed<TcpStream, h1::Codec>)> for UpgradeService {
    type Response = ();
    type Error = actix_http::Error;
    type Future = Ready<Result<(), actix_http::Error>>;

    actix_service::always_ready!();

    /// The connection runs as a task of its own, so that nothing of the HTTP dispatcher stays alive behind it.
    fn call(&self, (request, framed): (Request, Framed<TcpStream, h1::Codec>)) -> Self::Future {
        self.start(&request, framed);
        std::future::ready(Ok(()))
    }
}
