//! What the store counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! stats {
    (
        measured { $($(#[doc = $measured_doc:literal])* $measured:ident,)* }
        counted { $($(#[doc = $doc:literal])* $name:ident: $kind:literal,)* }
    ) => {
        /// What the store has counted since it was opened, and how large it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $measured_doc])* pub $measured: u64,)*
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        impl Stats {
            /// Every number: its name behind `store_`, whether it is a `counter` or a `gauge`, what it says, its value.
            pub fn all(&self) -> Vec<(&'static str, &'static str, &'static str, u64)> {
                vec![
                    $((
                        concat!("store_", stringify!($measured)),
                        "gauge",
                        concat!($($measured_doc,)*),
                        self.$measured,
                    ),)*
                    $((concat!("store_", stringify!($name)), $kind, concat!($($doc,)*), self.$name),)*
                ]
            }
        }

        /// The counters behind [`Stats`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
            /// Bytes of blocks that were written; not shown.
            pub(crate) bytes: Counter,
        }

        impl Counters {
            /// What was counted, without what is to be measured.
            pub(crate) fn stats(&self) -> Stats {
                Stats { $($name: self.$name.get(),)* ..Stats::default() }
            }
        }
    };
}

stats! {
    measured {
        /// Records in the log, also those that wait to be deleted.
        records,
        /// Bytes of these records with what belongs to them, before compression.
        record_bytes,
        /// Bytes on disk without the write-ahead journal.
        table_bytes,
        /// Bytes of the write-ahead journal, as far as it was written.
        journal_bytes,
        /// Topics that the store knows.
        topics,
    }
    counted {
        /// Bytes of batches that wait to be committed.
        queue_bytes: "gauge",
        /// Commits; each has all batches that waited.
        commits: "counter",
        /// Microseconds that commits took.
        commit_micros: "counter",
        /// Batches that were committed.
        batches: "counter",
        /// Records that were committed.
        committed: "counter",
        /// Syncs.
        syncs: "counter",
        /// Writes and syncs that failed.
        failures: "counter",
        /// Batches that were refused for whatever reason.
        refused: "counter",
        /// Times that the store was opened again after a failure.
        reopened: "counter",
        /// Records and blocks that could not be read.
        damaged: "counter",
        /// Slices that were read.
        slices: "counter",
        /// Messages that were read.
        read: "counter",
        /// Segments that were deleted as a whole.
        segments_dropped: "counter",
        /// Segments that were written anew without what isn't kept any more.
        segments_rewritten: "counter",
        /// Records that were deleted.
        records_dropped: "counter",
    }
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
