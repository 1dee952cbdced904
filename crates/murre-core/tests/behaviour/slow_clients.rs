//! A client that reads too slowly, and may not be degraded, loses by its own rule, is told how much, and harms nobody.

use murre_core::testing::{Broker, Client, acknowledged, live, on_slow};
use murre_protocol::{
    Code, Codec, Format,
    packet::{ClientPacket, OnSlow, Publish},
};

const OUTBOX_MAX: usize = 128 * 1024;
const VALUE: &str = "a value that takes some room in the outbox of whoever gets it";

fn broker() -> Broker {
    Broker::with_limits(2, 1, |limits| {
        limits.outbox_max = OUTBOX_MAX;
        limits.degrade = None;
    })
}

fn stalled(broker: &Broker, rule: OnSlow) -> (Client, u64) {
    let client = broker.connect("slow");
    let sub = client.subscribe_with("t/#", on_slow(rule));
    client.stall();
    (client, sub)
}

fn flood(broker: &Broker, topics: usize, count: usize) {
    let texts: Vec<(String, String)> =
        (0..count).map(|n| (format!("t/{}", n % topics), format!("{n} {VALUE}"))).collect();
    broker.publish_all(texts.iter().map(|(topic, text)| (topic.as_str(), text.as_str())));
}

fn number(text: &str) -> usize {
    text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number first")
}

#[test]
fn the_oldest_messages_go_and_what_came_and_what_went_add_up() {
    let broker = broker();
    let (client, sub) = stalled(&broker, OnSlow::DropOldest);
    flood(&broker, 10, 4_999);
    broker.publish("t/0", "4999 last");
    client.resume();
    let texts = client.texts(sub);
    assert_eq!(texts.len() as u64 + client.dropped(sub), 5_000);
    assert!(client.dropped(sub) > 3_000);
    assert_eq!(broker.count(|c| &c.dropped), client.dropped(sub));
    assert_eq!(texts.last().map(|text| number(text)), Some(4_999), "the newest is there");
}

#[test]
fn a_client_that_reads_now_and_then_is_told_all_that_went() {
    let broker = broker();
    let (client, sub) = stalled(&broker, OnSlow::DropOldest);
    for _ in 0..20 {
        flood(&broker, 10, 2_000);
        client.read(1);
    }
    client.resume();
    assert_eq!(client.messages(sub).len() as u64 + client.dropped(sub), 40_000);
}

#[test]
fn conflate_keeps_the_newest_of_each_topic() {
    let broker = broker();
    let (client, sub) = stalled(&broker, OnSlow::Conflate);
    flood(&broker, 20, 5_000);
    client.resume();
    let messages = client.messages(sub);
    for topic in 0..20 {
        let last = messages.iter().rfind(|message| message.topic == format!("t/{topic}")).unwrap();
        assert_eq!(number(&last.text()), 4_980 + topic, "t/{topic}");
    }
    assert_eq!(messages.len() as u64 + client.dropped(sub), 5_000);
}

#[test]
fn disconnect_ends_the_session_with_4410() {
    let broker = broker();
    let (client, _) = stalled(&broker, OnSlow::Disconnect);
    flood(&broker, 10, 5_000);
    client.resume();
    assert_eq!(client.disconnected(), Some(Code::SLOW_CONSUMER));
    assert_eq!(broker.count(|c| &c.slow_disconnected), 1);
}

#[test]
fn a_subscription_that_asked_to_be_disconnected_never_loses_a_message_to_another() {
    let broker = broker();
    let client = broker.connect("slow");
    let strict = client.subscribe_with("strict", on_slow(OnSlow::Disconnect));
    let loose = client.subscribe_with("t/#", on_slow(OnSlow::DropOldest));
    client.stall();
    // the first ones are in the socket already, where nothing can be left out
    flood(&broker, 10, 600);
    broker.publish_all((0..50).map(|_| ("strict", VALUE)));
    flood(&broker, 10, 4_400);
    client.resume();
    assert_eq!((client.messages(strict).len(), client.dropped(strict)), (50, 0));
    assert_eq!(client.messages(loose).len() as u64 + client.dropped(loose), 5_000);
}

#[test]
fn others_get_everything_at_once() {
    let broker = broker();
    let (_slow, _) = stalled(&broker, OnSlow::DropOldest);
    let reader = broker.connect("reader");
    let sub = reader.subscribe_with("t/#", live());
    flood(&broker, 10, 5_000);
    assert_eq!((reader.messages(sub).len(), reader.dropped(sub)), (5_000, 0));
    assert!(reader.waiting_max() < OUTBOX_MAX);
}

#[test]
fn many_publishes_in_one_message_reach_whoever_reads() {
    for workers in [1, 2] {
        let broker = Broker::with_limits(workers, 1, |limits| limits.outbox_max = OUTBOX_MAX);
        let reader = broker.connect("reader");
        let sub = reader.subscribe_with("t/#", live());
        let mut message = Vec::new();
        for n in 0..5_000 {
            let (topic, payload) = (format!("t/{}", n % 10).into(), VALUE.as_bytes().into());
            let publish = Publish { topic, format: Format::Text, payload, id: 0, options: None };
            Codec::MessagePack.write_client(&ClientPacket::Publish(publish), &mut message);
        }
        assert!(message.len() > 2 * OUTBOX_MAX);
        broker.publisher().send_bytes(&message);
        broker.settle();
        assert_eq!((reader.messages(sub).len(), reader.dropped(sub)), (5_000, 0));
    }
}

#[test]
fn the_outbox_of_a_stalled_client_stays_within_its_bound() {
    for codec in [Codec::MessagePack, Codec::Json] {
        let broker = broker();
        let client = broker.connect_with(1, codec, murre_protocol::packet::Connect::default());
        for rule in [OnSlow::DropOldest, OnSlow::Conflate] {
            client.subscribe_with("t/#", on_slow(rule));
        }
        client.subscribe_with("t/#", acknowledged());
        client.stall();
        flood(&broker, 10, 10_000);
        // one head of a MESSAGE over
        assert!(client.waiting_max() <= OUTBOX_MAX + 2 * 64, "{codec:?}: {}", client.waiting_max());
    }
}

#[test]
fn the_drop_is_told_before_the_subscription_ends() {
    let broker = broker();
    let (client, sub) = stalled(&broker, OnSlow::DropOldest);
    flood(&broker, 10, 5_000);
    client.send(&murre_protocol::packet::ClientPacket::Unsubscribe { sub });
    broker.settle();
    client.resume();
    assert_eq!(client.messages(sub).len() as u64 + client.dropped(sub), 5_000);
}
