//! What a client could make grow has a bound, and the answer says so.

use murre_core::testing::{Broker, Client, Said, live};
use murre_protocol::{
    Code, Codec,
    packet::{ClientPacket, NoticeKind, PublishOptions, ViewKey},
};

#[test]
fn too_many_subscriptions_are_refused_with_4429() {
    let broker = Broker::with_limits(2, 1, |limits| limits.subscriptions_max = 3);
    let client = broker.connect("a");
    (1..=3).for_each(|n| _ = client.subscribe(&format!("t/{n}")));
    assert_eq!(client.resubscribe(99, "t/99", live()), Code::QUOTA);
    let reason = client.heard().into_iter().find_map(|said| match said {
        Said::Subscribed { sub: 99, reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("limits.subscriptions_max is 3"));
    client.unsubscribe(1);
    assert_eq!(client.resubscribe(100, "t/99", live()), Code::OK);
}

#[test]
fn too_many_filters_are_refused_with_4429_and_known_ones_are_not() {
    let broker = Broker::with_limits(1, 1, |limits| limits.filters_max = 2);
    let client = broker.connect("a");
    client.subscribe("a");
    client.subscribe("b");
    assert_eq!(client.resubscribe(9, "c", live()), Code::QUOTA);
    assert_eq!(client.resubscribe(10, "a", live()), Code::OK);
}

#[test]
fn filters_of_groups_count_too() {
    let broker = Broker::with_limits(1, 1, |limits| limits.filters_max = 2);
    let client = broker.connect("a");
    client.subscribe("$share/g/a");
    client.subscribe("$share/g/b");
    assert_eq!(client.resubscribe(9, "$share/g/c", live()), Code::QUOTA);
    assert_eq!(client.resubscribe(10, "$share/g/a", live()), Code::OK);
}

fn with_few_topics() -> (Broker, Client) {
    let broker = Broker::with_limits(1, 1, |limits| limits.topics_max = 2);
    let client = broker.connect("a");
    let mut refused = 0;
    for n in 0..100 {
        refused += u32::from(client.publish(&format!("t/{n}"), "x").code == Code::QUOTA);
    }
    assert!(refused > 50);
    (broker, client)
}

#[test]
fn too_many_topics_are_refused_with_4429_and_the_known_ones_go_on() {
    let (_broker, client) = with_few_topics();
    assert!(client.publish("t/0", "again").code.is_ok());
    let answer = client.publish("t/99", "x");
    assert_eq!(answer.code, Code::QUOTA);
    assert!(answer.reason.contains("limits.topics_max"), "{}", answer.reason);
}

#[test]
fn a_refused_publish_without_an_id_is_told_by_a_notice() {
    let (broker, client) = with_few_topics();
    client.publish_all([("t/99", "x")]);
    broker.settle();
    let notice = client.heard().pop().unwrap();
    assert!(
        matches!(notice, Said::Notice { kind: NoticeKind::Refused, code: Some(Code::QUOTA), .. }),
        "{notice:?}"
    );
}

#[test]
fn too_many_bytes_of_last_values_are_refused_whatever_they_are() {
    let broker = Broker::with_limits(1, 1, |limits| limits.kept_bytes_max = 10_000);
    let client = broker.connect("a");
    let big = "x".repeat(3_000);
    let payloads = (0..200).filter(|n| client.publish(&format!("p/{n}"), &big).code.is_ok()).count();
    assert!(payloads <= 16 * 3, "{payloads}");
    let broker = Broker::with_limits(1, 1, |limits| limits.kept_bytes_max = 10_000);
    let client = broker.connect("a");
    let accepted = |n: &u32| {
        let options =
            PublishOptions { properties: vec![("k".into(), big.as_str().into())], ..Default::default() };
        client.publish_with(&format!("o/{n}"), b"x", options).code.is_ok()
    };
    let options = (0..200).filter(accepted).count();
    assert!(options <= 16 * 3, "{options} values with large options were kept");
}

#[test]
fn sessions_past_the_limit_are_refused() {
    let broker = Broker::with_limits(1, 1, |limits| limits.sessions_max = 2);
    let (first, _second) = (broker.connect("a"), broker.connect("b"));
    assert!(broker.try_open(0, Codec::MessagePack).is_none());
    first.disconnect();
    assert!(broker.try_open(0, Codec::MessagePack).is_some());
}

#[test]
fn a_packet_past_the_limit_ends_the_connection_with_4413() {
    let broker = Broker::with_limits(1, 1, |limits| limits.max_packet = 1000);
    let client = broker.connect("a");
    client.publish_all([("t", "x".repeat(2000).as_str())]);
    broker.settle();
    assert_eq!(client.disconnected(), Some(Code::TOO_LARGE));
}

#[test]
fn a_message_as_large_as_a_packet_may_be_is_delivered() {
    let broker = Broker::new(2, 1);
    for codec in [Codec::MessagePack, Codec::Json] {
        let client = broker.connect_with(1, codec, murre_protocol::packet::Connect::default());
        let sub = client.subscribe_with("large", live());
        broker.publish("large", &"x".repeat((1 << 20) - 100));
        assert_eq!((client.messages(sub).len(), client.dropped(sub)), (1, 0), "{codec:?}");
    }
}

#[test]
fn what_this_broker_does_not_have_is_refused_with_4501() {
    let broker = Broker::new(1, 1);
    let client = broker.connect("a");
    client.send_bytes(
        // SUBSCRIBE 2 "$share/g/a" {"max_rate": 1}
        b"\x94\x05\x02\xaa$share/g/a\x81\xa8max_rate\x01",
    );
    broker.settle();
    assert_eq!(client.answers_to_subscribe(2), [Code::NOT_SUPPORTED], "{:?}", ViewKey::MaxRate);
    client.send(&ClientPacket::Ping);
    broker.settle();
    assert_eq!(client.heard().last(), Some(&Said::Pong), "the connection stays");
}
