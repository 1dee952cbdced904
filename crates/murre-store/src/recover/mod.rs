//! What a store has when it is opened: everything in memory is made from what is on disk.
//!
//! The topics and the closed segments are read as they were written; only what is behind the last closed segment,
//! about a megabyte of each shard, is read record by record.

use std::path::Path;

use fjall::{PersistMode, Readable, Snapshot};
use murre_core::{
    log::{KeepRules, Start},
    placement::Placement,
};

pub(crate) use values::shard_start;

use crate::{
    db::Db,
    directory::Directory,
    error::StoreError,
    format::{ShardEntry, keys},
    journal::{self, JournalDamage},
    mirror::Mirror,
    options::{Options, Sync},
    shard::Shard,
    shared::Parts,
};

mod shard;
mod values;

/// What was found, for those who look on.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What is damaged in the engine's journal.
    pub(crate) journal: Vec<JournalDamage>,
    /// Blocks, records and entries that could not be read.
    pub(crate) damaged: u64,
}

/// Opens a store, or makes it.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Parts, Findings), StoreError> {
    let (directory, there) = Directory::take(path, true)?;
    let mut findings = Findings::default();
    if there {
        let engine = directory.engine();
        findings.journal =
            journal::repair(&engine).map_err(StoreError::io("look through the journal in", &engine))?;
    }
    let db = Db::open(&directory.engine(), options.cache_bytes).map_err(StoreError::engine(path))?;
    if !there {
        make_meta(&db, options).map_err(StoreError::engine(path))?;
        directory.finish()?;
    }
    Ok((read(directory, db, None, options, &mut findings)?, findings))
}

/// Opens a store to look at it: what is in its directory stays as it is.
pub(crate) fn look(path: &Path, options: &Options) -> Result<(Parts, Findings), StoreError> {
    let (directory, _) = Directory::take(path, false)?;
    let place = directory.mirror();
    let made = Mirror::make(&directory.engine(), place.clone());
    let (mirror, journal) = made.map_err(StoreError::io("mirror the store's files in", &place))?;
    let mut findings = Findings { journal, damaged: 0 };
    let db = Db::open(mirror.path(), options.cache_bytes).map_err(StoreError::engine(path))?;
    Ok((read(directory, db, Some(mirror), options, &mut findings)?, findings))
}

fn read(
    directory: Directory,
    db: Db,
    mirror: Option<Mirror>,
    options: &Options,
    findings: &mut Findings,
) -> Result<Parts, StoreError> {
    let path = directory.path();
    let meta = read_meta(path, &db)?;
    let placement = Placement { shards: meta.shards, workers: options.workers, seed: meta.seed };
    let shards = read_shards(path, &db, meta.shards, &options.keep, findings)?;
    Ok(Parts { epoch: meta.epoch, placement, shards, db, _mirror: mirror, directory })
}

/// Reads all shards.
pub(crate) fn read_shards(
    path: &Path,
    db: &Db,
    shards: u8,
    rules: &KeepRules,
    findings: &mut Findings,
) -> Result<Vec<Shard>, StoreError> {
    let snapshot = db.database.snapshot();
    (0..shards).map(|number| shard::read(path, db, &snapshot, number, rules, findings)).collect()
}

struct Meta {
    epoch: String,
    seed: u64,
    shards: u8,
}

fn make_meta(db: &Db, options: &Options) -> Result<(), fjall::Error> {
    let mut batch = db.database.batch();
    batch.insert(&db.meta, keys::EPOCH, new_epoch());
    batch.insert(&db.meta, keys::SEED, random().to_le_bytes());
    batch.insert(&db.meta, keys::SHARDS, [options.shards]);
    for shard in 0..options.shards {
        let entry = ShardEntry { closed: Some(0), ..ShardEntry::default() };
        batch.insert(&db.meta, keys::shard(shard), entry.encode());
    }
    batch.durability(Some(PersistMode::SyncAll)).commit()
}

/// A name for a run of positions that no other run has.
pub(crate) fn new_epoch() -> String {
    format!("{:016x}", random())
}

fn random() -> u64 {
    // the hasher's keys are random too, where the system has nothing better
    getrandom::u64().unwrap_or_else(|_| {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(std::process::id())
    })
}

fn read_meta(path: &Path, db: &Db) -> Result<Meta, StoreError> {
    let get = |key: &str| {
        let value = db.meta.get(key).map_err(StoreError::engine(path))?;
        value.ok_or_else(|| StoreError::damaged(path, format!("its {key} is missing")))
    };
    let wrong = |what: &str| StoreError::damaged(path, format!("its {what} can't be read"));
    let epoch = String::from_utf8(get(keys::EPOCH)?.to_vec()).map_err(|_| wrong("epoch"))?;
    let seed = <[u8; 8]>::try_from(&*get(keys::SEED)?).map_err(|_| wrong("seed"))?;
    let shards = get(keys::SHARDS)?.first().copied().filter(|shards| (1..=64).contains(shards));
    let shards = shards.ok_or_else(|| wrong("number of shards"))?;
    Ok(Meta { epoch, seed: u64::from_le_bytes(seed), shards })
}

/// Offsets that are reserved when a store is opened. A crash wastes them; there are enough for half a million crashes.
const RESERVED_AT_START: u64 = 1 << 26;

/// What the engine is told, and marks on disk that the store is open: should the process die, the next start knows.
pub(crate) fn start(
    path: &Path,
    parts: &mut Parts,
    options: &Options,
    findings: &Findings,
) -> Result<Start, StoreError> {
    let has_lost = findings.journal.iter().any(|damage| damage.is_in_the_middle);
    let now = (options.clock)();
    let mut batch = parts.db.database.batch();
    let mut shards = Vec::new();
    let snapshot = parts.db.database.snapshot();
    let promise = promise(options);
    let promised = snapshot.get(&parts.db.meta, keys::PROMISE).map_err(StoreError::engine(path))?;
    let is_whole = findings.journal.is_empty() && findings.damaged == 0;
    let committed_stays =
        is_whole && !promise.is_empty() && promised.is_some_and(|promised| *promised == *promise.as_bytes());
    batch.insert(&parts.db.meta, keys::PROMISE, promise);
    for shard in &mut parts.shards {
        let mut start =
            shard_start(&parts.db, &snapshot, shard, options, now).map_err(StoreError::engine(path))?;
        let entry = &mut shard.entry;
        start.intact = shard.committed;
        match entry.closed {
            Some(used) if used >= shard.committed => (start.used, start.intact) = (used, used),
            _ => start.used = entry.reserved.max(shard.committed),
        }
        if start.used > start.intact {
            entry.crashed = start.used;
        }
        if has_lost {
            // whose batches these were can't be told
            entry.crashed = entry.crashed.max(start.used);
        }
        if !committed_stays {
            entry.doubted = entry.crashed;
        }
        start.committed_stays = committed_stays;
        // so that the first messages don't wait for an answer
        start.reserved = start.used + RESERVED_AT_START;
        (entry.reserved, entry.closed) = (start.reserved, None);
        batch.insert(&parts.db.meta, keys::shard(shard.number), entry.encode());
        shards.push(start);
    }
    batch.durability(Some(PersistMode::SyncAll)).commit().map_err(StoreError::engine(path))?;
    Ok(Start { epoch: parts.epoch.clone(), seed: parts.placement.seed, shards })
}

/// What a process promises by these options of durable topics, and of which topics that is; empty where it doesn't:
/// that what it has reported as committed is on the disk. What an earlier one has promised is no concern of this one if
/// it was something else.
fn promise(options: &Options) -> String {
    if options.sync != Sync::Always {
        return String::new();
    }
    let rules = options.keep.all().iter();
    let lines =
        rules.map(|rule| format!("{} {}\n", if rule.durable { "durable" } else { "kept" }, rule.filter));
    ["always\n".to_owned()].into_iter().chain(lines).collect()
}

/// All pairs of a keyspace whose keys begin with `prefix`.
pub(crate) fn pairs<'a>(
    snapshot: &'a Snapshot,
    keyspace: &'a fjall::Keyspace,
    prefix: &[u8],
) -> impl Iterator<Item = Result<fjall::KvPair, fjall::Error>> + use<'a> {
    snapshot.prefix(keyspace, prefix).map(fjall::Guard::into_inner)
}
