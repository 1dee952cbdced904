//! The HTTP answer to a request that was refused, as `application/problem+json` (RFC 9457).

use actix_http::{
    Response, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use serde_json::json;

/// The media type of [`Refusal::body`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refused request's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What goes with the status (`Allow`, `Upgrade`, `Sec-WebSocket-Version`) and the body's `Content-Type`.
    /// `Connection` and `Content-Length` are the writer's.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The problem document: `type`, `title`, `status`, `detail`.
    pub body: String,
}

impl Refusal {
    /// A refusal with this status; `detail` says to a person what was wrong and what to do.
    pub fn new(status: StatusCode, detail: &str) -> Self {
        let title = status.canonical_reason().unwrap_or("Refused");
        let body =
            json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))],
            body: body.to_string(),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// The refusal as an answer of actix. The connection is closed behind it, since what follows a failed
    /// handshake may be frames.
    pub fn into_response(self) -> Response<String> {
        let mut response = Response::with_body(self.status, self.body);
        response.head_mut().set_connection_type(actix_http::ConnectionType::Close);
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }

    /// Appends the refusal as it goes over HTTP/1.1, for who owns the socket. It asks for the connection's end.
    pub fn write_http1(&self, out: &mut Vec<u8>) {
        let reason = self.status.canonical_reason().unwrap_or_default();
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).as_bytes());
        for (name, value) in &self.headers {
            write_header(out, name.as_str(), value.as_bytes());
        }
        // RFC 9110 (7.8): who sends Upgrade names it in Connection too.
        let upgrades = self.headers.iter().any(|(name, _)| name == header::UPGRADE);
        write_header(out, "connection", if upgrades { b"close, upgrade" } else { b"close" });
        write_header(out, "content-length", self.body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body.as_bytes());
    }
}

/// Appends one header line.
pub(super) fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_goes_out_as_a_problem_document_that_ends_the_connection() {
        let mut out = Vec::new();

        Refusal::new(StatusCode::NOT_FOUND, "no \"such\" path").write_http1(&mut out);

        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");
        assert_eq!(problem["status"], 404);
        assert_eq!(problem["detail"], "no \"such\" path");
    }

    #[test]
    fn a_refusal_through_actix_says_the_same() {
        let refusal =
            Refusal::new(StatusCode::UPGRADE_REQUIRED, "upgrade").with_header(header::UPGRADE, "websocket");

        let response = refusal.clone().into_response();

        assert_eq!(response.status(), 426);
        assert_eq!(response.headers().get(header::UPGRADE).unwrap(), "websocket");
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), PROBLEM_JSON);
        assert_eq!(response.body(), &refusal.body);
        assert!(!response.head().keep_alive());
    }
}
