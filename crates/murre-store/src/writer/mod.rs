//! The thread that writes: one for all shards.
//!
//! It takes everything that waits, writes it as one batch of the engine, syncs as the setting says, and only then
//! changes what readers see and answers. So nothing that may be missing after a failure was ever seen or reported.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fjall::PersistMode;
use murre_core::{
    ids::WorkerId,
    log::{Failures, LogBatch, LogEvent, LogRefusal},
};

use crate::{
    inbox::{Inbox, Taken},
    options::{Sync, WhenFull},
    shared::Shared,
    stage::Stage,
};

mod commit;
mod reopen;

/// Bytes that one commit takes of what waits; bounds how long it takes, and the memory for it.
const COMMIT_BYTES: usize = 4 << 20;

/// What the writer is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Commit a batch.
    Append(Arc<LogBatch>),
    /// Reserve offsets.
    Reserve {
        /// Who asks.
        worker: WorkerId,
        /// Of which shard.
        shard: u8,
        /// The first that isn't needed.
        end: u64,
    },
    /// Write that nothing is under way, with the greatest offset that each shard used.
    Close(Vec<u64>),
}

/// The writing thread's own.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    inbox: Arc<Inbox<Request>>,
    /// Whether something waits for the next sync, and when that is.
    sync_at: Option<Instant>,
    /// What stands in the way of writing, after a failure.
    trouble: Option<reopen::Trouble>,
    /// The engine's number of the last batch that was reported as committed.
    acknowledged: u64,
    failures: Failures,
    full: Fullness,
    /// By shard, for every commit anew.
    stages: Vec<Stage>,
}

/// How full the store is, looked at now and then.
#[derive(Debug, Default)]
struct Fullness {
    is_full: bool,
    looked_at: Option<Instant>,
    written: u64,
}

/// How often it is looked how full the store is: after this time, or after this share of what it may have.
const LOOK: Duration = Duration::from_millis(200);
const LOOK_SHARE: u64 = 64;

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, inbox: Arc<Inbox<Request>>) -> Self {
        let acknowledged = shared.db().map_or(0, |db| db.database.visible_seqno());
        let (failures, full) = (Failures::default(), Fullness::default());
        let stages = shared.shards.iter().map(|_| Stage::default()).collect();
        Self { shared, inbox, sync_at: None, trouble: None, acknowledged, failures, full, stages }
    }

    /// Runs until the inbox is closed and empty.
    pub(crate) fn run(mut self) {
        let mut requests = Vec::new();
        loop {
            let mut bytes = 0;
            let until = [self.sync_at, self.trouble.as_ref().map(|trouble| trouble.retry_at)];
            let until = until.into_iter().flatten().min();
            let taken = self.inbox.take(until, &mut requests, |request| {
                bytes += request.bytes();
                bytes < COMMIT_BYTES
            });
            if taken == Taken::Closed {
                break;
            }
            self.recover_if_due();
            self.serve(&mut requests);
            self.sync_if_due();
        }
        if self.sync_at.is_some() {
            self.sync();
        }
    }

    fn serve(&mut self, requests: &mut Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        let waited: usize = requests.iter().map(Request::bytes).sum();
        if self.trouble.is_some() {
            let refusal = self.trouble.as_ref().map_or(LogRefusal::Failed, |trouble| trouble.refusal);
            self.refuse(requests, refusal);
        } else {
            let is_full = self.is_full();
            if let Err(error) = self.commit(requests, is_full) {
                let refusal = self.fail(&error);
                self.refuse(requests, refusal);
            }
        }
        requests.clear();
        self.shared.counters.queue_bytes.sub(waited as u64);
    }

    /// Answers what won't be done.
    fn refuse(&mut self, requests: &[Request], refusal: LogRefusal) {
        for request in requests {
            if let Request::Append(batch) = request {
                self.failures.note(batch, refusal);
                self.shared.counters.refused.add(1);
                let event = LogEvent::Committed { serial: batch.serial, result: Err(refusal) };
                (self.shared.sink)(batch.worker, event);
            }
        }
    }

    /// Whether records are to be refused for want of room.
    fn is_full(&mut self) -> bool {
        let Some(bytes_max) = self.shared.options.bytes_max else { return false };
        if self.shared.options.when_full != WhenFull::Refuse {
            return false;
        }
        let now = Instant::now();
        let written = self.shared.counters.bytes.get();
        let is_much = written - self.full.written > bytes_max / LOOK_SHARE;
        if is_much || self.full.looked_at.is_none_or(|at| now.duration_since(at) >= LOOK) {
            let was_full = self.full.is_full;
            let is_full = self.shared.bytes() >= bytes_max;
            self.full = Fullness { is_full, looked_at: Some(now), written };
            if self.full.is_full && !was_full {
                tracing::warn!(
                    bytes_max,
                    "the store is full; what would be kept is refused until there is room"
                );
            }
        }
        self.full.is_full
    }

    fn sync_if_due(&mut self) {
        if self.sync_at.is_some_and(|at| at <= Instant::now()) {
            self.sync();
        }
    }

    fn sync(&mut self) {
        self.sync_at = None;
        let Some(db) = self.shared.db() else { return };
        self.shared.counters.syncs.add(1);
        let result = db.database.persist(PersistMode::SyncData);
        drop(db);
        if let Err(error) = result {
            self.fail(&error);
        }
    }

    /// How a commit goes to disk, and when the next sync is due.
    fn durability(&mut self, has_to_last: bool) -> PersistMode {
        let sync = self.shared.options.sync;
        if has_to_last || sync == Sync::Always {
            self.shared.counters.syncs.add(1);
            return PersistMode::SyncData;
        }
        if let Sync::Interval(interval) = sync {
            self.sync_at.get_or_insert_with(|| Instant::now() + interval);
        }
        PersistMode::Buffer
    }
}

impl Request {
    /// Bytes that wait with it.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append(batch) => batch.len(),
            Self::Reserve { .. } | Self::Close(_) => 0,
        }
    }
}
