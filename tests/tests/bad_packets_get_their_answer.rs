//! A packet that can't be understood ends its connection with 4400 and a reason that names it; one that is refused is
//! answered, and its connection stays.

use murre_tests::packet::value;
use murre_tests::{Broker, Client, Frame, Kind, Packet, RawSocket, json};

/// Sends bytes as the connected client's next message, and gives the code and reason that it is disconnected with.
fn disconnected_by(broker: &Broker, bytes: Vec<u8>) -> (u64, String) {
    farewell(Client::connect(broker), bytes)
}

fn farewell(mut client: Client, bytes: Vec<u8>) -> (u64, String) {
    client.send_message(tungstenite::Message::binary(bytes));
    let (disconnect, ending) = client.disconnected();
    assert_eq!(ending.code.map(u64::from), Some(disconnect.number(1)), "the close says the same: {ending:?}");
    (disconnect.number(1), disconnect.text(2).to_lowercase())
}

#[test]
fn bytes_that_are_no_packet() {
    let broker = Broker::start();

    for bytes in [vec![0xc1], b"hello".to_vec(), vec![0x90], vec![0x81, 0x01]] {
        let (code, reason) = disconnected_by(&broker, bytes.clone());
        assert_eq!(code, 4400, "{bytes:?}: {reason}");
        assert!(!reason.is_empty(), "{bytes:?} is refused without a reason");
    }
}

#[test]
fn a_packet_with_its_end_cut_off() {
    let broker = Broker::start();
    let mut bytes = Packet::publish("site/a/temp", "21.4", 1).encode();
    bytes.truncate(bytes.len() - 1);

    let (code, reason) = disconnected_by(&broker, bytes);

    assert_eq!(code, 4400);
    assert!(reason.contains("publish"), "the reason names the packet: {reason}");
}

#[test]
fn an_element_of_the_wrong_kind_is_named() {
    let broker = Broker::start();
    let publish = Packet::new(Kind::Publish, ["site/a".into(), 3.into(), "text, not bin".into(), 0.into()]);

    let (code, reason) = disconnected_by(&broker, publish.encode());

    assert_eq!(code, 4400);
    assert!(reason.contains("publish") && reason.contains("payload"), "{reason}");
}

#[test]
fn a_topic_that_is_not_utf8() {
    let broker = Broker::start();
    // [3, str of 2 bytes that are no UTF-8, 3, bin of 0 bytes, 0]
    let publish = vec![0x95, 0x03, 0xa2, 0xff, 0xfe, 0x03, 0xc4, 0x00, 0x00];

    let (code, reason) = disconnected_by(&broker, publish);

    assert_eq!(code, 4400);
    assert!(reason.contains("topic"), "{reason}");
}

#[test]
fn an_unknown_type() {
    let broker = Broker::start();

    let (code, reason) = disconnected_by(&broker, Packet(vec![99.into()]).encode());

    assert_eq!(code, 4400);
    assert!(reason.contains("99"), "the reason names the type: {reason}");
}

#[test]
fn a_packet_that_only_the_broker_may_send() {
    let broker = Broker::start();
    let message = Packet::new(Kind::CaughtUp, [1.into(), value(json!({ "positions": [], "count": 0 }))]);

    assert_eq!(disconnected_by(&broker, message.encode()).0, 4400);
}

#[test]
fn anything_before_connect() {
    let broker = Broker::start();

    let (code, reason) = farewell(Client::open(&broker), Packet::publish("site/a", "1", 0).encode());

    assert_eq!(code, 4400);
    assert!(reason.contains("connect"), "{reason}");
}

#[test]
fn a_second_connect() {
    let broker = Broker::start();

    let (code, reason) = disconnected_by(&broker, Packet::connect(json!({})).encode());

    assert_eq!(code, 4400);
    assert!(reason.contains("connect"), "{reason}");
}

#[test]
fn text_that_is_not_json() {
    let broker = Broker::start();
    let mut client = RawSocket::upgraded(&broker, "/ws", "murre.v1.json");

    client.send_frames(&[Frame::text("{\"type\":\"connect\"}"), Frame::text("{\"type\":")]);

    assert_eq!(client.closed(), Some(4400));
}

#[test]
fn a_client_that_never_speaks() {
    let broker = Broker::with(&[("session.hello_timeout", "200ms")]);

    let (disconnect, ending) = Client::open(&broker).disconnected();

    assert_eq!((disconnect.number(1), ending.code), (4408, Some(4408)));
}

#[test]
fn a_packet_larger_than_the_limit() {
    let broker = Broker::with(&[("limits.max_packet", "16 KiB"), ("limits.max_message", "64 KiB")]);

    let (code, _) = disconnected_by(&broker, Packet::publish("site/a", "x".repeat(20 << 10), 1).encode());

    assert_eq!(code, 4413);
}

#[test]
fn an_invalid_topic_is_refused_and_the_connection_stays() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    for topic in ["", "site/+/temp", "site/#", "nul\0", &"a/".repeat(64)] {
        let answer = client.try_publish(topic, "1", json!({}));
        assert_eq!(answer.number(2), 4422, "{topic:?}: {answer:?}");
        assert!(!answer.text(4).is_empty(), "{topic:?} is refused without a reason");
    }
    client.publish("site/a/temp", "1");
}

#[test]
fn a_refused_publish_without_id_gets_a_notice() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    client.send(&Packet::publish("site/#", "1", 0));

    let notice = client.expect(Kind::Notice);
    assert_eq!(notice.info("kind").as_str(), Some("refused"), "{notice:?}");
    client.publish("site/a", "1");
}

#[test]
fn an_invalid_filter_is_refused_and_the_connection_stays() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    for filter in ["", "site/#/temp", "site/a+", "$share/group", "$share//site/a"] {
        let answer = client.try_subscribe(1, filter, json!({}));
        assert_eq!(answer.number(2), 4422, "{filter:?}: {answer:?}");
        assert!(answer.info("reason").as_str().is_some_and(|reason| !reason.is_empty()), "{answer:?}");
    }
    client.subscribe(1, "site/#");
}

#[test]
fn the_brokers_own_topics_are_not_a_clients_to_publish() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    assert_eq!(client.try_publish("$murre/clients/boiler-7", "{}", json!({})).number(2), 4403);
}

#[test]
fn what_the_broker_does_not_have_is_said_and_not_ignored() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    let options = json!({ "max_rate": 1, "from": "live" });
    let answer = client.try_subscribe(1, "$share/group/site/#", options);
    assert_eq!(answer.number(2), 4501, "{answer:?}");
}

#[test]
fn an_option_with_a_wrong_value_is_refused() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    let answer = client.try_subscribe(1, "site/#", json!({ "from": "yesterday" }));

    assert_eq!(answer.number(2), 4422, "{answer:?}");
}

#[test]
fn too_many_subscriptions() {
    let broker = Broker::with(&[("limits.subscriptions_max", "3")]);
    let mut client = Client::connect(&broker);
    for sub in 1..=3 {
        client.subscribe(sub, "site/#");
    }

    assert_eq!(client.try_subscribe(4, "site/#", json!({})).number(2), 4429);

    client.publish("site/a", "still there");
}

#[test]
fn a_subscription_that_is_not_there() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    client.send(&Packet::new(Kind::Unsubscribe, [7.into()]));

    let answer = client.expect(Kind::Unsubscribed);
    assert_eq!((answer.number(1), answer.number(2)), (7, 4404));
}

#[test]
fn elements_and_keys_of_later_versions_are_passed_over() {
    let broker = Broker::start();
    let mut client = Client::open(&broker);

    client.send(&Packet::connect(json!({ "client_id": "later", "warp": 9 })).and("more"));
    assert_eq!(client.expect(Kind::Connected).info("client_id").as_str(), Some("later"));
    client.publish_with("site/a", "1", json!({ "hue": "blue" }));
}
