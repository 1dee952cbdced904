//! `/` and what the page asks for; everything else is not found.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
};

use super::problem::Problem;

pub(crate) async fn asset(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.path();
    let Some(asset) = murre_console::asset(path) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {path}")));
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} can only be read")));
    }
    Ok(HttpResponse::Ok()
        .content_type(asset.media_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, murre_console::CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(asset.bytes))
}
