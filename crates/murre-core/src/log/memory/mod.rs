//! A log in memory: for brokers without a store, and for simulations.
//!
//! Pure: it commits what it is handed at once, and says so. A process that dies between append and commit is one
//! whose commands were not handed over.

use std::sync::Arc;

use hashbrown::HashMap;
use murre_protocol::Timestamp;

use super::{KeepRules, LogBatch, LogCommand, LogEvent, ReadCommand, ReadId, ShardStart, Start, StateValue};
use crate::ids::WorkerId;
use read::Read;
use shard::MemoryShard;

mod read;
mod shard;
#[cfg(test)]
mod tests;

/// A log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    rules: Arc<KeepRules>,
    shards: Vec<MemoryShard>,
    reads: HashMap<ReadId, Read>,
    floors: HashMap<WorkerId, Vec<u64>>,
    totals: Totals,
}

/// What all shards hold together.
#[derive(Debug)]
struct Totals {
    bytes: u64,
    bytes_max: u64,
    /// By rule.
    of_rules: Vec<u64>,
}

impl MemoryLog {
    /// An empty log of so many shards, that holds at most `bytes_max` bytes of tails; past it the oldest go.
    pub fn new(shards: u8, rules: Arc<KeepRules>, bytes_max: u64) -> Self {
        let of_rules = vec![0; rules.all().len()];
        Self {
            shards: (0..shards).map(|_| MemoryShard::default()).collect(),
            rules,
            reads: HashMap::new(),
            floors: HashMap::new(),
            totals: Totals { bytes: 0, bytes_max, of_rules },
        }
    }

    /// Does what it is told; what it answers goes to the workers named.
    pub fn handle(&mut self, now: Timestamp, command: LogCommand, out: &mut Vec<(WorkerId, LogEvent)>) {
        match command {
            LogCommand::Append(batch) => {
                self.append(now, &batch);
                out.push((batch.worker, LogEvent::Committed { serial: batch.serial, result: Ok(()) }));
            }
            LogCommand::Read(command) => self.read(now, command, out),
            LogCommand::Reserve { worker, shard, end } => {
                if let Some(known) = self.shards.get_mut(usize::from(shard)) {
                    known.reserved = known.reserved.max(end);
                }
                out.push((worker, LogEvent::Reserved { shard, end }));
            }
            LogCommand::Floors { worker, floors } => {
                self.floors.insert(worker, floors);
                for number in 0..self.shards.len() {
                    let floor = self.floor(number);
                    if let Some(shard) = self.shards.get_mut(number) {
                        shard.set_floor(floor, &mut self.totals);
                    }
                }
            }
        }
    }

    /// What a broker that begins now finds.
    pub fn start(&self, now: Timestamp) -> Start {
        let shard = |shard: &MemoryShard| ShardStart {
            used: shard.last.max(shard.reserved.saturating_sub(1)),
            reserved: shard.reserved,
            intact: shard.last,
            values: shard.values(now),
            state: shard
                .state
                .iter()
                .map(|(key, value)| StateValue { key: key.clone(), value: value.clone() })
                .collect(),
        };
        Start { epoch: "memory".into(), seed: 0, shards: self.shards.iter().map(shard).collect() }
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.shards.iter().map(|shard| shard.records.len()).sum()
    }

    /// Bytes of their tails.
    pub fn bytes(&self) -> u64 {
        self.totals.bytes
    }

    fn append(&mut self, now: Timestamp, batch: &LogBatch) {
        for record in batch.records() {
            if let Some(shard) = self.shards.get_mut(usize::from(record.position.shard())) {
                shard.append(now, &self.rules, batch, record, &mut self.totals);
            }
        }
        for change in batch.state() {
            let Some(shard) = self.shards.get_mut(usize::from(change.shard)) else { continue };
            match change.value {
                Some(value) => _ = shard.state.insert(change.key.into(), value.into()),
                None => _ = shard.state.remove(change.key),
            }
        }
    }

    fn read(&mut self, now: Timestamp, command: ReadCommand, out: &mut Vec<(WorkerId, LogEvent)>) {
        let (id, bytes) = match command {
            ReadCommand::Cancel(id) => {
                self.reads.remove(&id);
                return;
            }
            ReadCommand::Next(id, bytes) => (id, bytes),
            ReadCommand::Open(request) => {
                let Some(shard) = self.shards.get_mut(usize::from(request.id.shard)) else { return };
                shard.age(now, &self.rules, &mut self.totals);
                self.reads.insert(request.id, Read::open(shard, &request));
                (request.id, request.bytes)
            }
        };
        if let (Some(read), Some(shard)) =
            (self.reads.get_mut(&id), self.shards.get_mut(usize::from(id.shard)))
        {
            shard.age(now, &self.rules, &mut self.totals);
            out.push((id.worker, LogEvent::Slice(read.slice(id, now, &self.rules, shard, bytes))));
        }
    }

    /// What durable sessions need of a shard lies past this.
    fn floor(&self, shard: usize) -> u64 {
        let floors = self.floors.values().filter_map(|floors| floors.get(shard).copied());
        floors.min().unwrap_or(u64::MAX)
    }
}
