//! One shard's records in memory, and what lets them go.
//!
//! A record stays while its rule holds it, while it is its topic's retained value, or while a durable session may
//! need it. When one of these ends, [`Shard::judge`] looks at the others.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use murre_protocol::{Timestamp, codec::HasOptions};

use super::{
    books::{Books, Place},
    topic::{Gone, Topic},
};
use crate::log::{LogBatch, LogRecord, Lost, RuleId};

/// Topics without records that are remembered, so that a reader can be told exactly what it missed.
const EMPTY_TOPICS_MAX: usize = 4096;

/// A record.
#[derive(Debug)]
pub(super) struct Stored {
    /// By its number.
    pub topic: u64,
    pub time: Timestamp,
    expires: Option<Timestamp>,
    /// Whether its topic's rule holds it.
    pub held: bool,
    pub ends: bool,
    pub has_options: HasOptions,
    pub tail: Box<[u8]>,
}

impl Stored {
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// One shard.
#[derive(Debug)]
pub(super) struct Shard {
    number: u8,
    /// By offset.
    pub records: BTreeMap<u64, Stored>,
    /// By number, which counts them as they come.
    pub topics: BTreeMap<u64, Topic>,
    by_name: HashMap<Box<str>, u64>,
    /// The number that the next new topic gets.
    pub topics_made: u64,
    /// Topics that have no records, by what they lost last.
    empty: BTreeSet<(u64, u64)>,
    /// What was lost last of topics that are not remembered.
    pub forgotten: Option<Gone>,
    /// By expiry.
    expiring: BTreeSet<(Timestamp, u64)>,
    /// Records that stay only for kept sessions, by topic, and why they went otherwise.
    needed: BTreeMap<u64, BTreeMap<u64, Lost>>,
    /// Durable sessions may need what lies past it.
    floor: u64,
    /// The greatest offset that was committed.
    pub last: u64,
    /// The first offset that is not reserved.
    pub reserved: u64,
    pub state: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

impl Shard {
    pub(super) fn new(number: u8) -> Self {
        Self {
            number,
            records: BTreeMap::new(),
            topics: BTreeMap::new(),
            by_name: HashMap::new(),
            topics_made: 0,
            empty: BTreeSet::new(),
            forgotten: None,
            expiring: BTreeSet::new(),
            needed: BTreeMap::new(),
            floor: u64::MAX,
            last: 0,
            reserved: 0,
            state: BTreeMap::new(),
        }
    }

    /// A topic's number, if it is remembered.
    pub(super) fn topic_number(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    /// The rule of a topic that is remembered.
    pub(super) fn topic_rule(&self, name: &str) -> Option<RuleId> {
        self.topics.get(&self.topic_number(name)?)?.rule
    }

    /// Takes a record, and lets go of what goes because of it in this shard.
    pub(super) fn append(&mut self, batch: &LogBatch, record: &LogRecord, books: &mut Books) {
        let offset = record.position.offset();
        if offset <= self.last {
            return; // offsets are given out once, in order: it is there
        }
        self.last = offset;
        let number = self.topic_for(batch.topic(record), record.hash, books);
        let Some(topic) = self.topics.get_mut(&number) else { return };
        if topic.is_empty() {
            self.empty.remove(&(topic.gone.map_or(0, |gone| gone.offset), number));
        }
        topic.push(offset, record.expires);
        let retained = topic.retained;
        if record.retain {
            topic.retained = (!record.ends).then_some(offset);
        }
        let stored = Stored {
            topic: number,
            time: record.time,
            expires: record.expires,
            held: topic.rule.is_some(),
            ends: record.ends,
            has_options: record.has_options,
            tail: batch.tail(record).into(),
        };
        let fallen = topic.rule.and_then(|rule| topic.fallen_out_of(books.last(rule)?));
        if let Some(rule) = topic.rule {
            books.hold(rule, Place { time: record.time, shard: self.number, offset }, &stored);
        }
        books.records += 1;
        books.bytes += stored.tail.len() as u64;
        self.expiring.extend(stored.expires.map(|at| (at, offset)));
        self.records.insert(offset, stored);
        if let Some(fallen) = fallen {
            self.release(fallen, Lost::Kept, books);
        }
        if let Some(superseded) = retained.filter(|_| record.retain) {
            self.judge(superseded, Lost::Kept, books);
        }
        self.judge(offset, Lost::Kept, books);
    }

    /// A record is too old for its topic's rule. Nobody is given it any more, even if it stays for another reason.
    pub(super) fn age(&mut self, offset: u64, books: &mut Books) {
        let topic = self.records.get(&offset).and_then(|record| self.topics.get_mut(&record.topic));
        if let Some(topic) = topic {
            topic.note_gone(Gone { offset, why: Lost::Expired });
        }
        self.release(offset, Lost::Expired, books);
    }

    /// The rule of its topic holds a record no longer.
    pub(super) fn release(&mut self, offset: u64, why: Lost, books: &mut Books) {
        let Some(record) = self.records.get_mut(&offset).filter(|record| record.held) else { return };
        record.held = false;
        let place = Place { time: record.time, shard: self.number, offset };
        if let Some(rule) = self.topics.get(&record.topic).and_then(|topic| topic.rule) {
            books.release(rule, place, record);
        }
        self.judge(offset, why, books);
    }

    /// Removes a record that nothing keeps any more.
    fn judge(&mut self, offset: u64, why: Lost, books: &mut Books) {
        let Some(record) = self.records.get(&offset) else { return };
        let Some(topic) = self.topics.get(&record.topic) else { return };
        if record.held || topic.retained == Some(offset) {
            return;
        }
        if offset > self.floor || offset > books.needs.floor(self.number, &topic.name) {
            self.needed.entry(record.topic).or_default().insert(offset, why);
        } else {
            self.remove(offset, why, books);
        }
    }

    /// Removes records that are expired.
    pub(super) fn expire(&mut self, now: Timestamp, books: &mut Books) {
        while self.expiring.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, offset)) = self.expiring.pop_first()
        {
            self.remove(offset, Lost::Expired, books);
        }
    }

    /// What kept sessions need has changed; of all topics it may be what lies past `floor`.
    pub(super) fn set_floor(&mut self, floor: u64, books: &mut Books) {
        self.floor = floor;
        let mut gone = Vec::new();
        for (topic, records) in &self.needed {
            let needed = self.topics.get(topic).map(|topic| books.needs.floor(self.number, &topic.name));
            let floor = floor.min(needed.unwrap_or(u64::MAX));
            gone.extend(records.range(..=floor).map(|(offset, why)| (*offset, *why)));
        }
        for (offset, why) in gone {
            self.remove(offset, why, books);
        }
    }

    /// Removes a record, whatever keeps it.
    pub(super) fn remove(&mut self, offset: u64, why: Lost, books: &mut Books) {
        let Some(record) = self.records.remove(&offset) else { return };
        books.records -= 1;
        books.bytes -= record.tail.len() as u64;
        if let Some(needed) = self.needed.get_mut(&record.topic) {
            needed.remove(&offset);
            if needed.is_empty() {
                self.needed.remove(&record.topic);
            }
        }
        if let Some(at) = record.expires {
            self.expiring.remove(&(at, offset));
        }
        let Some(topic) = self.topics.get_mut(&record.topic) else { return };
        if let Some(rule) = topic.rule {
            books.remove(rule, Place { time: record.time, shard: self.number, offset }, &record);
        }
        if topic.retained == Some(offset) {
            topic.retained = None;
        }
        topic.remove(offset);
        topic.note_gone(Gone { offset, why });
        if topic.is_empty() {
            self.empty.insert((topic.gone.map_or(0, |gone| gone.offset), record.topic));
            self.forget_topics();
        }
    }

    /// The oldest record that is there.
    pub(super) fn oldest(&self) -> Option<Place> {
        let (&offset, record) = self.records.first_key_value()?;
        Some(Place { time: record.time, shard: self.number, offset })
    }

    fn topic_for(&mut self, name: &str, hash: u64, books: &Books) -> u64 {
        if let Some(number) = self.topic_number(name) {
            return number;
        }
        let number = self.topics_made;
        self.topics_made += 1;
        self.topics.insert(number, Topic::new(name, hash, books.rule_of(name)));
        self.by_name.insert(name.into(), number);
        number
    }

    /// Forgets topics without records that are too many, those first whose loss lies furthest back.
    fn forget_topics(&mut self) {
        while self.empty.len() > EMPTY_TOPICS_MAX
            && let Some((_, number)) = self.empty.pop_first()
        {
            if let Some(topic) = self.topics.remove(&number) {
                self.by_name.remove(&topic.name);
                self.forgotten = Gone::later(self.forgotten, topic.gone);
            }
        }
    }

    /// Entries beside the records that stand for one.
    #[cfg(test)]
    pub(super) fn listed(&self) -> usize {
        self.expiring.len().max(self.needed.values().map(BTreeMap::len).sum())
    }
}
