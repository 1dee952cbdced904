//! Small names for the parts: workers, sessions, subscribers.

/// A worker thread, counted from 0; at most [`WORKERS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u8);

/// The most workers of one process: sets of workers are 64 bits.
pub const WORKERS_MAX: usize = 64;

impl WorkerId {
    /// The place in a list by worker.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The set of this worker alone.
    pub fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }
}

/// A session within its hub. Never used again for another session: the serial number tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// The place in the hub's table.
    pub slot: u32,
    /// Counts the sessions that this hub has had.
    pub serial: u32,
}

/// A session anywhere in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionAddress {
    /// Its hub's worker.
    pub worker: WorkerId,
    /// Itself.
    pub key: SessionKey,
}

/// A snapshot that one subscription is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SnapshotId {
    /// The hub that asked.
    pub worker: WorkerId,
    /// Counts the snapshots that this hub has asked for.
    pub serial: u64,
}

/// A shared subscription's group with its filter, by hash of `$share/<group>/<filter>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u64);

/// A session that is kept over disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeptSessionId {
    /// The shard that has the client's record.
    pub shard: u8,
    /// Counts the sessions that it has kept.
    pub number: u64,
}

/// A subscription of a session that is kept over disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeptId {
    /// The session.
    pub session: KeptSessionId,
    /// The client's number.
    pub sub: u64,
    /// Counts what the session has subscribed to: the client may use its own numbers again.
    pub number: u64,
}
