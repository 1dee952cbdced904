//! The storage engine, with our keyspaces in it.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `log` | shard, offset of the first record | a block of records |
//! | `segments` | part, shard, first offset | the blocks of a closed segment, its topics |
//! | `index` | shard, topic, first offset of a segment | places of the topic's records in it |
//! | `topics` | shard, topic | the topic's name and tally |
//! | `state` | shard, the engine's key | the engine's value |
//! | `meta` | a name | epoch, seed, shards, reservations, promise |
//!
//! Blocks are kept apart from their keys ("key-value separation"), so that reorganising the tree moves a few bytes
//! for each block, and what is written once stays where it is until it is deleted.

use std::path::Path;

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode,
    config::{
        BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry, HashRatioPolicy,
        PartitioningPolicy, PinningPolicy, RestartIntervalPolicy,
    },
};

/// When a keyspace has so many bytes in memory, they go to a table on disk. Bounds what a start has to replay.
const MEMTABLE_BYTES: u64 = 16 << 20;
const SMALL_MEMTABLE_BYTES: u64 = 8 << 20;
/// All journals together.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;
/// Values of so many bytes are kept apart.
const APART_BYTES: u32 = 1024;
/// With more than one, the first spins for as long as another one is merging tables.
const ENGINE_THREADS: usize = 1;
/// The engine blocks a writer for as long as there are four such tables, even where the thread that would write
/// them has died of an error; so nobody gets there.
const UNWRITTEN_MAX: usize = 2;
const UNMERGED_MAX: usize = 16;

/// The storage engine.
#[derive(Clone)]
pub(crate) struct Db {
    pub(crate) database: Database,
    pub(crate) log: Keyspace,
    pub(crate) segments: Keyspace,
    pub(crate) index: Keyspace,
    pub(crate) topics: Keyspace,
    pub(crate) state: Keyspace,
    pub(crate) meta: Keyspace,
}

impl Db {
    /// Opens what is in the directory `engine`, or makes it.
    pub(crate) fn open(engine: &Path, cache_bytes: u64) -> Result<Self, fjall::Error> {
        let database = Database::builder(engine)
            .manual_journal_persist(true)
            .journal_compression(fjall::CompressionType::None)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads(ENGINE_THREADS)
            .cache_size(cache_bytes)
            .open()?;
        let keyspace = |name, options: fn() -> KeyspaceCreateOptions| database.keyspace(name, options);
        Ok(Self {
            log: keyspace("log", log_options)?,
            segments: keyspace("segments", small_options)?,
            index: keyspace("index", small_options)?,
            topics: keyspace("topics", small_options)?,
            state: keyspace("state", small_options)?,
            meta: keyspace("meta", small_options)?,
            database,
        })
    }

    /// All keyspaces, by name.
    pub(crate) fn keyspaces(&self) -> [(&'static str, &Keyspace); 6] {
        [
            ("log", &self.log),
            ("segments", &self.segments),
            ("index", &self.index),
            ("topics", &self.topics),
            ("state", &self.state),
            ("meta", &self.meta),
        ]
    }

    /// Waits until the engine has got its own work done far enough to take more.
    ///
    /// # Errors
    /// Where a write failed before.
    pub(crate) fn wait_for_room(&self) -> Result<(), fjall::Error> {
        let is_behind = || {
            self.keyspaces().iter().any(|(_, keyspace)| {
                keyspace.sealed_memtable_count() > UNWRITTEN_MAX || keyspace.l0_table_count() > UNMERGED_MAX
            })
        };
        while is_behind() {
            self.database.persist(PersistMode::Buffer)?;
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Ok(())
    }

    /// Writes what is in memory into tables.
    ///
    /// # Errors
    /// Where that failed, here or on one of the engine's own threads.
    pub(crate) fn flush(&self) -> Result<(), fjall::Error> {
        for (_, keyspace) in self.keyspaces() {
            keyspace.rotate_memtable()?;
        }
        while self.keyspaces().iter().any(|(_, keyspace)| keyspace.sealed_memtable_count() > 0) {
            self.database.persist(PersistMode::Buffer)?;
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Ok(())
    }

    /// Bytes of tables and values on disk, without the journal.
    pub(crate) fn table_bytes(&self) -> u64 {
        self.keyspaces().iter().map(|(_, keyspace)| keyspace.disk_space()).sum()
    }
}

/// A table has an entry of some 30 bytes for each block of 4 KiB, so what helps to find it costs next to nothing: it
/// all stays in memory, and blocks of keys have a hash index.
fn log_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_compression_policy(CompressionPolicy::disabled())
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0))))
        .expect_point_read_hits(true)
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .filter_block_partitioning_policy(PartitioningPolicy::all(false))
        .index_block_pinning_policy(PinningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(false))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(1))
        .data_block_hash_ratio_policy(HashRatioPolicy::all(2.0))
        .with_kv_separation(Some(
            KvSeparationOptions::default()
                .separation_threshold(APART_BYTES)
                .compression(fjall::CompressionType::Lz4)
                .file_target_size(32 << 20),
        ))
}

fn small_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().manual_journal_persist(true).max_memtable_size(SMALL_MEMTABLE_BYTES)
}
