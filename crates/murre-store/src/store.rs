//! The store: its threads, and the door to them.

use std::{path::Path, sync::Arc, thread::JoinHandle};

use murre_core::{
    ids::WorkerId,
    log::{Log, LogCommand, ReadCommand, ReadId, Start},
    placement::Placement,
};
use parking_lot::Mutex;

use crate::{
    backup::{Backup, Copier, backup},
    error::StoreError,
    inbox::Inbox,
    journal::JournalDamage,
    options::Options,
    reader, recover,
    retention::{self, Sweeper},
    shared::{Shared, Sink},
    stats::Stats,
    writer::{Request, Writer},
};

/// A log on disk. See the [crate's page](crate).
///
/// Methods are of three kinds: [`Store::open`]; what the engine asks for, by [`Log::send`]; and what an operator wants
/// to know or to have ([`Store::stats`]). [`Store::close`] ends it in order; where
/// it is just dropped, what was sent is still done, but the next start takes it for a crash.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    writer: Arc<Inbox<Request>>,
    readers: Vec<Arc<Inbox<ReadCommand>>>,
    sweeper: Arc<Mutex<Sweeper>>,
    sweeps: Arc<Inbox<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// What [`Store::open`] found.
#[derive(Debug)]
pub struct Opened {
    /// What the engine has to know.
    pub start: Start,
    /// What was damaged in the journal and was taken out of it.
    pub journal: Vec<JournalDamage>,
    /// Other blocks, records and entries that could not be read.
    pub damaged: u64,
}

impl Store {
    /// Opens the store in a directory, or makes one there. `sink` takes what the store has to say, on the store's own
    /// threads, and must not wait; it may be called before this returns.
    ///
    /// # Errors
    /// Says who holds it, that its format is a later one, or what is damaged, and what to do.
    pub fn open(path: impl AsRef<Path>, options: Options, sink: Sink) -> Result<(Self, Opened), StoreError> {
        let path = path.as_ref();
        check_options(&options)?;
        let (mut parts, findings) = recover::open(path, &options)?;
        let start = recover::start(path, &mut parts, &options, &findings)?;
        let readers: Vec<_> = (0..options.readers).map(|_| Arc::new(Inbox::default())).collect();
        let shared = Arc::new(Shared::new(parts, options, sink));
        shared.counters.damaged.add(findings.damaged);
        let (sweeper, sweeps) = (Arc::default(), Arc::default());
        let mut store =
            Self { shared, writer: Arc::default(), readers, sweeper, sweeps, threads: Vec::new() };
        store.spawn_all().map_err(StoreError::io("start threads for", path))?;
        Ok((store, Opened { start, journal: findings.journal, damaged: findings.damaged }))
    }

    fn spawn_all(&mut self) -> std::io::Result<()> {
        let writer = Writer::new(self.shared.clone(), self.writer.clone());
        self.spawn("store-writer", move || writer.run())?;
        for inbox in self.readers.clone() {
            let shared = self.shared.clone();
            self.spawn("store-reader", move || reader::run(&shared, &inbox))?;
        }
        if self.shared.options.delete {
            let (shared, sweeper, inbox) = (self.shared.clone(), self.sweeper.clone(), self.sweeps.clone());
            self.spawn("store-sweeper", move || retention::run(&shared, &sweeper, &inbox))?;
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(run)?);
        Ok(())
    }

    /// Does what was sent, writes that nothing is under way any more, and ends. `used` is the greatest offset that
    /// each shard has used, in a message that went to the log or not.
    pub fn close(self, used: Vec<u64>) {
        self.writer.put(Request::Close(used));
    }

    /// What was counted since it was opened, and how large it is.
    pub fn stats(&self) -> Stats {
        let mut stats = self.shared.counters.stats();
        for shard in &self.shared.shards {
            let shard = shard.lock();
            stats.records += shard.records();
            stats.record_bytes += shard.bytes();
            stats.topics += shard.topics.len() as u64;
        }
        if let Some(db) = self.shared.db() {
            stats.table_bytes = db.table_bytes();
            stats.journal_bytes = db.database.journal_disk_space().unwrap_or_default();
        }
        stats
    }

    /// Deletes what isn't kept any more, now rather than in the background. What is in the newest megabyte of a shard
    /// stays.
    ///
    /// # Errors
    /// Where reading or writing failed; what was deleted before stays deleted.
    pub fn delete_now(&self) -> Result<(), StoreError> {
        self.sweeper.lock().sweep(&self.shared).map_err(|error| self.shared.engine_error(error))
    }

    /// Writes what the engine has in memory into tables, so that the next start has less of the journal to read.
    ///
    /// # Errors
    /// Where writing failed.
    pub fn flush(&self) -> Result<(), StoreError> {
        let db = self.shared.db().ok_or(StoreError::Unavailable("a write has failed before"))?;
        db.flush().map_err(|error| self.shared.engine_error(error))
    }

    /// Writes a copy of everything that was committed by now into a directory that is empty or isn't there yet, while
    /// the store goes on. The copy is a store of its own, with a new epoch.
    ///
    /// # Errors
    /// Where the directory isn't empty, or reading or writing failed; what was written then is no store.
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<Backup, StoreError> {
        backup(&self.shared, target.as_ref())
    }

    /// What makes such copies, for a thread of its own: it outlives a store that is closed meanwhile.
    pub fn copier(&self) -> Copier {
        Copier { shared: self.shared.clone() }
    }

    /// Names the run of positions.
    pub fn epoch(&self) -> &str {
        &self.shared.epoch
    }

    /// Which shard has which topics.
    pub(crate) fn placement(&self) -> Placement {
        self.shared.placement
    }

    fn reader(&self, id: ReadId) -> Option<&Inbox<ReadCommand>> {
        let number = id.serial.wrapping_add(u64::from(id.worker.0)).wrapping_add(u64::from(id.shard));
        let place = number.checked_rem(self.readers.len() as u64)? as usize;
        self.readers.get(place).map(Arc::as_ref)
    }

    fn append_bytes(&self, worker: WorkerId, request: Request) {
        self.shared.counters.queue_bytes.add(request.bytes() as u64);
        if !self.writer.put(request) {
            tracing::error!(?worker, "something was sent to a store that is closed");
        }
    }
}

impl Log for Store {
    fn send(&self, command: LogCommand) {
        match command {
            LogCommand::Append(batch) => self.append_bytes(batch.worker, Request::Append(batch)),
            LogCommand::Reserve { worker, shard, end } => {
                self.append_bytes(worker, Request::Reserve { worker, shard, end });
            }
            LogCommand::Floors { worker, floors, needs } => self.shared.set_floors(worker, floors, &needs),
            LogCommand::Read(command) => {
                let (ReadCommand::Next(id, _) | ReadCommand::Cancel(id)) = command else {
                    let ReadCommand::Open(request) = &command else { return };
                    let id = request.id;
                    self.reader(id).map(|reader| reader.put(command));
                    return;
                };
                self.reader(id).map(|reader| reader.put(command));
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.writer.close();
        self.readers.iter().for_each(|reader| reader.close());
        self.sweeps.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store has died");
            }
        }
    }
}

fn check_options(options: &Options) -> Result<(), StoreError> {
    if !(1..=64).contains(&options.shards) {
        return Err(StoreError::Options("a store has 1 to 64 shards"));
    }
    if !(1..=16).contains(&options.readers) {
        return Err(StoreError::Options("a store has 1 to 16 reading threads"));
    }
    Ok(())
}
