//! A copy of a store, while it is in use.

use std::{path::Path, sync::Arc};

use fjall::{OwnedWriteBatch as WriteBatch, PersistMode, Readable, Snapshot};

use crate::{
    db::Db,
    directory::Directory,
    error::StoreError,
    format::{Block, ShardEntry, keys},
    recover::new_epoch,
    shared::Shared,
};

/// The copy is written in pieces of so many bytes.
const PIECE_BYTES: usize = 4 << 20;

/// What [`Store::backup`](crate::Store::backup) has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The new name for its run of positions: what comes after in the one store never comes in the other, so that
    /// positions of one must not be taken for those of the other.
    pub epoch: String,
    /// Entries.
    pub entries: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// Makes copies of a store; from [`Store::copier`](crate::Store::copier).
pub struct Copier {
    pub(crate) shared: Arc<Shared>,
}

impl Copier {
    /// See [`Store::backup`](crate::Store::backup).
    ///
    /// # Errors
    /// As there.
    pub fn copy(&self, target: impl AsRef<Path>) -> Result<Backup, StoreError> {
        backup(&self.shared, target.as_ref())
    }
}

/// Copies all that was committed when it began.
pub(crate) fn backup(shared: &Shared, target: &Path) -> Result<Backup, StoreError> {
    let (directory, there) = Directory::take(target, true)?;
    if there {
        return Err(StoreError::NotEmpty { path: target.into() });
    }
    let failed = StoreError::engine(target);
    let copy = Db::open(&directory.engine(), 8 << 20).map_err(&failed)?;
    let db = shared.db().ok_or(StoreError::Unavailable("a write has failed before"))?;
    let mut copying = Copying { batch: copy.database.batch(), copy: &copy, waiting: 0, entries: 0, bytes: 0 };
    let snapshot = db.database.snapshot();
    for ((name, from), (_, to)) in db.keyspaces().into_iter().zip(copy.keyspaces()) {
        if name == "meta" {
            continue;
        }
        for guard in snapshot.iter(from) {
            let (key, value) = guard.into_inner().map_err(|error| shared.engine_error(error))?;
            copying.put(to, key, value).map_err(&failed)?;
            if shared.db().is_none() {
                // it waits for us to let go, so that it can open the engine again
                return Err(StoreError::Unavailable("a write has failed during the backup"));
            }
        }
    }
    let epoch = new_epoch();
    copying.meta(shared, &snapshot, &db, &epoch).map_err(&failed)?;
    let Copying { batch, entries, bytes, .. } = copying;
    batch.durability(Some(PersistMode::SyncAll)).commit().map_err(&failed)?;
    copy.flush().map_err(&failed)?;
    copy.database.persist(PersistMode::SyncAll).map_err(&failed)?;
    directory.finish()?;
    Ok(Backup { epoch, entries, bytes })
}

struct Copying<'a> {
    copy: &'a Db,
    batch: WriteBatch,
    waiting: usize,
    entries: u64,
    bytes: u64,
}

impl Copying<'_> {
    fn put(
        &mut self,
        to: &fjall::Keyspace,
        key: fjall::UserKey,
        value: fjall::UserValue,
    ) -> Result<(), fjall::Error> {
        let length = key.len() + value.len();
        self.batch.insert(to, key, value);
        self.waiting += length;
        self.entries += 1;
        self.bytes += length as u64;
        if self.waiting < PIECE_BYTES {
            return Ok(());
        }
        self.waiting = 0;
        self.copy.wait_for_room()?;
        let batch = std::mem::replace(&mut self.batch, self.copy.database.batch());
        batch.durability(Some(PersistMode::Buffer)).commit()
    }

    fn meta(
        &mut self,
        shared: &Shared,
        snapshot: &Snapshot,
        db: &Db,
        epoch: &str,
    ) -> Result<(), fjall::Error> {
        let shards = shared.placement.shards;
        self.batch.insert(&self.copy.meta, keys::EPOCH, epoch);
        self.batch.insert(&self.copy.meta, keys::SEED, shared.placement.seed.to_le_bytes());
        self.batch.insert(&self.copy.meta, keys::SHARDS, [shards]);
        for shard in 0..shards {
            let committed = shared.shard(shard).map_or(0, |shard| shard.lock().committed);
            let used = last_offset(db, snapshot, shard).max(committed);
            let known =
                snapshot.get(&db.meta, keys::shard(shard))?.and_then(|bytes| ShardEntry::decode(&bytes));
            let gone = known.and_then(|known| known.gone);
            // nothing of the new run of positions is lost
            let entry = ShardEntry { reserved: used, closed: Some(used), gone, crashed: 0, doubted: 0 };
            self.batch.insert(&self.copy.meta, keys::shard(shard), entry.encode());
        }
        Ok(())
    }
}

/// The greatest offset in a shard's log.
fn last_offset(db: &Db, snapshot: &Snapshot, shard: u8) -> u64 {
    let range = keys::block(shard, 0)..=keys::block(shard, u64::MAX);
    let last = snapshot.range(&db.log, range).next_back().and_then(|guard| guard.into_inner().ok());
    let of_block = last.and_then(|(key, value)| {
        let (_, first) = keys::block_offset(&key)?;
        let mut block = Block::parse(&value).ok()?;
        let last = block.len().checked_sub(1)?;
        Some(block.record(last).map_or(first, |record| record.offset))
    });
    of_block.unwrap_or_default()
}
