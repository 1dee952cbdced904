//! Whatever is done to a store, it gives what a list in memory would give.

use std::collections::BTreeMap;

use murre_core::log::{KeepRule, KeepRules, NeedChanges, ReadFrom};
use murre_protocol::{Position, Timestamp, TopicFilter, TopicName};
use murre_store::Archive;
use proptest::prelude::*;

use crate::harness::{Got, Publish, World, keep_all, keep_last, options};

const TOPICS: [&str; 5] = ["a/x", "a/y", "b/x", "b/y", "c"];
const FILTERS: [&str; 6] = ["#", "a/+", "+/x", "c", "a/x", "nobody/publishes/this"];

#[derive(Debug, Clone)]
enum Step {
    Publish(Vec<(usize, bool, bool)>),
    Read { filter: usize, from: From, bytes: usize },
    Delete,
    Flush,
    Floor(u64),
    Restart,
    Kill,
}

#[derive(Debug, Clone)]
enum From {
    Last(u64),
    /// So many hundredths of what was published lie before.
    Since(usize),
    After(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let publish =
        proptest::collection::vec((0..TOPICS.len(), any::<bool>(), prop::bool::weighted(0.1)), 1..200);
    let from = prop_oneof![
        (1..300u64).prop_map(From::Last),
        (0..100usize).prop_map(From::Since),
        (0..100usize).prop_map(From::After)
    ];
    let bytes = prop_oneof![Just(1000usize), Just(20_000), Just(1 << 20)];
    prop_oneof![
        6 => publish.prop_map(Step::Publish),
        6 => (0..FILTERS.len(), from, bytes).prop_map(|(filter, from, bytes)| Step::Read { filter, from, bytes }),
        1 => Just(Step::Delete),
        1 => Just(Step::Flush),
        1 => (0..100u64).prop_map(Step::Floor),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

/// Everything that was ever committed.
#[derive(Debug, Default)]
struct Model {
    all: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    got: Got,
    time: Timestamp,
    retain: bool,
}

fn rules() -> Vec<KeepRule> {
    vec![keep_last("a/+", 40), keep_all("b/x"), keep_last("c", 1)]
}

impl Model {
    fn matching<'a>(&'a self, filter: &'a str) -> impl Iterator<Item = &'a Entry> + 'a {
        let filter = TopicFilter::parse(filter).unwrap();
        self.all
            .iter()
            .filter(move |entry| filter.matches(&TopicName::parse(entry.got.topic.as_str()).unwrap()))
    }

    /// The newest of each topic that `last` and the rule hold.
    fn newest(&self, filter: &str, last: u64) -> Vec<Got> {
        let keep = KeepRules::new(rules());
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let entries: Vec<_> = self.matching(filter).collect();
        let mut newest = Vec::new();
        for entry in entries.into_iter().rev() {
            let count = counts.entry(&entry.got.topic).or_default();
            let rule =
                keep.of(&TopicName::parse(entry.got.topic.as_str()).unwrap()).and_then(|id| keep.rule(id));
            let kept = rule.map_or(0, |rule| rule.last.unwrap_or(u64::MAX));
            if *count < kept.min(last) {
                newest.push(entry.got.clone());
            }
            *count += 1;
        }
        newest.reverse();
        newest
    }

    /// The last values that a start has to give.
    fn values(&self) -> Vec<(String, String)> {
        let keep = KeepRules::new(rules());
        let mut values: BTreeMap<&str, Option<&Entry>> = BTreeMap::new();
        for entry in &self.all {
            let has_rule = keep.of(&TopicName::parse(entry.got.topic.as_str()).unwrap()).is_some();
            if entry.retain && entry.got.payload.is_empty() {
                values.insert(&entry.got.topic, None);
            } else if has_rule || entry.retain {
                values.insert(&entry.got.topic, Some(entry));
            }
        }
        let mut values: Vec<_> = values.into_values().flatten().collect();
        values.sort_by_key(|entry| entry.got.position);
        values.into_iter().map(|entry| (entry.got.topic.clone(), entry.got.payload.clone())).collect()
    }
}

/// A world with its model, and what was deleted at most.
struct Both {
    world: World,
    model: Model,
    floor: u64,
}

impl Both {
    fn run(mut self, step: &Step) -> Self {
        match step {
            Step::Publish(publishes) => self.publish(publishes),
            Step::Read { filter, from, bytes } => self.read(FILTERS[*filter], from, *bytes),
            Step::Delete => self.world.store().delete_now().unwrap(),
            Step::Flush => self.world.store().flush().unwrap(),
            Step::Floor(share) => {
                // what a session needs never comes back
                self.floor = self.floor.max(self.world.used[0] * share / 100);
                self.set_floor();
            }
            Step::Restart => {
                self.world = self.world.restart();
                self.started();
            }
            Step::Kill => {
                self.world = self.world.killed();
                self.started();
            }
        }
        self
    }

    fn set_floor(&self) {
        self.world.say_needs(self.floor, NeedChanges::default());
    }

    fn started(&self) {
        self.set_floor();
        assert_eq!(self.world.values(), self.model.values());
        assert_eq!((self.world.opened.damaged, self.world.opened.journal.len()), (0, 0));
    }

    fn publish(&mut self, publishes: &[(usize, bool, bool)]) {
        let first = self.model.all.len();
        let publishes = publishes.iter().enumerate().map(|(number, (topic, retain, ends))| {
            let text = if *ends { String::new() } else { format!("{} {}", first + number, "-".repeat(60)) };
            Publish { retain: *retain || *ends, ..Publish::new(TOPICS[*topic], text) }
        });
        let publishes: Vec<_> = publishes.collect();
        let positions = self.world.publish(&publishes);
        let times = self.world.times.clone();
        for ((publish, position), time) in publishes.into_iter().zip(positions).zip(times) {
            let got = Got { position, topic: publish.topic, payload: publish.payload };
            self.model.all.push(Entry { got, time, retain: publish.retain });
        }
    }

    fn read(&mut self, filter: &str, from: &From, bytes: usize) {
        let at = |share: usize| self.model.all.get(self.model.all.len() * share / 100);
        match from {
            From::Last(last) => {
                let read = self.world.read_slices(0, filter, ReadFrom::LastN(*last), bytes).0;
                assert_eq!(read, self.model.newest(filter, *last), "the last {last} of {filter}");
            }
            From::Since(share) => {
                let Some((time, position)) = at(*share).map(|entry| (entry.time, entry.got.position)) else {
                    return;
                };
                let mut expected = self.model.newest(filter, u64::MAX);
                expected.retain(|got| got.position >= position);
                let read = self.world.read_slices(0, filter, ReadFrom::Since(time), bytes).0;
                assert_eq!(read, expected, "{filter} since {position:?}");
            }
            From::After(share) => {
                let Some(position) = at(*share).map(|entry| entry.got.position) else { return };
                self.read_after(filter, position, bytes);
            }
        }
    }

    /// What rules and sessions hold is there; what isn't there is reported.
    fn read_after(&mut self, filter: &str, position: Position, bytes: usize) {
        let (read, lost) = self.world.read_slices(0, filter, ReadFrom::After(position), bytes);
        let all: Vec<_> = self.model.matching(filter).map(|entry| &entry.got).collect();
        let all: Vec<_> = all.into_iter().filter(|got| got.position > position).cloned().collect();
        assert!(read.iter().all(|got| all.contains(got)), "nothing that was never published");
        if lost.is_none() {
            assert_eq!(read, all, "{filter} after {position:?}, nothing lost");
        }
        let newest = self.model.newest(filter, u64::MAX);
        let held = all.iter().filter(|got| got.position.offset() > self.floor || newest.contains(got));
        for got in held {
            assert!(read.contains(got), "{got:?} is held, but wasn't read");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_a_list(steps in proptest::collection::vec(step(), 1..40)) {
        let mut both = Both { world: World::new(options(&rules())), model: Model::default(), floor: 0 };
        both.set_floor();
        for step in &steps {
            both = both.run(step);
        }
        both = both.run(&Step::Read { filter: 0, from: From::Last(u64::MAX), bytes: 1 << 20 });
        both = both.run(&Step::Kill).run(&Step::Read { filter: 0, from: From::After(0), bytes: 5000 });
        let report = Archive::open(both.world.has_ended().path(), KeepRules::new(rules())).unwrap().check();
        prop_assert!(report.is_good(), "{:?}", report.damages);
    }
}
