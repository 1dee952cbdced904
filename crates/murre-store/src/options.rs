//! How a store is opened.

use std::time::Duration;

use murre_core::{log::KeepRules, placement::SHARDS_DEFAULT};
use murre_protocol::Timestamp;

/// When what was written is synced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Before it is reported as committed: it survives a power failure. All that waits shares one sync.
    #[default]
    Always,
    /// So often. It survives the death of the process; a power failure loses what came since the last sync.
    Interval(Duration),
    /// When the operating system likes. It survives the death of the process.
    Never,
}

/// What happens where a store holds as many bytes as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Batches with records are answered [`LogRefusal::Full`](murre_core::log::LogRefusal::Full). Those that only
    /// end values or change state pass.
    #[default]
    Refuse,
    /// The oldest messages of all topics go.
    DropOldest,
}

/// Says what time it is, for expiry and age.
pub type Clock = fn() -> Timestamp;

/// How a store is opened. What it says of [`shards`](Options::shards) counts only when the store is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// When what was written is synced.
    pub sync: Sync,
    /// What is kept.
    pub keep: KeepRules,
    /// The most bytes of records, with what it takes to find them; none: as many as the disk has. The write-ahead
    /// journal comes on top, with up to 192 MiB.
    pub bytes_max: Option<u64>,
    /// What happens when they are reached.
    pub when_full: WhenFull,
    /// How many shards a new store has; 1 to 64.
    pub shards: u8,
    /// How many workers say what their durable sessions still need
    /// ([`LogCommand::Floors`](murre_core::log::LogCommand::Floors)). Until all have, nothing that a session might
    /// need is deleted.
    pub workers: u8,
    /// Threads that read; 1 to 16.
    pub readers: usize,
    /// Bytes of memory for what was read from disk lately.
    pub cache_bytes: u64,
    /// A shard's log is cut in segments of so many bytes: what is indexed, found and deleted as one. The newest
    /// segment of each shard is what a start reads record by record.
    pub segment_bytes: u64,
    /// Whether what isn't kept any more is deleted in the background.
    pub delete: bool,
    /// The calendar's time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: Sync::default(),
            keep: KeepRules::default(),
            bytes_max: None,
            when_full: WhenFull::default(),
            shards: SHARDS_DEFAULT,
            workers: 1,
            readers: 2,
            cache_bytes: 64 << 20,
            segment_bytes: 1 << 20,
            delete: true,
            clock,
        }
    }
}

fn clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
