//! Upgrade requests that aren't in order get an HTTP answer that says what was wrong.

use murre_tests::http::Answer;
use murre_tests::raw::upgrade_request;
use murre_tests::{Broker, RawSocket};

/// The answer to a right request in which `from` was replaced.
fn answer_with(broker: &Broker, from: &str, to: &str) -> Answer {
    let request = upgrade_request(broker, "/ws", &[]);
    assert!(request.contains(from), "{request}");
    RawSocket::open(broker).ask(&request.replace(from, to))
}

fn answer_to_offer(broker: &Broker, subprotocols: &str) -> Answer {
    let offer = format!("Sec-WebSocket-Protocol: {subprotocols}");
    RawSocket::open(broker).ask(&upgrade_request(broker, "/ws", &[offer]))
}

fn answer_to_origin(broker: &Broker, origin: &str) -> Answer {
    RawSocket::open(broker).ask(&upgrade_request(broker, "/ws", &[format!("Origin: {origin}")]))
}

#[test]
fn plain_http_at_the_endpoint_is_asked_to_upgrade() {
    let broker = Broker::start();

    let answer = broker.get("/ws");

    assert_eq!(answer.status, 426, "{answer:?}");
    assert_eq!(answer.header("upgrade").map(str::to_ascii_lowercase).as_deref(), Some("websocket"));
}

#[test]
fn another_version_of_websocket_is_told_the_right_one() {
    let broker = Broker::start();

    let answer = answer_with(&broker, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8");

    assert_eq!(answer.status, 426);
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
}

#[test]
fn a_key_that_is_missing_or_not_16_bytes_is_refused() {
    let broker = Broker::start();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    for wrong in
        ["", "Sec-WebSocket-Key: c2hvcnQ=\r\n", "Sec-WebSocket-Key: not base64 at all!!\r\n", &key.repeat(2)]
    {
        assert_eq!(answer_with(&broker, key, wrong).status, 400, "{wrong:?}");
    }
}

#[test]
fn http_1_0_is_refused() {
    let broker = Broker::start();

    assert_eq!(answer_with(&broker, "HTTP/1.1", "HTTP/1.0").status, 400);
}

#[test]
fn an_upgrade_at_another_path_is_not_found() {
    let broker = Broker::start();

    assert_eq!(RawSocket::open(&broker).ask(&upgrade_request(&broker, "/nowhere", &[])).status, 404);
}

#[test]
fn an_unknown_subprotocol_alone_is_refused_and_told_the_known_ones() {
    let broker = Broker::start();

    let answer = answer_to_offer(&broker, "mqtt");

    assert_eq!(answer.status, 400);
    for known in ["murre.v1.msgpack", "murre.v1.json"] {
        assert!(answer.text().contains(known), "{}", answer.text());
    }
}

#[test]
fn of_several_subprotocols_a_known_one_is_chosen() {
    let broker = Broker::start();

    let answer = answer_to_offer(&broker, "mqtt, murre.v1.json");

    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, Some("murre.v1.json")));
}

#[test]
fn compression_is_not_agreed_on() {
    let broker = Broker::start();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate".to_owned();

    let answer = RawSocket::open(&broker).ask(&upgrade_request(&broker, "/ws", &[offer]));

    assert_eq!((answer.status, answer.header("sec-websocket-extensions")), (101, None));
}

#[test]
fn a_page_from_elsewhere_is_refused() {
    let broker = Broker::start();

    for origin in ["https://elsewhere.example", "null", "not an origin"] {
        assert_eq!(answer_to_origin(&broker, origin).status, 403, "{origin}");
    }
}

#[test]
fn pages_of_the_broker_of_localhost_and_of_the_list_are_let_in() {
    let broker = Broker::with(&[("server.origins", "https://dashboard.example")]);

    for origin in [&broker.http(""), "http://localhost:5173", "https://dashboard.example"] {
        assert_eq!(answer_to_origin(&broker, origin).status, 101, "{origin}");
    }
}

#[test]
fn a_handshake_that_never_ends_is_dropped() {
    let broker = Broker::with(&[("server.handshake_timeout", "200ms")]);
    let mut slow = RawSocket::open(&broker);

    slow.send("GET /ws HTTP/1.1\r\nHost: localhost\r\n");

    slow.ended();
}

#[test]
fn a_head_without_end_is_refused() {
    let broker = Broker::start();
    let mut endless = RawSocket::open(&broker);
    endless.send("GET /ws HTTP/1.1\r\n");

    let header = format!("X-Padding: {}\r\n", "x".repeat(4096));
    let sent = (0..4096).take_while(|_| endless.try_send(&header).is_ok()).count();

    assert!(sent < 4096, "the broker took a head of 16 MiB");
    assert_eq!(broker.get("/health/live").status, 200);
}
