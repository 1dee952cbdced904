//! With `ack` a group has each message handled by one member: what one leaves unacknowledged goes to another.

use std::collections::BTreeSet;

use murre_core::testing::{Broker, Client, acknowledged, live, subscribing};
use murre_protocol::packet::SubscribeOptions;

const FILTER: &str = "$share/workers/jobs/#";

fn broker(seed: u64) -> Broker {
    Broker::with_limits(2, seed, |limits| limits.inflight_max = 5)
}

fn member(broker: &Broker, worker: u8, id: &str) -> Client {
    let client = broker.connect_on(worker, id);
    client.subscribe_with(FILTER, acknowledged());
    client
}

fn jobs(broker: &Broker, numbers: std::ops::Range<usize>) {
    let texts: Vec<(String, String)> = numbers.map(|n| (format!("jobs/{}", n % 10), n.to_string())).collect();
    broker.publish_all(texts.iter().map(|(topic, text)| (topic.as_str(), text.as_str())));
}

/// What a member has seen, all of it acknowledged.
fn handle(client: &Client) -> Vec<usize> {
    client.acknowledge_all(1);
    client.texts(1).iter().map(|text| text.parse().unwrap()).collect()
}

fn sorted(mut numbers: Vec<usize>) -> Vec<usize> {
    numbers.sort_unstable();
    numbers
}

#[test]
fn each_message_is_handled_by_one_member() {
    let broker = broker(1);
    let members = [member(&broker, 0, "a"), member(&broker, 0, "b"), member(&broker, 1, "c")];
    for round in 0..20 {
        jobs(&broker, round * 10..(round + 1) * 10);
        members.iter().for_each(|member| _ = handle(member));
    }
    let handled: Vec<Vec<usize>> = members.iter().map(handle).collect();
    assert!(handled.iter().all(|of| !of.is_empty()), "{handled:?}");
    assert_eq!(sorted(handled.concat()), (0..200).collect::<Vec<_>>());
}

#[test]
fn what_a_member_leaves_unacknowledged_goes_to_another_wherever_that_is() {
    for other in [0, 1] {
        let broker = broker(1);
        let first = member(&broker, 0, "first");
        for n in 0..20 {
            broker.publish("jobs/one", &n.to_string());
        }
        assert_eq!(first.messages(1).len(), 5, "no more than the window");
        first.acknowledge(1, first.messages(1)[0].position);
        let second = member(&broker, other, "second");
        first.break_off();
        assert_eq!(sorted(handle(&second)), (1..20).collect::<Vec<_>>(), "on worker {other}");
    }
}

#[test]
fn what_comes_again_has_a_position_behind_what_the_member_has() {
    let broker = broker(1);
    let (first, second) = (member(&broker, 0, "first"), member(&broker, 1, "second"));
    for n in 0..10 {
        broker.publish("jobs/one", &n.to_string());
    }
    handle(&second);
    first.disconnect();
    let all = handle(&second);
    assert_eq!(sorted(all), (0..10).collect::<Vec<_>>());
    assert!(second.messages(1).is_sorted_by_key(|message| message.position));
}

#[test]
fn a_member_that_acknowledges_nothing_gets_less() {
    let broker = broker(1);
    let (idle, busy) = (member(&broker, 0, "idle"), member(&broker, 0, "busy"));
    for n in 0..100 {
        broker.publish("jobs/one", &n.to_string());
        handle(&busy);
    }
    assert!(idle.messages(1).len() <= 5 && busy.messages(1).len() >= 95);
}

#[test]
fn members_may_come_and_go_and_every_job_is_done() {
    for seed in 0..60 {
        let broker = broker(seed);
        let mut random = broker.random();
        let mut members = vec![member(&broker, 0, "m0")];
        let mut done = BTreeSet::new();
        for round in 0..40 {
            jobs(&broker, round * 5..(round + 1) * 5);
            match random.below(4) {
                0 => members.push(member(&broker, (round % 2) as u8, &format!("m{}", round + 1))),
                1 if members.len() > 1 => {
                    let gone = members.swap_remove(random.place(members.len()));
                    gone.break_off();
                }
                2 => done.extend(handle(&members[random.place(members.len())])),
                _ => broker.run_some(random.below(20)),
            }
        }
        for _ in 0..100 {
            members.iter().for_each(|member| done.extend(handle(member)));
        }
        let missing: Vec<usize> = (0..200).filter(|job| !done.contains(job)).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?}");
    }
}

#[test]
fn a_group_may_have_members_with_and_without_acknowledgements() {
    let broker = broker(1);
    let (first, plain) = (member(&broker, 0, "first"), broker.connect_on(1, "plain"));
    plain.send(&subscribing(1, FILTER, SubscribeOptions { ..live() }));
    broker.settle();
    jobs(&broker, 0..20);
    first.break_off();
    assert_eq!(plain.messages(1).len(), 20);
}
