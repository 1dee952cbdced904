//! A client that reads too slowly gets a lower rate before anything is dropped, is told so, and gets all again once it
//! keeps up.

use std::{collections::BTreeMap, time::Duration};

use murre_core::testing::{Broker, Client, Said, acknowledged, live, on_slow};
use murre_protocol::packet::{NoticeKind, OnSlow};

const OUTBOX_MAX: usize = 128 * 1024;
const VALUE: &str = "a value that takes some room in the outbox of whoever gets it";
const TICK: Duration = Duration::from_millis(10);
const TOPICS: usize = 10;
const LONG: Duration = Duration::from_secs(600);

fn broker(seed: u64) -> Broker {
    Broker::with_limits(2, seed, |limits| limits.outbox_max = OUTBOX_MAX)
}

/// Publishes numbered values to ten topics a hundred times a second; before each, `also` may do something.
fn stream(broker: &Broker, numbers: std::ops::Range<usize>, mut also: impl FnMut(usize)) {
    for n in numbers {
        also(n);
        let texts: Vec<_> = (0..TOPICS).map(|topic| (format!("t/{topic}"), format!("{n} {VALUE}"))).collect();
        broker.publish_all(texts.iter().map(|(topic, text)| (topic.as_str(), text.as_str())));
        broker.run_for(TICK);
    }
}

/// Reads a third of what comes.
fn reads_slowly(client: &Client) -> impl FnMut(usize) {
    client.stall();
    |n| {
        if n.is_multiple_of(50) {
            client.read(1);
        }
    }
}

fn number(text: &str) -> usize {
    text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number first")
}

/// A NOTICE "degraded".
#[derive(Debug)]
struct Told {
    count: u64,
    topics: Vec<(String, u64)>,
    reason: String,
}

/// What was told of a subscription.
fn degraded(client: &Client, number: u64) -> Vec<Told> {
    let told = |said| match said {
        Said::Notice { kind: NoticeKind::Degraded, sub, count, topics, reason, .. } => {
            (sub == Some(number)).then_some(Told { count, topics, reason })
        }
        _ => None,
    };
    client.heard().into_iter().filter_map(told).collect()
}

fn conflated(client: &Client, sub: u64) -> u64 {
    degraded(client, sub).iter().map(|told| told.count).sum()
}

/// The number of the last value of each topic.
fn last_values(client: &Client, sub: u64) -> BTreeMap<String, usize> {
    client.messages(sub).into_iter().map(|message| (message.topic.clone(), number(&message.text()))).collect()
}

#[test]
fn it_gets_newer_values_at_a_lower_rate_and_nothing_is_dropped() {
    let broker = broker(1);
    let client = broker.connect("phone");
    let sub = client.subscribe_with("t/#", live());
    stream(&broker, 0..6_000, reads_slowly(&client));
    let behind = 6_000 - last_values(&client, sub)["t/0"];
    assert!(behind < 1_000, "{behind} of 6,000 values behind");
    client.resume();
    broker.run_for(LONG);
    assert!(last_values(&client, sub).values().all(|last| *last == 5_999), "each topic ends with its last");
    assert_eq!(broker.count(|c| &c.dropped), 0);
    assert_eq!(client.messages(sub).len() as u64 + conflated(&client, sub), 60_000, "all others are told");
    assert_eq!(broker.count(|c| &c.conflated), conflated(&client, sub));
}

#[test]
fn the_notice_names_the_subscription_how_far_it_was_behind_and_the_counts_by_topic() {
    let broker = broker(1);
    let client = broker.connect("phone");
    let sub = client.subscribe_with("t/#", live());
    stream(&broker, 0..1_000, reads_slowly(&client));
    client.resume();
    let Told { count, topics, reason } = degraded(&client, sub).remove(0);
    assert_eq!(topics.iter().map(|(_, count)| count).sum::<u64>(), count);
    assert_eq!(topics.len(), TOPICS);
    assert!(reason.starts_with("the client reads too slowly and was "), "{reason}");
    assert!(
        reason.contains(" ms behind: at most ") && reason.ends_with("for newer ones, 0 dropped"),
        "{reason}"
    );
}

#[test]
fn once_it_keeps_up_it_gets_all_again_step_by_step() {
    let broker = broker(1);
    let client = broker.connect("phone");
    let sub = client.subscribe_with("t/#", live());
    stream(&broker, 0..6_000, reads_slowly(&client));
    assert_eq!(broker.count(|c| &c.degraded), 1);
    client.resume();
    broker.run_for(LONG);
    let told = degraded(&client, sub);
    assert!(told[told.len() - 2].reason.starts_with("the client keeps up: at most "), "{told:?}");
    assert_eq!(told.last().unwrap().reason, "the client keeps up: it gets all messages again");
    assert_eq!(broker.count(|c| &c.degraded), 0);
    let before = client.messages(sub).len();
    stream(&broker, 6_000..6_100, |_| ());
    assert_eq!(client.messages(sub).len() - before, 100 * TOPICS);
}

#[test]
fn others_get_everything_and_so_do_the_subscriptions_that_fill_nothing() {
    let broker = broker(1);
    let (client, desk) = (broker.connect("phone"), broker.connect("desk"));
    let (sub, alarms) = (client.subscribe_with("t/#", live()), client.subscribe_with("alarms", live()));
    let all = desk.subscribe_with("t/#", live());
    let mut read = reads_slowly(&client);
    stream(&broker, 0..3_000, |n| {
        read(n);
        broker.publish("alarms", &n.to_string());
    });
    assert_eq!(desk.messages(all).len(), 30_000);
    client.resume();
    broker.run_for(LONG);
    assert_eq!(client.messages(alarms).len(), 3_000);
    assert!(conflated(&client, sub) > 0);
    assert_eq!(conflated(&client, alarms), 0);
}

#[test]
fn acknowledged_and_shared_subscriptions_and_histories_are_left_as_they_are() {
    let broker = broker(1);
    let client = broker.connect("worker");
    client.subscribe_with("t/#", acknowledged());
    client.subscribe_with("$share/g/t/#", live());
    client.stall();
    stream(&broker, 0..1_000, |_| ());
    assert_eq!(broker.count(|c| &c.degraded), 0);
    assert!(broker.count(|c| &c.dropped) > 0);
}

#[test]
fn what_can_be_held_to_no_lower_rate_falls_under_its_rule() {
    for rule in [OnSlow::Disconnect, OnSlow::DropOldest] {
        let broker = Broker::with_limits(1, 1, |limits| {
            limits.outbox_max = OUTBOX_MAX;
            limits.degrade.as_mut().unwrap().period_max = Duration::from_secs(1);
        });
        let client = broker.connect("deaf");
        let sub = client.subscribe_with("t/#", on_slow(rule));
        client.stall();
        // more topics than fit, each slower than the lowest rate
        let topics: Vec<String> = (0..1_000).map(|topic| format!("t/{topic}")).collect();
        for _ in 0..5 {
            broker.publish_all(topics.iter().map(|topic| (topic.as_str(), VALUE)));
            broker.run_for(Duration::from_secs(5));
        }
        assert_eq!(broker.count(|c| &c.degraded), u64::from(rule != OnSlow::Disconnect));
        client.resume();
        broker.run_for(LONG);
        match rule {
            OnSlow::Disconnect => assert_eq!(broker.count(|c| &c.slow_disconnected), 1),
            _ => {
                assert!(client.dropped(sub) > 0);
                let got = client.messages(sub).len() as u64;
                assert_eq!(got + client.dropped(sub) + conflated(&client, sub), 5_000);
            }
        }
    }
}

#[test]
fn a_subscription_that_begins_anew_or_ends_is_degraded_no_more() {
    let broker = broker(1);
    let client = broker.connect("phone");
    let sub = client.subscribe_with("t/#", live());
    let other = client.subscribe_with("t/+", live());
    client.stall();
    stream(&broker, 0..600, |_| ());
    assert_eq!(broker.count(|c| &c.degraded), 2);
    client.resume();
    client.resubscribe(sub, "t/#", live());
    client.unsubscribe(other);
    assert_eq!(broker.count(|c| &c.degraded), 0);
    let before = client.messages(sub).len();
    stream(&broker, 600..700, |_| ());
    assert_eq!(client.messages(sub).len() - before, 100 * TOPICS);
}

#[test]
fn however_it_reads_the_last_values_arrive_in_order_and_the_counts_add_up() {
    for seed in 0..12 {
        let broker = broker(seed);
        let random = std::cell::RefCell::new(broker.random());
        let client = broker.connect("phone");
        let rule = [OnSlow::DropOldest, OnSlow::Conflate][seed as usize % 2];
        let sub = client.subscribe_with("t/#", on_slow(rule));
        client.stall();
        stream(&broker, 0..1_000, |_| {
            let mut random = random.borrow_mut();
            if random.chance(3) {
                client.read(random.below(4) as usize);
            }
            if random.chance(1) {
                client.resume();
            } else if random.chance(1) {
                client.stall();
            }
        });
        client.resume();
        broker.run_for(LONG);
        let messages = client.messages(sub);
        assert!(last_values(&client, sub).values().all(|last| *last == 999), "seed {seed}");
        let told = conflated(&client, sub) + client.dropped(sub);
        assert_eq!(messages.len() as u64 + told, 10_000, "seed {seed}");
        let mut at = BTreeMap::new();
        for message in messages {
            let before = at.insert(message.position.shard(), message.position);
            assert!(before.is_none_or(|before| before <= message.position), "seed {seed}: a position fell");
        }
    }
}
