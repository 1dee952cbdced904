//! What happens after a write or a sync has failed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use murre_core::log::LogRefusal;

use super::Writer;
use crate::{
    db::Db,
    journal,
    options::Sync,
    recover::{Findings, read_shards},
};

/// What stands in the way of writing.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What batches are answered meanwhile.
    pub(super) refusal: LogRefusal,
    /// When it is tried again at the earliest.
    pub(super) retry_at: Instant,
    wait: Duration,
}

const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(2);
/// What the disk must take before it is tried again: enough for the engine to open, which writes a new journal, and
/// to go on for a while.
const ROOM_BYTES: usize = 8 << 20;
/// Nobody holds the engine for longer than a step of work takes.
const HANDS_OFF: Duration = Duration::from_secs(10);

impl Writer {
    /// Takes note of a failure. Nothing is written until the engine was opened again; reads go on with what they
    /// could see before.
    pub(super) fn fail(&mut self, error: &fjall::Error) -> LogRefusal {
        self.shared.counters.failures.add(1);
        let mut refusal = refusal_of(error);
        if matches!(error, fjall::Error::Poisoned) {
            // one of the engine's own threads failed before, and only it knows why
            let room = self.shared.directory.has_room(ROOM_BYTES);
            refusal = room.map_or_else(|error| refusal_of_io(&error), |()| refusal);
        }
        tracing::error!(%error, "the store could not write; acknowledgements fail until it can");
        self.sync_at = None;
        self.trouble = Some(Trouble { refusal, retry_at: Instant::now() + WAIT_MIN, wait: WAIT_MIN });
        refusal
    }

    /// Tries to write again where it is time.
    pub(super) fn recover_if_due(&mut self) {
        let Some(trouble) = &mut self.trouble else { return };
        if trouble.retry_at > Instant::now() {
            return;
        }
        trouble.wait = (trouble.wait * 2).min(WAIT_MAX);
        let wait = trouble.wait;
        match self.reopen() {
            Ok(()) => {
                self.trouble = None;
                self.shared.counters.reopened.add(1);
                tracing::warn!("the store writes again");
            }
            Err((refusal, what)) => {
                tracing::warn!(what, "the store can't write yet");
                self.trouble = Some(Trouble { refusal, retry_at: Instant::now() + wait, wait });
            }
        }
    }

    /// Opens the engine again.
    ///
    /// After a failed sync the kernel may have thrown away what it could not write, and calls the pages clean: a
    /// later sync that succeeds says nothing about them, and neither does reading them. What came behind the last batch
    /// that was acknowledged was refused; it is taken out of the journal, so that it can't turn up later.
    ///
    /// Under `sync = always` what was acknowledged is on the disk by a sync that succeeded, so it is enough to cut the
    /// journal behind it: the page that the cut goes through is written again with the next sync. Under the other
    /// settings some of what was acknowledged may be among what was thrown away. There the journal is written anew
    /// into another file, so that what can still be read is surely on the disk; where there is no room for that, it
    /// is cut too, and promises no more than those settings do.
    fn reopen(&mut self) -> Result<(), (LogRefusal, String)> {
        let shared = self.shared.clone();
        shared.directory.has_room(ROOM_BYTES).map_err(|error| (refusal_of_io(&error), error.to_string()))?;
        let _write_lock = shared.write_lock.lock();
        let failed = |what: String| (LogRefusal::Failed, what);
        if let Some(mut db) = shared.take_db() {
            let since = Instant::now();
            // the last one to let go closes the engine's files
            loop {
                match Arc::try_unwrap(db) {
                    Ok(last) => break drop(last),
                    Err(held) if since.elapsed() > HANDS_OFF => {
                        shared.put_db(held);
                        return Err(failed("something holds the engine for too long".into()));
                    }
                    Err(held) => db = held,
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let engine = shared.directory.engine();
        let cut = match shared.options.sync {
            Sync::Always => journal::cut(&engine, self.acknowledged),
            Sync::Interval(_) | Sync::Never => journal::rewrite(&engine, self.acknowledged)
                .or_else(|_| journal::cut(&engine, self.acknowledged)),
        };
        cut.map_err(|error| (refusal_of_io(&error), format!("cutting the journal: {error}")))?;
        let db = Db::open(&engine, shared.options.cache_bytes)
            .map_err(|error| (refusal_of(&error), error.to_string()))?;
        let path = shared.directory.path();
        let count = shared.shards.len() as u8;
        let shards = read_shards(path, &db, count, shared.rules(), &mut Findings::default())
            .map_err(|error| failed(error.to_string()))?;
        for (known, read) in shared.shards.iter().zip(shards) {
            let mut known = known.lock();
            if read.committed < known.committed {
                let (shard, had, has) = (read.number, known.committed, read.committed);
                tracing::error!(shard, had, has, "the disk has lost messages that it had taken");
            }
            *known = read;
        }
        self.acknowledged = db.database.visible_seqno();
        shared.put_db(Arc::new(db));
        Ok(())
    }
}

fn refusal_of(error: &fjall::Error) -> LogRefusal {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => refusal_of_io(error),
        _ => LogRefusal::Failed,
    }
}

fn refusal_of_io(error: &std::io::Error) -> LogRefusal {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => LogRefusal::DiskFull,
        _ => LogRefusal::Failed,
    }
}
