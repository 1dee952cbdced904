//! The segment that is being written: what an index entry will say of it is here, in memory.

use hashbrown::HashMap;
use murre_protocol::Timestamp;

use crate::format::{Place, Places, RecordRef, SegmentInfo, SegmentTopic, TopicId};

/// The segment that is being written.
#[derive(Debug, Default)]
pub(crate) struct OpenSegment {
    /// What is in it.
    pub(crate) info: SegmentInfo,
    /// The offset of each block's first record.
    pub(crate) blocks: Vec<u64>,
    by_id: HashMap<TopicId, u32>,
    topics: Vec<(TopicId, OpenTopic)>,
}

impl OpenSegment {
    /// What it has of a topic.
    pub(crate) fn topic(&self, id: TopicId) -> Option<&OpenTopic> {
        self.topics.get(*self.by_id.get(&id)? as usize).map(|(_, topic)| topic)
    }

    /// Its topics.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (TopicId, &OpenTopic)> {
        self.topics.iter().map(|(id, topic)| (*id, topic))
    }

    /// Takes what came of a topic into account, and says by which number the topic goes here.
    pub(crate) fn append(&mut self, id: TopicId, part: &OpenTopic) -> u32 {
        let number = *self.by_id.entry(id).or_insert_with(|| {
            self.topics.push((id, OpenTopic::default()));
            self.topics.len() as u32 - 1
        });
        if let Some((_, topic)) = self.topics.get_mut(number as usize) {
            topic.append(part);
        }
        number
    }

    /// Appends the place of a record to those of the topic with this number.
    pub(crate) fn place(&mut self, number: u32, place: Place) {
        if let Some((_, topic)) = self.topics.get_mut(number as usize) {
            topic.places.places.push(place);
        }
    }
}

/// What the open segment has of one topic.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenTopic {
    /// The ordinal of the last record, and where all are.
    pub(crate) places: Places,
    /// How many records.
    pub(crate) records: u64,
    /// Bytes of tails.
    pub(crate) bytes: u64,
    /// When the last of them has expired.
    expires: Expires,
}

/// When the last of some records has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Expires {
    /// There are none yet.
    #[default]
    Nothing,
    /// Then.
    At(Timestamp),
    /// Never: one of them has no expiry.
    Never,
}

impl Expires {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, other) | (other, Self::Nothing) => other,
            (Self::At(a), Self::At(b)) => Self::At(a.max(b)),
            (Self::Never, _) | (_, Self::Never) => Self::Never,
        }
    }
}

impl OpenTopic {
    /// Takes the topic's next record into account.
    pub(crate) fn add(&mut self, place: Place, record: &RecordRef<'_>) {
        self.places.places.push(place);
        self.count(record);
    }

    /// The same without its place.
    pub(crate) fn count(&mut self, record: &RecordRef<'_>) {
        self.records += 1;
        self.places.last_ordinal = record.ordinal;
        self.bytes += record.tail.len() as u64;
        self.expires = self.expires.and(record.expires.map_or(Expires::Never, Expires::At));
    }

    /// Takes what came behind it into account.
    pub(crate) fn append(&mut self, other: &Self) {
        self.places.places.extend_from_slice(&other.places.places);
        self.places.last_ordinal = other.places.last_ordinal;
        self.records += other.records;
        self.bytes += other.bytes;
        self.expires = self.expires.and(other.expires);
    }

    /// As the closed segment says it.
    pub(crate) fn summary(&self, id: TopicId) -> SegmentTopic {
        SegmentTopic {
            id,
            records: self.records,
            bytes: self.bytes,
            last_ordinal: self.places.last_ordinal,
            last_offset: self.places.places.last().map_or(0, |place| place.offset),
            expires: match self.expires {
                Expires::At(at) => Some(at),
                Expires::Nothing | Expires::Never => None,
            },
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
