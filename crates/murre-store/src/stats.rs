//! What the store counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the store has counted since it was opened, and how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Records in the log, also those that wait to be deleted.
    pub records: u64,
    /// Bytes of these records with what belongs to them, before compression.
    pub record_bytes: u64,
    /// Bytes on disk without the write-ahead journal.
    pub table_bytes: u64,
    /// Bytes of the write-ahead journal, as far as it was written.
    pub journal_bytes: u64,
    /// Topics that it knows.
    pub topics: u64,
    /// Bytes of batches that wait to be committed.
    pub queue_bytes: u64,
    /// Commits; each has all batches that waited.
    pub commits: u64,
    /// Batches that were committed.
    pub batches: u64,
    /// Records that were committed.
    pub committed: u64,
    /// Syncs.
    pub syncs: u64,
    /// Writes and syncs that failed.
    pub failures: u64,
    /// Batches that were refused for whatever reason.
    pub refused: u64,
    /// Times that the storage engine was opened again after a failure.
    pub reopened: u64,
    /// Records and blocks that could not be read.
    pub damaged: u64,
    /// Slices that were read.
    pub slices: u64,
    /// Messages that were read.
    pub read: u64,
    /// Segments that were deleted as a whole.
    pub segments_dropped: u64,
    /// Segments that were written anew without what isn't kept any more.
    pub segments_rewritten: u64,
    /// Records that were deleted.
    pub records_dropped: u64,
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) queue_bytes: Counter,
    pub(crate) commits: Counter,
    pub(crate) batches: Counter,
    pub(crate) committed: Counter,
    /// Bytes of blocks that were written; not shown.
    pub(crate) bytes: Counter,
    pub(crate) syncs: Counter,
    pub(crate) failures: Counter,
    pub(crate) refused: Counter,
    pub(crate) reopened: Counter,
    pub(crate) damaged: Counter,
    pub(crate) slices: Counter,
    pub(crate) read: Counter,
    pub(crate) segments_dropped: Counter,
    pub(crate) segments_rewritten: Counter,
    pub(crate) records_dropped: Counter,
}

/// A number that several threads add to.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    pub(crate) fn sub(&self, number: u64) {
        self.0.fetch_sub(number, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counters {
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            queue_bytes: self.queue_bytes.get(),
            commits: self.commits.get(),
            batches: self.batches.get(),
            committed: self.committed.get(),
            syncs: self.syncs.get(),
            failures: self.failures.get(),
            refused: self.refused.get(),
            reopened: self.reopened.get(),
            damaged: self.damaged.get(),
            slices: self.slices.get(),
            read: self.read.get(),
            segments_dropped: self.segments_dropped.get(),
            segments_rewritten: self.segments_rewritten.get(),
            records_dropped: self.records_dropped.get(),
            ..Stats::default()
        }
    }
}
