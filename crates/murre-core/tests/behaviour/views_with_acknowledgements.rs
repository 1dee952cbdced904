//! A view and `ack` go together: what is sent is acknowledged, and with it what the view swallowed before it.

use std::time::Duration;

use murre_core::{
    log::{KeepRule, KeepRules},
    testing::{Broker, acknowledged, from},
};
use murre_protocol::{
    Code, Format, Position, Timestamp, TopicFilter,
    packet::{ClientPacket, Deadband, Figure, From, LeastChange, Publish, SubscribeOptions, ViewOptions},
};

use crate::viewing::{SECOND, at_most, condition, numbers, stream, windows, with_view};

fn broker() -> Broker {
    Broker::with_limits(2, 1, |limits| limits.inflight_max = 5)
}

fn keeping_all() -> Broker {
    let filter = TopicFilter::parse("#").unwrap().into_owned();
    let rules = KeepRules::new(vec![KeepRule { filter, last: None, age: None, bytes: None, durable: false }]);
    Broker::with_rules(2, 1, |limits| limits.inflight_max = 5, rules)
}

fn seen_as(view: ViewOptions<'static>) -> SubscribeOptions<'static> {
    with_view(acknowledged(), view)
}

#[test]
fn what_a_condition_leaves_out_takes_no_place_in_the_window() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", seen_as(condition("payload.v % 100 == 0")));
    stream(&broker, "t", 0..1000, Duration::from_millis(1));
    assert_eq!(numbers(&client, sub), [0, 100, 200, 300, 400], "no more than the window");
    client.acknowledge_all(sub);
    assert_eq!(numbers(&client, sub), (0..10).map(|n| n * 100).collect::<Vec<_>>());
    assert_eq!(client.dropped(sub), 0);
}

#[test]
fn a_deadband_and_a_selection_hold_while_acknowledgements_are_waited_for() {
    let broker = broker();
    let client = broker.connect("a");
    let deadband = Deadband { path: "v".into(), least: LeastChange::Absolute(10.0), silence_max_ms: None };
    let view = ViewOptions { deadband: Some(deadband), select: vec!["v".into()], ..Default::default() };
    let sub = client.subscribe_with("t", seen_as(view));
    stream(&broker, "t", 0..100, Duration::from_millis(1));
    client.acknowledge_all(sub);
    assert_eq!(numbers(&client, sub), (0..10).map(|n| n * 10).collect::<Vec<_>>());
}

#[test]
fn the_last_value_under_a_rate_arrives_whenever_acknowledgements_come() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", seen_as(at_most(10.0)));
    stream(&broker, "t", 0..500, Duration::from_millis(10));
    assert_eq!(client.messages(sub).len(), 5);
    client.acknowledge_all(sub);
    broker.run_for(SECOND);
    client.acknowledge_all(sub);
    let got = numbers(&client, sub);
    assert!((45..=55).contains(&got.len()), "{got:?}");
    assert!(got.is_sorted() && got.last() == Some(&499), "{got:?}");
}

#[test]
fn the_position_of_a_message_acknowledges_what_the_view_swallowed_before_it() {
    let broker = broker();
    let (plain, client) = (broker.connect("plain"), broker.connect("a"));
    let all = plain.subscribe("t");
    let sub = client.subscribe_with("t", seen_as(condition("payload.v == 7")));
    stream(&broker, "t", 0..10, Duration::from_millis(1));
    let seventh = plain.messages(all)[7].position;
    assert_eq!(client.messages(sub)[0].position, seventh);
}

#[test]
fn a_message_stands_for_no_more_than_what_is_held_back_lets_it() {
    let broker = keeping_all();
    let client = broker.connect("a");
    let sub = client.subscribe_with("#", seen_as(at_most(1.0)));
    for round in 0..3 {
        for topic in ["a", "b", "c", "d", "e", "f"] {
            stream(&broker, topic, round..round + 1, Duration::from_millis(7));
        }
    }
    let mut last = std::collections::BTreeMap::<u8, Position>::new();
    broker.run_for(3 * SECOND);
    client.acknowledge_all(sub);
    for message in client.messages(sub) {
        let before = last.insert(message.position.shard(), message.position);
        assert!(before <= Some(message.position), "positions never fall");
    }
    // behind all of them nothing is owed
    let (mut positions, _) = client.caught_up(sub)[0].clone();
    for position in &mut positions {
        *position = last.get(&position.shard()).copied().unwrap_or(*position).max(*position);
    }
    client.unsubscribe(sub);
    let again = from(From::After { positions, epoch: "epoch".into() });
    let again = client.subscribe_with("#", SubscribeOptions { ack: Some(true), ..again });
    assert!(client.messages(again).is_empty(), "{:?}", client.messages(again));
}

#[test]
fn the_windows_of_the_past_come_in_order_before_caught_up_as_acknowledgements_allow() {
    let broker = keeping_all();
    stream(&broker, "t", 0..120, SECOND);
    let client = broker.connect("a");
    let since = SubscribeOptions {
        from: Some(From::Since(Timestamp::from_millis(0))),
        ..seen_as(windows(10, Figure::Count))
    };
    let sub = client.subscribe_with("t", since);
    assert_eq!((client.messages(sub).len(), client.caught_up(sub).len()), (5, 0));
    client.acknowledge_all(sub);
    let past = client.caught_up(sub)[0].1;
    assert_eq!(past, client.messages(sub).len() as u64);
    stream(&broker, "t", 120..150, SECOND);
    broker.run_for(20 * SECOND);
    client.acknowledge_all(sub);
    let counted: u64 = client.texts(sub).iter().map(|text| count_of(text)).sum();
    assert_eq!(counted, 150, "each reading is in one window");
}

fn count_of(window: &str) -> u64 {
    let (_, behind) = window.split_once(r#""count":"#).unwrap();
    behind.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn a_snapshot_under_a_rate_ends_behind_all_of_its_values() {
    let broker = broker();
    for topic in ["t/a", "t/b", "t/c", "t/d", "t/e", "t/f", "t/g"] {
        stream(&broker, topic, 0..1, Duration::from_millis(1));
    }
    let client = broker.connect("a");
    let last = SubscribeOptions { from: Some(From::Last), ..seen_as(at_most(0.1)) };
    let sub = client.subscribe_with("t/+", last);
    assert!(client.caught_up(sub).is_empty());
    client.acknowledge_all(sub);
    assert_eq!((client.messages(sub).len(), client.caught_up(sub)[0].1), (7, 7));
}

#[test]
fn word_of_silence_needs_no_acknowledgement() {
    let broker = broker();
    let client = broker.connect("a");
    let view = ViewOptions { expect_ms: Some(2_000), ..Default::default() };
    let sub = client.subscribe_with("t", seen_as(view));
    for n in 0..10 {
        stream(&broker, "t", n..n + 1, 5 * SECOND);
    }
    let told = client.messages(sub).into_iter().filter(|message| message.position == Position::NONE);
    assert_eq!(told.count(), 19, "silent ten times, and back nine times, although the window is full");
    client.acknowledge_all(sub);
    let readings = client.messages(sub).into_iter().filter(|message| message.position != Position::NONE);
    assert_eq!(readings.count(), 10);
}

#[test]
fn patches_wait_in_order_and_add_up() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", seen_as(ViewOptions { patch: true, ..Default::default() }));
    stream(&broker, "t", 0..40, Duration::from_millis(5));
    client.acknowledge_all(sub);
    assert_eq!(numbers(&client, sub), (0..40).collect::<Vec<_>>());
}

#[test]
fn behind_what_found_no_room_to_wait_the_whole_value_comes() {
    let broker = Broker::with_limits(2, 1, |limits| {
        limits.inflight_max = 3;
        limits.ack_queue_bytes_max = 1000;
    });
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", seen_as(ViewOptions { patch: true, ..Default::default() }));
    let device = broker.publisher();
    let publish = |n: usize| {
        let payload = format!(r#"{{"v":{n},"name":"a boiler with a long name"}}"#).into_bytes();
        let (topic, payload) = ("t".into(), payload.into());
        let packet = Publish { topic, format: Format::Json, payload, id: 0, options: None };
        device.send(&ClientPacket::Publish(packet));
        broker.settle();
    };
    (0..100).for_each(publish);
    client.acknowledge_all(sub);
    assert!(client.dropped(sub) > 0);
    let before = client.messages(sub).len();
    publish(100);
    let next = client.messages(sub)[before].clone();
    assert!(!next.options.patch && next.text().contains("long name"), "{}", next.text());
}

#[test]
fn a_change_in_place_goes_through_the_acknowledgements_too() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", seen_as(at_most(0.01)));
    stream(&broker, "t", 0..3, SECOND);
    let change = SubscribeOptions { view: Some(Box::new(condition("payload.v >= 5"))), ..Default::default() };
    assert_eq!(client.resubscribe(sub, "t", change), Code::OK);
    assert_eq!(numbers(&client, sub), [0, 2], "what waited is sent");
    stream(&broker, "t", 3..20, SECOND);
    assert_eq!(numbers(&client, sub), [0, 2, 5, 6, 7]);
    client.acknowledge_all(sub);
    assert_eq!(numbers(&client, sub)[2..], (5..20).collect::<Vec<_>>());
}

#[test]
fn a_view_changed_in_place_goes_by_the_clock_from_then_on() {
    let broker = broker();
    let client = broker.connect("a");
    let sub = client.subscribe_with("t", acknowledged());
    let view = ViewOptions { patch: true, ..at_most(1.0) };
    let change = SubscribeOptions { view: Some(Box::new(view)), ..Default::default() };
    assert_eq!(client.resubscribe(sub, "t", change), Code::OK);
    stream(&broker, "t", 0..5, Duration::from_millis(10));
    broker.run_for(2 * SECOND);
    assert_eq!(numbers(&client, sub), [0, 4]);
}

#[test]
fn what_a_view_makes_of_readings_waits_for_their_commit() {
    let filter = TopicFilter::parse("log/#").unwrap().into_owned();
    let rule = KeepRule { filter, last: None, age: None, bytes: None, durable: true };
    let broker = Broker::with_rules(2, 1, |_| (), KeepRules::new(vec![rule]));
    let (client, live) = (broker.connect("a"), broker.connect("l"));
    let sub = client.subscribe_with("log/a", seen_as(at_most(100.0)));
    let heard = live.subscribe("log/a");
    broker.connect("p").send_publish("log/a");
    while live.messages(heard).is_empty() {
        broker.run_some(1);
    }
    assert!(client.messages(sub).is_empty(), "it is not committed yet");
    broker.settle();
    assert_eq!(client.messages(sub).len(), 1);
}
