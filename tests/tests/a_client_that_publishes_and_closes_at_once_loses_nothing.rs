//! What a client sent before it ended the connection, in whatever way, reaches every subscriber.

use murre_tests::{Broker, Client, Frame, Packet, RawSocket};

const MESSAGES: usize = 2_000;

/// So many publishes, each in a frame of its own.
fn publishes(count: usize, payload: &str) -> Vec<Frame> {
    let packet = |index| Packet::publish(&format!("burst/{}", index % 7), format!("{index} {payload}"), 0);
    (0..count).map(|index| Frame::binary(packet(index).encode())).collect()
}

/// The numbers in front of the payloads that arrived, sorted: topics may overtake each other.
fn arrived(subscriber: &mut Client, count: usize) -> Vec<usize> {
    let number =
        |text: &str| text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    let mut numbers: Vec<usize> =
        subscriber.messages(count).iter().map(|message| number(message.text())).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn with_a_close_frame_right_behind() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "burst/#");
    let mut publisher = RawSocket::connected(&broker);

    let mut frames = publishes(MESSAGES, "");
    frames.push(Frame::close(1000));
    publisher.send_frames(&frames);
    drop(publisher);

    assert_eq!(arrived(&mut subscriber, MESSAGES), (0..MESSAGES).collect::<Vec<_>>());
}

#[test]
fn with_a_fin_right_behind() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "burst/#");
    let mut publisher = RawSocket::connected(&broker);

    publisher.send_frames(&publishes(MESSAGES, ""));
    publisher.half_close();

    assert_eq!(arrived(&mut subscriber, MESSAGES), (0..MESSAGES).collect::<Vec<_>>());
    publisher.ended();
}

#[test]
fn with_payloads_larger_than_any_buffer() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "burst/#");
    let mut publisher = RawSocket::connected(&broker);

    publisher.send_frames(&publishes(8, &"x".repeat(100_000)));
    publisher.half_close();

    assert_eq!(arrived(&mut subscriber, 8), (0..8).collect::<Vec<_>>());
}

#[test]
fn again_and_again_with_a_single_message() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "burst/#");

    for round in 0..100 {
        let mut publisher = RawSocket::upgraded(&broker, "/ws", "murre.v1.msgpack");
        let connect = Packet::connect(serde_json::json!({})).encode();
        let publish = Packet::publish("burst/one", round.to_string(), 0).encode();
        publisher.send_frames(&[Frame::binary([connect, publish].concat())]);
        publisher.half_close();

        assert_eq!(subscriber.message().text(), round.to_string());
    }
}

#[test]
fn while_its_own_answers_are_never_read() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "burst/#");
    let mut publisher = RawSocket::connected(&broker);

    // Each publish wants an answer, and nobody reads the answers.
    let packet = |index: usize| Packet::publish("burst/0", format!("{index} "), index as u64 + 1);
    let frames: Vec<_> = (0..MESSAGES).map(|index| Frame::binary(packet(index).encode())).collect();
    publisher.send_frames(&frames);
    drop(publisher);

    assert_eq!(arrived(&mut subscriber, MESSAGES), (0..MESSAGES).collect::<Vec<_>>());
}
