//! What is known in memory of one shard's log: its topics, its segments, where the records of the open segment stand.
//!
//! Everything here is what was committed; a commit under way is a [`Stage`](crate::stage::Stage). Readers and
//! the writer share it under a lock that nobody holds over I/O.

use std::collections::BTreeMap;

pub(crate) use open::{OpenSegment, OpenTopic, joined};
pub(crate) use topics::{Topic, TopicTable, Walk};

use crate::format::{SegmentInfo, ShardEntry};

mod open;
mod topics;

/// One shard.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Which.
    pub(crate) number: u8,
    /// All topics that it knows.
    pub(crate) topics: TopicTable,
    /// Closed segments by the offset that names them.
    segments: BTreeMap<u64, SegmentInfo>,
    /// What is behind them.
    pub(crate) open: OpenSegment,
    /// The last committed offset.
    pub(crate) committed: u64,
    /// What `meta` says of it.
    pub(crate) entry: ShardEntry,
    closed_bytes: u64,
    closed_records: u64,
}

impl Shard {
    /// A shard without anything.
    pub(crate) fn new(number: u8) -> Self {
        Self { number, ..Self::default() }
    }

    /// The closed segments in order.
    pub(crate) fn segments(&self) -> impl DoubleEndedIterator<Item = &SegmentInfo> {
        self.segments.values()
    }

    /// A closed segment.
    pub(crate) fn segment(&self, first: u64) -> Option<&SegmentInfo> {
        self.segments.get(&first)
    }

    /// Puts a closed segment in its place.
    pub(crate) fn insert_segment(&mut self, segment: SegmentInfo) {
        self.remove_segment(segment.first);
        self.closed_bytes += segment.bytes;
        self.closed_records += segment.records;
        self.segments.insert(segment.first, segment);
    }

    /// Forgets a closed segment.
    pub(crate) fn remove_segment(&mut self, first: u64) {
        if let Some(segment) = self.segments.remove(&first) {
            self.closed_bytes -= segment.bytes;
            self.closed_records -= segment.records;
        }
    }

    /// Bytes of all blocks.
    pub(crate) fn bytes(&self) -> u64 {
        self.open.info.bytes + self.closed_bytes
    }

    /// All records.
    pub(crate) fn records(&self) -> u64 {
        self.open.info.records + self.closed_records
    }

    /// Up to `limit` closed segments that have offsets behind `reached`.
    pub(crate) fn segments_behind(&self, reached: u64, limit: usize) -> Vec<SegmentInfo> {
        let before = self.segments.range(..=reached).next_back().map(|(_, segment)| segment);
        let behind = self.segments.range(reached.saturating_add(1)..).map(|(_, segment)| segment);
        before
            .filter(|segment| segment.last > reached)
            .into_iter()
            .chain(behind)
            .take(limit)
            .copied()
            .collect()
    }
}
