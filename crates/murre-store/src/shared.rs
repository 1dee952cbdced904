//! What the threads of a store share.

use std::sync::Arc;

use fjall::{OwnedWriteBatch as WriteBatch, PersistMode};
use murre_core::{
    ids::WorkerId,
    log::{KeepRules, LogEvent, NeedChanges, Needs},
    placement::Placement,
};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::{
    db::Db, directory::Directory, error::StoreError, mirror::Mirror, options::Options, shard::Shard,
    stats::Counters,
};

/// Takes what the log tells the engine part of a worker. Called on the store's own threads; must not wait.
pub type Sink = Box<dyn Fn(WorkerId, LogEvent) + Send + Sync>;

/// What the threads of a store share.
pub(crate) struct Shared {
    pub(crate) directory: Directory,
    pub(crate) options: Options,
    pub(crate) epoch: String,
    pub(crate) placement: Placement,
    pub(crate) counters: Counters,
    pub(crate) shards: Vec<Mutex<Shard>>,
    pub(crate) sink: Sink,
    /// What durable sessions need, by worker.
    pub(crate) floors: Mutex<Vec<Option<Vec<u64>>>>,
    needs: Mutex<Needs>,
    /// Held over what is written and the change in memory that belongs to it: by the writer for a commit, by the
    /// deletion for a bounded slice of work, and by nobody else.
    pub(crate) write_lock: Mutex<()>,
    /// What the next commits do wrong.
    #[cfg(feature = "testing")]
    pub(crate) faults: Mutex<std::collections::VecDeque<crate::testing::DiskFault>>,
    /// The engine; none while it is opened again after a failure.
    db: RwLock<Option<Arc<Db>>>,
}

impl Shared {
    pub(crate) fn new(parts: Parts, options: Options, sink: Sink) -> Self {
        Self {
            directory: parts.directory,
            options,
            epoch: parts.epoch,
            placement: parts.placement,
            counters: Counters::default(),
            shards: parts.shards.into_iter().map(Mutex::new).collect(),
            sink,
            floors: Mutex::default(),
            needs: Mutex::default(),
            write_lock: Mutex::default(),
            #[cfg(feature = "testing")]
            faults: Mutex::default(),
            db: RwLock::new(Some(Arc::new(parts.db))),
        }
    }

    /// The engine, for one step of work and no longer; none while it is opened again.
    pub(crate) fn db(&self) -> Option<Arc<Db>> {
        self.db.read().clone()
    }

    /// Takes the engine away from all, to put another in its place.
    pub(crate) fn take_db(&self) -> Option<Arc<Db>> {
        self.db.write().take()
    }

    /// Puts the engine back.
    pub(crate) fn put_db(&self, db: Arc<Db>) {
        *self.db.write() = Some(db);
    }

    /// Commits a batch of the engine; under test it may fail on purpose.
    pub(crate) fn commit(&self, batch: WriteBatch, mode: PersistMode) -> Result<(), fjall::Error> {
        #[cfg(feature = "testing")]
        if let Some(fault) = self.faults.lock().pop_front() {
            return fault.commit(batch);
        }
        batch.durability(Some(mode)).commit()
    }

    /// A shard.
    pub(crate) fn shard(&self, number: u8) -> Option<&Mutex<Shard>> {
        self.shards.get(usize::from(number))
    }

    /// The rules that say what is kept.
    pub(crate) fn rules(&self) -> &KeepRules {
        &self.options.keep
    }

    /// Records of any topic past this offset of a shard may be needed by a kept session.
    pub(crate) fn floor(&self, shard: u8) -> u64 {
        let floors = self.floors.lock();
        let said = floors.iter().flatten().count();
        if said < usize::from(self.options.workers) {
            return 0;
        }
        let of_shard = floors.iter().flatten().filter_map(|floors| floors.get(usize::from(shard)));
        of_shard.copied().min().unwrap_or(u64::MAX)
    }

    /// What single subscriptions of kept sessions need before that.
    pub(crate) fn needs(&self) -> MutexGuard<'_, Needs> {
        self.needs.lock()
    }

    /// What kept sessions need of a worker's shards.
    pub(crate) fn set_floors(&self, worker: WorkerId, of_worker: Vec<u64>, needs: &NeedChanges) {
        // in this order, and read in the other one: what is needed is never missing between them
        self.needs.lock().apply(worker, needs);
        let mut floors = self.floors.lock();
        if floors.len() <= worker.index() {
            floors.resize(worker.index() + 1, None);
        }
        if let Some(place) = floors.get_mut(worker.index()) {
            *place = Some(of_worker);
        }
    }

    /// Bytes that the store is judged by: what is in its records, or what they take on disk, whichever is more.
    pub(crate) fn bytes(&self) -> u64 {
        self.record_bytes().max(self.db().map_or(0, |db| db.table_bytes()))
    }

    /// Bytes of all records with what belongs to them.
    pub(crate) fn record_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().bytes()).sum()
    }

    /// An error about this store's directory.
    pub(crate) fn engine_error(&self, error: fjall::Error) -> StoreError {
        StoreError::engine(self.directory.path())(error)
    }
}

/// What was found when a store was opened. Dropped in this order: the engine, its files, the lock.
pub(crate) struct Parts {
    pub(crate) epoch: String,
    pub(crate) placement: Placement,
    pub(crate) shards: Vec<Shard>,
    pub(crate) db: Db,
    /// Where the engine was opened, if not in the store's own files.
    pub(crate) _mirror: Option<Mirror>,
    pub(crate) directory: Directory,
}
