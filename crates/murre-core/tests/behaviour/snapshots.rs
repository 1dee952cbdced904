//! A subscription begins with the last values of its topics, then CAUGHT_UP, then what is published.

use std::collections::BTreeMap;

use murre_core::testing::{Broker, Client, Delivery, Said, live};
use murre_protocol::{Position, packet::SubscribeOptions};

/// What came for a subscription, in order, in short.
fn story(client: &Client, number: u64) -> Vec<String> {
    let said = client.heard().into_iter();
    said.filter_map(|said| match said {
        Said::Subscribed { sub, .. } if sub == number => Some("subscribed".to_owned()),
        Said::Message(message) if message.sub == number => {
            Some(format!("{}{}", if message.is_kept_value() { "kept " } else { "" }, message.text()))
        }
        Said::CaughtUp { sub, count, .. } if sub == number => Some(format!("caught up {count}")),
        _ => None,
    })
    .collect()
}

/// Positions of one shard never fall.
fn assert_positions_rise(messages: &[Delivery]) {
    let mut last: BTreeMap<u8, Position> = BTreeMap::new();
    for message in messages {
        let before = last.insert(message.position.shard(), message.position);
        assert!(before <= Some(message.position), "{:?} came after {before:?}", message.position);
    }
}

#[test]
fn the_last_values_come_first_then_caught_up_then_live() {
    let broker = Broker::new(2, 1);
    broker.publish("site/a/temp", "old");
    broker.publish("site/a/temp", "last");
    broker.publish("other", "unwanted");
    let client = broker.connect("a");
    let sub = client.subscribe("site/#");
    broker.publish("site/a/temp", "new");
    assert_eq!(story(&client, sub), ["subscribed", "kept last", "caught up 1", "new"]);
}

#[test]
fn caught_up_comes_also_when_nothing_matched() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    let (wild, exact) = (client.subscribe("nothing/#"), client.subscribe("nothing/here"));
    assert_eq!(story(&client, wild), ["subscribed", "caught up 0"]);
    assert_eq!(story(&client, exact), ["subscribed", "caught up 0"]);
}

#[test]
fn live_begins_at_once_without_a_value() {
    let broker = Broker::new(2, 1);
    broker.publish("a", "old");
    let client = broker.connect("a");
    let sub = client.subscribe_with("a", live());
    broker.publish("a", "new");
    assert_eq!(story(&client, sub), ["subscribed", "caught up 0", "new"]);
}

#[test]
fn caught_up_says_where_each_shard_stands() {
    let broker = Broker::new(2, 1);
    let mut newest = BTreeMap::new();
    for n in 0..100 {
        let position = broker.publish(&format!("t/{n}"), "x");
        newest.insert(position.shard(), position);
    }
    let client = broker.connect("a");
    for options in [SubscribeOptions::default(), live()] {
        let sub = client.subscribe_with("t/#", options);
        let (positions, _) = client.caught_up(sub).remove(0);
        assert_eq!(positions.len(), 16);
        for position in newest.values() {
            // presence messages of the clients take places too
            assert!(positions.iter().any(|at| at.shard() == position.shard() && at >= position));
        }
    }
}

#[test]
fn a_hundred_thousand_topics_come_in_slices_through_a_bounded_outbox() {
    let broker = Broker::new(2, 1);
    let names: Vec<String> = (0..100_000).map(|n| format!("plant/{}/sensor/{n}", n % 100)).collect();
    broker.publish_all(names.iter().map(|name| (name.as_str(), "21.4")));
    let client = broker.connect("dashboard");
    client.stall();
    let sub = client.subscribe_stalled("plant/#");
    assert_eq!(client.messages(sub).len(), 0);
    client.resume();
    let messages = client.messages(sub);
    let topics: std::collections::BTreeSet<&str> = messages.iter().map(|m| m.topic.as_str()).collect();
    assert_eq!((messages.len(), topics.len()), (100_000, 100_000));
    assert_eq!(client.caught_up(sub)[0].1, 100_000);
    assert_positions_rise(&messages);
    let limits = broker.limits();
    assert!(
        client.waiting_max() <= limits.outbox_max / 2 + 128 * 1024,
        "{} bytes waited",
        client.waiting_max()
    );
}

/// A broker with more topics than one slice holds, and a client in the middle of its snapshot of them.
fn in_the_middle_of_a_snapshot() -> (Broker, Client, u64) {
    let broker = Broker::with_limits(2, 1, |limits| limits.outbox_max = 256 * 1024);
    // several slices for each shard
    let (names, value) = ((0..20_000).map(|n| format!("t/{n}")).collect::<Vec<_>>(), "x".repeat(200));
    broker.publish_all(names.iter().map(|name| (name.as_str(), value.as_str())));
    let client = broker.connect("slow");
    client.stall();
    let sub = client.subscribe_stalled("t/#");
    client.read(3);
    assert!(client.messages(sub).len() > 10 && client.caught_up(sub).is_empty());
    (broker, client, sub)
}

#[test]
fn a_topic_published_meanwhile_comes_once_more_at_its_newest() {
    let (broker, client, sub) = in_the_middle_of_a_snapshot();
    let names: Vec<String> = (0..20_000).step_by(100).map(|n| format!("t/{n}")).collect();
    for round in ["first", "second", "third"] {
        broker.publish_all(names.iter().map(|name| (name.as_str(), round)));
    }
    client.resume();
    let messages = client.messages(sub);
    assert_positions_rise(&messages);
    for name in &names {
        let values: Vec<String> = messages.iter().filter(|m| m.topic == *name).map(Delivery::text).collect();
        let last = values.last().map(String::as_str);
        assert_eq!(last, Some("third"), "{name}: {values:?}");
    }
    assert_eq!(client.dropped(sub), 0);
    assert_eq!(client.caught_up(sub).len(), 1);
}

#[test]
fn topics_shown_already_and_deleted_meanwhile_are_told_as_deleted() {
    let (broker, client, sub) = in_the_middle_of_a_snapshot();
    let names: Vec<String> = (0..20_000).step_by(20).map(|n| format!("t/{n}")).collect();
    names.iter().for_each(|name| _ = broker.delete(name));
    client.resume();
    let mut told = 0;
    let messages = client.messages(sub);
    for name in &names {
        let values: Vec<String> = messages.iter().filter(|m| m.topic == *name).map(Delivery::text).collect();
        assert!(values.is_empty() || values.last().is_some_and(String::is_empty), "{name}: {values:?}");
        told += usize::from(values.len() == 2);
    }
    assert!(told > 10, "{told} of them had been shown");
}

#[test]
fn deleting_and_publishing_over_and_over_while_a_snapshot_stands_holds_no_memory() {
    let (broker, client, sub) = in_the_middle_of_a_snapshot();
    let topics = |broker: &Broker| broker.remains().topics.iter().sum::<usize>();
    let before = topics(&broker);
    for _ in 0..500 {
        broker.delete("t/0");
        broker.publish("t/0", "again");
    }
    for n in 0..500 {
        broker.delete(&format!("never/there/{n}"));
    }
    assert_eq!(topics(&broker), before, "no topic that never was");
    client.resume();
    assert_eq!(client.caught_up(sub).len(), 1);
}

#[test]
fn every_subscription_of_a_client_gets_its_own_snapshot() {
    let broker = Broker::new(2, 1);
    let names: Vec<String> = (0..3_000).map(|n| format!("t/{n}")).collect();
    broker.publish_all(names.iter().map(|name| (name.as_str(), "v")));
    let client = broker.connect("a");
    let subs: Vec<u64> = (0..5).map(|_| client.subscribe("t/+")).collect();
    for sub in subs {
        assert_eq!(client.messages(sub).len(), 3_000);
        assert_eq!(client.caught_up(sub)[0].1, 3_000);
    }
}
