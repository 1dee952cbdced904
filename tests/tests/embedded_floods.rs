//! The second shell, where the broker reads a client more slowly than it sends, or a client reads nothing: what
//! actix-http does with such connections by itself would lose readings, or stop them.

use murre_tests::{Broker, Client, Frame, Packet, RawSocket, json};

/// Publishes for which the broker takes longer than the client, and one more at the end.
fn flood(mebibytes: usize) -> Vec<u8> {
    let payload = "x".repeat(1000);
    let publish =
        |topic: &str, payload: &str| Frame::binary(Packet::publish(topic, payload, 0).encode()).encode();
    let mut bytes = Vec::new();
    while bytes.len() < mebibytes << 20 {
        bytes.extend(publish(&format!("flood/{}", bytes.len() % 97), &payload));
    }
    bytes.extend(publish("end", "the last one"));
    bytes
}

/// A subscriber of the last message, and others that make the broker slow.
fn subscribers(broker: &Broker) -> (Client, Vec<Client>) {
    let mut subscriber = Client::connect(broker);
    subscriber.subscribe_live(1, "end");
    let stalled = (0..8).map(|_| {
        let mut client = Client::connect(broker);
        client.subscribe_live(1, "flood/#");
        client
    });
    let stalled = stalled.collect();
    (subscriber, stalled)
}

#[test]
fn what_came_before_a_half_close_arrives_although_the_broker_has_paused_reading() {
    let broker = Broker::with(&[("limits.publish_inflight_max", "64 KiB")]);
    let (mut subscriber, _stalled) = subscribers(&broker);
    let flood = flood(8);

    for _ in 0..5 {
        let mut publisher = RawSocket::connected(&broker);
        publisher.send(&flood);
        publisher.half_close();

        assert_eq!(subscriber.message().text(), "the last one");
        publisher.ended();
    }
}

#[test]
fn what_came_before_a_close_frame_arrives_however_much_it_is() {
    let broker = Broker::with(&[("limits.publish_inflight_max", "64 KiB")]);
    let (mut subscriber, _stalled) = subscribers(&broker);
    let mut publisher = RawSocket::connected(&broker);

    publisher.send(flood(24));
    publisher.send_frames(&[Frame::close(1000)]);

    assert_eq!(subscriber.message().text(), "the last one");
    assert_eq!(publisher.closed(), Some(1000));
}

#[test]
fn a_client_that_reads_nothing_is_still_heard() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "end");
    let mut stalled = Client::connect(&broker);
    stalled.subscribe_with(1, "flood/#", json!({ "from": "live", "on_slow": "drop_oldest" }));
    let mut publisher = RawSocket::connected(&broker);
    publisher.send(flood(16));
    assert_eq!(subscriber.message().text(), "the last one");

    stalled.send(&Packet::publish("end", "still here", 0));

    assert_eq!(subscriber.message().text(), "still here");
}
