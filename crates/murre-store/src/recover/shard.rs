//! One shard, as it is on disk.

use std::path::Path;

use fjall::{Readable, Snapshot};
use murre_core::log::KeepRules;

use super::{Findings, pairs};
use crate::{
    db::Db,
    error::StoreError,
    format::{Block, Place, RecordRef, SegmentBlocks, ShardEntry, TopicId, TopicTally, keys},
    shard::{OpenTopic, Shard},
};

/// Reads a shard.
pub(super) fn read(
    path: &Path,
    db: &Db,
    snapshot: &Snapshot,
    number: u8,
    rules: &KeepRules,
    findings: &mut Findings,
) -> Result<Shard, StoreError> {
    let mut shard = Shard::new(number);
    let engine = StoreError::engine(path);
    let entry = snapshot.get(&db.meta, keys::shard(number)).map_err(&engine)?;
    shard.entry = entry
        .and_then(|bytes| ShardEntry::decode(&bytes))
        .ok_or_else(|| StoreError::damaged(path, format!("what it says of shard {number} can't be read")))?;
    read_topics(db, snapshot, &mut shard, rules, findings);
    read_segments(db, snapshot, &mut shard, findings);
    read_open(db, snapshot, &mut shard, rules, findings);
    // what was committed last may have been deleted since
    let topics = shard.topics.iter().map(|topic| topic.tally.last_offset).max();
    let gone = shard.entry.gone.map(|gone| gone.offset);
    shard.committed = topics.into_iter().chain(gone).fold(shard.committed, u64::max);
    Ok(shard)
}

/// Topics that can't be read are missing until their next message; their records are not.
fn read_topics(db: &Db, snapshot: &Snapshot, shard: &mut Shard, rules: &KeepRules, findings: &mut Findings) {
    for pair in pairs(snapshot, &db.topics, &[shard.number]) {
        let read = pair.map_err(|error| error.to_string()).and_then(|(key, value)| {
            let (_, id) = keys::block_offset(&key).ok_or("its key makes no sense")?;
            let (tally, name) = TopicTally::decode(&value).ok_or("its entry makes no sense")?;
            if let Some(topic) = shard.topics.entry(TopicId(id), name, rules) {
                topic.tally = tally;
            }
            Ok(())
        });
        if let Err(what) = read {
            findings.damaged += 1;
            tracing::warn!(
                shard = shard.number,
                what,
                "a topic's entry in the store is damaged; it is passed over"
            );
        }
    }
}

fn read_segments(db: &Db, snapshot: &Snapshot, shard: &mut Shard, findings: &mut Findings) {
    let prefix = [&keys::SEGMENT_BLOCKS[..], &[shard.number]].concat();
    for pair in pairs(snapshot, &db.segments, &prefix) {
        let decoded = pair.map_err(|error| error.to_string()).and_then(|(_, value)| {
            SegmentBlocks::decode(&value).ok_or_else(|| "its entry makes no sense".to_owned())
        });
        match decoded {
            Ok(segment) => {
                shard.committed = shard.committed.max(segment.info.last);
                shard.insert_segment(segment.info);
            }
            Err(what) => {
                findings.damaged += 1;
                tracing::warn!(shard = shard.number, what, "a segment's entry in the store is damaged");
            }
        }
    }
}

/// What is behind the last closed segment.
fn read_open(db: &Db, snapshot: &Snapshot, shard: &mut Shard, rules: &KeepRules, findings: &mut Findings) {
    let from = keys::block(shard.number, shard.committed + 1);
    let to = keys::block(shard.number, u64::MAX);
    for guard in snapshot.range(&db.log, from..=to) {
        let read = guard.into_inner().map_err(|error| error.to_string()).and_then(|(key, value)| {
            let (_, first) = keys::block_offset(&key).ok_or("its key makes no sense")?;
            read_block(shard, first, &value, rules)
        });
        if let Err(what) = read {
            findings.damaged += 1;
            let (shard, offset) = (shard.number, shard.committed + 1);
            tracing::warn!(
                shard,
                offset,
                what,
                "damage in the newest part of the store; what is whole is kept"
            );
        }
    }
}

/// Takes what is whole of a block.
fn read_block(shard: &mut Shard, first: u64, bytes: &[u8], rules: &KeepRules) -> Result<(), String> {
    let mut block = Block::parse(bytes).map_err(|damage| damage.to_string())?;
    let mut damage = None;
    shard.open.blocks.push(first);
    shard.open.info.bytes += bytes.len() as u64;
    for slot in 0..block.len() {
        match block.record(slot) {
            Ok(record) => take_record(
                shard,
                &record,
                Place { offset: record.offset, block: first, slot: slot as u32 },
                rules,
            ),
            Err(error) => damage = damage.or(Some(error.to_string())),
        }
    }
    damage.map_or(Ok(()), Err)
}

fn take_record(shard: &mut Shard, record: &RecordRef<'_>, place: Place, rules: &KeepRules) {
    let Some(name) = record.topic() else { return };
    let id = record.topic_id();
    if let Some(topic) = shard.topics.entry(id, name, rules) {
        topic.tally.add(record);
    }
    let mut part = OpenTopic::default();
    part.add(place, record);
    shard.open.append(id, &part);
    shard.open.info.add(record);
    shard.committed = record.offset;
}
