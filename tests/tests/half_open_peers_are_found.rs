//! A client whose connection stays open, but from which nothing comes any more, is found after 1.5 times its keep-alive,
//! and its will is sent: also when so much waits for it that the broker can't tell it anything.

use murre_tests::load::publish_numbered;
use murre_tests::{Broker, Client, Frame, Kind, Packet, RawSocket, json};
use rmpv::Value;
use tungstenite::Message as WebSocketMessage;

/// A client with a keep-alive of 1 s and a will, on a socket that holds little.
fn with_will(broker: &Broker) -> Client {
    let payload = Value::Binary(b"gone".to_vec());
    let will = vec![("topic".into(), "wills/device".into()), ("payload".into(), payload)];
    let options = vec![("keep_alive".into(), 1.into()), ("will".into(), Value::Map(will))];
    Client::connect_narrow(broker, &Packet::new(Kind::Connect, [Value::Map(options)]))
}

fn heir(broker: &Broker) -> Client {
    let mut heir = Client::connect_with(broker, json!({ "keep_alive": 0 }));
    heir.subscribe_live(1, "wills/#");
    heir
}

#[test]
fn a_silent_one_is_told_and_its_will_is_sent() {
    let broker = Broker::start();
    let mut heir = heir(&broker);
    let mut silent = with_will(&broker);

    assert_eq!(heir.message().text(), "gone");
    let (disconnect, ending) = silent.disconnected();
    assert_eq!((disconnect.number(1), ending.code), (4408, Some(4408)));
    assert_eq!(broker.counter("keep_alive_timeouts"), 1);
}

#[test]
fn one_with_a_full_outbox_is_found_and_its_socket_closed() {
    let broker = Broker::with(&[("limits.outbox_max", "256KiB"), ("degrade.enabled", "false")]);
    let mut heir = heir(&broker);
    let mut silent = with_will(&broker);
    silent.subscribe_live(1, "flood");
    publish_numbered(&mut Client::connect(&broker), &["flood"], 4_000, 2_000);
    assert!(broker.counter("dropped") > 0, "its outbox is full");

    assert_eq!(heir.message().text(), "gone");
    assert_eq!(broker.counter("keep_alive_timeouts"), 1);
    broker.wait_for_counter("sessions", |sessions| sessions == 1);
    assert!(silent.writes_until_refused(), "the broker has closed its connection");
}

/// The broker stops reading a client that doesn't take its answers. That must not keep the client from being found.
#[test]
fn one_that_is_not_read_because_it_takes_no_answers_is_found_too() {
    let broker = Broker::with(&[("limits.outbox_max", "256KiB")]);
    let mut heir = heir(&broker);
    let mut silent = with_will(&broker);
    let refused = Packet::publish("+", "", 1).encode();
    let message = WebSocketMessage::binary(refused.repeat(400_000));

    silent.send_message(message);

    broker.wait_for_counter("paused", |count| count > 0);
    assert_eq!(heir.message().text(), "gone");
    assert_eq!(broker.counter("keep_alive_timeouts"), 1);
}

/// The other side of it: who takes the answers, however late, is not taken for gone.
#[test]
fn one_that_reads_again_is_read_again() {
    let broker = Broker::with(&[("limits.outbox_max", "256KiB")]);
    let mut client = RawSocket::connected(&broker);
    let (refused, count) = (Packet::publish("+", "", 1).encode(), 100_000);

    client.send(Frame::binary(refused.repeat(count)).encode());
    client.send_packet(&Packet::new(Kind::Ping, []));

    let mut answers = 0;
    loop {
        let packets = client.packets();
        answers += packets.iter().filter(|packet| packet.is(Kind::Published)).count();
        if packets.last().is_some_and(|packet| packet.is(Kind::Pong)) {
            break;
        }
    }
    assert_eq!(answers, count);
}
