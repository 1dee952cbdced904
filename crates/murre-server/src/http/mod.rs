//! What is beside `/ws` on the same port.
//!
//! | module | serves |
//! |---|---|
//! | `topics` | `/topics`: publish, last value, clear, list |
//! | `events` | `/events`: Server-Sent Events |
//! | `history` | `/history`: messages of the past |
//! | `admin` | `/admin`: clients, topics, backups, for programs of this machine |
//! | `health` | `/health/live`, `/health/ready`, `/metrics` |
//! | `page` | `/` and what the page asks for |
//! | `view` | a view in a query |
//! | `problem` | errors as `application/problem+json` |
//!
//! Requests speak with the broker through a session of this process, as a client would: the same rules and limits hold,
//! and the same answers come back. History alone is read from the log.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, Resource, web};

use crate::{
    process::Process,
    shell::{runtime::Local, upgrade::SUBPROTOCOLS},
    websocket::{Refusal, handshake::judge},
};

mod admin;
mod events;
mod health;
mod history;
mod page;
mod problem;
mod topics;
mod view;

/// Adds all routes to a worker's App.
pub(crate) fn configure(routes: &mut web::ServiceConfig, process: &Arc<Process>) {
    let local = Local::on_this_thread(process);
    routes
        .app_data(web::Data::new(Shared { process: process.clone() }))
        .app_data(web::PayloadConfig::new(process.config.limits.max_packet))
        .app_data(web::QueryConfig::default().error_handler(|why, _| problem::bad_query(&why).into()))
        .app_data(local)
        .service(resource("/topics", "GET").route(web::get().to(topics::list)))
        .service(
            resource("/topics/{topic:.*}", "GET, HEAD, POST, DELETE")
                .route(web::get().to(topics::last_value))
                .route(web::head().to(topics::last_value))
                .route(web::post().to(topics::publish))
                .route(web::delete().to(topics::clear)),
        )
        .service(resource("/history", "GET").route(web::get().to(history::history)))
        .service(resource("/history/{topic:.*}", "GET").route(web::get().to(history::history)))
        .configure(admin::configure)
        .service(resource("/events", "GET").route(web::get().to(events::stream)))
        .service(resource("/health/live", "GET").route(web::get().to(health::live)))
        .service(resource("/health/ready", "GET").route(web::get().to(health::ready)))
        .service(resource("/metrics", "GET").route(web::get().to(health::metrics)))
        .route("/ws", web::to(not_an_upgrade))
        .default_service(web::to(page::asset));
}

/// A path that answers other methods than `allowed` with 405.
fn resource(path: &str, allowed: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        let detail = format!("{} is not for {}; there are {allowed}", request.method(), request.path());
        let refusal = Refusal::new(actix_http::StatusCode::METHOD_NOT_ALLOWED, &detail);
        problem::from_refusal(refusal.with_header(actix_http::header::ALLOW, allowed))
    }))
}

/// What all requests of a worker share.
pub(crate) struct Shared {
    pub(crate) process: Arc<Process>,
}

/// `/ws` without a WebSocket handshake: what is missing.
async fn not_an_upgrade(request: HttpRequest) -> HttpResponse {
    if let Some(local) = request.app_data::<Local>() {
        local.peek_hub(|hub| hub.handshake_refused());
    }
    let refusal = match judge((&request).into(), &SUBPROTOCOLS) {
        Err(error) => Refusal::from(error),
        // in order but for what the HTTP layer demands of an upgrade
        Ok(_) => Refusal::new(
            actix_http::StatusCode::BAD_REQUEST,
            "only `Upgrade: websocket` alone is taken for a WebSocket handshake",
        ),
    };
    problem::from_refusal(refusal)
}
