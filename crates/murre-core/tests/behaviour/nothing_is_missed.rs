//! Every publish that is accepted after SUBSCRIBED reaches the subscription, and none comes after UNSUBSCRIBED.

use murre_core::testing::{Broker, Client, Said, live, subscribing};
use murre_protocol::packet::ClientPacket;

/// The numbers that were accepted after the client had SUBSCRIBED.
fn counting(publisher: &Client, from: u32, to: u32) {
    for n in from..to {
        publisher.publish_all([("count", n.to_string().as_str())]);
    }
}

#[test]
fn what_is_published_right_after_subscribed_arrives() {
    for seed in 0..50 {
        let broker = Broker::new(2, seed);
        let (publisher, client) = (broker.connect_on(1, "p"), broker.connect_on(0, "c"));
        client.send(&subscribing(1, "count", live()));
        // some are on their way before SUBSCRIBED, as luck has it
        counting(&publisher, 0, 20);
        while client.answers_to_subscribe(1).is_empty() {
            broker.run_some(1);
        }
        counting(&publisher, 20, 40);
        broker.settle();
        let numbers: Vec<u32> = client.texts(1).iter().map(|text| text.parse().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "seed {seed}: no gap in {numbers:?}");
        assert_eq!(numbers.last(), Some(&39), "seed {seed}");
        assert!(numbers[0] <= 20, "seed {seed}: {numbers:?}");
    }
}

#[test]
fn subscribed_comes_before_the_first_message() {
    for seed in 0..50 {
        let broker = Broker::new(2, seed);
        let (publisher, client) = (broker.connect_on(1, "p"), broker.connect_on(0, "c"));
        counting(&publisher, 0, 10);
        client.send(&subscribing(1, "#", live()));
        counting(&publisher, 10, 20);
        broker.settle();
        let heard = client.heard();
        let subscribed = heard.iter().position(|said| matches!(said, Said::Subscribed { .. })).unwrap();
        let first = heard.iter().position(|said| matches!(said, Said::Message(_)));
        assert!(first.is_none_or(|first| subscribed < first), "seed {seed}");
    }
}

#[test]
fn nothing_comes_after_unsubscribed() {
    for seed in 0..50 {
        let broker = Broker::new(2, seed);
        let (publisher, client) = (broker.connect_on(1, "p"), broker.connect_on(0, "c"));
        let sub = client.subscribe_with("count", live());
        counting(&publisher, 0, 20);
        client.send(&ClientPacket::Unsubscribe { sub });
        counting(&publisher, 20, 40);
        broker.settle();
        let heard = client.heard();
        let end = heard.iter().position(|said| matches!(said, Said::Unsubscribed { .. })).unwrap();
        assert!(!heard[end..].iter().any(|said| matches!(said, Said::Message(_))), "seed {seed}");
    }
}

#[test]
fn a_subscription_that_is_ended_before_it_was_granted_is_still_answered() {
    let broker = Broker::new(2, 3);
    let client = broker.connect_on(0, "c");
    client.send(&subscribing(1, "a/#", live()));
    client.send(&ClientPacket::Unsubscribe { sub: 1 });
    broker.settle();
    let answers: Vec<Said> =
        client.heard().into_iter().filter(|said| !matches!(said, Said::Connected { .. })).collect();
    assert!(
        matches!(answers[..], [Said::Subscribed { sub: 1, .. }, Said::Unsubscribed { sub: 1, .. }]),
        "{answers:?}"
    );
    assert_eq!(broker.remains().hubs[0].announced, 0);
}

#[test]
fn all_subscribers_of_a_topic_see_one_order() {
    for seed in 0..20 {
        let broker = Broker::new(2, seed);
        let watchers: Vec<Client> = (0..4).map(|n| broker.connect(&format!("w{n}"))).collect();
        let subs: Vec<u64> = watchers.iter().map(|watcher| watcher.subscribe("t/#")).collect();
        let publishers: Vec<Client> = (0..4).map(|n| broker.connect(&format!("p{n}"))).collect();
        for round in 0..20 {
            for (n, publisher) in publishers.iter().enumerate() {
                publisher.publish_all([("t/same", format!("{n}:{round}").as_str())]);
            }
        }
        broker.settle();
        let seen: Vec<Vec<String>> =
            watchers.iter().zip(&subs).map(|(watcher, sub)| watcher.texts(*sub)).collect();
        assert_eq!(seen[0].len(), 80);
        assert!(seen.iter().all(|one| *one == seen[0]), "seed {seed}");
    }
}
