//! What an acknowledgement of a durable topic means, and what follows a commit.

use murre_core::{
    limits::Limits,
    log::{KeepRule, KeepRules},
    testing::{Broker, acknowledged, from},
};
use murre_protocol::{
    Code, Position, TopicFilter,
    packet::{From, PublishOptions},
};

fn broker(seed: u64) -> Broker {
    broker_with(seed, |_| ())
}

fn broker_with(seed: u64, change: impl FnOnce(&mut Limits)) -> Broker {
    let filter = TopicFilter::parse("log/#").unwrap().into_owned();
    let rule = KeepRule { filter, last: None, age: None, bytes: None, durable: true };
    Broker::with_rules(2, seed, change, KeepRules::new(vec![rule]))
}

fn numbered(sequence: u64) -> PublishOptions<'static> {
    PublishOptions { sequence: Some(sequence), ..Default::default() }
}

#[test]
fn a_subscription_with_ack_gets_a_message_only_when_it_is_committed() {
    let broker = broker(1);
    let client = broker.connect("c");
    let sub = client.subscribe_with("log/a", acknowledged());
    let publisher = broker.connect("p");
    let live = broker.connect("l");
    let heard = live.subscribe("log/a");
    publisher.send_publish("log/a");
    while live.messages(heard).is_empty() {
        broker.run_some(1);
    }
    assert!(client.messages(sub).is_empty() && publisher.answers().is_empty(), "it is not committed yet");
    broker.settle();
    assert_eq!((client.messages(sub).len(), publisher.answers().len()), (1, 1));
}

#[test]
fn a_message_that_is_not_kept_does_not_pass_one_that_waits_for_its_commit() {
    for seed in 0..50 {
        let broker = broker(seed);
        let client = broker.connect("c");
        let sub = client.subscribe_with("#", acknowledged());
        broker.publish_all((0..100).map(|n| (["log/a", "other", "log/b", "x/y"][n % 4], "x")));
        let positions: Vec<Position> = client.messages(sub).iter().map(|message| message.position).collect();
        assert_eq!(positions.len(), 100, "seed {seed}");
        for shard in 0..16 {
            let of_shard: Vec<_> = positions.iter().filter(|position| position.shard() == shard).collect();
            assert!(of_shard.is_sorted(), "seed {seed}: {of_shard:?}");
        }
    }
}

#[test]
fn a_reading_that_is_sent_again_under_its_number_comes_once() {
    let broker = broker(1);
    let (device, client) = (broker.connect("device"), broker.connect("c"));
    let sub = client.subscribe("log/#");
    for (sequence, text) in [(1, "one"), (2, "two"), (1, "one"), (2, "two"), (3, "three")] {
        assert!(device.publish_with("log/a", text.as_bytes(), numbered(sequence)).code.is_ok());
    }
    assert_eq!(client.texts(sub), ["one", "two", "three"]);
    assert_eq!(broker.count(|counters| &counters.repeats), 2);
    let other = broker.connect("other");
    other.publish_with("log/a", b"four", numbered(1));
    assert_eq!(client.texts(sub).last().map(String::as_str), Some("four"), "numbers belong to a client");
}

#[test]
fn a_reading_that_was_refused_is_logged_when_it_comes_again_behind_later_ones() {
    let broker = broker_with(1, |limits| limits.topics_max = 4);
    let (device, other) = (broker.connect("device"), broker.connect("other"));
    // until all shards are full, so that there is one in the shard of the topic that is refused
    let names = (0..300).map(|n| format!("log/{n}"));
    let taken: Vec<String> = names.filter(|name| other.publish(name, "x").code.is_ok()).collect();
    assert_eq!(device.publish_with("log/new", b"first", numbered(1)).code, Code::QUOTA);
    for (name, sequence) in taken.iter().zip(2..) {
        assert!(device.publish_with(name, b"later", numbered(sequence)).code.is_ok());
        broker.delete(name);
    }
    for _ in 0..2 {
        assert!(device.publish_with("log/new", b"first", numbered(1)).code.is_ok());
    }
    let client = broker.connect("c");
    let sub = client.subscribe_with("log/new", from(From::LastN(10)));
    assert_eq!(client.texts(sub), ["first"]);
}
