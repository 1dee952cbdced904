//! `/health/live`, `/health/ready`, `/metrics`.

use std::fmt::Write as _;

use actix_web::{HttpResponse, http::StatusCode, web};

use super::{Shared, problem::Problem};

/// The process answers.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "live" }))
}

/// Connections are welcome.
pub(crate) async fn ready(shared: web::Data<Shared>) -> Result<HttpResponse, Problem> {
    if shared.process.is_ready() {
        Ok(HttpResponse::Ok().json(serde_json::json!({ "status": "ready" })))
    } else {
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the broker is starting or shutting down"))
    }
}

/// Every counter, in Prometheus' text form.
pub(crate) async fn metrics(shared: web::Data<Shared>) -> HttpResponse {
    let mut text = String::new();
    for (name, kind, help, value) in shared.process.counters() {
        let suffix = if kind == "counter" { "_total" } else { "" };
        let name = format!("murre_{name}{suffix}");
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n{name} {value}", help.trim());
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
