//! One shard's records in memory, and what lets them go.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use hashbrown::HashMap;
use murre_protocol::{Timestamp, TopicName, codec::HasOptions};

use super::Totals;
use crate::{
    batch::MessageBatch,
    ids::WorkerId,
    log::{KeepRules, LogBatch, LogRecord, Lost, RuleId},
};

/// A record.
#[derive(Debug)]
pub(super) struct Stored {
    pub hash: u64,
    pub time: Timestamp,
    pub expires: Option<Timestamp>,
    pub ends: bool,
    pub has_options: HasOptions,
    pub topic: Arc<str>,
    pub tail: Box<[u8]>,
}

impl Stored {
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// What is known of a topic.
#[derive(Debug, Default)]
pub(super) struct TopicLog {
    pub rule: Option<RuleId>,
    /// The records that its rule holds, in order.
    pub held: VecDeque<u64>,
    /// Its newest record with `retain`, unless that was ended.
    retained: Option<u64>,
    /// The last record that went, and why.
    pub gone: Option<(u64, Lost)>,
    records: usize,
}

/// One shard.
#[derive(Debug)]
pub(super) struct MemoryShard {
    pub records: BTreeMap<u64, Stored>,
    pub topics: HashMap<Arc<str>, TopicLog>,
    /// The last record that went of topics that have none, and why.
    pub forgotten: Option<(u64, Lost)>,
    /// Records that no rule holds, but a durable session may need.
    needed: BTreeSet<u64>,
    /// By rule: the records that age or bytes may let go, in order; some of them are gone already.
    queues: Vec<VecDeque<u64>>,
    floor: u64,
    pub state: BTreeMap<Box<[u8]>, Box<[u8]>>,
    /// The last offset that was committed.
    pub last: u64,
    /// The first offset that is not reserved.
    pub reserved: u64,
}

impl Default for MemoryShard {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            topics: HashMap::new(),
            forgotten: None,
            needed: BTreeSet::new(),
            queues: Vec::new(),
            floor: u64::MAX,
            state: BTreeMap::new(),
            last: 0,
            reserved: 0,
        }
    }
}

impl MemoryShard {
    pub(super) fn append(
        &mut self,
        now: Timestamp,
        rules: &KeepRules,
        batch: &LogBatch,
        record: &LogRecord,
        totals: &mut Totals,
    ) {
        let (offset, name) = (record.position.offset(), batch.topic(record));
        self.last = self.last.max(offset);
        let topic: Arc<str> = match self.topics.get_key_value(name) {
            Some((known, _)) => known.clone(),
            None => name.into(),
        };
        let tail: Box<[u8]> = batch.tail(record).into();
        totals.bytes += tail.len() as u64;
        let stored = Stored {
            hash: record.hash,
            time: record.time,
            expires: record.expires,
            ends: record.ends,
            has_options: record.has_options,
            topic: topic.clone(),
            tail,
        };
        let bytes = stored.tail.len() as u64;
        self.records.insert(offset, stored);
        let known = self.topics.entry(topic.clone()).or_insert_with(|| TopicLog {
            rule: TopicName::parse(&*topic).ok().and_then(|name| rules.of(&name)),
            ..Default::default()
        });
        known.records += 1;
        let superseded = if record.retain {
            std::mem::replace(&mut known.retained, Some(offset).filter(|_| !record.ends))
        } else {
            None
        };
        match known.rule {
            Some(rule) => {
                known.held.push_back(offset);
                self.note(rule, offset, bytes, totals);
                self.bound(now, rules, rule, &topic, totals);
            }
            None if record.retain && !record.ends => {}
            None => self.release(offset, Lost::Kept, totals),
        }
        if let Some(older) = superseded {
            let held = self
                .topics
                .get(&topic)
                .is_some_and(|known| known.held.front().is_some_and(|first| *first <= older));
            if !held {
                self.release(older, Lost::Kept, totals);
            }
        }
        while totals.bytes > totals.bytes_max
            && let Some((&oldest, _)) = self.records.first_key_value()
        {
            self.remove(oldest, Lost::Limit, totals);
        }
    }

    /// Lets go of what is too old for its rule.
    pub(super) fn age(&mut self, now: Timestamp, rules: &KeepRules, totals: &mut Totals) {
        for rule in 0..self.queues.len() {
            self.bound_rule(now, rules, RuleId(rule as u16), totals);
        }
    }

    /// What durable sessions need lies past `floor`.
    pub(super) fn set_floor(&mut self, floor: u64, totals: &mut Totals) {
        self.floor = floor;
        while let Some(offset) = self.needed.first().copied().filter(|offset| *offset <= floor) {
            self.remove(offset, Lost::Kept, totals);
        }
    }

    /// The last values, in order.
    pub(super) fn values(&self, now: Timestamp) -> Vec<MessageBatch> {
        let last =
            |known: &TopicLog| if known.rule.is_some() { known.held.back().copied() } else { known.retained };
        let mut offsets: Vec<u64> = self.topics.values().filter_map(last).collect();
        offsets.sort_unstable();
        let mut values = MessageBatch::new(WorkerId(0));
        let records = offsets.iter().filter_map(|offset| self.records.get(offset));
        for record in records.filter(|record| !record.ends && !record.is_expired(now)) {
            values.push_encoded(record.hash, 0, record.has_options, &record.tail);
        }
        vec![values]
    }

    fn note(&mut self, rule: RuleId, offset: u64, bytes: u64, totals: &mut Totals) {
        let place = usize::from(rule.0);
        if self.queues.len() <= place {
            self.queues.resize_with(place + 1, VecDeque::new);
        }
        if let Some(queue) = self.queues.get_mut(place) {
            queue.push_back(offset);
            if queue.len() > 1024 && queue.len() > 2 * self.records.len() {
                queue.retain(|offset| self.records.contains_key(offset));
            }
        }
        if let Some(sum) = totals.of_rules.get_mut(place) {
            *sum += bytes;
        }
    }

    fn bound(&mut self, now: Timestamp, rules: &KeepRules, rule: RuleId, topic: &str, totals: &mut Totals) {
        let last = rules.rule(rule).and_then(|rule| rule.last).unwrap_or(u64::MAX);
        while let Some(known) = self.topics.get_mut(topic).filter(|known| known.held.len() as u64 > last) {
            if let Some(offset) = known.held.pop_front() {
                self.let_go(rule, offset, Lost::Kept, totals);
            }
        }
        self.bound_rule(now, rules, rule, totals);
    }

    fn bound_rule(&mut self, now: Timestamp, rules: &KeepRules, id: RuleId, totals: &mut Totals) {
        let place = usize::from(id.0);
        let Some(rule) = rules.rule(id) else { return };
        while let Some(offset) = self.queues.get(place).and_then(|queue| queue.front().copied()) {
            let record = self.records.get(&offset);
            let record = record.filter(|record| {
                self.topics.get(&record.topic).is_some_and(|known| known.held.front() == Some(&offset))
            });
            if let Some(record) = record {
                let aged = rule.age.is_some_and(|age| {
                    now.millis().saturating_sub(record.time.millis()) >= age.as_millis() as u64
                });
                let sum = totals.of_rules.get(place).copied().unwrap_or_default();
                if !aged && rule.bytes.is_none_or(|max| sum <= max) {
                    return;
                }
                let why = if aged { Lost::Expired } else { Lost::Kept };
                if let Some(known) = self.topics.get_mut(&record.topic.clone()) {
                    known.held.pop_front();
                }
                self.let_go(id, offset, why, totals);
            }
            if let Some(queue) = self.queues.get_mut(place) {
                queue.pop_front();
            }
        }
    }

    /// A rule holds a record no longer.
    fn let_go(&mut self, rule: RuleId, offset: u64, why: Lost, totals: &mut Totals) {
        let Some(record) = self.records.get(&offset) else { return };
        if let Some(sum) = totals.of_rules.get_mut(usize::from(rule.0)) {
            *sum = sum.saturating_sub(record.tail.len() as u64);
        }
        let retained = self.topics.get(&record.topic).is_some_and(|known| known.retained == Some(offset));
        if !retained {
            self.release(offset, why, totals);
        }
    }

    /// Nothing but a durable session may hold a record.
    fn release(&mut self, offset: u64, why: Lost, totals: &mut Totals) {
        if offset > self.floor {
            self.needed.insert(offset);
        } else {
            self.remove(offset, why, totals);
        }
    }

    fn remove(&mut self, offset: u64, why: Lost, totals: &mut Totals) {
        self.needed.remove(&offset);
        let Some(record) = self.records.remove(&offset) else { return };
        totals.bytes -= record.tail.len() as u64;
        let Some(known) = self.topics.get_mut(&record.topic) else { return };
        known.gone = Some(later(known.gone, (offset, why)));
        known.records -= 1;
        if known.retained == Some(offset) {
            known.retained = None;
        }
        if known.held.front() == Some(&offset) {
            known.held.pop_front();
            if let Some(sum) = known.rule.and_then(|rule| totals.of_rules.get_mut(usize::from(rule.0))) {
                *sum = sum.saturating_sub(record.tail.len() as u64);
            }
        }
        if known.records == 0
            && let Some(gone) = known.gone
        {
            self.topics.remove(&record.topic);
            self.forgotten = Some(later(self.forgotten, gone));
        }
    }
}

fn later(known: Option<(u64, Lost)>, gone: (u64, Lost)) -> (u64, Lost) {
    known.filter(|(offset, _)| *offset > gone.0).unwrap_or(gone)
}
