//! The last values and the state of a shard, as the engine wants them at start.

use fjall::{Readable, Snapshot};
use murre_core::{
    batch::MessageBatch,
    ids::WorkerId,
    log::{ShardStart, StateValue},
};
use murre_protocol::Timestamp;

use super::pairs;
use crate::{
    db::Db,
    format::{Block, keys},
    options::Options,
    shard::{Shard, Topic},
};

/// Values are handed over in batches of so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// Values that stand no further apart are found by going on rather than by looking them up anew.
const NEAR: u64 = 4096;

/// Last values and state.
pub(crate) fn shard_start(
    db: &Db,
    snapshot: &Snapshot,
    shard: &Shard,
    options: &Options,
    now: Timestamp,
) -> Result<ShardStart, fjall::Error> {
    let mut wanted: Vec<u64> =
        shard.topics.iter().filter_map(|topic| value_of(topic, options, now)).collect();
    wanted.sort_unstable();
    let mut state = Vec::new();
    for pair in pairs(snapshot, &db.state, &[shard.number]) {
        let (key, value) = pair?;
        state.push(StateValue { key: key.get(1..).unwrap_or_default().into(), value: (*value).into() });
    }
    Ok(ShardStart {
        values: values(db, snapshot, shard.number, &wanted, now)?,
        state,
        ..ShardStart::default()
    })
}

/// The offset of a topic's last value.
fn value_of(topic: &Topic, options: &Options, now: Timestamp) -> Option<u64> {
    let tally = &topic.tally;
    let newest = topic.rule.and_then(|rule| options.keep.rule(rule)).filter(|rule| {
        let oldest = rule.age.map(|age| now.millis().saturating_sub(age.as_millis() as u64));
        oldest.is_none_or(|oldest| tally.last_time.millis() >= oldest)
    });
    let offset = if newest.is_some() { tally.value } else { tally.retained };
    (offset > 0).then_some(offset)
}

fn values(
    db: &Db,
    snapshot: &Snapshot,
    shard: u8,
    wanted: &[u64],
    now: Timestamp,
) -> Result<Vec<MessageBatch>, fjall::Error> {
    let mut out = vec![MessageBatch::new(WorkerId(0))];
    let mut wanted = wanted.iter().copied().peekable();
    while let Some(&first) = wanted.peek() {
        let from = snapshot.range(&db.log, keys::block(shard, 0)..=keys::block(shard, first)).next_back();
        let Some(from) = from.map(fjall::Guard::key).transpose()? else { break };
        let mut reached = first;
        for guard in snapshot.range(&db.log, &*from..=&keys::block(shard, u64::MAX)[..]) {
            // a block that can't be read has no values; readers report it
            let Ok((key, bytes)) = guard.into_inner() else { continue };
            let Some((_, block_first)) = keys::block_offset(&key) else { continue };
            while wanted.next_if(|offset| *offset < block_first && *offset < reached).is_some() {}
            reached = take_values(&bytes, &mut wanted, &mut out, now).unwrap_or(reached).max(reached);
            if wanted.peek().is_none_or(|next| *next > reached + NEAR) {
                break;
            }
        }
        // what was not there is passed over
        while wanted.next_if(|offset| *offset <= reached).is_some() {}
    }
    Ok(out)
}

/// Takes what is wanted of a block; says the last offset in it.
fn take_values(
    bytes: &[u8],
    wanted: &mut std::iter::Peekable<impl Iterator<Item = u64>>,
    out: &mut Vec<MessageBatch>,
    now: Timestamp,
) -> Option<u64> {
    let mut block = Block::parse(bytes).ok()?;
    let mut last = None;
    for slot in 0..block.len() {
        let Ok(record) = block.record(slot) else { continue };
        last = Some(record.offset);
        while wanted.next_if(|offset| *offset < record.offset).is_some() {}
        if wanted.next_if_eq(&record.offset).is_none() || record.is_expired(now) {
            continue;
        }
        if out.last().is_none_or(|batch| batch.len() >= BATCH_BYTES) {
            out.push(MessageBatch::new(WorkerId(0)));
        }
        if let Some(batch) = out.last_mut() {
            batch.push_encoded(record.hash, 0, record.has_options, record.tail);
        }
    }
    last
}
