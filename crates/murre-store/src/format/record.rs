//! One message, as a block has it.
//!
//! ```text
//! flags: u8 | offset − block's | time − block's | hash: 8 | ordinal | [expires − time] | tail
//! ```
//! All but flags, hash and tail are variable in length. The topic isn't there, since the tail begins with it.

use murre_core::log::LogRecord;
use murre_protocol::{Codec, Timestamp, codec::HasOptions};

use super::varint::{self, Reader};

const RETAIN: u8 = 1;
const ENDS: u8 = 2;
const OPTIONS: u8 = 4;
const EXPIRES: u8 = 8;
const PRESENCE: u8 = 16;
const KNOWN: u8 = RETAIN | ENDS | OPTIONS | EXPIRES | PRESENCE;

/// Names a topic within its shard: its hash by the store's seed, so nobody who doesn't know the seed can make two
/// topics of one name. Should two meet by chance, they share what `last` counts, and nothing else: reads compare
/// whole topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicId(pub(crate) u64);

impl TopicId {
    /// By the hash that the engine uses, by which a client's presence topic is the same as the client id itself;
    /// here they have to differ.
    pub(crate) fn new(hash: u64, topic: &[u8]) -> Self {
        Self::with(hash, is_presence(topic))
    }

    fn with(hash: u64, presence: bool) -> Self {
        Self(if presence { hash.rotate_left(17) ^ 0x9e37_79b9_7f4a_7c15 } else { hash })
    }
}

fn is_presence(topic: &[u8]) -> bool {
    topic.starts_with(b"$murre/clients/")
}

/// A record on its way into a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRecord<'a> {
    /// What the engine says of it.
    pub(crate) record: &'a LogRecord,
    /// How many records its topic has had, with this one.
    pub(crate) ordinal: u64,
    /// Its topic.
    pub(crate) topic: &'a [u8],
    /// The message's tail.
    pub(crate) tail: &'a [u8],
}

/// A record in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordRef<'a> {
    /// Its place in the shard's order.
    pub(crate) offset: u64,
    /// When the broker took it.
    pub(crate) time: Timestamp,
    /// When it is of no use any more.
    pub(crate) expires: Option<Timestamp>,
    /// Whether it was published with `retain`.
    pub(crate) retain: bool,
    /// Whether it ends the topic's last value.
    pub(crate) ends: bool,
    /// How the head before the tail has to be written.
    pub(crate) has_options: HasOptions,
    /// The topic's hash as the engine has it.
    pub(crate) hash: u64,
    /// How many records its topic has had, with this one.
    pub(crate) ordinal: u64,
    /// The message's tail.
    pub(crate) tail: &'a [u8],
    presence: bool,
}

impl<'a> RecordRef<'a> {
    /// Names its topic.
    pub(crate) fn topic_id(&self) -> TopicId {
        TopicId::with(self.hash, self.presence)
    }

    /// Its topic; none where the tail is no message's.
    pub(crate) fn topic(&self) -> Option<&'a str> {
        std::str::from_utf8(Codec::peek_tail(self.tail)?.topic).ok()
    }

    /// Whether it is of no use any more.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Reads a record of a block that begins with `base`.
    pub(super) fn decode(bytes: &'a [u8], base: Base) -> Option<Self> {
        let mut reader = Reader(bytes);
        let flags = reader.byte()?;
        if flags & !KNOWN != 0 {
            return None;
        }
        let offset = base.offset.checked_add(reader.uint()?)?;
        let time = base.time.millis().checked_add_signed(reader.int()?)?;
        let hash = u64::from_le_bytes(reader.array()?);
        let ordinal = reader.uint()?;
        let expires = if flags & EXPIRES != 0 {
            Some(Timestamp::from_millis(time.checked_add_signed(reader.int()?)?))
        } else {
            None
        };
        Some(Self {
            offset,
            time: Timestamp::from_millis(time),
            expires,
            retain: flags & RETAIN != 0,
            ends: flags & ENDS != 0,
            has_options: HasOptions(flags & OPTIONS != 0),
            hash,
            ordinal,
            tail: reader.0,
            presence: flags & PRESENCE != 0,
        })
    }

    /// Appends it, as [`NewRecord::encode`] does.
    pub(super) fn encode(&self, base: Base, out: &mut Vec<u8>) {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.push(
            flag(self.retain, RETAIN)
                | flag(self.ends, ENDS)
                | flag(self.has_options.0, OPTIONS)
                | flag(self.expires.is_some(), EXPIRES)
                | flag(self.presence, PRESENCE),
        );
        varint::put(out, self.offset - base.offset);
        varint::put_signed(out, difference(self.time, base.time));
        out.extend_from_slice(&self.hash.to_le_bytes());
        varint::put(out, self.ordinal);
        if let Some(expires) = self.expires {
            varint::put_signed(out, difference(expires, self.time));
        }
        out.extend_from_slice(self.tail);
    }
}

impl<'a> NewRecord<'a> {
    /// As it is read back.
    pub(crate) fn as_ref(&self) -> RecordRef<'a> {
        let record = self.record;
        RecordRef {
            offset: record.position.offset(),
            time: record.time,
            expires: record.expires,
            retain: record.retain,
            ends: record.ends,
            has_options: record.has_options,
            hash: record.hash,
            ordinal: self.ordinal,
            tail: self.tail,
            presence: is_presence(self.topic),
        }
    }
}

/// What offsets and times of a block count from: those of its first record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    pub(super) offset: u64,
    pub(super) time: Timestamp,
}

fn difference(a: Timestamp, b: Timestamp) -> i64 {
    a.millis().wrapping_sub(b.millis()) as i64
}
