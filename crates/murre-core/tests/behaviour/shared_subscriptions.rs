//! A group shares its messages: each goes to one member, the one with the least waiting.

use murre_core::testing::{Broker, Client, Said, live, subscribing};
use murre_protocol::{
    Code,
    packet::{ClientPacket, SubscribeOptions},
};

const FILTER: &str = "$share/workers/jobs/#";

fn members(broker: &Broker, workers: &[u8]) -> Vec<Client> {
    let member = |(n, worker): (usize, &u8)| {
        let client = broker.connect_on(*worker, &format!("m{n}"));
        client.subscribe_with(FILTER, live());
        client
    };
    workers.iter().enumerate().map(member).collect()
}

fn jobs(broker: &Broker, count: usize) {
    let texts: Vec<(String, String)> =
        (0..count).map(|n| (format!("jobs/{}", n % 10), n.to_string())).collect();
    broker.publish_all(texts.iter().map(|(topic, text)| (topic.as_str(), text.as_str())));
}

fn done(members: &[Client]) -> Vec<usize> {
    members.iter().map(|member| member.messages(1).len()).collect()
}

#[test]
fn each_message_goes_to_one_member() {
    for workers in [&[0, 0, 0][..], &[0, 1, 1], &[1, 1]] {
        let broker = Broker::new(2, 1);
        let members = members(&broker, workers);
        jobs(&broker, 300);
        let mut all: Vec<usize> =
            members.iter().flat_map(|member| member.texts(1)).map(|text| text.parse().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<_>>(), "members on {workers:?}");
    }
}

#[test]
fn ties_go_in_turn() {
    let broker = Broker::new(1, 1);
    let members = members(&broker, &[0, 0, 0]);
    for n in 0..30 {
        broker.publish("jobs/same", &n.to_string());
    }
    assert_eq!(done(&members), [10, 10, 10]);
}

#[test]
fn a_member_that_reads_nothing_gets_less() {
    for workers in [&[0, 0][..], &[0, 1]] {
        let broker = Broker::new(2, 1);
        let members = members(&broker, workers);
        members[0].stall();
        for n in 0..200 {
            broker.publish("jobs/a", &n.to_string());
        }
        members[0].resume();
        let done = done(&members);
        assert_eq!(done.iter().sum::<usize>(), 200);
        assert!(done[0] < 20, "members on {workers:?}: {done:?}");
    }
}

#[test]
fn a_member_that_reads_again_gets_its_share_again() {
    let broker = Broker::new(2, 1);
    let members = members(&broker, &[0, 1]);
    members[0].stall();
    (0..50).for_each(|n| _ = broker.publish("jobs/a", &n.to_string()));
    members[0].resume();
    let before = done(&members)[0];
    (0..50).for_each(|n| _ = broker.publish("jobs/a", &n.to_string()));
    assert!(done(&members)[0] - before >= 20, "{:?}", done(&members));
}

#[test]
fn what_a_gone_member_would_have_had_goes_to_the_others() {
    let broker = Broker::new(2, 1);
    let members = members(&broker, &[0, 1]);
    members[0].break_off();
    jobs(&broker, 20);
    assert_eq!(members[1].messages(1).len(), 20);
}

#[test]
fn subscriptions_beside_the_group_get_everything() {
    let broker = Broker::new(2, 1);
    let _members = members(&broker, &[0, 1]);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("jobs/#");
    jobs(&broker, 30);
    assert_eq!(watcher.messages(sub).len(), 30);
}

#[test]
fn two_groups_get_everything_each() {
    let broker = Broker::new(2, 1);
    let (a, b) = (broker.connect("a"), broker.connect("b"));
    a.subscribe_with("$share/one/jobs/#", live());
    b.subscribe_with("$share/two/jobs/#", live());
    jobs(&broker, 30);
    assert_eq!((a.messages(1).len(), b.messages(1).len()), (30, 30));
}

#[test]
fn a_group_begins_live_only() {
    let broker = Broker::new(1, 1);
    broker.publish("jobs/a", "old");
    let client = broker.connect("a");
    let last = SubscribeOptions { from: Some(murre_protocol::packet::From::Last), ..Default::default() };
    assert_eq!(client.resubscribe(1, FILTER, last), Code::INVALID);
    assert_eq!(client.resubscribe(3, FILTER, SubscribeOptions::default()), Code::OK);
    assert_eq!((client.messages(3).len(), client.caught_up(3).len()), (0, 1));
}

#[test]
fn a_member_that_joins_while_messages_flow_is_told_subscribed_first_and_nothing_is_lost() {
    for seed in 0..100 {
        let broker = Broker::new(2, seed);
        let old = members(&broker, &[1]);
        let new = broker.connect_on(0, "new");
        new.send(&subscribing(1, FILTER, live()));
        let publisher = broker.connect_on(0, "p");
        for n in 0..40 {
            publisher.publish_all([(format!("jobs/{}", n % 10).as_str(), n.to_string().as_str())]);
            broker.run_some(2);
        }
        broker.settle();
        let heard = new.heard();
        let subscribed = heard.iter().position(|said| matches!(said, Said::Subscribed { .. })).unwrap();
        let first = heard.iter().position(|said| matches!(said, Said::Message(_)));
        assert!(
            first.is_none_or(|first| subscribed < first),
            "seed {seed}: a message came before SUBSCRIBED"
        );
        assert_eq!(done(&old)[0] + new.messages(1).len(), 40, "seed {seed}");
    }
}

#[test]
fn what_reaches_a_member_before_it_is_told_subscribed_waits_for_that() {
    let broker = Broker::new(2, 1);
    let old = members(&broker, &[1]);
    let (new, publisher) = (broker.connect_on(0, "new"), broker.connect_on(0, "p"));
    // the other worker's shards don't know of the new member, so it is not subscribed
    broker.hold(1);
    new.send(&subscribing(1, FILTER, live()));
    for n in 0..40 {
        publisher.publish_all([(format!("jobs/{n}").as_str(), n.to_string().as_str())]);
    }
    broker.settle();
    assert!(!new.heard().iter().any(|said| matches!(said, Said::Message(_))));
    broker.release(1);
    broker.settle();
    assert!(!new.messages(1).is_empty());
    assert_eq!(done(&old)[0] + new.messages(1).len(), 40);
}

#[test]
fn members_that_come_and_go_leave_nothing_behind() {
    let broker = Broker::new(2, 1);
    let clients: Vec<Client> = (0..6).map(|n| broker.connect(&format!("m{n}"))).collect();
    for round in 0..20 {
        for client in &clients {
            client.send(&subscribing(round, FILTER, live()));
            client.send(&ClientPacket::Unsubscribe { sub: round });
        }
        broker.run_some(5);
    }
    broker.settle();
    let remains = broker.remains();
    assert_eq!(remains.interests, [0, 0]);
    assert!(remains.hubs.iter().all(|hub| hub.groups == 0 && hub.announced == 0), "{remains:?}");
}
