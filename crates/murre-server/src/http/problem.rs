//! Errors as `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::{HttpRequest, HttpResponse, ResponseError, error::QueryPayloadError, http::StatusCode};
use murre_protocol::Code;

use super::Shared;
use crate::websocket::Refusal;

/// An error that a request is answered with.
#[derive(Debug)]
pub(crate) struct Problem(Refusal);

impl Problem {
    /// A problem with this status; `detail` says what was wrong and what to do.
    pub(crate) fn new(status: StatusCode, detail: impl AsRef<str>) -> Self {
        let status = actix_http::StatusCode::from_u16(status.as_u16()).unwrap_or_default();
        Self(Refusal::new(status, detail.as_ref()))
    }

    /// What the broker's own code says: 4422 becomes 422.
    pub(crate) fn from_code(code: Code, reason: &str) -> Self {
        let status = StatusCode::from_u16(code.number().saturating_sub(4000));
        Self::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), reason)
    }

    /// The broker takes no more, or ended the session.
    pub(crate) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the broker takes no more requests now; try again later")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.body)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        from_refusal(self.0.clone())
    }
}

/// A refusal as an answer of actix-web.
pub(crate) fn from_refusal(refusal: Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &refusal.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.body(refusal.body)
}

/// A query that can't be read.
pub(crate) fn bad_query(why: &QueryPayloadError) -> Problem {
    let why = why.to_string();
    let why = why.trim_start_matches("Query deserialize error: ");
    Problem::new(StatusCode::BAD_REQUEST, format!("the query: {why}"))
}

/// A browser may write only from where it may connect.
pub(crate) fn check_origin(request: &HttpRequest, shared: &Shared) -> Result<(), Problem> {
    shared.process.origins.check(request.headers()).map_err(|refused| Refusal::from(refused).into())
}
