//! What an acknowledgement of a durable topic means, and what follows a commit.

use murre_core::{
    log::{KeepRule, KeepRules},
    testing::{Broker, acknowledged},
};
use murre_protocol::{Position, TopicFilter, packet::PublishOptions};

fn broker(seed: u64) -> Broker {
    let filter = TopicFilter::parse("log/#").unwrap().into_owned();
    let rule = KeepRule { filter, last: None, age: None, bytes: None, durable: true };
    Broker::with_rules(2, seed, |_| (), KeepRules::new(vec![rule]))
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
    let numbered = |sequence| PublishOptions { sequence: Some(sequence), ..Default::default() };
    for (sequence, text) in [(1, "one"), (2, "two"), (1, "one"), (2, "two"), (3, "three")] {
        assert!(device.publish_with("log/a", text.as_bytes(), numbered(sequence)).code.is_ok());
    }
    assert_eq!(client.texts(sub), ["one", "two", "three"]);
    assert_eq!(broker.count(|counters| &counters.repeats), 2);
    let other = broker.connect("other");
    other.publish_with("log/a", b"four", numbered(1));
    assert_eq!(client.texts(sub).last().map(String::as_str), Some("four"), "numbers belong to a client");
}
