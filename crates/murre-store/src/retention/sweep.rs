//! The way over the segments, and the thread that goes it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fjall::PersistMode;
use hashbrown::HashMap;
use murre_core::log::RuleId;
use parking_lot::Mutex;

use super::{
    judge::{Facts, Judge},
    limits::{Weighed, used_up},
    rewrite::Rewritten,
};
use crate::{
    db::Db,
    format::{Dropped, SegmentBlocks, SegmentInfo, SegmentTopic, SegmentTopics, TopicId, keys},
    inbox::{Inbox, Taken},
    options::WhenFull,
    shared::Shared,
};

/// How often it is looked whether there is anything to do.
const LOOK: Duration = Duration::from_secs(1);
/// How often everything is gone over, for what only becomes too old.
const SWEEP: Duration = Duration::from_secs(60);
/// Everything is gone over as well when so much of the store is new.
const NEW_SHARE: u64 = 20;
/// And when so many bytes are new at least.
const NEW_BYTES: u64 = 16 << 20;
/// Between two segments that were changed others have their turn.
const PAUSE: Duration = Duration::from_millis(2);
/// A segment is written anew when more than one in so many of its records is dead.
const DEAD_SHARE: u64 = 2;
/// Where the store is full, it is emptied to so many hundredths.
const DROP_TO_PERCENT: u64 = 95;
/// So many topics of a shard are remembered when nothing is left of them.
const EMPTY_MAX: usize = 1024;
/// When so many bytes were deleted, the engine is told to give them back to the disk.
const GIVE_BACK_BYTES: u64 = 64 << 20;
/// The same where the store is full.
const GIVE_BACK_BYTES_FULL: u64 = 1 << 20;

/// Goes over the segments; one at a time does.
#[derive(Debug, Default)]
pub(crate) struct Sweeper {
    weights: HashMap<(u8, u64), Vec<(RuleId, u64)>>,
    deleted_bytes: u64,
    swept_at: Option<Instant>,
    committed: u64,
}

/// Runs until the inbox is closed.
pub(crate) fn run(shared: &Arc<Shared>, sweeper: &Mutex<Sweeper>, inbox: &Inbox<()>) {
    while inbox.take(Some(Instant::now() + LOOK), &mut Vec::new(), |()| true) != Taken::Closed {
        let mut sweeper = sweeper.lock();
        if !sweeper.is_due(shared) {
            continue;
        }
        if let Err(error) = sweeper.sweep(shared) {
            tracing::warn!(%error, "deleting what isn't kept was interrupted; it goes on later");
        }
    }
}

impl Sweeper {
    fn is_due(&self, shared: &Shared) -> bool {
        let is_over = shared.options.when_full == WhenFull::DropOldest
            && shared.options.bytes_max.is_some_and(|bytes_max| shared.record_bytes() > bytes_max);
        let new = shared.counters.bytes.get() - self.committed;
        let is_much = new > NEW_BYTES.max(shared.bytes() / NEW_SHARE);
        is_over || is_much || self.swept_at.is_none_or(|at| at.elapsed() > SWEEP)
    }

    /// Goes over all segments once.
    pub(crate) fn sweep(&mut self, shared: &Shared) -> Result<(), fjall::Error> {
        (self.swept_at, self.committed) = (Some(Instant::now()), shared.counters.bytes.get());
        let Some(db) = shared.db() else { return Ok(()) };
        let used_up = self.used_up(shared, &db)?;
        drop(db);
        let mut judge = Judge { now: (shared.options.clock)(), ..Judge::default() };
        for number in 0..shared.placement.shards {
            for segment in segments_of(shared, number) {
                judge.used_up = used_up.get(&(number, segment.first)).cloned().unwrap_or_default();
                self.segment(shared, number, &segment, &judge)?;
            }
            forget_empty(shared, number)?;
        }
        self.drop_oldest(shared, &mut judge)?;
        self.give_back(shared)
    }

    /// Drops or rewrites a segment, if there is reason to.
    fn segment(
        &mut self,
        shared: &Shared,
        number: u8,
        segment: &SegmentInfo,
        judge: &Judge,
    ) -> Result<(), fjall::Error> {
        // the engine is held for one segment and no longer, since after a failure it has to be opened again
        let Some(db) = shared.db() else { return Err(fjall::Error::Poisoned) };
        let Some((entry, topics)) = entry_of(&db, number, segment.first)? else { return Ok(()) };
        let facts = facts_of(shared, number, &topics);
        let (mut kept, mut verdicts) = (0, Vec::with_capacity(topics.len()));
        for topic in topics {
            let (of_topic, why) = judge.kept_of(&topic, segment, facts.get(&topic.id), shared.rules());
            kept += of_topic;
            verdicts.push((topic, why));
        }
        let new = if kept == 0 {
            Rewritten::nothing(segment, &verdicts)
        } else if judge.is_over_limit || kept < segment.records - segment.records / DEAD_SHARE {
            match Rewritten::read(&db, number, &entry, &facts, judge, shared.rules())? {
                Some(new) if !new.gone.is_empty() => new,
                _ => return Ok(()),
            }
        } else {
            return Ok(());
        };
        let ids: Vec<_> = verdicts.iter().map(|(topic, _)| topic.id).collect();
        self.replace(shared, &db, number, &entry, &new, &ids)?;
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn replace(
        &mut self,
        shared: &Shared,
        db: &Db,
        number: u8,
        old: &SegmentBlocks,
        new: &Rewritten,
        old_topics: &[TopicId],
    ) -> Result<(), fjall::Error> {
        let Some(shard) = shared.shard(number) else { return Ok(()) };
        db.wait_for_room()?;
        let write_lock = shared.write_lock.lock();
        let mut batch = db.database.batch();
        new.write(&mut batch, db, number, old, old_topics);
        new.apply(&mut batch, db, &mut shard.lock());
        // should it be lost with the power, it is done again
        batch.durability(Some(PersistMode::Buffer)).commit()?;
        drop(write_lock);
        self.deleted_bytes += old.info.bytes - new.info.bytes.min(old.info.bytes);
        let counters = &shared.counters;
        if new.is_empty() { &counters.segments_dropped } else { &counters.segments_rewritten }.add(1);
        counters.records_dropped.add(new.gone.values().map(|gone| gone.records).sum());
        Ok(())
    }

    /// Lets the oldest segments go while the store is larger than it may be.
    fn drop_oldest(&mut self, shared: &Shared, judge: &mut Judge) -> Result<(), fjall::Error> {
        let Some(bytes_max) = shared.options.bytes_max else { return Ok(()) };
        let bytes = shared.record_bytes();
        if shared.options.when_full != WhenFull::DropOldest || bytes <= bytes_max {
            return Ok(());
        }
        let goal = bytes_max / 100 * DROP_TO_PERCENT;
        let mut oldest: Vec<_> = (0..shared.placement.shards)
            .flat_map(|number| segments_of(shared, number).into_iter().map(move |segment| (number, segment)))
            .collect();
        oldest.sort_by_key(|(_, segment)| segment.time_max);
        judge.is_over_limit = true;
        for (number, segment) in oldest {
            if shared.record_bytes() <= goal {
                break;
            }
            self.segment(shared, number, &segment, judge)?;
        }
        Ok(())
    }

    /// Which rules' bytes are used up, by segment.
    fn used_up(&mut self, shared: &Shared, db: &Db) -> Result<HashMap<(u8, u64), Vec<RuleId>>, fjall::Error> {
        let rules = shared.rules();
        if rules.all().iter().all(|rule| rule.bytes.is_none()) {
            return Ok(HashMap::new());
        }
        let (mut weighed, mut open) = (Vec::new(), HashMap::new());
        let mut weights = HashMap::new();
        for number in 0..shared.placement.shards {
            for segment in segments_of(shared, number) {
                let place = (number, segment.first);
                let by_rule = match self.weights.remove(&place) {
                    Some(by_rule) => by_rule,
                    None => weigh(shared, db, number, segment.first)?,
                };
                weights.insert(place, by_rule.clone());
                let (shard, first, time_max) = (number, segment.first, segment.time_max);
                weighed.push(Weighed { shard, first, time_max, by_rule });
            }
            for (rule, bytes) in open_bytes(shared, number) {
                *open.entry(rule).or_default() += bytes;
            }
        }
        self.weights = weights;
        Ok(used_up(weighed, &open, rules))
    }

    /// Has the engine write what is in memory and merge its tables, so that deleted bytes leave the disk.
    fn give_back(&mut self, shared: &Shared) -> Result<(), fjall::Error> {
        let Some(db) = shared.db() else { return Ok(()) };
        let is_full = shared.options.bytes_max.is_some_and(|bytes_max| shared.bytes() >= bytes_max);
        if self.deleted_bytes < if is_full { GIVE_BACK_BYTES_FULL } else { GIVE_BACK_BYTES } {
            return Ok(());
        }
        self.deleted_bytes = 0;
        db.flush()?;
        db.log.major_compact()
    }
}

/// Forgets topics that nothing is left of, where there are many: the ones first that have been empty for longest. As
/// long as a topic is known, a reader can be told whether it has missed something of it; afterwards only that it may
/// have missed something of some topic.
fn forget_empty(shared: &Shared, number: u8) -> Result<(), fjall::Error> {
    let (Some(db), Some(shard)) = (shared.db(), shared.shard(number)) else { return Ok(()) };
    let _write_lock = shared.write_lock.lock();
    let mut shard = shard.lock();
    let empty = shard.topics.iter().filter(|topic| topic.tally.held == 0);
    let mut empty: Vec<_> = empty.map(|topic| (topic.tally.last_offset, topic.id)).collect();
    if empty.len() <= EMPTY_MAX {
        return Ok(());
    }
    empty.sort_unstable();
    empty.truncate(empty.len() - EMPTY_MAX / 2);
    let mut batch = db.database.batch();
    for (_, id) in empty {
        let topic = shard.topics.remove(id);
        shard.entry.gone = Dropped::later(shard.entry.gone, topic.and_then(|topic| topic.tally.dropped));
        batch.remove(&db.topics, keys::topic(number, id));
    }
    batch.insert(&db.meta, keys::shard(number), shard.entry.encode());
    drop(shard);
    batch.durability(Some(PersistMode::Buffer)).commit()
}

fn segments_of(shared: &Shared, number: u8) -> Vec<SegmentInfo> {
    shared.shard(number).map(|shard| shard.lock().segments().copied().collect()).unwrap_or_default()
}

fn entry_of(
    db: &Db,
    number: u8,
    first: u64,
) -> Result<Option<(SegmentBlocks, Vec<SegmentTopic>)>, fjall::Error> {
    let blocks = db.segments.get(keys::segment_blocks(number, first))?;
    let topics = db.segments.get(keys::segment_topics(number, first))?;
    let blocks = blocks.and_then(|bytes| SegmentBlocks::decode(&bytes));
    Ok(blocks.zip(topics.and_then(|bytes| SegmentTopics::decode(&bytes)).map(|topics| topics.0)))
}

fn facts_of(shared: &Shared, number: u8, topics: &[SegmentTopic]) -> HashMap<TopicId, Facts> {
    let Some(shard) = shared.shard(number) else { return HashMap::new() };
    let (floor, needs) = (shared.floor(number), shared.needs());
    let shard = shard.lock();
    let known = topics.iter().filter_map(|topic| shard.topics.get(topic.id));
    known
        .map(|topic| {
            let floor = floor.min(needs.floor(number, &topic.name));
            (topic.id, Facts { tally: topic.tally, rule: topic.rule, floor })
        })
        .collect()
}

fn weigh(shared: &Shared, db: &Db, number: u8, first: u64) -> Result<Vec<(RuleId, u64)>, fjall::Error> {
    let Some((_, topics)) = entry_of(db, number, first)? else { return Ok(Vec::new()) };
    let facts = facts_of(shared, number, &topics);
    let mut by_rule: HashMap<RuleId, u64> = HashMap::new();
    for topic in topics {
        if let Some(rule) = facts.get(&topic.id).and_then(|facts| facts.rule) {
            *by_rule.entry(rule).or_default() += topic.bytes;
        }
    }
    Ok(by_rule.into_iter().collect())
}

fn open_bytes(shared: &Shared, number: u8) -> HashMap<RuleId, u64> {
    let mut by_rule: HashMap<RuleId, u64> = HashMap::new();
    let Some(shard) = shared.shard(number) else { return by_rule };
    let shard = shard.lock();
    for (id, open) in shard.open.topics() {
        if let Some(rule) = shard.topics.get(id).and_then(|topic| topic.rule) {
            *by_rule.entry(rule).or_default() += open.bytes;
        }
    }
    by_rule
}
