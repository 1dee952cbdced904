//! The segment that is being written: what an index entry will say of it is here, in memory.

use hashbrown::HashMap;

use crate::format::{Place, Places, SegmentInfo, SegmentTopic, TopicId};

/// The segment that is being written.
#[derive(Debug, Default)]
pub(crate) struct OpenSegment {
    /// What is in it.
    pub(crate) info: SegmentInfo,
    /// The offset of each block's first record.
    pub(crate) blocks: Vec<u64>,
    /// Its topics.
    pub(crate) topics: HashMap<TopicId, OpenTopic>,
}

/// What the open segment has of one topic.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenTopic {
    /// The ordinal of the last record, and where all are.
    pub(crate) places: Places,
    /// Bytes of tails.
    pub(crate) bytes: u64,
    /// Whether any has an expiry.
    pub(crate) expires: bool,
}

impl OpenTopic {
    /// Takes the topic's next record into account.
    pub(crate) fn add(&mut self, place: Place, ordinal: u64, bytes: u64, expires: bool) {
        self.places.places.push(place);
        self.places.last_ordinal = ordinal;
        self.bytes += bytes;
        self.expires |= expires;
    }

    /// Takes what came behind it into account.
    pub(crate) fn append(&mut self, other: &Self) {
        self.places.places.extend_from_slice(&other.places.places);
        self.places.last_ordinal = other.places.last_ordinal;
        self.bytes += other.bytes;
        self.expires |= other.expires;
    }

    /// As the closed segment says it.
    pub(crate) fn summary(&self, id: TopicId) -> SegmentTopic {
        SegmentTopic {
            id,
            records: self.places.places.len() as u64,
            bytes: self.bytes,
            last_ordinal: self.places.last_ordinal,
            last_offset: self.places.places.last().map_or(0, |place| place.offset),
            expires: self.expires,
        }
    }
}

/// The sum of two segments, of which `b` is behind `a`.
pub(crate) fn joined(a: &SegmentInfo, b: &SegmentInfo) -> SegmentInfo {
    if a.records == 0 {
        return *b;
    }
    if b.records == 0 {
        return *a;
    }
    SegmentInfo {
        first: a.first,
        last: b.last,
        bytes: a.bytes + b.bytes,
        records: a.records + b.records,
        time_min: a.time_min.min(b.time_min),
        time_max: a.time_max.max(b.time_max),
    }
}
