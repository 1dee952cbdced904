//! A read, and where it begins.

use fjall::Readable;
use hashbrown::HashMap;
use murre_core::log::{Lost, ReadFrom, ReadId, ReadRequest};
use murre_protocol::Timestamp;

use super::wanted::{History, Wanted};
use crate::{
    db::Db,
    format::{Dropped, Places, TopicId, keys},
    shard::Topic,
    shared::Shared,
};

/// Where the newest messages of so many topics begin is looked up for each; beyond, everything is looked at.
const LOOK_UP_MAX: usize = 4096;

/// A read that is open.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) id: ReadId,
    pub(super) wanted: Wanted,
    /// Where it begins, until its first slice.
    from: Option<ReadFrom>,
    /// What is of this time or later isn't wanted.
    pub(super) until: Option<Timestamp>,
    /// Everything up to here was seen.
    pub(super) reached: u64,
    /// What the log's clock is ahead of that of who asked.
    now_ahead_ms: i64,
}

impl Read {
    pub(super) fn new(request: ReadRequest, shared: &Shared) -> Self {
        let clock = (shared.options.clock)();
        Self {
            id: request.id,
            wanted: Wanted::new(request.filter, shared),
            from: Some(request.from),
            until: request.until,
            reached: 0,
            now_ahead_ms: request.now.millis().wrapping_sub(clock.millis()) as i64,
        }
    }

    /// Everything up to here was seen.
    pub(super) fn reached(&self) -> u64 {
        self.reached
    }

    /// The time by which age and expiry are judged.
    pub(super) fn now(&self, shared: &Shared) -> Timestamp {
        Timestamp::from_millis((shared.options.clock)().millis().wrapping_add_signed(self.now_ahead_ms))
    }

    /// Finds where it begins, before the first slice. Says why messages are missing, as far as that is known.
    pub(super) fn begin(&mut self, shared: &Shared, db: &Db) -> Result<Option<Began>, fjall::Error> {
        let Some(from) = self.from else { return Ok(None) };
        let number = self.id.shard;
        let mut lost = None;
        match from {
            ReadFrom::After(position) | ReadFrom::Kept(position) => {
                if matches!(from, ReadFrom::Kept(_)) {
                    self.wanted.set_any_age();
                }
                self.reached = position.offset();
                lost = self.lost_behind(shared, position.offset());
            }
            ReadFrom::Since(since) => {
                let end = self.committed(shared);
                let floors = self.floors(shared, u64::MAX);
                self.reached = first_since(shared, number, since).saturating_sub(1);
                self.wanted.set_history(History { end, since, floors: by_topic(&floors) });
            }
            ReadFrom::LastN(count) => {
                let end = self.committed(shared);
                let newest = self.floors(shared, count);
                self.reached = self.first_of(shared, db, &newest)?.saturating_sub(1).min(end);
                let (since, floors) = (Timestamp::default(), by_topic(&newest));
                self.wanted.set_history(History { end, since, floors });
            }
        }
        self.from = None;
        Ok(Some(Began { lost, is_after: matches!(from, ReadFrom::After(_)) }))
    }

    fn committed(&self, shared: &Shared) -> u64 {
        shared.shard(self.id.shard).map_or(0, |shard| shard.lock().committed)
    }

    /// For each topic that matches, which of its records are too old for `last`.
    fn floors(&mut self, shared: &Shared, count: u64) -> Vec<Newest> {
        let (mut newest, rules) = (Vec::new(), shared.rules());
        self.wanted.find_topics(shared, self.id.shard, |topic: &Topic| {
            let tally = &topic.tally;
            let rule = topic.rule.and_then(|rule| rules.rule(rule));
            let kept = rule.map_or(0, |rule| rule.last.unwrap_or(u64::MAX)).min(count);
            let floor = tally.count.saturating_sub(kept);
            newest.push(Newest { topic: topic.id, floor, is_any: floor < tally.count });
        });
        newest
    }

    /// The first offset from which on the newest messages of all topics are found.
    fn first_of(&self, shared: &Shared, db: &Db, newest: &[Newest]) -> Result<u64, fjall::Error> {
        let mut first = u64::MAX;
        if newest.len() > LOOK_UP_MAX {
            return Ok(1);
        }
        for newest in newest.iter().filter(|newest| newest.is_any) {
            first = first.min(first_of_topic(shared, db, self.id.shard, newest)?);
        }
        Ok(first)
    }

    /// Why messages behind `offset` that match are gone.
    fn lost_behind(&mut self, shared: &Shared, offset: u64) -> Option<Lost> {
        let mut dropped = None;
        self.wanted.find_topics(shared, self.id.shard, |topic| {
            dropped = Dropped::later(dropped, topic.tally.dropped);
        });
        let is_durable = self.wanted.is_durable(shared.rules());
        let shard = shared.shard(self.id.shard)?.lock();
        if offset < if is_durable { shard.entry.doubted } else { shard.entry.crashed } {
            return Some(Lost::Crash);
        }
        let dropped = Dropped::later(dropped, shard.entry.gone)?;
        (dropped.offset > offset).then_some(dropped.why)
    }
}

/// What is known after a read has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    /// Why messages are missing.
    pub(super) lost: Option<Lost>,
    /// Whether it goes on from a position, so that what has expired is missing too.
    pub(super) is_after: bool,
}

/// Which of a topic's records are wanted.
#[derive(Debug, Clone, Copy)]
struct Newest {
    topic: TopicId,
    /// The ordinal of the last one that isn't.
    floor: u64,
    is_any: bool,
}

fn by_topic(newest: &[Newest]) -> HashMap<TopicId, u64> {
    newest.iter().filter(|newest| newest.floor > 0).map(|newest| (newest.topic, newest.floor)).collect()
}

/// The first offset of the first segment that has something of this time or later.
fn first_since(shared: &Shared, number: u8, since: Timestamp) -> u64 {
    let Some(shard) = shared.shard(number) else { return 0 };
    let shard = shard.lock();
    let closed = shard.segments().find(|segment| segment.time_max >= since).map(|segment| segment.first);
    closed.unwrap_or(if shard.open.info.time_max >= since {
        shard.open.info.first
    } else {
        shard.committed + 1
    })
}

/// An offset from which on a topic's newest messages are found, as late as the index can tell.
fn first_of_topic(shared: &Shared, db: &Db, number: u8, newest: &Newest) -> Result<u64, fjall::Error> {
    let Some(shard) = shared.shard(number) else { return Ok(0) };
    let (snapshot, open) = {
        let shard = shard.lock();
        let open = shard.open.topic(newest.topic).map(|open| {
            let count = open.places.places.len() as u64;
            let before = open.places.last_ordinal.saturating_sub(count);
            let skip = newest.floor.saturating_sub(before) as usize;
            let first = open.places.places.get(skip).map_or(u64::MAX, |place| place.offset);
            (first, before <= newest.floor)
        });
        (db.database.snapshot(), open)
    };
    let mut first = open.map_or(u64::MAX, |(first, _)| first);
    if open.is_some_and(|(_, is_all)| is_all) {
        return Ok(first);
    }
    let range = keys::index(number, newest.topic, 0)..=keys::index(number, newest.topic, u64::MAX);
    for guard in snapshot.range(&db.index, range).rev() {
        let (key, value) = guard.into_inner()?;
        let Some((segment, (count, last_ordinal))) = keys::index_segment(&key).zip(Places::peek(&value))
        else {
            continue;
        };
        if last_ordinal <= newest.floor {
            break;
        }
        first = first.min(segment);
        if last_ordinal.saturating_sub(count) <= newest.floor {
            break;
        }
    }
    Ok(first)
}
