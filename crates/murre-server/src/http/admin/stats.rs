//! `/admin/stats`: what `$murre/stats` has said in the last minutes.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Problem, check};
use crate::http::Shared;

/// `GET /admin/stats`.
pub(super) async fn stats(request: HttpRequest, shared: web::Data<Shared>) -> Result<HttpResponse, Problem> {
    check(&request)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(shared.process.stats.json()))
}
