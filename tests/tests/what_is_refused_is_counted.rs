//! What the broker refuses shows in `/metrics`, by its kind.

use murre_tests::raw::upgrade_request;
use murre_tests::{Broker, Client, Kind, Packet, RawSocket, json};

#[test]
fn a_handshake_that_is_refused() {
    let broker = Broker::start();
    let ask = |path: &str, header: &str| {
        RawSocket::open(&broker).ask(&upgrade_request(&broker, path, &[header.to_owned()])).status
    };

    let answers = [
        broker.get("/ws").status,
        ask("/nowhere", "X-Other: 1"),
        ask("/ws", "Sec-WebSocket-Protocol: mqtt"),
        ask("/ws", "Origin: https://elsewhere.example"),
    ];

    assert_eq!(answers, [426, 404, 400, 403]);
    assert_eq!(broker.counter("handshakes_refused"), 4);
}

#[test]
fn a_packet_that_is_refused() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.send_all(&[
        Packet::publish("site/+", "1", 1),
        Packet::subscribe(1, "site/#/a", json!({})),
        Packet(vec![99.into()]),
    ]);

    client.expect(Kind::Published);
    client.expect(Kind::Subscribed);
    let (disconnect, _) = client.disconnected();

    assert_eq!(disconnect.number(1), 4400);
    let counted =
        ["publishes_refused", "subscriptions_refused", "malformed"].map(|name| broker.counter(name));
    assert_eq!(counted, [1, 1, 1]);
}
