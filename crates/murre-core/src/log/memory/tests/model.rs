//! A log by definition: a list of all records ever appended, gone through in full at each step.

use std::time::Duration;

use murre_protocol::{TopicFilter, TopicName};

use super::bench::{SHARDS, keep};
use crate::log::{KeepRule, ReadFrom, ReadId};

pub(super) const TOPICS: [&str; 6] = ["kept/a", "kept/b", "aged/a", "sized/a", "sized/b", "other"];
pub(super) const FILTERS: [&str; 5] = ["#", "kept/a", "kept/+", "sized/b", "other"];
pub(super) const RECORD_BYTES: u64 = 128;

pub(super) fn rules() -> Vec<KeepRule> {
    let age = Some(Duration::from_millis(20));
    vec![
        KeepRule { last: Some(3), ..keep("kept/#") },
        KeepRule { age, last: Some(6), ..keep("aged/#") },
        KeepRule { bytes: Some(90), ..keep("sized/#") },
    ]
}

fn rule_of(topic: &str) -> Option<KeepRule> {
    let topic = TopicName::parse(topic).unwrap();
    rules().into_iter().find(|rule| rule.filter.matches(&topic))
}

#[derive(Debug, Clone)]
pub(super) struct Appended {
    pub shard: u8,
    pub offset: u64,
    pub topic: &'static str,
    pub time: u64,
    pub expires: Option<u64>,
    pub retain: bool,
    pub ends: bool,
    pub bytes: u64,
    /// A rule's bound by bytes was reached since.
    pub is_past_bytes: bool,
    /// It was not there any more at some time.
    pub removed: bool,
}

#[derive(Default)]
pub(super) struct Model {
    pub now: u64,
    pub bytes_max: u64,
    pub all: Vec<Appended>,
    pub floors: [[u64; SHARDS as usize]; 2],
}

impl Appended {
    fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    fn is_aged(&self, now: u64) -> bool {
        let age = rule_of(self.topic).and_then(|rule| rule.age);
        age.is_some_and(|age| now - self.time >= age.as_millis() as u64)
    }

    fn matches(&self, shard: u8, filter: &str) -> bool {
        let filter = TopicFilter::parse(filter).unwrap();
        self.shard == shard && filter.matches(&TopicName::parse(self.topic).unwrap())
    }
}

impl Model {
    /// The messages of the same topic that are newer.
    fn newer(&self, record: &Appended) -> impl Iterator<Item = &Appended> {
        let (shard, topic, offset) = (record.shard, record.topic, record.offset);
        self.all
            .iter()
            .filter(move |other| (other.shard, other.topic) == (shard, topic) && other.offset > offset)
    }

    fn is_held(&self, record: &Appended) -> bool {
        rule_of(record.topic).is_some_and(|rule| {
            rule.last.is_none_or(|last| (self.newer(record).count() as u64) < last)
                && !record.is_aged(self.now)
                && !record.is_past_bytes
        }) && !record.is_expired(self.now)
            && !record.removed
    }

    fn is_retained(&self, record: &Appended) -> bool {
        record.retain && !record.ends && !record.removed && self.newer(record).all(|newer| !newer.retain)
    }

    fn is_alive(&self, record: &Appended) -> bool {
        let floor = self.floors.iter().map(|floors| floors[usize::from(record.shard)]).min();
        (self.is_held(record) || self.is_retained(record) || Some(record.offset) > floor)
            && !record.is_expired(self.now)
            && !record.removed
    }

    pub(super) fn bury(&mut self) {
        let dead: Vec<bool> = self.all.iter().map(|record| !self.is_alive(record)).collect();
        self.all.iter_mut().zip(dead).for_each(|(record, dead)| record.removed |= dead);
    }

    pub(super) fn append(&mut self, record: Appended) {
        self.all.push(record);
        let sized = |model: &Self| -> Vec<usize> {
            let of_rule = |r: &Appended| r.topic.starts_with("sized") && model.is_held(r);
            (0..model.all.len()).filter(|at| of_rule(&model.all[*at])).collect()
        };
        while let held = sized(self)
            && held.iter().map(|at| self.all[*at].bytes).sum::<u64>() > 90
        {
            let oldest = held.into_iter().min_by_key(|at| self.age_of(*at)).unwrap();
            self.all[oldest].is_past_bytes = true;
        }
        self.bury();
        while self.bytes() + RECORD_BYTES * self.records() > self.bytes_max {
            let there = (0..self.all.len()).filter(|at| !self.all[*at].removed);
            let oldest = there.min_by_key(|at| self.age_of(*at)).unwrap();
            self.all[oldest].removed = true;
        }
    }

    fn age_of(&self, at: usize) -> (u64, u8, u64) {
        (self.all[at].time, self.all[at].shard, self.all[at].offset)
    }

    pub(super) fn records(&self) -> u64 {
        self.all.iter().filter(|record| !record.removed).count() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.all.iter().filter(|record| !record.removed).map(|record| record.bytes).sum()
    }

    fn last(&self, shard: u8) -> u64 {
        self.all.iter().filter(|record| record.shard == shard).map(|record| record.offset).max().unwrap_or(0)
    }

    pub(super) fn values(&self, shard: u8) -> Vec<u64> {
        let mut values: Vec<u64> = TOPICS
            .iter()
            .filter_map(|topic| {
                let of_topic = || self.all.iter().filter(|r| (r.shard, r.topic) == (shard, topic));
                let newest = of_topic().next_back()?;
                let retained = || of_topic().find(|record| self.is_retained(record));
                let value = match rule_of(topic) {
                    Some(_) if newest.is_expired(self.now) => None,
                    Some(_) if self.is_held(newest) => Some(newest),
                    _ => retained(),
                };
                value.filter(|value| !value.ends).map(|value| value.offset)
            })
            .collect();
        values.sort_unstable();
        values
    }
}

/// A read that both are asked for.
pub(super) struct Reader {
    pub id: ReadId,
    pub filter: &'static str,
    pub from: ReadFrom,
    pub reached: u64,
    /// What the read's beginning leaves out.
    pub left_out: Vec<u64>,
}

impl Reader {
    pub(super) fn new(id: ReadId, filter: &'static str, from: ReadFrom, model: &Model) -> Self {
        let is_left_out = |record: &&Appended| match from {
            ReadFrom::LastN(n) => model.newer(record).count() as u64 >= n,
            ReadFrom::Since(_) => false,
            ReadFrom::After(position) | ReadFrom::Kept(position) => record.offset <= position.offset(),
        };
        let left_out = model.all.iter().filter(|record| record.shard == id.shard).filter(is_left_out);
        let left_out = left_out.map(|record| record.offset).collect();
        Self { id, filter, from, reached: 0, left_out }
    }

    fn is_wanted(&self, model: &Model, record: &Appended) -> bool {
        record.matches(self.id.shard, self.filter)
            && record.offset > self.reached
            && !self.left_out.contains(&record.offset)
            && match self.from {
                ReadFrom::After(_) => !record.removed && !record.is_aged(model.now),
                ReadFrom::Kept(_) => !record.removed,
                ReadFrom::Since(time) => model.is_held(record) && record.time >= time.millis(),
                ReadFrom::LastN(_) => model.is_held(record),
            }
    }

    /// What the next slice has to be: its offsets, how far it came, whether it is the last for now.
    pub(super) fn slice(&mut self, model: &Model, bytes_max: usize) -> (Vec<u64>, u64, bool) {
        let (mut slice, mut bytes, mut left) = (Vec::new(), 0, None);
        let wanted = model.all.iter().filter(|record| self.is_wanted(model, record));
        for record in wanted {
            bytes += record.bytes as usize;
            if bytes > bytes_max && !slice.is_empty() {
                left = Some(record.offset);
                break;
            }
            slice.push(record.offset);
        }
        let from = match self.from {
            ReadFrom::After(position) | ReadFrom::Kept(position) => position.offset(),
            _ => 0,
        };
        self.reached = self.reached.max(from).max(left.map_or(model.last(self.id.shard), |left| left - 1));
        (slice, self.reached, left.is_none())
    }

    pub(super) fn is_something_lost(&self, model: &Model) -> bool {
        let (ReadFrom::After(position) | ReadFrom::Kept(position)) = self.from else { return false };
        model.all.iter().any(|record| {
            record.matches(self.id.shard, self.filter)
                && record.offset > position.offset()
                && (record.removed || record.is_aged(model.now))
        })
    }
}
