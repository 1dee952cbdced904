//! A log in memory: for brokers without a store, and for simulations.
//!
//! Pure: no thread, no clock, no lock. It commits what it is handed at once, and says so; a process that dies between
//! append and commit is one whose commands were not handed over.
//!
//! | file | has |
//! |---|---|
//! | `shard` | one shard's records, and what lets them go |
//! | `topic` | one topic's records in order |
//! | `books` | what all shards hold together |
//! | `read` | reading back |

use std::sync::Arc;

use hashbrown::HashMap;
use murre_protocol::Timestamp;

use super::{
    KeepRules, LogBatch, LogCommand, LogEvent, Lost, ReadCommand, ReadId, ReadSlice, ShardStart, Start,
    StateValue,
};
use crate::{batch::MessageBatch, ids::WorkerId};
use books::Books;
use read::Read;
use shard::Shard;
use topic::Topic;

mod books;
mod read;
mod shard;
#[cfg(test)]
mod tests;
mod topic;

/// Bytes of tails in one batch of last values.
const VALUES_BYTES: usize = 1 << 20;

/// A log in memory.
///
/// - [`handle`](Self::handle) does what a [`LogCommand`] says and answers it.
/// - [`start`](Self::start) says what a broker that begins now finds; after [`crash`](Self::crash), what one finds
///   whose process before died.
/// - [`records`](Self::records) and [`bytes`](Self::bytes) are for looking at.
#[derive(Debug)]
pub struct MemoryLog {
    epoch: String,
    seed: u64,
    shards: Vec<Shard>,
    books: Books,
    reads: HashMap<ReadId, Read>,
    floors: HashMap<WorkerId, Vec<u64>>,
    crashed: bool,
}

impl MemoryLog {
    /// An empty log of so many shards. It holds at most `bytes_max` bytes, of tails and what their records cost beside
    /// them; past it the oldest records go, whatever keeps them.
    pub fn new(shards: u8, rules: Arc<KeepRules>, bytes_max: u64) -> Self {
        Self {
            epoch: "memory".into(),
            seed: 0,
            shards: (0..shards).map(Shard::new).collect(),
            books: Books::new(rules, bytes_max),
            reads: HashMap::new(),
            floors: HashMap::new(),
            crashed: false,
        }
    }

    /// The same, with the epoch and the seed that [`start`](Self::start) says.
    pub fn with_identity(self, epoch: impl Into<String>, seed: u64) -> Self {
        Self { epoch: epoch.into(), seed, ..self }
    }

    /// Does what it is told at once, and appends what it answers and to which workers.
    pub fn handle(&mut self, now: Timestamp, command: LogCommand, out: &mut Vec<(WorkerId, LogEvent)>) {
        self.crashed = false;
        match command {
            LogCommand::Append(batch) => {
                self.let_go(now);
                self.append(&batch);
                self.let_go(now);
                out.push((batch.worker, LogEvent::Committed { serial: batch.serial, result: Ok(()) }));
            }
            LogCommand::Read(command) => self.read(now, command, out),
            LogCommand::Reserve { worker, shard, end } => {
                if let Some(known) = self.shards.get_mut(usize::from(shard)) {
                    known.reserved = known.reserved.max(end);
                }
                out.push((worker, LogEvent::Reserved { shard, end }));
            }
            LogCommand::Floors { worker, floors, needs } => {
                self.floors.insert(worker, floors);
                self.books.needs.apply(worker, &needs);
                for (number, shard) in self.shards.iter_mut().enumerate() {
                    let floors = self.floors.values().filter_map(|floors| floors.get(number).copied());
                    shard.set_floor(floors.min().unwrap_or(u64::MAX), &mut self.books);
                }
                self.let_go(now);
            }
        }
    }

    /// The broker's process dies: reads are forgotten, and until the next command [`start`](Self::start) says that
    /// offsets up to the reserved end may have been used. What workers said of floors holds until they say anew.
    pub fn crash(&mut self) {
        self.reads.clear();
        self.crashed = true;
    }

    /// What a broker that begins at `now` finds.
    pub fn start(&self, now: Timestamp) -> Start {
        let shards = self.shards.iter().map(|shard| self.start_of(shard, now)).collect();
        Start { epoch: self.epoch.clone(), seed: self.seed, shards }
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.books.records
    }

    /// Bytes of their tails.
    pub fn bytes(&self) -> u64 {
        self.books.bytes
    }

    fn append(&mut self, batch: &LogBatch) {
        for record in batch.records() {
            let Some(shard) = self.shards.get_mut(usize::from(record.position.shard())) else { continue };
            shard.append(batch, record, &mut self.books);
            let rule = shard.topic_rule(batch.topic(record));
            while let Some(oldest) = rule.and_then(|rule| self.books.past_rule_bytes(rule))
                && let Some(shard) = self.shards.get_mut(usize::from(oldest.shard))
            {
                shard.release(oldest.offset, Lost::Kept, &mut self.books);
            }
            self.bound_bytes();
        }
        for change in batch.state() {
            let Some(shard) = self.shards.get_mut(usize::from(change.shard)) else { continue };
            match change.value {
                Some(value) => _ = shard.state.insert(change.key.into(), value.into()),
                None => _ = shard.state.remove(change.key),
            }
        }
    }

    /// Lets the oldest records go, past `bytes_max`.
    fn bound_bytes(&mut self) {
        while self.books.is_past_bytes_max()
            && let Some(oldest) = self.shards.iter().filter_map(Shard::oldest).min()
            && let Some(shard) = self.shards.get_mut(usize::from(oldest.shard))
        {
            shard.remove(oldest.offset, Lost::Limit, &mut self.books);
        }
    }

    /// Lets go what time has ended: what is expired, and what is too old for its rule.
    fn let_go(&mut self, now: Timestamp) {
        for shard in &mut self.shards {
            shard.expire(now, &mut self.books);
        }
        while let Some(aged) = self.books.pop_aged(now) {
            if let Some(shard) = self.shards.get_mut(usize::from(aged.shard)) {
                shard.age(aged.offset, &mut self.books);
            }
        }
    }

    fn read(&mut self, now: Timestamp, command: ReadCommand, out: &mut Vec<(WorkerId, LogEvent)>) {
        let (id, bytes, now, request) = match command {
            ReadCommand::Cancel(id) => {
                self.reads.remove(&id);
                return;
            }
            ReadCommand::Next(id, bytes) => (id, bytes, now, None),
            ReadCommand::Open(request) => (request.id, request.bytes, now.max(request.now), Some(request)),
        };
        self.let_go(now);
        if let (Some(request), Some(shard)) = (request, self.shards.get(usize::from(id.shard))) {
            self.reads.insert(id, Read::open(shard, &request));
        }
        let slice = match (self.reads.get_mut(&id), self.shards.get(usize::from(id.shard))) {
            (Some(read), Some(shard)) => read.slice(id, now, shard, &self.books, bytes),
            // a shard that isn't there, or a read of before a crash: each step is answered
            _ => {
                ReadSlice { id, messages: MessageBatch::new(id.worker), reached: 0, at_end: true, lost: None }
            }
        };
        out.push((id.worker, LogEvent::Slice(slice)));
    }

    fn start_of(&self, shard: &Shard, now: Timestamp) -> ShardStart {
        let used = shard.last.max(shard.reserved.saturating_sub(1));
        let state = shard.state.iter();
        ShardStart {
            used,
            reserved: shard.reserved.max(used + 1),
            intact: if self.crashed { shard.last } else { used },
            committed_stays: true,
            values: self.values(shard, now),
            state: state.map(|(key, value)| StateValue { key: key.clone(), value: value.clone() }).collect(),
        }
    }

    /// The last values in order.
    fn values(&self, shard: &Shard, now: Timestamp) -> Vec<MessageBatch> {
        let mut offsets: Vec<u64> =
            shard.topics.values().filter_map(|topic| self.value_of(shard, topic, now)).collect();
        offsets.sort_unstable();
        let mut values: Vec<MessageBatch> = Vec::new();
        for record in offsets.iter().filter_map(|offset| shard.records.get(offset)) {
            let Some(topic) = shard.topics.get(&record.topic) else { continue };
            if record.ends || record.is_expired(now) {
                continue;
            }
            if values.last().is_none_or(|batch| batch.len() + record.tail.len() > VALUES_BYTES) {
                values.push(MessageBatch::new(WorkerId(0)));
            }
            if let Some(batch) = values.last_mut() {
                batch.push_encoded(topic.hash, 0, record.has_options, &record.tail);
            }
        }
        values
    }

    /// A topic's newest record, if its rule holds that, else the retained one.
    fn value_of(&self, shard: &Shard, topic: &Topic, now: Timestamp) -> Option<u64> {
        if topic.rule.is_some() && topic.is_expired(now) {
            return None; // nothing older takes its place
        }
        let is_held = |offset: &u64| {
            let record = shard.records.get(offset);
            record.is_some_and(|record| record.held && !self.books.is_aged(topic.rule, record.time, now))
        };
        Some(topic.newest).filter(is_held).or(topic.retained)
    }
}
