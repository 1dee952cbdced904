//! What is known of a topic.

use murre_core::log::Lost;
use murre_protocol::Timestamp;

use super::{
    record::RecordRef,
    varint::{self, Reader},
};

/// The greatest offset of what is gone, and why it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Everything that is gone stands at or before it.
    pub(crate) offset: u64,
    /// Why the last of it went.
    pub(crate) why: Lost,
}

impl Dropped {
    /// The later of two.
    pub(crate) fn later(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.offset >= a.offset { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// As bytes; nothing is written as zero.
    pub(crate) fn put(dropped: Option<Self>, out: &mut Vec<u8>) {
        varint::put(out, dropped.map_or(0, |dropped| dropped.offset));
        out.push(dropped.map_or(0, |dropped| why_number(dropped.why)));
    }

    fn take(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let (offset, why) = (reader.uint()?, why_of(reader.byte()?)?);
        Some((offset > 0).then_some(Self { offset, why }))
    }
}

fn why_number(why: Lost) -> u8 {
    match why {
        Lost::Kept => 0,
        Lost::Expired => 1,
        Lost::Limit => 2,
        Lost::Epoch => 3,
        Lost::Crash => 4,
        Lost::Damaged => 5,
    }
}

fn why_of(number: u8) -> Option<Lost> {
    [Lost::Kept, Lost::Expired, Lost::Limit, Lost::Epoch, Lost::Crash, Lost::Damaged]
        .get(usize::from(number))
        .copied()
}

/// What is counted of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TopicTally {
    /// How many records it has had: the last one's ordinal.
    pub(crate) count: u64,
    /// How many of them the log has.
    pub(crate) held: u64,
    /// The last record's offset.
    pub(crate) last_offset: u64,
    /// The last record's time.
    pub(crate) last_time: Timestamp,
    /// The offset of the last record, 0 if it ended the topic's value.
    pub(crate) value: u64,
    /// The offset of the last record with `retain`, 0 if the value was ended since.
    pub(crate) retained: u64,
    /// The offset of the last record with an expiry.
    pub(crate) expiring: u64,
    /// What is gone.
    pub(crate) dropped: Option<Dropped>,
}

impl TopicTally {
    /// Takes the next record into account.
    pub(crate) fn add(&mut self, record: &RecordRef<'_>) {
        self.count = record.ordinal;
        self.held += 1;
        self.last_offset = record.offset;
        self.last_time = record.time;
        if record.ends {
            (self.value, self.retained) = (0, 0);
        } else {
            self.value = record.offset;
            if record.retain {
                self.retained = record.offset;
            }
        }
        if record.expires.is_some() {
            self.expiring = record.offset;
        }
    }

    /// With the topic's name.
    pub(crate) fn encode(&self, name: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(48 + name.len());
        for number in [self.count, self.held, self.last_offset, self.last_time.millis()] {
            varint::put(&mut out, number);
        }
        for number in [self.value, self.retained, self.expiring] {
            varint::put(&mut out, number);
        }
        Dropped::put(self.dropped, &mut out);
        out.extend_from_slice(name.as_bytes());
        out
    }

    /// With the topic's name; none where the bytes are no such entry.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &str)> {
        let mut reader = Reader(bytes);
        let tally = Self {
            count: reader.uint()?,
            held: reader.uint()?,
            last_offset: reader.uint()?,
            last_time: Timestamp::from_millis(reader.uint()?),
            value: reader.uint()?,
            retained: reader.uint()?,
            expiring: reader.uint()?,
            dropped: Dropped::take(&mut reader)?,
        };
        Some((tally, std::str::from_utf8(reader.0).ok()?))
    }
}

/// What `meta` says of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ShardEntry {
    /// Offsets below it are reserved.
    pub(crate) reserved: u64,
    /// The greatest offset that was used, if the store was closed in order.
    pub(crate) closed: Option<u64>,
    /// What is gone of topics that nothing is left of.
    pub(crate) gone: Option<Dropped>,
    /// Messages at or before it may have gone out to live subscribers and be in no log, since a process died.
    pub(crate) crashed: u64,
    /// At or before it that goes for what was committed of durable topics too.
    pub(crate) doubted: u64,
}

impl ShardEntry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        varint::put(&mut out, self.reserved);
        varint::put(&mut out, self.closed.map_or(0, |used| used + 1));
        Dropped::put(self.gone, &mut out);
        varint::put(&mut out, self.crashed);
        varint::put(&mut out, self.doubted);
        out
    }

    /// None where the bytes are no such entry.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (reserved, closed) = (reader.uint()?, reader.uint()?.checked_sub(1));
        let (gone, crashed) = (Dropped::take(&mut reader)?, reader.uint()?);
        // an entry of before there was this number says nothing of it
        let doubted = reader.uint().unwrap_or(crashed);
        Some(Self { reserved, closed, gone, crashed, doubted })
    }
}
