//! Records on their way into the log.

use murre_protocol::{Position, Timestamp, codec::HasOptions};

use crate::{
    batch::{Span, append},
    ids::WorkerId,
};

/// Records and state of one worker's shards that are committed together.
///
/// Flat, as the other batches are: one buffer of bytes and a list of entries that point into it. A record's tail is
/// the MessagePack of a MESSAGE after `sub` (see [`murre_protocol::Codec::message_tail`]), so a replay copies it into
/// outboxes as it is.
#[derive(Debug)]
pub struct LogBatch {
    /// Whose shards.
    pub worker: WorkerId,
    /// Counts the worker's batches from 1.
    pub serial: u64,
    /// The last batch that the worker knew to have failed when it sent this one; 0: none.
    pub failed: u64,
    bytes: Vec<u8>,
    records: Vec<LogRecord>,
    state: Vec<StateEntry>,
}

/// A record, in a batch.
#[derive(Debug, Clone, Copy)]
pub struct LogRecord {
    /// Where it stands. Within a batch the offsets of one shard rise.
    pub position: Position,
    /// The topic's hash by [`Placement::topic_hash`](crate::placement::Placement::topic_hash).
    pub hash: u64,
    /// When the broker took it.
    pub time: Timestamp,
    /// When it is of no use any more.
    pub expires: Option<Timestamp>,
    /// Whether it was published with `retain`: the topic's last value over restarts, whatever the keep rules say.
    pub retain: bool,
    /// Whether it ends the topic's last value: `retain` with an empty payload. History stays.
    pub ends: bool,
    /// How the head before the tail has to be written.
    pub has_options: HasOptions,
    topic: Span,
    tail: Span,
}

/// A record to be appended to a batch.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// See [`LogRecord::position`].
    pub position: Position,
    /// See [`LogRecord::hash`].
    pub hash: u64,
    /// See [`LogRecord::time`].
    pub time: Timestamp,
    /// See [`LogRecord::expires`].
    pub expires: Option<Timestamp>,
    /// See [`LogRecord::retain`].
    pub retain: bool,
    /// See [`LogRecord::ends`].
    pub ends: bool,
    /// See [`LogRecord::has_options`].
    pub has_options: HasOptions,
    /// The topic.
    pub topic: &'a str,
    /// The message's tail in MessagePack.
    pub tail: &'a [u8],
}

/// A change of a shard's state: small values by key that the engine keeps beside the records (sessions, cursors,
/// sequence numbers), committed with them and handed back at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateChange<'a> {
    /// Whose.
    pub shard: u8,
    /// Which.
    pub key: &'a [u8],
    /// The new value; none: it goes.
    pub value: Option<&'a [u8]>,
}

#[derive(Debug, Clone, Copy)]
struct StateEntry {
    shard: u8,
    key: Span,
    value: Option<Span>,
}

impl LogBatch {
    /// An empty batch.
    pub fn new(worker: WorkerId, serial: u64) -> Self {
        Self { worker, serial, failed: 0, bytes: Vec::new(), records: Vec::new(), state: Vec::new() }
    }

    /// Appends a record.
    pub fn push(&mut self, record: Record<'_>) {
        let topic = append(&mut self.bytes, record.topic.as_bytes());
        let tail = append(&mut self.bytes, record.tail);
        self.records.push(LogRecord {
            position: record.position,
            hash: record.hash,
            time: record.time,
            expires: record.expires,
            retain: record.retain,
            ends: record.ends,
            has_options: record.has_options,
            topic,
            tail,
        });
    }

    /// Appends a change of state. Of several changes of one key the last one holds.
    pub fn push_state(&mut self, change: StateChange<'_>) {
        let key = append(&mut self.bytes, change.key);
        let value = change.value.map(|value| append(&mut self.bytes, value));
        self.state.push(StateEntry { shard: change.shard, key, value });
    }

    /// Bytes of topics, tails, keys and values.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.state.is_empty()
    }

    /// The records in order.
    pub fn records(&self) -> &[LogRecord] {
        &self.records
    }

    /// A record's topic.
    pub fn topic(&self, record: &LogRecord) -> &str {
        self.bytes
            .get(record.topic.range())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// A record's tail.
    pub fn tail(&self, record: &LogRecord) -> &[u8] {
        self.bytes.get(record.tail.range()).unwrap_or_default()
    }

    /// The changes of state in order.
    pub fn state(&self) -> impl Iterator<Item = StateChange<'_>> {
        let bytes = |span: Span| self.bytes.get(span.range()).unwrap_or_default();
        self.state.iter().map(move |entry| StateChange {
            shard: entry.shard,
            key: bytes(entry.key),
            value: entry.value.map(bytes),
        })
    }
}
