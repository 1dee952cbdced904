//! A group shares the messages of a filter among its members.

use std::collections::BTreeSet;

use murre_tests::{Broker, Client, Kind, Packet, json};

const SHARED: &str = "$share/workers/jobs/#";

#[test]
fn each_message_goes_to_one_member_and_every_member_gets_some() {
    let broker = Broker::start();
    let mut members = [Client::connect(&broker), Client::connect(&broker), Client::connect(&broker)];
    for member in &mut members {
        member.subscribe_live(1, SHARED);
        member.subscribe_live(2, "jobs/1");
    }
    let mut publisher = Client::connect(&broker);

    for job in 0..90 {
        publisher.publish("jobs/1", &job.to_string());
    }
    publisher.publish("jobs/1", "end");

    let mut jobs = Vec::new();
    for member in &mut members {
        let mut shared = member.messages_until("end");
        shared.retain(|message| message.sub == 1);
        assert!(!shared.is_empty(), "a member got nothing of 90 messages");
        jobs.extend(shared.iter().map(|message| message.text().parse::<u32>().expect("a number")));
    }
    assert_eq!(jobs.len(), 90, "none is delivered twice");
    assert_eq!(jobs.into_iter().collect::<BTreeSet<_>>(), (0..90).collect());
}

#[test]
fn subscribers_outside_the_group_get_everything() {
    let broker = Broker::start();
    let mut member = Client::connect(&broker);
    member.subscribe_live(1, SHARED);
    let mut other_group = Client::connect(&broker);
    other_group.subscribe_live(1, "$share/auditors/jobs/#");
    let mut plain = Client::connect(&broker);
    plain.subscribe_live(1, "jobs/#");

    member.publish("jobs/1", "for each group");

    for client in [&mut member, &mut other_group, &mut plain] {
        assert_eq!(client.waited_message().text(), "for each group");
    }
}

#[test]
fn the_last_member_gets_all_when_the_others_have_left() {
    let broker = Broker::start();
    let mut stays = Client::connect(&broker);
    stays.subscribe_live(1, SHARED);
    let mut leaves = Client::connect(&broker);
    leaves.subscribe_live(1, SHARED);

    leaves.send(&Packet::new(Kind::Unsubscribe, [1.into()]));
    leaves.wait_for(Kind::Unsubscribed);
    let mut publisher = Client::connect(&broker);
    for job in 0..20 {
        publisher.publish("jobs/1", &job.to_string());
    }

    let jobs: Vec<_> = stays.messages(20).iter().map(|message| message.text().to_owned()).collect();
    assert_eq!(jobs, (0..20).map(|job: u32| job.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_a_member_has_not_acknowledged_goes_to_another_when_it_vanishes() {
    let broker = Broker::start();
    let live = || json!({ "from": "live", "ack": true });
    let mut vanishes = Client::connect(&broker);
    vanishes.subscribe_with(1, SHARED, live());
    let mut publisher = Client::connect(&broker);
    for job in 0..20 {
        publisher.publish("jobs/1", &job.to_string());
    }
    let first = vanishes.message();
    vanishes.send(&Packet::new(Kind::Ack, [1.into(), first.position.into()]));
    let mut stays = Client::connect(&broker);
    stays.subscribe_with(1, SHARED, live());
    // the answer comes behind the acknowledgement
    vanishes.publish("other", "x");
    vanishes.vanish();

    let jobs: Vec<_> = stays.messages(19).iter().map(|message| message.text().to_owned()).collect();
    assert_eq!(jobs, (1..20).map(|job: u32| job.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_group_has_no_snapshot() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    assert_eq!(client.try_subscribe(1, SHARED, json!({ "from": "last" })).number(2), 4422);
}
