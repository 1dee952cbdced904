//! Which requests are WebSocket handshakes, and what the others are told.

use actix_http::{
    Method, Version,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::websocket::{
    Refusal,
    handshake::{Accepted, HandshakeError, UpgradeRequest, judge},
};

const KNOWN: [&str; 2] = ["murre.v1.msgpack", "murre.v1.json"];
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

struct Request {
    method: Method,
    version: Version,
    headers: HeaderMap,
}

/// A handshake in order.
fn request() -> Request {
    Request { method: Method::GET, version: Version::HTTP_11, headers: HeaderMap::new() }
        .with("host", "broker:8080")
        .with("upgrade", "websocket")
        .with("connection", "Upgrade")
        .with("sec-websocket-version", "13")
        .with("sec-websocket-key", KEY)
}

impl Request {
    /// With one header more.
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(HeaderName::from_static(name));
        self
    }

    /// With this value in place of what there was.
    fn having(self, name: &'static str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    fn judge(&self) -> Result<Accepted<'static>, HandshakeError> {
        let Self { method, version, headers } = self;
        judge(UpgradeRequest { method, version: *version, headers }, &KNOWN)
    }

    fn subprotocol(&self) -> Option<&'static str> {
        self.judge().unwrap().subprotocol
    }

    fn refusal(&self) -> Refusal {
        self.judge().expect_err("the handshake isn't in order").into()
    }

    fn status(&self) -> u16 {
        self.refusal().status.as_u16()
    }
}

fn header_of(refusal: &Refusal, name: &str) -> Option<String> {
    let (_, value) = refusal.headers.iter().find(|(header, _)| header.as_str() == name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[test]
fn the_example_of_the_rfc_is_accepted_with_its_key() {
    let accepted = request().judge().unwrap();

    assert_eq!(accepted, Accepted { accept_key: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into(), subprotocol: None });
}

proptest! {
    #[test]
    fn the_accept_key_is_the_one_that_another_implementation_expects(nonce: [u8; 16]) {
        use base64::Engine as _;
        let key = base64::prelude::BASE64_STANDARD.encode(nonce);

        let accepted = request().having("sec-websocket-key", &key).judge().unwrap();

        prop_assert_eq!(accepted.accept_key, derive_accept_key(key.as_bytes()));
    }
}

#[test]
fn browsers_list_more_in_connection_and_write_as_they_like() {
    let request = request().having("connection", "keep-alive, UPGRADE").having("upgrade", "h2c, WebSocket");

    assert!(request.judge().is_ok());
}

#[test]
fn only_get_upgrades() {
    for method in [Method::POST, Method::HEAD, Method::CONNECT, Method::OPTIONS] {
        let refusal = Request { method, ..request() }.refusal();
        assert_eq!(refusal.status, 405);
        assert_eq!(header_of(&refusal, "allow").as_deref(), Some("GET"));
    }
}

#[test]
fn http_1_0_is_refused() {
    assert_eq!(Request { version: Version::HTTP_10, ..request() }.status(), 400);
}

#[test]
fn plain_http_is_told_to_upgrade() {
    let plain = request().without("upgrade").without("connection");
    let without_upgrade = request().without("upgrade");
    let without_connection = request().having("connection", "keep-alive");
    let other_protocol = request().having("upgrade", "websocket2");

    for request in [plain, without_upgrade, without_connection, other_protocol] {
        let refusal = request.refusal();
        assert_eq!(refusal.status, 426);
        assert_eq!(header_of(&refusal, "upgrade").as_deref(), Some("websocket"));
    }
}

#[test]
fn another_websocket_version_is_told_which_one_is_spoken() {
    for version in ["8", "14", "013", "13, 8", "x"] {
        let refusal = request().having("sec-websocket-version", version).refusal();
        assert_eq!(refusal.status, 426, "{version}");
        assert_eq!(header_of(&refusal, "sec-websocket-version").as_deref(), Some("13"));
    }
    assert_eq!(request().without("sec-websocket-version").status(), 426);
}

#[test]
fn a_key_that_is_not_16_bytes_of_base64_is_refused() {
    let keys = ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=A", "dGhlIHNhbXBsZSBub25jZTE2"];
    for key in keys {
        let error = request().having("sec-websocket-key", key).judge();
        assert_eq!(error, Err(HandshakeError::Key), "{key}");
    }
    assert_eq!(request().having("sec-websocket-key", "c2hvcnQ=").status(), 400);
    assert_eq!(request().without("sec-websocket-key").status(), 400);
}

#[test]
fn a_header_that_has_to_be_there_once_is_refused_twice() {
    for (name, value) in
        [("sec-websocket-key", KEY), ("sec-websocket-version", "13"), ("host", "broker:8080")]
    {
        let error = request().with(name, value).judge().unwrap_err();
        assert!(matches!(error, HandshakeError::Repeated(_)), "{name}: {error}");
        assert_eq!(Refusal::from(error).status, 400);
    }
}

#[test]
fn a_handshake_without_host_is_refused() {
    assert_eq!(request().without("host").judge(), Err(HandshakeError::Missing("Host")));
}

#[test]
fn a_handshake_with_a_body_is_refused() {
    let with_length = request().with("content-length", "5");
    let chunked = request().with("transfer-encoding", "chunked");
    let empty = request().with("content-length", "0");

    assert_eq!(with_length.judge(), Err(HandshakeError::Body));
    assert_eq!(chunked.judge(), Err(HandshakeError::Body));
    assert!(empty.judge().is_ok());
}

#[test]
fn the_first_known_subprotocol_that_is_offered_is_chosen() {
    let listed = request().with("sec-websocket-protocol", "mqtt, murre.v1.json ,murre.v1.msgpack");
    let spread = request()
        .with("sec-websocket-protocol", "mqtt")
        .with("sec-websocket-protocol", ", murre.v1.msgpack")
        .with("sec-websocket-protocol", "murre.v1.json");

    assert_eq!(listed.subprotocol(), Some("murre.v1.json"));
    assert_eq!(spread.subprotocol(), Some("murre.v1.msgpack"));
}

#[test]
fn without_an_offer_no_subprotocol_is_chosen() {
    assert_eq!(request().subprotocol(), None);
    assert_eq!(request().with("sec-websocket-protocol", " , ").subprotocol(), None);
}

#[test]
fn unknown_subprotocols_alone_are_refused_and_the_known_ones_named() {
    let refusal = request().with("sec-websocket-protocol", "mqtt, MURRE.V1.JSON").refusal();

    assert_eq!(refusal.status, 400);
    for name in KNOWN {
        assert!(refusal.body.contains(name), "{}", refusal.body);
    }
}

#[test]
fn the_answer_names_key_and_subprotocol() {
    let accepted = request().with("sec-websocket-protocol", "murre.v1.json").judge().unwrap();
    let mut out = Vec::new();

    accepted.write_http1(&mut out);
    let response = accepted.into_response();

    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"), "{text}");
    assert!(text.ends_with("\r\nsec-websocket-protocol: murre.v1.json\r\n\r\n"), "{text}");
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers().get("sec-websocket-accept").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.headers().get("sec-websocket-protocol").unwrap(), "murre.v1.json");
    assert!(response.head().upgrade());
}

#[test]
fn requests_of_both_actix_crates_can_be_judged() {
    let of_actix_http = actix_http::Request::new();
    let of_actix_web = actix_web::test::TestRequest::get().to_http_request();

    assert_eq!(judge((&of_actix_http).into(), &KNOWN), Err(HandshakeError::NotAnUpgrade));
    assert_eq!(judge((&of_actix_web).into(), &KNOWN), Err(HandshakeError::NotAnUpgrade));
}

proptest! {
    #[test]
    fn no_header_value_brings_it_down(
        name in prop::sample::select(vec!["upgrade", "sec-websocket-key", "sec-websocket-version",
            "sec-websocket-protocol", "content-length", "host"]),
        value in proptest::collection::vec(0x20_u8..0x7f, 0..60),
    ) {
        let mut request = request().without(name);
        request.headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(&value).unwrap());

        if let Err(error) = request.judge() {
            prop_assert!(Refusal::from(error).status.is_client_error());
        }
    }
}
