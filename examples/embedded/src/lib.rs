//! The Murre broker inside an actix-web server of one's own: an application with routes of its own, and the broker
//! at `/ws` beside them.
//!
//! # Layout
//! - [`listen`]: the server, with what the broker needs of it
//! - [`routes`]: the application

use std::{future::Future, net::SocketAddr, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer, Responder,
    dev::Server,
    web::{self, Data},
};
use anyhow::Context;
use murre_server::{Broker, config::Config};

/// What a worker may take at the end for requests that are under way, in seconds.
const SHUTDOWN_SECONDS: u64 = 1;

/// A server that listens, and where. It serves while it is awaited, and stops in good order when `stop` resolves.
///
/// Of the configuration `server.bind` and `server.handshake_timeout` are the server's, all else the broker's.
///
/// # Errors
/// The address is in use or can't be listened on; the configuration names an origin that is none.
pub fn listen(
    config: Config,
    workers: usize,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<(Server, Vec<SocketAddr>)> {
    let (bind, handshake_timeout) = (config.server.bind, config.server.handshake_timeout);
    let broker = Broker::new(config, workers)?;
    let mounted = broker.clone();
    let server = HttpServer::new(move || App::new().configure(|app| routes(app, &mounted)))
        // each of its threads is a worker of the broker
        .workers(broker.workers())
        // else TCP stays open for a second behind the close frames
        .client_disconnect_timeout(Duration::ZERO)
        .client_request_timeout(handshake_timeout)
        .on_connect(murre_server::embed::on_connect)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .shutdown_signal(async move {
            stop.await;
            broker.shut_down().await;
        })
        .bind(bind)
        .with_context(|| format!("can't listen on {bind}"))?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

/// The application: a page and a route of its own, and the broker at `/ws`.
pub fn routes(app: &mut web::ServiceConfig, broker: &Broker) {
    app.app_data(Data::new(broker.clone()))
        .route("/", web::get().to(hello))
        .route("/health/live", web::get().to(HttpResponse::Ok))
        .route("/clients", web::get().to(clients))
        .service(murre_server::service(broker));
}

async fn hello() -> impl Responder {
    "This is the application. The broker is at /ws.\n"
}

/// How many clients the broker has: the application and the broker are one process.
async fn clients(broker: Data<Broker>) -> impl Responder {
    web::Json(serde_json::json!({ "ready": broker.is_ready(), "clients": broker.sessions() }))
}
