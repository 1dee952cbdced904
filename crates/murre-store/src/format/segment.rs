//! What a megabyte of a shard's log has in it, and where.
//!
//! A segment that is closed has an entry for its blocks, one for its topics, and for each topic an index entry with
//! the places of its records. All are lists of numbers of variable length, each less what the one before was.

use murre_protocol::Timestamp;

use super::{
    record::{RecordRef, TopicId},
    varint::{self, Reader},
};

/// A segment, in a few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SegmentInfo {
    /// The offset by which it is named: that of the first record it had.
    pub(crate) first: u64,
    /// The greatest offset it had.
    pub(crate) last: u64,
    /// Bytes of its blocks.
    pub(crate) bytes: u64,
    /// How many records it has.
    pub(crate) records: u64,
    /// The least time of its records.
    pub(crate) time_min: Timestamp,
    /// The greatest time of its records.
    pub(crate) time_max: Timestamp,
}

impl SegmentInfo {
    /// Takes a record into account; its bytes are counted by block.
    pub(crate) fn add(&mut self, record: &RecordRef<'_>) {
        if self.records == 0 {
            (self.time_min, self.time_max) = (record.time, record.time);
            if self.first == 0 {
                self.first = record.offset;
            }
        }
        self.time_min = self.time_min.min(record.time);
        self.time_max = self.time_max.max(record.time);
        self.last = self.last.max(record.offset);
        self.records += 1;
    }
}

/// The blocks of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SegmentBlocks {
    /// The segment.
    pub(crate) info: SegmentInfo,
    /// The offset of each block's first record.
    pub(crate) blocks: Vec<u64>,
}

impl SegmentBlocks {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (info, mut out) = (&self.info, Vec::with_capacity(64 + 2 * self.blocks.len()));
        varint::put(&mut out, info.first);
        varint::put(&mut out, info.last - info.first);
        varint::put(&mut out, info.bytes);
        varint::put(&mut out, info.records);
        varint::put(&mut out, info.time_min.millis());
        varint::put(&mut out, info.time_max.millis() - info.time_min.millis());
        varint::put(&mut out, self.blocks.len() as u64);
        let mut before = info.first;
        for &block in &self.blocks {
            varint::put(&mut out, block - before);
            before = block;
        }
        out
    }

    /// None where the bytes are no such entry.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let first = reader.uint()?;
        let last = first.checked_add(reader.uint()?)?;
        let (bytes, records, time_min) = (reader.uint()?, reader.uint()?, reader.uint()?);
        let time_max = time_min.checked_add(reader.uint()?)?;
        let mut blocks = Vec::with_capacity(reader.count()?);
        let mut before = first;
        for _ in 0..blocks.capacity() {
            before = before.checked_add(reader.uint()?)?;
            blocks.push(before);
        }
        let (time_min, time_max) = (Timestamp::from_millis(time_min), Timestamp::from_millis(time_max));
        Some(Self { info: SegmentInfo { first, last, bytes, records, time_min, time_max }, blocks })
    }
}

/// What a segment has of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentTopic {
    /// Which topic.
    pub(crate) id: TopicId,
    /// How many records.
    pub(crate) records: u64,
    /// Bytes of their tails.
    pub(crate) bytes: u64,
    /// The last one's ordinal.
    pub(crate) last_ordinal: u64,
    /// The last one's offset.
    pub(crate) last_offset: u64,
    /// When the last of them has expired; none where one of them never does.
    pub(crate) expires: Option<Timestamp>,
}

/// The topics of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SegmentTopics(pub(crate) Vec<SegmentTopic>);

impl SegmentTopics {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(20 * self.0.len());
        for topic in &self.0 {
            out.extend_from_slice(&topic.id.0.to_le_bytes());
            varint::put(&mut out, topic.records);
            varint::put(&mut out, topic.expires.map_or(0, |expires| expires.millis().saturating_add(1)));
            varint::put(&mut out, topic.bytes);
            varint::put(&mut out, topic.last_ordinal);
            varint::put(&mut out, topic.last_offset);
        }
        out
    }

    /// None where the bytes are no such entry.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (mut reader, mut topics) = (Reader(bytes), Vec::new());
        while !reader.0.is_empty() {
            let id = TopicId(u64::from_le_bytes(reader.array()?));
            topics.push(SegmentTopic {
                id,
                records: reader.uint()?,
                expires: reader.uint()?.checked_sub(1).map(Timestamp::from_millis),
                bytes: reader.uint()?,
                last_ordinal: reader.uint()?,
                last_offset: reader.uint()?,
            });
        }
        Some(Self(topics))
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its offset.
    pub(crate) offset: u64,
    /// The first offset of its block.
    pub(crate) block: u64,
    /// Which record of the block, from 0.
    pub(crate) slot: u32,
}

/// Where a topic's records stand in a segment, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places {
    /// The ordinal of the last one.
    pub(crate) last_ordinal: u64,
    /// The places.
    pub(crate) places: Vec<Place>,
}

impl Places {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 5 * self.places.len());
        varint::put(&mut out, self.last_ordinal);
        varint::put(&mut out, self.places.len() as u64);
        let mut before = 0;
        for place in &self.places {
            varint::put(&mut out, place.offset - before);
            varint::put(&mut out, place.offset - place.block);
            varint::put(&mut out, u64::from(place.slot));
            before = place.offset;
        }
        out
    }

    /// How many there are and the last one's ordinal, without reading the places.
    pub(crate) fn peek(bytes: &[u8]) -> Option<(u64, u64)> {
        let mut reader = Reader(bytes);
        let last_ordinal = reader.uint()?;
        Some((reader.uint()?, last_ordinal))
    }

    /// None where the bytes are no such entry.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let last_ordinal = reader.uint()?;
        let mut places = Vec::with_capacity(reader.count()?);
        let mut offset = 0u64;
        for _ in 0..places.capacity() {
            offset = offset.checked_add(reader.uint()?)?;
            let block = offset.checked_sub(reader.uint()?)?;
            places.push(Place { offset, block, slot: u32::try_from(reader.uint()?).ok()? });
        }
        Some(Self { last_ordinal, places })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_come_back(steps in proptest::collection::vec((1..1000u64, 0..3u32), 1..50), count: u32) {
            // no block begins before the first message
            let (mut offset, mut places, mut topics) = (2, Vec::new(), Vec::new());
            for (step, slot) in &steps {
                offset += step;
                places.push(Place { offset, block: offset - u64::from(*slot), slot: *slot });
                let expires = (slot % 2 == 0).then_some(Timestamp::from_millis(offset));
                let (id, last_ordinal) = (TopicId(offset * step), u64::from(count));
                topics.push(SegmentTopic { id, records: *step, bytes: offset, last_ordinal, last_offset: offset, expires });
            }
            let blocks = places.iter().map(|place| place.offset).collect();
            let (first, records, bytes) = (1, steps.len() as u64, u64::from(count));
            let times = (Timestamp::from_millis(7), Timestamp::from_millis(7 + offset));
            let info = SegmentInfo { first, last: offset, bytes, records, time_min: times.0, time_max: times.1 };
            let (blocks, topics) = (SegmentBlocks { info, blocks }, SegmentTopics(topics));
            let places = Places { last_ordinal: u64::from(count), places };
            prop_assert_eq!(SegmentBlocks::decode(&blocks.encode()), Some(blocks));
            prop_assert_eq!(SegmentTopics::decode(&topics.encode()), Some(topics));
            prop_assert_eq!(Places::peek(&places.encode()), Some((steps.len() as u64, u64::from(count))));
            prop_assert_eq!(Places::decode(&places.encode()), Some(places));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = SegmentBlocks::decode(&bytes);
            let _ = SegmentTopics::decode(&bytes);
            let _ = Places::decode(&bytes);
        }
    }
}
