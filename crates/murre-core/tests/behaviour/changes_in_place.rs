//! SUBSCRIBE on a number in use changes the subscription.

use murre_core::testing::{Broker, Said, acknowledged, live, on_slow};
use murre_protocol::{
    Code,
    packet::{From, OnSlow, SubscribeOptions},
};

fn from_last() -> SubscribeOptions<'static> {
    SubscribeOptions { from: Some(From::Last), ..Default::default() }
}

#[test]
fn without_from_it_is_answered_and_nothing_is_replayed() {
    let broker = Broker::new(2, 1);
    broker.publish("a", "1");
    let client = broker.connect("a");
    let sub = client.subscribe("a");
    let change = SubscribeOptions { on_slow: Some(OnSlow::Conflate), ..Default::default() };
    assert_eq!(client.resubscribe(sub, "a", change), Code::OK);
    assert_eq!(client.texts(sub), ["1"]);
    assert_eq!(client.caught_up(sub).len(), 1);
}

#[test]
fn on_slow_holds_from_then_on() {
    let broker = Broker::with_limits(1, 1, |limits| {
        limits.outbox_max = 8 * 1024;
        limits.degrade = None;
    });
    let client = broker.connect("a");
    let sub = client.subscribe_with("a", live());
    client.resubscribe(
        sub,
        "a",
        SubscribeOptions { on_slow: Some(OnSlow::Disconnect), ..Default::default() },
    );
    client.stall();
    broker.publish_all((0..1000).map(|_| ("a", "a value that takes some room")));
    client.resume();
    assert_eq!(client.disconnected(), Some(Code::SLOW_CONSUMER));
}

#[test]
fn with_from_it_begins_anew() {
    let broker = Broker::new(2, 1);
    broker.publish("a", "1");
    let client = broker.connect("a");
    let sub = client.subscribe_with("a", live());
    client.resubscribe(sub, "a", from_last());
    broker.publish("a", "2");
    assert_eq!(client.texts(sub), ["1", "2"]);
    assert_eq!(client.caught_up(sub).len(), 2);
}

#[test]
fn with_from_a_running_snapshot_is_cut_and_one_caught_up_comes() {
    let broker = Broker::with_limits(2, 1, |limits| limits.outbox_max = 256 * 1024);
    let names: Vec<String> = (0..20_000).map(|n| format!("t/{n}")).collect();
    broker.publish_all(names.iter().map(|name| (name.as_str(), "a value that takes some room")));
    let client = broker.connect("slow");
    client.stall();
    let sub = client.subscribe_stalled("t/#");
    client.read(2);
    client.send(&murre_core::testing::subscribing(sub, "t/#", from_last()));
    client.resume();
    assert_eq!(client.caught_up(sub).len(), 1);
    let heard = client.heard();
    let again = heard.iter().rposition(|said| matches!(said, Said::Subscribed { .. })).unwrap();
    let after = heard[again..].iter().filter(|said| matches!(said, Said::Message(_))).count();
    assert_eq!(after, 20_000, "the new snapshot is whole");
    assert_eq!(broker.remains().snapshots, [0, 0]);
}

#[test]
fn another_filter_is_refused_and_the_old_subscription_stays() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    let sub = client.subscribe("a");
    assert_eq!(client.resubscribe(sub, "b", live()), Code::INVALID);
    assert_eq!(client.resubscribe(sub, "$share/g/a", live()), Code::INVALID);
    broker.publish("a", "1");
    assert_eq!(client.texts(sub), ["1"]);
}

#[test]
fn a_changed_ack_is_refused() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    let sub = client.subscribe_with("a", live());
    assert_eq!(client.resubscribe(sub, "a", acknowledged()), Code::INVALID);
    let refused =
        SubscribeOptions { ack: Some(true), on_slow: Some(OnSlow::Disconnect), ..Default::default() };
    assert_eq!(client.resubscribe(sub, "a", refused), Code::INVALID);
}

#[test]
fn every_subscribe_is_answered_also_before_the_first_one_is_granted() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    for _ in 0..3 {
        client.send(&murre_core::testing::subscribing(1, "a/#", on_slow(OnSlow::Conflate)));
    }
    broker.settle();
    assert_eq!(client.answers_to_subscribe(1), [Code::OK; 3]);
    assert!(!client.caught_up(1).is_empty());
}
