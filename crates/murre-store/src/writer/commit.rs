//! A commit: everything that waits, as one batch of the engine.

use std::time::Instant;

use fjall::OwnedWriteBatch as WriteBatch;
use murre_core::log::{Failures, LogBatch, LogEvent, LogRefusal};

use super::{Request, Writer};
use crate::{
    db::Db,
    format::{ShardEntry, keys},
    shared::Shared,
    stage::{Closing, Stage},
};

/// A commit in the making.
struct Commit<'a> {
    shared: &'a Shared,
    db: &'a Db,
    batch: WriteBatch,
    /// By shard.
    stages: &'a mut [Stage],
    /// What `meta` says, by shard, where it changes.
    entries: Vec<Option<ShardEntry>>,
    records: u64,
}

impl Writer {
    /// Writes what is asked for, and answers. After an error nothing was answered.
    pub(super) fn commit(&mut self, requests: &[Request], is_full: bool) -> Result<(), fjall::Error> {
        let began = Instant::now();
        let shared = self.shared.clone();
        let Some(db) = shared.db() else { return Err(fjall::Error::Poisoned) };
        db.wait_for_room()?;
        let write_lock = shared.write_lock.lock();
        let mut commit = Commit::new(&shared, &db, &mut self.stages);
        let failures = &mut self.failures;
        let taken: Vec<_> = requests.iter().map(|request| commit.take(request, is_full, failures)).collect();
        commit.finish();
        let Commit { batch, entries, records, .. } = commit;
        if !batch.is_empty() {
            // an offset that is given out twice is worse than a sync too many
            let has_to_last = requests.iter().any(|request| !matches!(request, Request::Append(_)));
            let mode = self.durability(has_to_last);
            shared.commit(batch, mode)?;
        }
        // what is written now can be seen, first by readers and then by who wrote it: whoever has the answer, and
        // reads, finds it
        for (shard, (stage, entry)) in shared.shards.iter().zip(self.stages.iter_mut().zip(entries)) {
            if stage.is_empty() && entry.is_none() {
                continue;
            }
            let mut shard = shard.lock();
            if !stage.is_empty() {
                shared.counters.bytes.add(stage.bytes());
                stage.apply(&mut shard, shared.rules());
            }
            shard.entry = entry.unwrap_or(shard.entry);
        }
        self.acknowledged = db.database.visible_seqno();
        drop(write_lock);
        shared.counters.commits.add(1);
        shared.counters.commit_micros.add(began.elapsed().as_micros() as u64);
        shared.counters.committed.add(records);
        for (request, taken) in requests.iter().zip(taken) {
            answer(&shared, request, taken);
        }
        Ok(())
    }
}

fn judge(batch: &LogBatch, is_full: bool, failures: &Failures) -> Result<(), LogRefusal> {
    failures.check(batch)?;
    let takes_room = || batch.records().iter().any(|record| !record.ends);
    if is_full && takes_room() { Err(LogRefusal::Full) } else { Ok(()) }
}

fn answer(shared: &Shared, request: &Request, taken: Result<(), LogRefusal>) {
    match request {
        Request::Append(batch) => {
            if taken.is_ok() { &shared.counters.batches } else { &shared.counters.refused }.add(1);
            (shared.sink)(batch.worker, LogEvent::Committed { serial: batch.serial, result: taken });
        }
        Request::Reserve { worker, shard, end } => {
            (shared.sink)(*worker, LogEvent::Reserved { shard: *shard, end: *end });
        }
        Request::Close(_) => {}
    }
}

impl<'a> Commit<'a> {
    fn new(shared: &'a Shared, db: &'a Db, stages: &'a mut [Stage]) -> Self {
        stages.iter_mut().for_each(Stage::clear);
        let (batch, entries) = (db.database.batch(), vec![None; shared.shards.len()]);
        Self { shared, db, batch, stages, entries, records: 0 }
    }

    fn take(&mut self, request: &Request, is_full: bool, failures: &mut Failures) -> Result<(), LogRefusal> {
        match request {
            Request::Append(batch) => {
                judge(batch, is_full, failures).inspect_err(|refusal| failures.note(batch, *refusal))?;
                self.append(batch);
            }
            Request::Reserve { shard, end, .. } => {
                self.change_entry(*shard, |entry| entry.reserved = entry.reserved.max(*end));
            }
            Request::Close(used) => {
                for (shard, used) in used.iter().enumerate() {
                    self.change_entry(shard as u8, |entry| entry.closed = Some(*used));
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, batch: &LogBatch) {
        let mut records = batch.records().iter().peekable();
        // runs of one shard share a look at it
        while let Some(first) = records.peek() {
            let number = first.position.shard();
            let place = usize::from(number);
            let (Some(shard), Some(stage)) = (self.shared.shard(number), self.stages.get_mut(place)) else {
                tracing::error!(
                    shard = number,
                    "a record of a shard that the store doesn't have; it is passed over"
                );
                records.next();
                continue;
            };
            let shard = shard.lock();
            while let Some(record) = records.next_if(|record| record.position.shard() == number) {
                stage.push(&shard, batch, record);
                self.records += 1;
            }
        }
        for change in batch.state() {
            let key = keys::state(change.shard, change.key);
            match change.value {
                Some(value) => self.batch.insert(&self.db.state, key, value),
                None => self.batch.remove(&self.db.state, key),
            }
        }
    }

    fn change_entry(&mut self, number: u8, change: impl FnOnce(&mut ShardEntry)) {
        let (Some(shard), Some(entry)) =
            (self.shared.shard(number), self.entries.get_mut(usize::from(number)))
        else {
            return;
        };
        change(entry.get_or_insert_with(|| shard.lock().entry));
    }

    /// Puts into the batch what the stages write.
    fn finish(&mut self) {
        for (number, stage) in self.stages.iter_mut().enumerate() {
            let number = number as u8;
            let Some(shard) = self.shared.shard(number).filter(|_| !stage.is_empty()) else { continue };
            let closing = stage.finish(&shard.lock(), self.shared.options.segment_bytes);
            for (first, bytes) in &mut stage.blocks {
                self.batch.insert(&self.db.log, keys::block(number, *first), std::mem::take(bytes));
            }
            if let Some(closing) = closing {
                close_segment(&mut self.batch, self.db, number, closing);
            }
        }
        for (number, entry) in self.entries.iter().enumerate() {
            if let Some(entry) = entry {
                self.batch.insert(&self.db.meta, keys::shard(number as u8), entry.encode());
            }
        }
    }
}

/// Writes what belongs to a segment that closes.
fn close_segment(batch: &mut WriteBatch, db: &Db, shard: u8, closing: Closing) {
    let first = closing.blocks.info.first;
    batch.insert(&db.segments, keys::segment_blocks(shard, first), closing.blocks.encode());
    batch.insert(&db.segments, keys::segment_topics(shard, first), closing.topics.encode());
    for (id, places) in closing.index {
        batch.insert(&db.index, keys::index(shard, id, first), places);
    }
    for (id, entry) in closing.entries {
        batch.insert(&db.topics, keys::topic(shard, id), entry);
    }
}
