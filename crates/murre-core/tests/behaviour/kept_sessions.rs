//! A session with `session_expiry` outlives its connection: its acknowledged subscriptions go on when the client is
//! back.

use std::time::Duration;

use murre_core::{
    log::KeepRules,
    testing::{Broker, Client, Said, acknowledged, keeping},
};
use murre_protocol::{
    Codec,
    packet::{From, NoticeKind, SubscribeOptions},
};

fn broker() -> Broker {
    Broker::with_store(2, 1, |limits| limits.inflight_max = 10, KeepRules::default())
}

fn connect(broker: &Broker, worker: u8) -> Client {
    broker.connect_with(worker, Codec::MessagePack, keeping("panel", 60))
}

fn publish(broker: &Broker, topic: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        broker.publish(topic, &number.to_string());
    }
}

fn texts(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[test]
fn what_came_meanwhile_follows_in_order_under_the_old_number() {
    let broker = broker();
    let before = connect(&broker, 0);
    assert_eq!(before.session(), (false, 60));
    let sub = before.subscribe_with("t/+", acknowledged());
    before.break_off();
    publish(&broker, "t/a", 0..25);

    let after = connect(&broker, 1);
    assert_eq!(after.session(), (true, 60));
    after.acknowledge_all(sub);
    assert_eq!(after.texts(sub), texts(0..25));
    assert_eq!(after.caught_up(sub).len(), 1);
    publish(&broker, "t/a", 25..27);
    assert_eq!(after.texts(sub), texts(0..27));
}

#[test]
fn what_was_not_acknowledged_comes_again_and_the_rest_does_not() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    publish(&broker, "t", 0..8);
    before.acknowledge(sub, before.messages(sub)[4].position);
    before.break_off();
    assert_eq!(connect(&broker, 0).texts(sub), texts(5..8));
}

#[test]
fn it_survives_the_brokers_death() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    publish(&broker, "t", 0..8);
    before.acknowledge(sub, before.messages(sub)[4].position);
    broker.crash();
    publish(&broker, "t", 8..10);
    let after = connect(&broker, 1);
    assert_eq!(after.session(), (true, 60));
    assert_eq!(after.texts(sub), texts(5..10));
}

#[test]
fn a_session_ends_with_all_that_it_held_when_its_time_is_over() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    before.break_off();
    publish(&broker, "t", 0..5);
    broker.run_for(Duration::from_secs(61));
    assert_eq!(broker.records(), 0);
    assert_eq!(broker.remains().kept, [0, 0]);
    let after = connect(&broker, 0);
    assert_eq!(after.session(), (false, 60));
    publish(&broker, "t", 5..6);
    assert!(after.messages(sub).is_empty());
}

#[test]
fn one_whose_time_was_over_while_the_broker_was_down_is_gone() {
    let broker = broker();
    let before = connect(&broker, 0);
    before.subscribe_with("t", acknowledged());
    before.disconnect();
    broker.run_for(Duration::from_secs(50));
    broker.crash();
    broker.run_for(Duration::from_secs(11));
    assert_eq!(connect(&broker, 0).session(), (false, 60));
}

#[test]
fn a_connection_with_another_wish_ends_it() {
    let broker = broker();
    let before = connect(&broker, 0);
    before.subscribe_with("t", acknowledged());
    before.break_off();
    assert_eq!(broker.connect_on(1, "panel").session(), (false, 0));
    assert_eq!(broker.remains().kept, [0, 0]);
    assert_eq!(connect(&broker, 0).session(), (false, 60));
}

#[test]
fn unsubscribe_removes_a_subscription_for_good() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    before.unsubscribe(sub);
    assert!(
        before.heard().iter().any(|said| matches!(said, Said::Unsubscribed { code, .. } if code.is_ok()))
    );
    broker.crash();
    publish(&broker, "t", 0..3);
    let after = connect(&broker, 0);
    assert_eq!((after.session(), after.messages(sub).len()), ((true, 60), 0));
}

#[test]
fn subscriptions_without_ack_are_gone() {
    let broker = broker();
    let before = connect(&broker, 0);
    let plain = before.subscribe("t");
    before.break_off();
    let after = connect(&broker, 0);
    publish(&broker, "t", 0..3);
    assert_eq!((after.session(), after.messages(plain).len()), ((true, 60), 0));
}

#[test]
fn a_takeover_hands_the_session_over() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    publish(&broker, "t", 0..4);
    before.acknowledge(sub, before.messages(sub)[1].position);
    let after = connect(&broker, 1);
    assert_eq!((after.session(), after.texts(sub)), ((true, 60), texts(2..4)));
}

#[test]
fn no_more_than_the_window_is_sent_after_a_return() {
    let broker = broker();
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    before.break_off();
    publish(&broker, "t", 0..25);
    let after = connect(&broker, 0);
    assert_eq!(after.texts(sub), texts(0..10));
    assert!(after.caught_up(sub).is_empty());
    after.acknowledge_all(sub);
    assert_eq!(after.texts(sub), texts(0..25));
}

#[test]
fn a_client_that_acknowledges_nothing_is_read_its_messages_back_from_the_log() {
    let small = |limits: &mut murre_core::limits::Limits| {
        limits.inflight_max = 10;
        limits.ack_queue_bytes_max = 2000;
    };
    let broker = Broker::with_store(2, 1, small, KeepRules::default());
    let client = connect(&broker, 0);
    let sub = client.subscribe_with("t/#", acknowledged());
    publish(&broker, "t/a", 0..300);
    assert_eq!(client.messages(sub).len(), 10);
    client.acknowledge_all(sub);
    assert_eq!(client.texts(sub), texts(0..300));
    assert_eq!((client.caught_up(sub).len(), client.dropped(sub)), (1, 0));
}

#[test]
fn what_it_began_with_comes_again_as_far_as_it_was_not_acknowledged() {
    let broker = broker();
    for topic in ["t/a", "t/b", "t/c", "t/d"] {
        broker.publish(topic, topic);
    }
    let before = connect(&broker, 0);
    let options = SubscribeOptions { ack: Some(true), from: Some(From::Last), ..Default::default() };
    let sub = before.subscribe_with("t/#", options);
    let first = before.messages(sub)[0].clone();
    before.acknowledge(sub, first.position);
    before.break_off();
    publish(&broker, "t/e", 0..3);
    let after = connect(&broker, 1);
    after.acknowledge_all(sub);
    let mut seen = after.texts(sub);
    seen.sort();
    let mut wanted: Vec<String> =
        [texts(0..3), ["t/a", "t/b", "t/c", "t/d"].map(String::from).to_vec()].concat();
    wanted.retain(|text| *text != first.text());
    wanted.sort();
    let same_shard = |text: &String| before.messages(sub).iter().any(|m| m.text() == *text);
    assert_eq!(seen.iter().filter(|text| same_shard(text)).count(), 3);
    assert_eq!(seen, wanted);
    after.break_off();
    assert!(connect(&broker, 0).messages(sub).is_empty(), "all was acknowledged");
}

#[test]
fn past_its_limits_the_oldest_make_room_and_the_client_is_told() {
    let limit = |limits: &mut murre_core::limits::Limits| limits.session_debt_max.messages = 128;
    let broker = Broker::with_store(2, 1, limit, KeepRules::default());
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    before.break_off();
    publish(&broker, "t", 0..500);
    broker.run_for(Duration::from_secs(2));
    assert!(broker.records() <= 150, "{}", broker.records());
    let after = connect(&broker, 0);
    after.acknowledge_all(sub);
    let count = after.messages(sub).len();
    assert!((100..=130).contains(&count), "{count}");
    assert_eq!(after.texts(sub), texts(500 - count..500), "the newest, in order");
    let told = after.heard().into_iter().find_map(|said| match said {
        Said::Notice { kind: NoticeKind::Limited, count, .. } => Some(count),
        _ => None,
    });
    assert_eq!(told, Some(500 - count as u64));
}

#[test]
fn what_is_acknowledged_is_kept_no_longer() {
    let broker = broker();
    let client = connect(&broker, 0);
    let sub = client.subscribe_with("t", acknowledged());
    publish(&broker, "t", 0..30);
    client.acknowledge_all(sub);
    broker.run_for(Duration::from_secs(2));
    publish(&broker, "t", 30..31);
    assert!(broker.records() <= 1, "{}", broker.records());
}

#[test]
fn a_session_that_owes_little_holds_nothing_else_back() {
    let broker = broker();
    let away = connect(&broker, 0);
    away.subscribe_with("rare", acknowledged());
    away.break_off();
    broker.publish("rare", "x");
    let client = broker.connect_with(0, Codec::MessagePack, keeping("other", 60));
    let sub = client.subscribe_with("#", acknowledged());
    let topics: Vec<String> = (0..40).map(|number| format!("t/{number}")).collect();
    broker.publish_all(topics.iter().map(|topic| (topic.as_str(), "x")));
    client.acknowledge_all(sub);
    broker.run_for(Duration::from_secs(2));
    assert_eq!(broker.records(), 1);
}

#[test]
fn without_a_store_it_is_kept_in_memory() {
    let broker = Broker::new(2, 1);
    let before = connect(&broker, 0);
    let sub = before.subscribe_with("t", acknowledged());
    before.break_off();
    publish(&broker, "t", 0..5);
    let after = connect(&broker, 1);
    assert_eq!((after.session(), after.texts(sub)), ((true, 60), texts(0..5)));
}
