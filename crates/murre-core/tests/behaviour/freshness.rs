//! Topics that are expected to be heard and fall silent are told of on `$murre/fresh/<topic>`, and again when they
//! return.

use std::{collections::BTreeMap, time::Duration};

use murre_core::{
    expect::{ExpectRule, ExpectRules},
    log::{KeepRule, KeepRules},
    testing::{Broker, Client},
};
use murre_protocol::{Format, TopicFilter};

const SECOND: Duration = Duration::from_secs(1);

fn filter(filter: &str) -> TopicFilter<'static> {
    TopicFilter::parse(filter).unwrap().into_owned()
}

fn expect(rules: &[(&str, u64)]) -> ExpectRules {
    let rule = |(of, seconds): &(&str, u64)| ExpectRule {
        filter: filter(of),
        silence_max: Duration::from_secs(*seconds),
    };
    ExpectRules::new(rules.iter().map(rule).collect())
}

fn broker(seed: u64) -> Broker {
    Broker::expecting(2, seed, expect(&[("slow/#", 60), ("#", 10)]), KeepRules::default())
}

fn keep(of: &str) -> KeepRules {
    KeepRules::new(vec![KeepRule {
        filter: filter(of),
        last: Some(1),
        age: None,
        bytes: None,
        durable: false,
    }])
}

/// Topic and state of each message, in order; a deletion has none.
fn states(watcher: &Client, sub: u64) -> Vec<(String, String)> {
    let state = |text: &str| text.split('"').nth(3).unwrap_or_default().to_owned();
    let messages = watcher.messages(sub).into_iter();
    messages
        .map(|message| {
            assert_eq!(message.format, Format::Json);
            (message.topic.trim_start_matches("$murre/fresh/").to_owned(), state(&message.text()))
        })
        .collect()
}

fn told(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(topic, state)| ((*topic).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn a_topic_that_falls_silent_is_told_of_and_again_when_it_returns() {
    let broker = broker(1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/fresh/#");
    broker.publish("a/b", "1");
    let last = watcher_time(&broker);
    broker.run_for(10 * SECOND);
    assert_eq!(states(&watcher, sub), []);
    broker.run_for(SECOND);
    assert_eq!(watcher.texts(sub), [format!(r#"{{"state":"stale","last":{last}}}"#)]);
    assert_eq!(broker.count(|c| &c.stale_topics), 1);
    broker.publish("a/b", "2");
    assert_eq!(states(&watcher, sub), told(&[("a/b", "stale"), ("a/b", "fresh")]));
    assert_eq!(broker.count(|c| &c.stale_topics), 0);
    broker.run_for(60 * SECOND);
    assert_eq!(states(&watcher, sub).len(), 3, "it falls silent again, once");
}

/// When a value came that was just published.
fn watcher_time(broker: &Broker) -> u64 {
    let reader = broker.connect("reader");
    let sub = reader.subscribe("a/b");
    reader.messages(sub)[0].time.millis()
}

#[test]
fn who_subscribes_late_sees_what_is_stale_and_the_first_rule_that_matches_holds() {
    let broker = broker(1);
    for topic in ["a", "b", "slow/c"] {
        broker.publish(topic, "1");
    }
    broker.run_for(20 * SECOND);
    broker.publish("b", "2");
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/fresh/#");
    let mut first = states(&watcher, sub);
    first.sort();
    assert_eq!(first, told(&[("a", "stale"), ("b", "fresh")]));
    broker.run_for(50 * SECOND);
    assert!(states(&watcher, sub).contains(&("slow/c".to_owned(), "stale".to_owned())));
}

#[test]
fn what_was_told_goes_with_the_topic() {
    let broker = broker(1);
    broker.publish("a", "1");
    broker.publish("b", "1");
    broker.delete("b");
    broker.run_for(20 * SECOND);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/fresh/#");
    assert_eq!(states(&watcher, sub), told(&[("a", "stale")]));
    broker.delete("a");
    assert_eq!(states(&watcher, sub)[1..], told(&[("a", "")]));
    broker.run_for(60 * SECOND);
    assert_eq!(states(&watcher, sub).len(), 2, "nothing is expected of a topic that is gone");
    assert_eq!((broker.count(|c| &c.stale_topics), broker.count(|c| &c.topics)), (0, 2), "two clients");
}

#[test]
fn a_topic_that_speaks_is_never_told_of_however_often_it_does() {
    let broker = broker(1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/fresh/#");
    for n in 0..600 {
        broker.publish_all([("fast", "1")]);
        if n % 90 == 0 {
            broker.publish_all([("slower", "1")]);
        }
        broker.run_for(SECOND / 10);
    }
    assert_eq!(states(&watcher, sub), []);
}

#[test]
fn the_brokers_own_topics_are_not_watched() {
    let broker = Broker::expecting(2, 1, expect(&[("#", 1), ("$murre/#", 1)]), KeepRules::default());
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/fresh/#");
    broker.publish("a", "1");
    broker.run_for(60 * SECOND);
    assert_eq!(states(&watcher, sub), told(&[("a", "stale")]));
}

#[test]
fn a_broker_that_starts_again_gives_topics_all_of_their_time_and_knows_what_it_told() {
    let broker = Broker::expecting(2, 1, expect(&[("#", 10)]), keep_all());
    broker.publish("a", "1");
    broker.run_for(20 * SECOND);
    broker.publish("b", "1");
    broker.crash();
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/fresh/#");
    assert_eq!(states(&watcher, sub), told(&[("a", "stale")]));
    broker.run_for(9 * SECOND);
    assert_eq!(states(&watcher, sub), told(&[("a", "stale")]));
    broker.run_for(2 * SECOND);
    broker.publish("a", "2");
    assert_eq!(states(&watcher, sub)[1..], told(&[("b", "stale"), ("a", "fresh")]));
}

fn keep_all() -> KeepRules {
    let mut rules = keep("#").all().to_vec();
    rules.extend(keep("$murre/fresh/#").all().to_vec());
    KeepRules::new(rules)
}

/// A plain model: of each topic when it spoke last, and what was told of it.
#[derive(Default)]
struct Model {
    spoke: BTreeMap<String, (u64, bool)>,
    told: Vec<(String, String)>,
}

impl Model {
    fn speaks(&mut self, topic: &str, now: u64) {
        let before = self.spoke.insert(topic.to_owned(), (now, false));
        if before.is_some_and(|(_, is_stale)| is_stale) {
            self.told.push((topic.to_owned(), "fresh".to_owned()));
        }
    }

    fn waits_until(&mut self, now: u64, silence_max: u64) {
        let mut fallen = Vec::new();
        for (topic, (last, is_stale)) in &mut self.spoke {
            if !*is_stale && now - *last > silence_max {
                *is_stale = true;
                fallen.push((topic.clone(), "stale".to_owned()));
            }
        }
        self.told.extend(fallen);
    }
}

#[test]
fn what_is_told_is_what_a_plain_model_says() {
    for seed in 0..20 {
        let broker = broker(seed);
        let mut random = broker.random();
        let watcher = broker.connect("watcher");
        let sub = watcher.subscribe("$murre/fresh/#");
        let mut model = Model::default();
        for _ in 0..100 {
            let topic = format!("t/{}", random.below(5));
            broker.publish(&topic, "1");
            model.speaks(&topic, broker.now());
            // away from where rounding and the steps between workers would decide
            broker.run_for(Duration::from_millis(500 * random.below(12)));
            let passed = model.spoke.values().map(|(last, _)| broker.now() - last);
            if passed.clone().any(|passed| (9_900..10_300).contains(&passed)) {
                broker.run_for(Duration::from_millis(400));
            }
            model.waits_until(broker.now(), 10_000);
        }
        let mut got = states(&watcher, sub);
        // topics of several shards have no order among each other
        got.sort_by(|a, b| a.0.cmp(&b.0));
        model.told.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(got, model.told, "seed {seed}");
    }
}
