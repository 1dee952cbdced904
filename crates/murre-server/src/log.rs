//! The log that the shards of this process write to.

use std::sync::Arc;

use murre_core::{
    ids::WorkerId,
    log::{KeepRules, Log, LogCommand, LogEvent, MemoryLog},
};
use parking_lot::Mutex;

use crate::clock::Clock;

/// Where a log's answers go.
pub(crate) type Sink = Box<dyn Fn(WorkerId, LogEvent) + Send + Sync>;

/// A log in memory, for all workers.
pub(crate) struct InMemory {
    log: Mutex<MemoryLog>,
    clock: Clock,
    sink: Sink,
}

impl InMemory {
    /// An empty log that holds at most `bytes_max` bytes.
    pub(crate) fn new(shards: u8, rules: Arc<KeepRules>, bytes_max: u64, clock: Clock, sink: Sink) -> Self {
        Self { log: Mutex::new(MemoryLog::new(shards, rules, bytes_max)), clock, sink }
    }
}

impl Log for InMemory {
    fn send(&self, command: LogCommand) {
        let mut answers = Vec::new();
        self.log.lock().handle(self.clock.now().wall, command, &mut answers);
        for (worker, event) in answers {
            (self.sink)(worker, event);
        }
    }
}
