//! The log that the shards of this process write to.

use std::sync::Arc;

use murre_core::{
    ids::WorkerId,
    log::{KeepRules, Log, LogCommand, LogEvent, MemoryLog, Start},
    placement::SHARDS_DEFAULT,
};
use murre_store::{Copier, Opened, Options, Stats, Store, StoreError, WhenFull};
use parking_lot::Mutex;

use crate::{
    clock::Clock,
    config::{self, Config, SyncMode},
};

/// Where a log's answers go.
pub(crate) type Sink = Box<dyn Fn(WorkerId, LogEvent) + Send + Sync>;

/// A log, in memory or on disk.
pub(crate) enum AnyLog {
    Memory(Box<InMemory>),
    Disk(Box<Store>),
}

/// What a log was found to hold when the process began.
pub(crate) struct Begun {
    pub(crate) log: AnyLog,
    /// Names the run of positions; none where it is new with each process.
    pub(crate) start: Option<Start>,
}

/// Opens the log that a configuration asks for.
///
/// # Errors
/// The store can't be opened.
pub(crate) fn open(
    config: &Config,
    rules: &Arc<KeepRules>,
    workers: usize,
    clock: Clock,
    sink: Sink,
) -> Result<Begun, StoreError> {
    let store = &config.store;
    let Some(path) = &store.path else {
        let log = MemoryLog::new(SHARDS_DEFAULT, rules.clone(), store.memory_bytes_max as u64);
        let log = AnyLog::Memory(Box::new(InMemory { log: Mutex::new(log), clock, sink }));
        return Ok(Begun { log, start: None });
    };
    let options = Options {
        sync: match store.sync {
            SyncMode::Always => murre_store::Sync::Always,
            SyncMode::Interval => murre_store::Sync::Interval(store.sync_interval),
            SyncMode::Never => murre_store::Sync::Never,
        },
        keep: KeepRules::clone(rules),
        bytes_max: store.bytes_max.map(|bytes| bytes as u64),
        when_full: match store.when_full {
            config::WhenFull::Refuse => WhenFull::Refuse,
            config::WhenFull::DropOldest => WhenFull::DropOldest,
        },
        workers: workers as u8,
        ..Options::default()
    };
    let (log, Opened { start, journal, damaged }) = Store::open(path, options, sink)?;
    for damage in &journal {
        tracing::warn!("{}: {damage:?}", path.display());
    }
    if damaged > 0 {
        tracing::error!(
            "{}: {damaged} records or entries could not be read; the rest is there",
            path.display()
        );
    }
    Ok(Begun { log: AnyLog::Disk(Box::new(log)), start: Some(start) })
}

impl AnyLog {
    /// Takes a command.
    pub(crate) fn send(&self, command: LogCommand) {
        match self {
            Self::Memory(log) => log.send(command),
            Self::Disk(store) => store.send(command),
        }
    }

    /// What the store has counted, where there is one.
    pub(crate) fn stats(&self) -> Option<Stats> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(store) => Some(store.stats()),
        }
    }

    /// What copies the store, where there is one.
    pub(crate) fn copier(&self) -> Option<Copier> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(store) => Some(store.copier()),
        }
    }

    /// Ends it in order: what was sent is done, and the next start knows that nothing is missing.
    pub(crate) fn close(self, used: Vec<u64>) {
        if let Self::Disk(store) = self {
            store.close(used);
        }
    }
}

/// A log in memory, for all workers.
pub(crate) struct InMemory {
    log: Mutex<MemoryLog>,
    clock: Clock,
    sink: Sink,
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
