//! A subscription with `ack` has a bounded number of messages under way, in order.

use murre_core::testing::{Broker, Client, Said, acknowledged, live};
use murre_protocol::{
    Position,
    packet::{From, SubscribeOptions},
};

fn broker() -> Broker {
    Broker::with_limits(2, 1, |limits| limits.inflight_max = 10)
}

fn count(broker: &Broker, topic: &str, count: usize) {
    let texts: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    broker.publish_all(texts.iter().map(|text| (topic, text.as_str())));
}

fn acknowledge_last(client: &Client, sub: u64) -> usize {
    let messages = client.messages(sub);
    client.acknowledge(sub, messages[messages.len() - 1].position);
    client.messages(sub).len() - messages.len()
}

#[test]
fn no_more_than_the_window_is_sent_until_acknowledgements_come() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", acknowledged());
    count(&broker, "t", 35);
    assert_eq!(client.messages(sub).len(), 10);
    let grown: Vec<usize> = (0..4).map(|_| acknowledge_last(&client, sub)).collect();
    assert_eq!(grown, [10, 10, 5, 0]);
    let texts: Vec<String> = (0..35).map(|n| n.to_string()).collect();
    assert_eq!(client.texts(sub), texts, "in order");
}

#[test]
fn an_acknowledgement_in_the_middle_frees_what_it_covers() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", acknowledged());
    count(&broker, "t", 20);
    client.acknowledge(sub, client.messages(sub)[3].position);
    assert_eq!(client.messages(sub).len(), 14);
}

#[test]
fn it_covers_its_own_shard_only() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t/#", acknowledged());
    let names: Vec<String> = (0..30).map(|n| format!("t/{n}")).collect();
    broker.publish_all(names.iter().map(|name| (name.as_str(), "x")));
    let first = client.messages(sub)[0].position;
    client.acknowledge(sub, Position::new(1 << 40, first.shard()));
    let covered = client.messages(sub)[..10].iter().filter(|m| m.position.shard() == first.shard()).count();
    let more: Vec<u8> = client.messages(sub)[10..].iter().map(|m| m.position.shard()).collect();
    assert!(more.len() >= covered, "{more:?}");
    assert!(more.len() < 20, "not all: the other shards' messages are unacknowledged");
}

#[test]
fn a_subscription_that_begins_anew_does_not_go_back_to_what_waited() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", acknowledged());
    count(&broker, "t", 35);
    let last = SubscribeOptions { from: Some(From::Last), ..Default::default() };
    client.resubscribe(sub, "t", last);
    while acknowledge_last(&client, sub) > 0 {}
    let numbers: Vec<String> = (0..10).chain([34]).map(|n: u32| n.to_string()).collect();
    assert_eq!(client.texts(sub), numbers, "what was sent, then the last value");
}

#[test]
fn other_subscriptions_of_the_client_go_on() {
    let broker = broker();
    let client = broker.connect("a");
    let (slow, other) = (client.subscribe_with("t", acknowledged()), client.subscribe_with("t", live()));
    count(&broker, "t", 35);
    assert_eq!((client.messages(slow).len(), client.messages(other).len()), (10, 35));
}

#[test]
fn a_snapshot_waits_for_acknowledgements_too() {
    let broker = broker();
    let names: Vec<String> = (0..100).map(|n| format!("t/{n}")).collect();
    broker.publish_all(names.iter().map(|name| (name.as_str(), "x")));
    let client = broker.connect("a");
    let options = SubscribeOptions { ack: Some(true), ..Default::default() };
    let sub = client.subscribe_with("t/#", options);
    assert_eq!(client.messages(sub).len(), 10);
    while client.messages(sub).len() < 100 {
        let before = client.messages(sub).len();
        for message in client.messages(sub) {
            client.acknowledge(sub, message.position);
        }
        assert!(client.messages(sub).len() > before, "stuck at {before}");
    }
    let heard = client.heard();
    let end = heard.iter().position(|said| matches!(said, Said::CaughtUp { .. }));
    let last = heard.iter().rposition(|said| matches!(said, Said::Message(_)));
    assert!(end > last, "CAUGHT_UP comes behind the whole snapshot");
}

#[test]
fn what_waited_for_room_comes_when_the_client_reads_again() {
    let broker = Broker::with_limits(2, 1, |limits| limits.outbox_max = 8 * 1024);
    let client = broker.connect("a");
    let plain = client.subscribe_with("plain", live());
    let sub = client.subscribe_with("t", acknowledged());
    client.stall();
    let value = "x".repeat(100);
    broker.publish_all((0..200).map(|_| ("plain", value.as_str())));
    count(&broker, "t", 300);
    client.resume();
    assert!(!client.messages(plain).is_empty());
    assert_eq!(client.messages(sub).len(), 300, "nothing was left out, and nothing waits for an ACK");
}

#[test]
fn what_finds_no_room_to_wait_is_counted_and_told() {
    let broker = Broker::with_limits(2, 1, |limits| {
        limits.inflight_max = 10;
        limits.ack_queue_bytes_max = 4096;
    });
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", acknowledged());
    count(&broker, "t", 1_000);
    while acknowledge_last(&client, sub) > 0 {}
    assert!(client.dropped(sub) > 0);
    assert_eq!(client.messages(sub).len() as u64 + client.dropped(sub), 1_000);
}
