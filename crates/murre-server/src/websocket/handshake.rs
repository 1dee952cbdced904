//! Is this request a WebSocket handshake (RFC 6455, 4.2), and with which subprotocol.

use actix_http::{
    ConnectionType, Method, Response, StatusCode, Version,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    ws::hash_key,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use thiserror::Error;

use super::refusal::{Refusal, write_header};

/// What of a request is judged. Made `from` a request of actix-http or actix-web, or of its parts.
#[derive(Debug, Clone, Copy)]
pub struct UpgradeRequest<'r> {
    /// The method.
    pub method: &'r Method,
    /// The version of HTTP.
    pub version: Version,
    /// All headers.
    pub headers: &'r HeaderMap,
}

impl<'r, P> From<&'r actix_http::Request<P>> for UpgradeRequest<'r> {
    fn from(request: &'r actix_http::Request<P>) -> Self {
        Self { method: request.method(), version: request.version(), headers: &request.head().headers }
    }
}

impl<'r> From<&'r actix_web::HttpRequest> for UpgradeRequest<'r> {
    fn from(request: &'r actix_web::HttpRequest) -> Self {
        Self { method: request.method(), version: request.version(), headers: request.headers() }
    }
}

/// A handshake that is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<'k> {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept_key: String,
    /// The first subprotocol offered that is known; none where the client offered none.
    pub subprotocol: Option<&'k str>,
}

/// Why a request is no WebSocket handshake that can be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Any method but GET: 405.
    #[error("a WebSocket handshake is a GET request; send it as GET")]
    Method,
    /// HTTP/1.0 and before: 400.
    #[error("a WebSocket handshake needs HTTP/1.1; send it as HTTP/1.1")]
    HttpVersion,
    /// `Upgrade: websocket` or `Connection: upgrade` is missing, as in any plain request: 426.
    #[error("only WebSocket is spoken here; send the headers `Upgrade: websocket` and `Connection: Upgrade`")]
    NotAnUpgrade,
    /// A request with a body, which could not be told from frames: 400.
    #[error("a WebSocket handshake has no body; send it without Content-Length and Transfer-Encoding")]
    Body,
    /// A header that has to be there once is missing: 400.
    #[error("the header {0} is missing; send it once")]
    Missing(
        /// The header's name.
        &'static str,
    ),
    /// A header that has to be there once is there several times: 400.
    #[error("the header {0} is there more than once; send it once")]
    Repeated(
        /// The header's name.
        &'static str,
    ),
    /// Another version of the WebSocket protocol, or none: 426.
    #[error("the WebSocket version has to be 13; send the header `Sec-WebSocket-Version: 13`")]
    WebSocketVersion,
    /// A key that isn't 16 bytes in base64: 400.
    #[error("Sec-WebSocket-Key isn't the base64 of 16 bytes; send 16 random bytes, anew for each connection")]
    Key,
    /// Subprotocols were offered, and none of them is known: 400.
    #[error("none of the subprotocols in Sec-WebSocket-Protocol is known; offer {known}, or none")]
    Subprotocol {
        /// The known ones, in a list for people.
        known: String,
    },
}

impl HandshakeError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAnUpgrade | Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        let refusal = Self::new(error.status(), &error.to_string());
        match error {
            HandshakeError::Method => refusal.with_header(header::ALLOW, "GET"),
            HandshakeError::NotAnUpgrade => refusal.with_header(header::UPGRADE, "websocket"),
            HandshakeError::WebSocketVersion => refusal
                .with_header(header::UPGRADE, "websocket")
                .with_header(header::SEC_WEBSOCKET_VERSION, "13"),
            _ => refusal,
        }
    }
}

/// Judges a request at a WebSocket path. `known` are the subprotocols that the server speaks; of those that the
/// client offers, its first known one is chosen.
///
/// # Errors
/// What is wrong first; [`Refusal::from`] makes the answer.
pub fn judge<'k>(request: UpgradeRequest<'_>, known: &[&'k str]) -> Result<Accepted<'k>, HandshakeError> {
    let UpgradeRequest { method, version, headers } = request;
    if method != Method::GET {
        return Err(HandshakeError::Method);
    }
    if version < Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if !has_token(headers, &header::UPGRADE, "websocket")
        || !has_token(headers, &header::CONNECTION, "upgrade")
    {
        return Err(HandshakeError::NotAnUpgrade);
    }
    once(headers, &header::HOST, "Host")?;
    if has_body(headers) {
        return Err(HandshakeError::Body);
    }
    match once(headers, &header::SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version") {
        Ok(b"13") => {}
        Ok(_) | Err(HandshakeError::Missing(_)) => return Err(HandshakeError::WebSocketVersion),
        Err(error) => return Err(error),
    }
    let key = once(headers, &header::SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key")?;
    if !is_valid_key(key) {
        return Err(HandshakeError::Key);
    }
    let subprotocol = choose(headers, known)?;
    Ok(Accepted { accept_key: hash_key(key).iter().copied().map(char::from).collect(), subprotocol })
}

impl Accepted<'_> {
    /// The 101 answer of actix, without a body.
    pub fn into_response(self) -> Response<()> {
        let mut response = Response::with_body(StatusCode::SWITCHING_PROTOCOLS, ());
        response.head_mut().set_connection_type(ConnectionType::Upgrade);
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let accept_key = HeaderValue::try_from(self.accept_key).ok();
        let subprotocol = self.subprotocol.and_then(|name| HeaderValue::from_str(name).ok());
        for (name, value) in
            [(header::SEC_WEBSOCKET_ACCEPT, accept_key), (header::SEC_WEBSOCKET_PROTOCOL, subprotocol)]
        {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        response
    }

    /// Appends the 101 answer as it goes over HTTP/1.1, for who owns the socket.
    pub fn write_http1(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        write_header(out, "upgrade", b"websocket");
        write_header(out, "connection", b"upgrade");
        write_header(out, "sec-websocket-accept", self.accept_key.as_bytes());
        if let Some(subprotocol) = self.subprotocol {
            write_header(out, "sec-websocket-protocol", subprotocol.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The elements of a comma-separated list that may be spread over several headers; empty ones don't count.
fn list<'r>(headers: &'r HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'r [u8]> {
    headers
        .get_all(name)
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    list(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// The value of a header that has to be there exactly once; `shown` is its name for people.
fn once<'r>(
    headers: &'r HeaderMap,
    name: &HeaderName,
    shown: &'static str,
) -> Result<&'r [u8], HandshakeError> {
    let mut values = headers.get_all(name);
    let value = values.next().ok_or(HandshakeError::Missing(shown))?;
    if values.next().is_some() {
        return Err(HandshakeError::Repeated(shown));
    }
    Ok(value.as_bytes().trim_ascii())
}

/// A proxy in between would take the body for this request's, we for frames: a way to smuggle either.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).any(|value| value.as_bytes().trim_ascii() != b"0")
}

fn is_valid_key(key: &[u8]) -> bool {
    // Strict about padding and alphabet, and an error where more than 16 bytes come, or wouldn't fit.
    let mut decoded = [0; 18];
    BASE64_STANDARD.decode_slice(key, &mut decoded) == Ok(16)
}

fn choose<'k>(headers: &HeaderMap, known: &[&'k str]) -> Result<Option<&'k str>, HandshakeError> {
    let mut offers = list(headers, &header::SEC_WEBSOCKET_PROTOCOL).peekable();
    if offers.peek().is_none() {
        return Ok(None);
    }
    let chosen = offers.find_map(|offer| known.iter().copied().find(|name| name.as_bytes() == offer));
    chosen.map(Some).ok_or_else(|| HandshakeError::Subprotocol { known: known.join(" or ") })
}
