//! A subscription begins with the last value of every topic that matches, each once, and runs on into live.

use std::collections::{HashMap, HashSet};

use murre_tests::{Broker, Client, Kind, Packet, json};

#[test]
fn a_new_subscriber_sees_the_last_value_at_once() {
    let broker = Broker::start();
    let mut device = Client::connect(&broker);
    device.publish("site/a/temp", "20.9");
    let position = device.publish("site/a/temp", "21.4");

    let snapshot = Client::connect(&broker).subscribe(1, "site/#");

    assert_eq!(snapshot.len(), 1);
    assert_eq!((snapshot[0].text(), snapshot[0].position), ("21.4", position));
    assert!(snapshot[0].is_kept(), "it is marked as a kept value: {:?}", snapshot[0]);
}

#[test]
fn live_begins_without_last_values() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.publish("site/a/temp", "20.9");

    client.subscribe_live(1, "site/#");
    client.publish("site/a/temp", "21.4");

    let message = client.message();
    assert_eq!(message.text(), "21.4");
    assert!(!message.is_kept());
}

#[test]
fn a_subscription_that_matches_nothing_is_caught_up_at_once() {
    let broker = Broker::start();

    assert_eq!(Client::connect(&broker).subscribe(1, "nothing/#"), []);
}

#[test]
fn a_snapshot_of_many_topics_is_complete() {
    const TOPICS: usize = 20_000;
    let broker = Broker::start();
    let mut device = Client::connect(&broker);
    for chunk in (0..TOPICS).collect::<Vec<_>>().chunks(500) {
        let publish = |index: &usize| Packet::publish(&format!("wide/{index}"), index.to_string(), 0);
        device.send_all(&chunk.iter().map(publish).collect::<Vec<_>>());
    }
    device.publish("wide/last", "all the others are before this one");

    let snapshot = Client::connect(&broker).subscribe(1, "wide/#");

    let topics: HashSet<_> = snapshot.iter().map(|message| message.topic.as_str()).collect();
    assert_eq!((snapshot.len(), topics.len()), (TOPICS + 1, TOPICS + 1));
}

#[test]
fn positions_never_fall_within_a_shard_and_caught_up_says_where_each_stands() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    for index in 0..200 {
        client.publish(&format!("many/{index}"), "1");
    }

    client.send(&Packet::subscribe(1, "many/#", json!({})));
    client.wait_for(Kind::Subscribed);
    let mut greatest = HashMap::new();
    for message in client.messages(200) {
        let before = greatest.insert(message.position & 0xff, message.position);
        assert!(before.is_none_or(|before| before < message.position), "{before:?} then {message:?}");
    }
    let caught_up = client.expect(Kind::CaughtUp);

    assert_eq!(caught_up.info("count").as_u64(), Some(200), "{caught_up:?}");
    let stands: HashMap<_, _> = caught_up.positions().into_iter().map(|p| (p & 0xff, p)).collect();
    for (shard, position) in greatest {
        assert!(stands.get(&shard).is_some_and(|stand| *stand >= position), "shard {shard}: {caught_up:?}");
    }
}

#[test]
fn an_empty_retained_payload_deletes_the_value_and_is_delivered_live() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.publish_with("site/a/setpoint", "21", json!({ "retain": true }));
    client.subscribe_live(1, "site/#");

    client.publish_with("site/a/setpoint", "", json!({ "retain": true }));

    assert_eq!(client.message().payload, b"");
    assert_eq!(Client::connect(&broker).subscribe(1, "site/#"), []);
}

#[test]
fn a_snapshot_runs_on_into_live_without_a_gap() {
    let broker = Broker::start();
    let mut device = Client::connect(&broker);
    device.publish("count", "0");
    let mut subscriber = Client::connect(&broker);

    subscriber.send(&Packet::subscribe(1, "count", json!({})));
    for number in 1..=200 {
        device.publish("count", &number.to_string());
    }
    subscriber.expect(Kind::Subscribed);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&200) {
        let packet = subscriber.packet();
        if packet.is(Kind::Message) {
            numbers.push(murre_tests::Message::from_packet(packet).text().parse::<u32>().expect("a number"));
        }
    }

    let first = numbers[0];
    assert_eq!(numbers, (first..=200).collect::<Vec<_>>(), "from its first on, every number once");
}

#[test]
fn options_of_a_subscription_change_in_place() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.publish("site/a", "1");
    client.subscribe(1, "site/#");

    // Without `from`: the answer, and no second snapshot.
    assert_eq!(client.try_subscribe(1, "site/#", json!({ "on_slow": "conflate" })).number(2), 0);
    client.publish("site/a", "2");
    assert_eq!(client.waited_message().text(), "2");

    // With `from`: the snapshot again.
    assert_eq!(client.subscribe_with(1, "site/#", json!({ "from": "last" })).len(), 1);
}

#[test]
fn another_filter_under_the_same_number_is_refused_and_the_old_stays() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.subscribe(1, "site/#");

    assert_eq!(client.try_subscribe(1, "other/#", json!({})).number(2), 4422);

    client.publish("other/a", "unseen");
    client.publish("site/a", "seen");
    assert_eq!(client.message().text(), "seen");
}
