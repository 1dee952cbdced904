//! What a log held when the process began.

use crate::batch::MessageBatch;

/// All shards of a log.
#[derive(Debug)]
pub struct Start {
    /// Names the run of positions; stays as long as the store.
    pub epoch: String,
    /// Keeps strangers from aiming at one shard; stays as long as the store.
    pub seed: u64,
    /// One for each shard, in order.
    pub shards: Vec<ShardStart>,
}

/// One shard.
#[derive(Debug, Default)]
pub struct ShardStart {
    /// The greatest offset that may have been used: the next one is free.
    pub used: u64,
    /// Offsets below this are reserved: they may be used without asking.
    pub reserved: u64,
    /// Messages after this offset, up to `used`, may have gone out to live subscribers and be in no log, since the
    /// process before died. Equals `used` where it ended in order.
    pub intact: u64,
    /// Whether, for all that, nothing is missing that was ever committed of topics whose rule is durable.
    pub committed_stays: bool,
    /// The last values in the order of their positions: of topics whose rule keeps messages the newest one, of others
    /// the newest with `retain`; none that was ended or is expired.
    pub values: Vec<MessageBatch>,
    /// All state.
    pub state: Vec<StateValue>,
}

/// A value of a shard's state: see [`StateChange`](super::StateChange).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateValue {
    /// Which.
    pub key: Box<[u8]>,
    /// The value.
    pub value: Box<[u8]>,
}
