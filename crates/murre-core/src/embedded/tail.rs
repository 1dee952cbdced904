//! The newest records of a worker's shards, in memory: those on their way into the log, and some behind them.
//!
//! A replay reads the log up to its end; what was taken since it finds here, so it can meet the live stream without
//! waiting for a commit.

use std::{collections::VecDeque, sync::Arc};

use crate::log::{LogBatch, LogRecord};

/// Bytes of committed records that stay, for replays on their last steps.
const COMMITTED_BYTES_MAX: usize = 1 << 20;

/// The newest records.
#[derive(Debug)]
pub(super) struct Tail {
    batches: VecDeque<Entry>,
    bytes: usize,
    /// By shard number: every record that this process took past this offset is here.
    floors: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    batch: Arc<LogBatch>,
    /// By shard number: the last offset of the batch, 0 where it has none.
    lasts: Vec<u64>,
}

impl Tail {
    /// A tail without records.
    pub(super) fn new(shards: usize) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, floors: vec![0; shards] }
    }

    /// Adds a batch.
    pub(super) fn push(&mut self, batch: Arc<LogBatch>) {
        let mut lasts = vec![0; self.floors.len()];
        for record in batch.records() {
            if let Some(last) = lasts.get_mut(usize::from(record.position.shard())) {
                *last = record.position.offset();
            }
        }
        self.bytes += batch.len();
        self.batches.push_back(Entry { batch, lasts });
    }

    /// Lets go of a batch that failed: it is not in the log either.
    pub(super) fn remove(&mut self, serial: u64) {
        if let Ok(at) = self.batches.binary_search_by_key(&serial, |entry| entry.batch.serial)
            && let Some(entry) = self.batches.remove(at)
        {
            self.bytes -= entry.batch.len();
        }
    }

    /// Lets go of batches up to `serial`, which the log has, as far as they are too many.
    pub(super) fn trim(&mut self, serial: u64) {
        while self.bytes > COMMITTED_BYTES_MAX
            && let Some(entry) = self.batches.pop_front_if(|entry| entry.batch.serial <= serial)
        {
            self.bytes -= entry.batch.len();
            for (floor, last) in self.floors.iter_mut().zip(&entry.lasts) {
                *floor = (*floor).max(*last);
            }
        }
    }

    /// Whether a replay that has read a shard's log up to `offset` finds all that follows here. `at_end` says that
    /// the log had no more when it was read.
    pub(super) fn covers(&self, shard: u8, offset: u64, at_end: bool) -> bool {
        let complete = self.floors.get(usize::from(shard)).is_some_and(|floor| *floor <= offset);
        let begun =
            || self.after(shard, 0).next().is_some_and(|(_, first)| first.position.offset() <= offset);
        complete && (at_end || begun())
    }

    /// The records of a shard past `offset`, in order.
    pub(super) fn after(&self, shard: u8, offset: u64) -> impl Iterator<Item = (&LogBatch, &LogRecord)> {
        let batches = self.batches.iter();
        let batches = batches
            .filter(move |entry| entry.lasts.get(usize::from(shard)).is_some_and(|last| *last > offset));
        batches.flat_map(move |entry| {
            let records = entry.batch.records().iter();
            let records = records
                .filter(move |record| record.position.shard() == shard && record.position.offset() > offset);
            records.map(|record| (&*entry.batch, record))
        })
    }
}

#[cfg(test)]
mod tests {
    use murre_protocol::{Position, Timestamp, codec::HasOptions};

    use super::*;
    use crate::{ids::WorkerId, log::Record};

    fn batch(serial: u64, offsets: &[u64], bytes: usize) -> Arc<LogBatch> {
        let mut batch = LogBatch::new(WorkerId(0), serial);
        for offset in offsets {
            batch.push(Record {
                position: Position::new(*offset, 1),
                hash: 1,
                time: Timestamp::default(),
                expires: None,
                retain: false,
                ends: false,
                has_options: HasOptions(false),
                topic: "t",
                tail: &vec![0; bytes],
            });
        }
        Arc::new(batch)
    }

    fn offsets(tail: &Tail, after: u64) -> Vec<u64> {
        tail.after(1, after).map(|(_, record)| record.position.offset()).collect()
    }

    #[test]
    fn what_failed_is_there_no_more() {
        let mut tail = Tail::new(4);
        (1..=3).for_each(|serial| tail.push(batch(serial, &[serial], 10)));
        tail.remove(2);
        assert_eq!(offsets(&tail, 0), [1, 3]);
        assert!(tail.covers(1, 1, false));
    }

    #[test]
    fn what_was_taken_is_there_until_it_is_committed_and_too_much() {
        let mut tail = Tail::new(4);
        tail.push(batch(1, &[1, 2], COMMITTED_BYTES_MAX));
        tail.push(batch(2, &[5], 10));
        tail.trim(0);
        assert_eq!(offsets(&tail, 1), [2, 5]);
        tail.trim(1);
        let covers = |shard, offset, at_end| tail.covers(shard, offset, at_end);
        assert_eq!([covers(1, 1, true), covers(1, 2, true), covers(2, 0, true)], [false, true, true]);
        assert_eq!([covers(1, 2, false), covers(1, 5, false)], [false, true]);
        assert_eq!(offsets(&tail, 2), [5]);
    }
}
