//! A view is part of the session: it is in force again when its client is back, and after the broker's death.

use std::time::Duration;

use murre_core::{
    log::KeepRules,
    testing::{Broker, Client, Said, acknowledged, keeping},
};
use murre_protocol::{
    Code, Codec, Timestamp,
    packet::{Deadband, Figure, From, LeastChange, NoticeKind, SubscribeOptions, ViewOptions},
};

use crate::viewing::{SECOND, at_most, condition, numbers, stream, windows, with_view};

fn broker() -> Broker {
    Broker::with_store(2, 1, |limits| limits.inflight_max = 10, KeepRules::default())
}

fn connect(broker: &Broker, worker: u8) -> Client {
    broker.connect_with(worker, Codec::MessagePack, keeping("panel", 600))
}

fn seen_as(view: ViewOptions<'static>) -> SubscribeOptions<'static> {
    with_view(acknowledged(), view)
}

/// The readings in a subscription's windows.
fn counted(client: &Client, sub: u64) -> u64 {
    let count = |text: String| {
        let (_, behind) = text.split_once(r#""count":"#).unwrap();
        behind.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap()
    };
    client.texts(sub).into_iter().map(count).sum()
}

#[test]
fn what_came_meanwhile_comes_through_the_view() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(condition("payload.v % 10 == 0")));
    before.break_off();
    stream(&broker, "t", 0..100, Duration::from_millis(1));
    let after = connect(&broker, 1);
    after.acknowledge_all(sub);
    assert_eq!(numbers(&after, sub), (0..10).map(|n| n * 10).collect::<Vec<_>>());
    assert_eq!(after.caught_up(sub).len(), 1);
    stream(&broker, "t", 100..111, Duration::from_millis(1));
    assert_eq!(numbers(&after, sub)[10..], [100, 110]);
}

#[test]
fn the_view_outlives_the_broker() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(ViewOptions { select: vec!["v".into()], ..at_most(1.0) }));
    stream(&broker, "t", 0..30, Duration::from_millis(100));
    broker.crash();
    stream(&broker, "t", 30..60, Duration::from_millis(100));
    let after = connect(&broker, 1);
    assert_eq!(after.session(), (true, 600));
    broker.run_for(SECOND);
    after.acknowledge_all(sub);
    let got = numbers(&after, sub);
    assert!(got.len() <= 8 && got.is_sorted() && got.last() == Some(&59), "{got:?}");
}

#[test]
fn what_the_view_swallows_is_kept_no_longer_and_comes_never_again() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(condition("payload.v < 0")));
    stream(&broker, "t", 0..500, Duration::from_millis(1));
    broker.run_for(3 * SECOND);
    stream(&broker, "t", 500..501, SECOND);
    broker.run_for(3 * SECOND);
    assert!(broker.records() <= 1, "{}", broker.records());
    before.break_off();
    let read = broker.count(|counters| &counters.view_readings);
    let after = connect(&broker, 0);
    assert!(after.messages(sub).is_empty() && after.caught_up(sub).len() == 1);
    assert!(broker.count(|counters| &counters.view_readings) <= read + 1);
}

#[test]
fn what_is_not_acknowledged_holds_the_cursor_and_comes_again() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(condition("payload.v % 10 == 0")));
    stream(&broker, "t", 0..45, Duration::from_millis(1));
    before.acknowledge(sub, before.messages(sub)[1].position);
    broker.run_for(3 * SECOND);
    before.break_off();
    let after = connect(&broker, 1);
    assert_eq!(numbers(&after, sub), [20, 30, 40]);
    after.acknowledge_all(sub);
    broker.run_for(3 * SECOND);
    stream(&broker, "t", 45..46, SECOND);
    broker.run_for(2 * SECOND);
    assert!(broker.records() <= 1, "all is acknowledged, what came behind the last message too");
}

#[test]
fn a_value_that_a_rate_holds_back_is_not_lost_with_the_connection() {
    for pause in [0, 700] {
        let broker = broker();
        let before = connect(&broker, 0);
        let sub = before.subscribe_with("#", seen_as(at_most(0.1)));
        for topic in ["a", "b", "c", "d"] {
            stream(&broker, topic, 0..3, Duration::from_millis(30));
        }
        before.acknowledge_all(sub);
        broker.run_for(Duration::from_millis(pause) + SECOND);
        before.break_off();
        let after = connect(&broker, 1);
        after.acknowledge_all(sub);
        broker.run_for(30 * SECOND);
        after.acknowledge_all(sub);
        for topic in ["a", "b", "c", "d"] {
            let last = after.messages(sub).into_iter().rfind(|message| message.topic == topic);
            assert_eq!(last.map(|last| last.text()).as_deref(), Some(r#"{"v":2}"#), "{topic}");
        }
    }
}

#[test]
fn a_window_that_was_open_when_the_connection_broke_comes_whole() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(windows(60, Figure::Count)));
    stream(&broker, "t", 0..90, SECOND);
    before.acknowledge_all(sub);
    let first = counted(&before, sub);
    broker.run_for(2 * SECOND);
    before.break_off();
    stream(&broker, "t", 90..200, SECOND);
    let after = connect(&broker, 1);
    broker.run_for(60 * SECOND);
    after.acknowledge_all(sub);
    assert_eq!(first + counted(&after, sub), 200, "each reading is in one window");
}

#[test]
fn a_deadband_begins_anew_behind_what_was_acknowledged() {
    let broker = broker();
    let before = connect(&broker, 0);
    let deadband = Deadband { path: "v".into(), least: LeastChange::Absolute(10.0), silence_max_ms: None };
    let sub =
        before.subscribe_with("t", seen_as(ViewOptions { deadband: Some(deadband), ..Default::default() }));
    stream(&broker, "t", 0..25, Duration::from_millis(1));
    before.acknowledge_all(sub);
    broker.run_for(2 * SECOND);
    before.break_off();
    stream(&broker, "t", 25..50, Duration::from_millis(1));
    assert_eq!(
        (numbers(&before, sub), numbers(&connect(&broker, 1), sub)),
        (vec![0, 10, 20], vec![25, 35, 45])
    );
}

#[test]
fn patches_begin_with_a_whole_value_on_each_connection() {
    let broker = broker();
    let patch = || ViewOptions { patch: true, ..Default::default() };
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(patch()));
    stream(&broker, "t", 0..3, Duration::from_millis(1));
    before.break_off();
    let after = connect(&broker, 1);
    let first = after.messages(sub)[0].clone();
    assert!(!first.options.patch);
    assert_eq!(numbers(&after, sub), [0, 1, 2]);
}

#[test]
fn what_finds_no_room_to_wait_is_read_back_through_the_same_view() {
    let small = |limits: &mut murre_core::limits::Limits| {
        limits.inflight_max = 5;
        limits.ack_queue_bytes_max = 2000;
    };
    let broker = Broker::with_store(2, 1, small, KeepRules::default());
    let client = connect(&broker, 0);
    let sub = client.subscribe_with("#", seen_as(ViewOptions { patch: true, ..windows(1, Figure::Count) }));
    for round in 0..40 {
        for topic in ["a", "b", "c", "d", "e", "f", "g"] {
            stream(&broker, topic, round..round + 1, Duration::from_millis(100));
        }
    }
    assert_eq!(client.messages(sub).len(), 5);
    client.acknowledge_all(sub);
    broker.run_for(5 * SECOND);
    client.acknowledge_all(sub);
    let whole = client.messages(sub).into_iter().filter(|message| !message.options.patch);
    assert!(whole.count() >= 7);
    assert_eq!((client.caught_up(sub).len(), client.dropped(sub)), (1, 0));
    let last = client.messages(sub).into_iter().map(|message| (message.topic.clone(), message.position));
    assert!(last.collect::<std::collections::BTreeMap<_, _>>().len() == 7);
}

#[test]
fn what_it_began_with_goes_through_the_view_and_comes_again_as_far_as_it_was_not_acknowledged() {
    let broker = broker();
    for topic in ["t/a", "t/b", "t/c", "t/d"] {
        stream(&broker, topic, 1..2, Duration::from_millis(1));
        stream(&broker, &format!("{topic}/x"), 0..1, Duration::from_millis(1));
    }
    let before = connect(&broker, 0);
    let options = SubscribeOptions { from: Some(From::Last), ..seen_as(condition("payload.v > 0")) };
    let sub = before.subscribe_with("t/#", options);
    assert_eq!((before.messages(sub).len(), before.caught_up(sub)[0].1), (4, 4));
    before.acknowledge(sub, before.messages(sub)[0].position);
    before.break_off();
    stream(&broker, "t/e", 5..7, Duration::from_millis(1));
    let after = connect(&broker, 1);
    after.acknowledge_all(sub);
    assert_eq!(after.messages(sub).len(), 3 + 2);
    broker.run_for(2 * SECOND);
    after.break_off();
    assert!(connect(&broker, 0).messages(sub).is_empty(), "all was acknowledged");
}

#[test]
fn another_view_in_place_is_kept_when_it_is_answered() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(condition("payload.v < 0")));
    let change = |view| SubscribeOptions { view: Some(Box::new(view)), ..Default::default() };
    assert_eq!(before.resubscribe(sub, "t", change(condition("payload.v > 7"))), Code::OK);
    stream(&broker, "t", 0..10, Duration::from_millis(1));
    assert_eq!(numbers(&before, sub), [8, 9]);
    broker.crash();
    stream(&broker, "t", 5..9, Duration::from_millis(1));
    assert_eq!(numbers(&connect(&broker, 1), sub), [8, 9, 8]);
}

#[test]
fn changes_are_answered_in_order_and_the_last_one_is_in_force() {
    let broker = broker();
    let client = connect(&broker, 0);
    let sub = client.subscribe_with("t", acknowledged());
    for least in ["payload.v > 1", "payload.v > 2", "payload.v > 3"] {
        let options = SubscribeOptions { view: Some(Box::new(condition(least))), ..Default::default() };
        client.send(&murre_core::testing::subscribing(sub, "t", options));
    }
    let anew = SubscribeOptions { from: Some(From::Live), ..Default::default() };
    client.send(&murre_core::testing::subscribing(sub, "t", anew));
    broker.settle();
    assert_eq!(client.answers_to_subscribe(sub), [Code::OK; 5]);
    let views = client.heard().into_iter().filter_map(|said| match said {
        Said::Subscribed { view, .. } => view?.condition.map(|text| text.into_owned()),
        _ => None,
    });
    assert_eq!(
        views.collect::<Vec<_>>(),
        ["payload.v > 1", "payload.v > 2", "payload.v > 3", "payload.v > 3"]
    );
    stream(&broker, "t", 0..6, Duration::from_millis(1));
    assert_eq!(numbers(&client, sub), [4, 5]);
}

#[test]
fn a_change_on_the_way_to_live_loses_nothing_that_the_old_view_held_back() {
    let small = |limits: &mut murre_core::limits::Limits| {
        limits.inflight_max = 5;
        limits.ack_queue_bytes_max = 600;
    };
    let broker = Broker::with_store(2, 1, small, KeepRules::default());
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("#", seen_as(at_most(0.01)));
    before.break_off();
    stream(&broker, "quiet", 0..2, Duration::from_millis(1));
    for n in 0..100 {
        stream(&broker, &format!("t/{n}"), 0..3, Duration::from_millis(1));
    }
    let after = connect(&broker, 1);
    assert!(after.caught_up(sub).is_empty(), "it is on its way");
    let change = SubscribeOptions { view: Some(Box::new(condition("payload.v >= 0"))), ..Default::default() };
    assert_eq!(after.resubscribe(sub, "#", change), Code::OK);
    after.acknowledge_all(sub);
    let last = |topic: &str| after.messages(sub).into_iter().rfind(|message| message.topic == topic).unwrap();
    assert_eq!(last("quiet").text(), r#"{"v":1}"#);
    assert!((0..100).all(|n| last(&format!("t/{n}")).text() == r#"{"v":2}"#));
}

#[test]
fn too_many_changes_at_once_are_refused() {
    let broker = broker();
    let client = connect(&broker, 0);
    let sub = client.subscribe_with("t", acknowledged());
    for n in 0..30 {
        client.send(&murre_core::testing::subscribing(sub, "t", seen_as(at_most(1.0 + f64::from(n)))));
    }
    broker.settle();
    let answers = client.answers_to_subscribe(sub);
    let refused = answers.iter().filter(|code| **code == Code::QUOTA).count();
    assert!(answers.len() == 31 && refused > 0 && refused < 30, "{answers:?}");
}

#[test]
fn a_change_that_cannot_be_written_is_refused_and_the_old_view_stays() {
    let broker = broker();
    let client = connect(&broker, 0);
    let sub = client.subscribe_with("t", seen_as(condition("payload.v > 7")));
    broker.let_commits_fail(100);
    let change = SubscribeOptions { view: Some(Box::new(condition("payload.v < 0"))), ..Default::default() };
    assert!(!client.resubscribe(sub, "t", change).is_ok());
    broker.let_commits_fail(0);
    broker.run_for(3 * SECOND);
    stream(&broker, "t", 0..10, Duration::from_millis(1));
    assert_eq!(numbers(&client, sub), [8, 9]);
    broker.crash();
    assert_eq!(numbers(&connect(&broker, 1), sub), [8, 9]);
}

#[test]
fn a_session_that_owes_too_much_counts_what_its_view_has_not_seen() {
    let limit = |limits: &mut murre_core::limits::Limits| limits.session_debt_max.messages = 128;
    let broker = Broker::with_store(2, 1, limit, KeepRules::default());
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", seen_as(condition("payload.v % 100 == 0")));
    before.break_off();
    stream(&broker, "t", 0..501, Duration::from_millis(1));
    broker.run_for(2 * SECOND);
    let after = connect(&broker, 0);
    assert_eq!(numbers(&after, sub), [400, 500]);
    let is_limited = |said: &Said| matches!(said, Said::Notice { kind: NoticeKind::Limited, .. });
    assert!(after.heard().iter().any(is_limited));
}

#[test]
fn windows_of_the_past_come_first_and_the_rest_when_the_client_is_back() {
    let broker = broker();
    let before = connect(&broker, 0);
    let since = SubscribeOptions {
        from: Some(From::Since(Timestamp::from_millis(0))),
        ..seen_as(windows(10, Figure::Count))
    };
    let sub = before.subscribe_with("t", since);
    stream(&broker, "t", 0..25, SECOND);
    before.acknowledge_all(sub);
    let first = counted(&before, sub);
    broker.run_for(2 * SECOND);
    broker.crash();
    stream(&broker, "t", 25..50, SECOND);
    broker.run_for(20 * SECOND);
    let after = connect(&broker, 0);
    after.acknowledge_all(sub);
    assert_eq!(first + counted(&after, sub), 50);
}
