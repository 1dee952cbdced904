//! History runs on into live: nothing is left out, nothing comes twice.

use murre_core::{
    limits::Limits,
    log::{KeepRule, KeepRules},
    testing::{Broker, Client, Lengths, Said, from, live, subscribing},
};
use murre_protocol::{
    Codec, Position, Timestamp, TopicFilter,
    packet::{ClientPacket, Connect, From, OnSlow, SubscribeOptions},
};

fn rule(filter: &str) -> KeepRule {
    let filter = TopicFilter::parse(filter).unwrap().into_owned();
    KeepRule { filter, last: None, age: None, bytes: None, durable: false }
}

/// A broker that keeps all of `log/#` and the last three of each topic under `few/`.
fn broker(workers: u8, seed: u64) -> Broker {
    let rules = vec![rule("log/#"), KeepRule { last: Some(3), ..rule("few/#") }];
    Broker::with_rules(workers, seed, |_| (), KeepRules::new(rules))
}

fn after(positions: &[Position]) -> From<'static> {
    From::After { positions: positions.to_vec(), epoch: "epoch".into() }
}

/// What SUBSCRIBED said of a resumed subscription: whether nothing is missing, and why.
fn recovered(client: &Client, number: u64) -> (Option<bool>, Option<String>) {
    let said = client.heard().into_iter().rev();
    let mut answers = said.filter_map(|said| match said {
        Said::Subscribed { sub, recovered, lost, .. } if sub == number => Some((recovered, lost)),
        _ => None,
    });
    answers.next().unwrap()
}

/// Where a subscription stands after all that came.
fn stands(client: &Client, sub: u64) -> Vec<Position> {
    let mut positions = client.caught_up(sub).pop().unwrap().0;
    for message in client.messages(sub) {
        let of = positions.iter_mut().find(|position| position.shard() == message.position.shard()).unwrap();
        *of = (*of).max(message.position);
    }
    positions
}

#[test]
fn the_last_messages_of_a_topic_come_before_live_ones() {
    let broker = broker(2, 1);
    (0..5).for_each(|n| _ = broker.publish("log/a", &n.to_string()));
    let client = broker.connect("c");
    let sub = client.subscribe_with("log/a", from(From::LastN(3)));
    broker.publish("log/a", "5");
    assert_eq!(client.texts(sub), ["2", "3", "4", "5"]);
    assert_eq!(client.caught_up(sub)[0].1, 3);
}

#[test]
fn the_last_messages_right_after_they_were_published_are_the_last() {
    for seed in 0..30 {
        let broker = broker(2, seed);
        let (publisher, client) = (broker.connect_on(0, "p"), broker.connect_on(1, "c"));
        publisher.publish_all(["0", "1", "2", "3", "4", "5", "6", "7", "8"].map(|text| ("log/a", text)));
        broker.run_some(seed);
        let sub = client.subscribe_with("log/a", from(From::LastN(4)));
        let numbers: Vec<u32> = client.texts(sub).iter().map(|text| text.parse().unwrap()).collect();
        assert!(numbers.len() >= 4 && numbers.last() == Some(&8), "seed {seed}: {numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "seed {seed}: {numbers:?}");
    }
}

#[test]
fn no_more_comes_than_the_rule_keeps() {
    let broker = broker(1, 1);
    (0..5).for_each(|n| _ = broker.publish("few/a", &n.to_string()));
    let client = broker.connect("c");
    let sub = client.subscribe_with("few/+", from(From::LastN(100)));
    assert_eq!(client.texts(sub), ["2", "3", "4"]);
}

#[test]
fn a_topic_that_no_rule_keeps_has_its_last_value_as_history() {
    let broker = broker(2, 1);
    broker.publish_all([("other", "1"), ("other", "2"), ("log/a", "3")]);
    let client = broker.connect("c");
    for filter in ["other", "#"] {
        let sub = client.subscribe_with(filter, from(From::LastN(10)));
        assert!(client.texts(sub).contains(&"2".to_owned()), "{filter}");
        assert!(!client.texts(sub).contains(&"1".to_owned()), "{filter}");
    }
}

#[test]
fn history_since_a_time_has_what_came_since() {
    let broker = broker(2, 1);
    broker.publish("log/a", "before");
    broker.run_for(5.secs());
    let since = Timestamp::from_millis(broker.now());
    broker.publish("log/b", "after");
    let client = broker.connect("c");
    let sub = client.subscribe_with("log/#", from(From::Since(since)));
    assert_eq!(client.texts(sub), ["after"]);
}

#[test]
fn a_client_that_resumes_gets_what_it_missed_and_nothing_twice() {
    let broker = broker(3, 1);
    let client = broker.connect("c");
    let sub = client.subscribe_with("log/#", live());
    broker.publish_all((0..20).map(|n| (["log/a", "log/b", "log/c"][n % 3], "seen")));
    let positions = stands(&client, sub);
    client.break_off();
    broker.publish_all((0..20).map(|n| (["log/a", "log/b", "log/c"][n % 3], "missed")));
    let client = broker.connect("c");
    let sub = client.subscribe_with("log/#", from(after(&positions)));
    broker.publish("log/a", "live");
    let texts = client.texts(sub);
    assert_eq!(texts.iter().filter(|text| *text == "missed").count(), 20);
    assert_eq!((texts.len(), texts.last().map(String::as_str)), (21, Some("live")));
    assert_eq!(recovered(&client, sub), (Some(true), None));
}

#[test]
fn a_client_is_told_when_the_rule_has_let_go_of_what_it_missed() {
    let broker = broker(2, 1);
    let client = broker.connect("c");
    let sub = client.subscribe("few/#");
    let positions = stands(&client, sub);
    (0..5).for_each(|n| _ = broker.publish("few/a", &n.to_string()));
    let sub = client.subscribe_with("few/#", from(after(&positions)));
    assert_eq!(recovered(&client, sub), (Some(false), Some("kept".into())));
    assert_eq!(client.texts(sub), ["2", "3", "4"]);
}

#[test]
fn a_client_is_told_that_topics_without_a_rule_have_no_history() {
    let broker = broker(2, 1);
    let client = broker.connect("c");
    let sub = client.subscribe_with("#", live());
    let positions = stands(&client, sub);
    broker.publish_all([("other", "1"), ("other", "2")]);
    for filter in ["#", "other"] {
        let sub = client.subscribe_with(filter, from(after(&positions)));
        assert_eq!(recovered(&client, sub), (Some(false), Some("kept".into())), "{filter}");
        assert_eq!(client.texts(sub), ["2"], "what is there follows");
    }
    let sub = client.subscribe_with("log/#", from(after(&positions)));
    assert_eq!(recovered(&client, sub), (Some(true), None));
}

#[test]
fn positions_of_another_epoch_recover_nothing() {
    let broker = broker(2, 1);
    broker.publish("log/a", "1");
    let client = broker.connect("c");
    let resumed = From::After { positions: Vec::new(), epoch: "older".into() };
    let sub = client.subscribe_with("log/#", from(resumed));
    assert_eq!(recovered(&client, sub), (Some(false), Some("epoch".into())));
    assert_eq!(client.texts(sub), ["1"]);
}

#[test]
fn after_the_brokers_death_what_was_committed_of_durable_topics_is_there() {
    let durable = |filter| KeepRule { durable: true, ..rule(filter) };
    let rules = KeepRules::new(vec![rule("site/state"), durable("site/#"), rule("loose")]);
    let broker = Broker::with_store(2, 1, |_| (), rules);
    let client = broker.connect("c");
    let positions = stands(&client, client.subscribe_with("#", live()));
    broker.publish_all([("site/a", "1"), ("site/state", "2"), ("loose", "3")]);
    broker.crash();
    let client = broker.connect("c");
    for filter in ["site/a", "site/+/#"] {
        let sub = client.subscribe_with(filter, from(after(&positions)));
        let expected = if filter == "site/a" { (Some(true), None) } else { crash() };
        assert_eq!(recovered(&client, sub), expected, "{filter}");
        assert_eq!(client.texts(sub)[0], "1");
    }
    for filter in ["site/state", "loose", "#"] {
        let sub = client.subscribe_with(filter, from(after(&positions)));
        assert_eq!(recovered(&client, sub), crash(), "{filter}");
    }
}

fn crash() -> (Option<bool>, Option<String>) {
    (Some(false), Some("crash".into()))
}

#[test]
fn a_list_of_positions_that_is_not_whole_is_refused() {
    let broker = broker(2, 1);
    let client = broker.connect("c");
    for positions in [vec![Position::new(1, 0)], vec![Position::new(1, 77)]] {
        let code = client.resubscribe(9, "log/#", from(after(&positions)));
        assert_eq!(code, murre_protocol::Code::INVALID, "{positions:?}");
    }
}

#[test]
fn more_than_the_limit_is_revised_and_said() {
    let rules = KeepRules::new(vec![rule("#")]);
    let broker = Broker::with_rules(1, 1, |limits| limits.history_last_max = 2, rules);
    (0..5).for_each(|n| _ = broker.publish("a", &n.to_string()));
    let client = broker.connect("c");
    let sub = client.subscribe_with("a", from(From::LastN(10)));
    assert_eq!(client.texts(sub), ["3", "4"]);
    assert!(client.heard().iter().any(|said| matches!(said, Said::Subscribed { last: Some(2), .. })));
}

/// Limits under which nothing comes before the rule for slow clients.
fn undegraded(limits: &mut Limits) {
    limits.outbox_max = 256 * 1024;
    limits.degrade = None;
}

#[test]
fn a_slow_reader_of_history_costs_no_more_than_its_outbox() {
    let rules = KeepRules::new(vec![rule("#")]);
    let broker = Broker::with_rules(2, 1, undegraded, rules);
    let payload = "x".repeat(1000);
    broker.publish_all((0..2000).map(|_| ("a", payload.as_str())));
    let client = broker.connect_on(1, "c");
    client.stall();
    let sub = client.subscribe_stalled("b");
    client.send(&subscribing(7, "a", from(From::LastN(2000))));
    broker.settle();
    assert!(client.waiting_max() < 400 * 1024, "{} bytes waited", client.waiting_max());
    broker.publish_all((0..1000).map(|_| ("b", payload.as_str())));
    client.resume();
    assert_eq!(client.messages(7).len(), 2000, "none of them fell to the rule for slow clients");
    assert!(client.dropped(sub) > 0);
}

#[test]
fn live_messages_behind_a_history_fall_to_the_rule_for_slow_clients_and_history_does_not() {
    for on_slow in [OnSlow::DropOldest, OnSlow::Conflate] {
        let rules = KeepRules::new(vec![rule("#")]);
        let broker = Broker::with_rules(2, 1, undegraded, rules);
        let texts: Vec<String> = (0..1100).map(|n| format!("{n} {}", "x".repeat(1000))).collect();
        broker.publish_all(texts[..100].iter().map(|text| ("a", text.as_str())));
        let client = broker.connect_on(1, "c");
        client.stall();
        let options = SubscribeOptions { on_slow: Some(on_slow), ..from(From::LastN(100)) };
        client.send(&subscribing(7, "a", options));
        broker.settle();
        broker.publish_all(texts[100..].iter().map(|text| ("a", text.as_str())));
        client.resume();
        let got = client.texts(7);
        assert_eq!(got[..100], texts[..100], "{on_slow:?}");
        assert_eq!(got.last(), texts.last(), "{on_slow:?}: the oldest go, and the newest comes");
        assert_eq!(client.dropped(7) as usize + got.len(), texts.len());
    }
}

#[test]
fn an_unsubscribe_ends_a_history_wherever_it_is() {
    for seed in 0..40 {
        let broker = broker(3, seed);
        broker.publish_all((0..500).map(|_| ("log/a", "x")));
        let client = broker.connect("c");
        let begin = [From::LastN(400), From::Since(Timestamp::default()), after_nothing()];
        client.send(&subscribing(1, "log/#", from(begin[seed as usize % 3].clone())));
        broker.run_some(seed * 2);
        client.unsubscribe(1);
        let remains = broker.remains();
        assert_eq!(remains.snapshots, [0, 0, 0], "seed {seed}");
        assert!(remains.hubs.iter().all(|hub| hub.catching_up == 0), "seed {seed}");
        assert_eq!(client.answers_to_subscribe(1).len(), 1, "seed {seed}");
    }
}

fn after_nothing() -> From<'static> {
    after(&(0..16).map(|shard| Position::new(0, shard)).collect::<Vec<_>>())
}

/// Publishes, subscriptions and commits in any order: each subscription gets a run without gaps to the end.
#[test]
fn the_seam_has_neither_gap_nor_duplicate_under_load() {
    for seed in 0..150 {
        let workers = [1, 2, 3][seed as usize % 3];
        let broker = broker(workers, seed);
        let random = &mut broker.random();
        let publishers: Vec<Client> = (0..2).map(|n| broker.connect(&format!("p{n}"))).collect();
        let subscriber = |n: u64| {
            let codec = if n.is_multiple_of(2) { Codec::MessagePack } else { Codec::Json };
            broker.connect_with((n % u64::from(workers)) as u8, codec, Connect::default())
        };
        let mut subscribed: Vec<(Client, u64)> = Vec::new();
        let mut counts = [0_u32; 2];
        for step in 0..120 {
            let who = random.place(2);
            for _ in 0..random.below(6) {
                let topic = ["log/a", "log/b"][who];
                publishers[who].publish_all([(topic, counts[who].to_string().as_str())]);
                counts[who] += 1;
            }
            if random.chance(15) {
                let client = subscriber(step);
                let begin = match random.below(4) {
                    0 => From::LastN(1 + random.below(20)),
                    1 => From::Since(Timestamp::from_millis(broker.now().saturating_sub(2))),
                    2 => after_nothing(),
                    _ => From::Live,
                };
                let filter = *random.pick(&["log/#", "log/a", "#"]);
                let ack = random.chance(30).then_some(true);
                let options = SubscribeOptions { on_slow: Some(OnSlow::Disconnect), ack, ..from(begin) };
                client.send(&subscribing(1, filter, options));
                subscribed.push((client, 1));
            }
            broker.run_some(random.below(30));
        }
        broker.settle();
        for (client, sub) in &subscribed {
            acknowledge_all(&broker, client, *sub);
            for (topic, count) in [("log/a", counts[0]), ("log/b", counts[1])] {
                let messages = client.messages(*sub);
                let numbers: Vec<u32> =
                    messages.iter().filter(|m| m.topic == topic).map(|m| m.text().parse().unwrap()).collect();
                assert!(
                    numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
                    "seed {seed}: {topic} {numbers:?}"
                );
                assert!(numbers.is_empty() || numbers.last() == Some(&(count - 1)), "seed {seed}: {topic}");
            }
            assert_eq!(client.caught_up(*sub).len(), 1, "seed {seed}");
        }
    }
}

fn acknowledge_all(broker: &Broker, client: &Client, sub: u64) {
    let mut acknowledged = 0;
    loop {
        let messages = client.messages(sub);
        if messages.len() == acknowledged {
            return;
        }
        for message in &messages[acknowledged..] {
            client.send(&ClientPacket::Ack { sub, position: message.position });
        }
        acknowledged = messages.len();
        broker.settle();
    }
}
