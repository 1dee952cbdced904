//! What one session and the whole broker may hold is bounded: up to the bound all works, past it comes a code that says
//! which limit it was, and what was there goes on.
//!
//! Sizes: 2,000 subscriptions, 50,000 topics (`MURRE_FULL=1`: 10,000 and 1,000,000; the latter wants a release build).

use std::thread;

use murre_tests::load::{number, sized};
use murre_tests::{Broker, Client, Kind, Message, Packet, json};

/// Publishes one text to each of these topics, many at a time, and gives the codes of the answers in order.
fn publish_to_all(device: &mut Client, topics: &[String], text: &str) -> Vec<u64> {
    let mut codes = Vec::new();
    for batch in topics.chunks(200) {
        let publish = |(at, topic): (usize, &String)| Packet::publish(topic, text, at as u64 + 1);
        device.send_all(&batch.iter().enumerate().map(publish).collect::<Vec<_>>());
        // answers come in order only within a shard
        let mut answers: Vec<_> = batch.iter().map(|_| device.wait_for(Kind::Published)).collect();
        answers.sort_by_key(|answer| answer.number(1));
        codes.extend(answers.iter().map(|answer| answer.number(2)));
    }
    codes
}

fn topics(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("site/{}/sensor/{n}", n % 100)).collect()
}

#[test]
fn a_session_may_have_as_many_subscriptions_as_the_limit_says_and_not_one_more() {
    let count = sized(2_000, 10_000);
    let broker = Broker::with(&[("limits.subscriptions_max", &count.to_string())]);
    let (mut dashboard, mut device) = (Client::connect(&broker), Client::connect(&broker));
    let topics = topics(count);

    for (sub, topic) in (1..).zip(&topics) {
        dashboard.send(&Packet::subscribe(sub, topic, json!({ "from": "live" })));
    }
    for _ in 0..count {
        assert_eq!(dashboard.wait_for(Kind::Subscribed).number(2), 0);
        dashboard.wait_for(Kind::CaughtUp);
    }
    let refused = dashboard.try_subscribe(count as u64 + 1, "one/more", json!({}));

    assert_eq!((refused.number(2), refused.info("rule").as_str()), (4429, Some("limits.subscriptions_max")));
    assert_eq!(broker.counter("subscriptions"), count as u64);
    assert!(publish_to_all(&mut device, &topics, "1").iter().all(|code| *code == 0));
    let mut subs: Vec<_> = dashboard.messages(count).iter().map(|message| message.sub).collect();
    subs.sort_unstable();
    assert!(subs.iter().copied().eq(1..=count as u64), "each subscription got its message");
}

#[test]
fn each_topic_costs_little_and_past_the_limit_new_ones_are_refused_while_others_go_on() {
    let count = sized(50_000, 1_000_000);
    let broker = Broker::with(&[("limits.topics_max", &count.to_string())]);
    let mut device = Client::connect_with(&broker, json!({ "keep_alive": 0 }));
    // half as much again: the limit holds for each of the shards, over which topics are spread by chance
    let topics = topics(count * 3 / 2);
    let before = broker.memory();

    let codes = publish_to_all(&mut device, &topics, "21.5");

    let kept: Vec<_> =
        topics.iter().zip(&codes).filter(|(_, code)| **code == 0).map(|(topic, _)| topic.clone()).collect();
    let (each, held) = ((broker.memory() - before) / kept.len() as u64, broker.counter("topics"));
    println!("{} topics are kept, {each} bytes of memory each with names of 20 bytes", kept.len());
    assert!(codes.iter().all(|code| [0, 4429].contains(code)), "accepted, or refused by quota");
    assert!(kept.len() > count * 9 / 10 && kept.len() <= count + 16, "{} of {count} are kept", kept.len());
    assert!(held <= count as u64 + 16, "presence counts as well: {held}");
    assert!(each < 512, "{each} bytes a topic");
    let refused = device.try_publish("one/more", "1", json!({}));
    assert!(refused.number(2) == 0 || refused.text(4).contains("limits.topics_max"), "{refused:?}");
    assert!(
        publish_to_all(&mut device, &kept[..1_000], "22").iter().all(|code| *code == 0),
        "known topics go on"
    );
}

#[test]
fn a_snapshot_of_all_topics_is_complete_and_holds_nobody_up() {
    let topics = topics(sized(20_000, 200_000));
    let broker = Broker::start();
    let mut device = Client::connect(&broker);
    publish_to_all(&mut device, &topics, "0");
    let (mut dashboard, mut reader) = (Client::connect(&broker), Client::connect(&broker));
    reader.subscribe_live(1, "live");

    // the stream goes on from before the snapshot until after it
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let sent = thread::spawn(move || {
        let numbers = (0..).take_while(|n| {
            device.publish("live", &n.to_string());
            stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty)
        });
        let count = numbers.count() + 1;
        device.publish("live", "end");
        count
    });
    assert_eq!(number(&reader.message()), 0);
    let snapshot = dashboard.subscribe_with(1, "site/#", json!({ "from": "last" }));
    let during = reader.message();
    stop.send(()).expect("the stream goes on");

    let mut names: Vec<_> = snapshot.iter().map(|message: &Message| message.topic.as_str()).collect();
    names.sort_unstable();
    let mut expected: Vec<_> = topics.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(names.len(), expected.len());
    assert!(names == expected, "each topic came once");
    let sent = sent.join().expect("the publisher");
    let rest = reader.messages_until("end");
    assert!(std::iter::once(&during).chain(&rest).map(number).eq(1..sent), "the reader got all {sent}");
}
