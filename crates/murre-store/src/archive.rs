//! A store that no broker has open: every record of it, one after the other.

use std::path::Path;

use fjall::{Readable, Snapshot};
use murre_core::log::KeepRules;
use murre_protocol::{Codec, Position, Timestamp, codec::HasOptions};

use crate::{
    db::Db,
    error::StoreError,
    format::{Block, RecordRef, keys},
    journal::JournalDamage,
    options::Options,
    recover::{self, Findings},
    shared::Parts,
};

/// A store that no broker has open. Looking at it changes nothing: it is opened over a mirror in the store's
/// directory, which is removed again.
pub struct Archive {
    snapshot: Snapshot,
    parts: Parts,
    findings: Findings,
}

/// A record as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its place in the order of its shard.
    pub position: Position,
    /// When the broker took it.
    pub time: Timestamp,
    /// When it is of no use any more.
    pub expires: Option<Timestamp>,
    /// Whether it was published with `retain`; see [`LogRecord::retain`](murre_core::log::LogRecord::retain).
    pub retain: bool,
    /// Whether it ended its topic's value; see [`LogRecord::ends`](murre_core::log::LogRecord::ends).
    pub ends: bool,
    /// Its topic.
    pub topic: String,
    /// Whether there are options in the tail.
    pub has_options: HasOptions,
    /// The message's tail in MessagePack, as [`Codec::message_tail`] writes it.
    pub tail: Vec<u8>,
}

/// A part of the store that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard}, at offset {offset} or behind: {what}")]
pub struct Damage {
    /// The shard.
    pub shard: u8,
    /// The offset by which the block is named, or that of the record before.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// After so many errors in a row a shard is given up: the engine may not get any further.
const ERRORS_MAX: usize = 1000;

impl Archive {
    /// Opens the store in a directory. `keep` are the rules that the broker has; they change nothing, but
    /// [`Archive::check`] tells by them what is kept.
    ///
    /// # Errors
    /// Says who holds it, that its format is a later one, or what is damaged, and what to do.
    pub fn open(path: impl AsRef<Path>, keep: KeepRules) -> Result<Self, StoreError> {
        let options = Options { keep, ..Options::default() };
        let (parts, findings) = recover::look(path.as_ref(), &options)?;
        let snapshot = parts.db.database.snapshot();
        Ok(Self { snapshot, parts, findings })
    }

    /// What is damaged in the journal. A start of the broker takes it out.
    pub fn journal(&self) -> &[JournalDamage] {
        &self.findings.journal
    }

    /// Names the run of positions.
    pub fn epoch(&self) -> &str {
        &self.parts.epoch
    }

    /// How many shards it has.
    pub fn shards(&self) -> u8 {
        self.parts.placement.shards
    }

    /// Every record of a shard in order, and what is damaged between. Records that no rule holds any more are there
    /// until they are deleted.
    pub fn records(&self, shard: u8) -> impl Iterator<Item = Result<Archived, Damage>> + '_ {
        blocks(&self.parts.db, &self.snapshot, shard).flat_map(move |block| match block {
            Ok((first, bytes)) => records_of(shard, first, &bytes),
            Err(damage) => vec![Err(damage)],
        })
    }

    pub(crate) fn parts(&self) -> (&Parts, &Findings, &Snapshot) {
        (&self.parts, &self.findings, &self.snapshot)
    }
}

/// The blocks of a shard in order: the first offset and the bytes.
pub(crate) fn blocks<'a>(
    db: &'a Db,
    snapshot: &'a Snapshot,
    shard: u8,
) -> impl Iterator<Item = Result<(u64, fjall::UserValue), Damage>> + use<'a> {
    let (mut reached, mut errors) = (0, 0);
    let range = snapshot.range(&db.log, keys::block(shard, 0)..=keys::block(shard, u64::MAX));
    range.map_while(move |guard| {
        let damage = |offset, what: String| Damage { shard, offset, what };
        let read = guard.into_inner().map_err(|error| damage(reached, error.to_string()));
        errors = if read.is_ok() { 0 } else { errors + 1 };
        let block = read.and_then(|(key, value)| {
            let (_, first) =
                keys::block_offset(&key).ok_or_else(|| damage(reached, "a key makes no sense".into()))?;
            reached = first;
            Ok((first, value))
        });
        (errors < ERRORS_MAX).then_some(block)
    })
}

fn records_of(shard: u8, first: u64, bytes: &[u8]) -> Vec<Result<Archived, Damage>> {
    let damage = |what: String| Damage { shard, offset: first, what };
    let mut block = match Block::parse(bytes) {
        Ok(block) => block,
        Err(error) => return vec![Err(damage(error.to_string()))],
    };
    let records = (0..block.len()).map(|slot| {
        let record = block.record(slot).map_err(|error| damage(error.to_string()))?;
        archived(shard, &record).ok_or_else(|| damage(format!("record {slot} of the block holds no message")))
    });
    records.collect()
}

fn archived(shard: u8, record: &RecordRef<'_>) -> Option<Archived> {
    Codec::peek_tail(record.tail)?;
    Some(Archived {
        position: Position::new(record.offset, shard),
        time: record.time,
        expires: record.expires,
        retain: record.retain,
        ends: record.ends,
        topic: record.topic()?.to_owned(),
        has_options: record.has_options,
        tail: record.tail.to_vec(),
    })
}
