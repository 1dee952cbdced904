//! A look at everything that a store has: every checksum, and what is kept of which topics.

use std::collections::BTreeMap;

use fjall::Readable;
use hashbrown::HashMap;
use murre_core::log::RuleId;
use murre_protocol::Timestamp;

use crate::{
    archive::{Archive, Damage, blocks},
    format::{Block, Places, RecordRef, SegmentBlocks, TopicId, keys},
    journal::JournalDamage,
    shard::Shard,
};

/// No more damages than this are listed; all are counted.
const LISTED_MAX: usize = 1000;

/// What [`Archive::check`] found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Blocks that were read.
    pub blocks: u64,
    /// Records that were read, and whose checksums are right.
    pub records: u64,
    /// Bytes of these records' tails.
    pub bytes: u64,
    /// What is damaged in the journal.
    pub journal: Vec<JournalDamage>,
    /// What can't be read, the first 1,000.
    pub damages: Vec<Damage>,
    /// How much can't be read in all.
    pub damaged: u64,
    /// By rule, and last for topics without one.
    pub rules: Vec<RuleReport>,
    /// Topics with records, by name.
    pub topics: BTreeMap<String, TopicReport>,
}

/// What is there of the topics of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleReport {
    /// The rule; none: that of topics without one.
    pub rule: Option<RuleId>,
    /// How many topics.
    pub topics: u64,
    /// How many records.
    pub records: u64,
    /// Bytes of their tails.
    pub bytes: u64,
}

/// What is there of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicReport {
    /// The rule that holds for it.
    pub rule: Option<RuleId>,
    /// How many records.
    pub records: u64,
    /// Bytes of their tails.
    pub bytes: u64,
    /// The time of the first record.
    pub first: Timestamp,
    /// The time of the last record.
    pub last: Timestamp,
    /// Whether its last value is kept for having been published with `retain`.
    pub is_retained: bool,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.damaged == 0 && !self.journal.iter().any(|damage| damage.is_in_the_middle)
    }

    fn damage(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < LISTED_MAX {
            self.damages.push(damage);
        }
    }
}

impl Archive {
    /// Reads everything, checks every checksum, and says what is kept for which topics.
    pub fn check(&self) -> Report {
        let (parts, findings, _) = self.parts();
        let mut report = Report { journal: findings.journal.clone(), ..Report::default() };
        if findings.damaged > 0 {
            let what = format!("{} entries could not be read at start", findings.damaged);
            report.damage(Damage { shard: 0, offset: 0, what });
        }
        for shard in &parts.shards {
            let damaged_before = report.damaged;
            let topics = self.check_blocks(shard, &mut report);
            // where something can't be read, the numbers can't be right
            let is_whole = report.damaged == damaged_before;
            self.check_segments(shard, &mut report);
            for (id, topic) in topics {
                if let Some(known) = shard.topics.get(id) {
                    if is_whole && known.tally.held != topic.records {
                        let (held, has) = (known.tally.held, topic.records);
                        let what = format!(
                            "the topic {:?} is said to have {held} records and has {has}",
                            known.name
                        );
                        report.damage(Damage { shard: shard.number, offset: known.tally.last_offset, what });
                    }
                    let (rule, is_retained) = (known.rule, known.tally.retained > 0);
                    report.topics.insert(known.name.to_string(), TopicReport { rule, is_retained, ..topic });
                }
            }
        }
        report.rules = by_rule(&report.topics);
        report
    }

    fn check_blocks(&self, shard: &Shard, report: &mut Report) -> HashMap<TopicId, TopicReport> {
        let (parts, _, snapshot) = self.parts();
        let mut topics = HashMap::new();
        for block in blocks(&parts.db, snapshot, shard.number) {
            let checked = block.and_then(|(first, bytes)| {
                let damage = |what: String| Damage { shard: shard.number, offset: first, what };
                report.blocks += 1;
                let mut block = Block::parse(&bytes).map_err(|error| damage(error.to_string()))?;
                for slot in 0..block.len() {
                    match block.record(slot) {
                        Ok(record) => count(report, &mut topics, &record),
                        Err(error) => report.damage(damage(error.to_string())),
                    }
                }
                Ok(())
            });
            if let Err(damage) = checked {
                report.damage(damage);
            }
        }
        topics
    }

    /// Every closed segment has the blocks that it says, and every index entry points into it.
    fn check_segments(&self, shard: &Shard, report: &mut Report) {
        let (parts, _, snapshot) = self.parts();
        let (db, number) = (&parts.db, shard.number);
        for segment in shard.segments() {
            let entry = snapshot.get(&db.segments, keys::segment_blocks(number, segment.first));
            let blocks = entry
                .ok()
                .flatten()
                .and_then(|bytes| SegmentBlocks::decode(&bytes))
                .map(|entry| entry.blocks);
            for block in blocks.unwrap_or_default() {
                if !matches!(snapshot.contains_key(&db.log, keys::block(number, block)), Ok(true)) {
                    let what = "a block that the segment has isn't there".into();
                    report.damage(Damage { shard: number, offset: block, what });
                }
            }
        }
        for topic in shard.topics.iter() {
            for guard in snapshot.prefix(&db.index, keys::topic(number, topic.id)) {
                let entry = guard.into_inner().ok().filter(|(_, value)| Places::decode(value).is_some());
                let segment = entry.and_then(|(key, _)| shard.segment(keys::index_segment(&key)?));
                if segment.is_none() {
                    let what = format!("an index entry of the topic {:?} makes no sense", topic.name);
                    report.damage(Damage { shard: number, offset: topic.tally.last_offset, what });
                }
            }
        }
    }
}

fn count(report: &mut Report, topics: &mut HashMap<TopicId, TopicReport>, record: &RecordRef<'_>) {
    let bytes = record.tail.len() as u64;
    report.records += 1;
    report.bytes += bytes;
    let topic = topics.entry(record.topic_id()).or_insert(TopicReport {
        rule: None,
        records: 0,
        bytes: 0,
        first: record.time,
        last: record.time,
        is_retained: false,
    });
    topic.records += 1;
    topic.bytes += bytes;
    topic.first = topic.first.min(record.time);
    topic.last = topic.last.max(record.time);
}

fn by_rule(topics: &BTreeMap<String, TopicReport>) -> Vec<RuleReport> {
    // those without a rule sort behind all others
    let mut rules: BTreeMap<u32, RuleReport> = BTreeMap::new();
    for topic in topics.values() {
        let place = topic.rule.map_or(u32::MAX, |rule| u32::from(rule.0));
        let none = RuleReport { rule: topic.rule, topics: 0, records: 0, bytes: 0 };
        let rule = rules.entry(place).or_insert(none);
        rule.topics += 1;
        rule.records += topic.records;
        rule.bytes += topic.bytes;
    }
    rules.into_values().collect()
}
