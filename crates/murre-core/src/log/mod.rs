//! The boundary between shards and the log that keeps their messages.
//!
//! One log for each shard serves last values, history, resuming and durable sessions. The engine says what it wants
//! done by [`LogCommand`]s, which its shell hands to a [`Log`]; the log answers by [`LogEvent`]s, which the shell
//! hands back as the engine's inputs. Neither ever waits for the other.
//!
//! | file | has |
//! |---|---|
//! | `batch` | records on their way into the log |
//! | `failures` | what follows from a failed batch for the ones behind it |
//! | `keep` | the rules that say what is kept |
//! | `memory` | a log in memory |
//! | `needs` | what kept sessions still need of it |
//! | `read` | what is read back, a slice at a time |
//! | `start` | what a log held when the process began |

use std::sync::Arc;

use murre_protocol::Code;

use crate::ids::WorkerId;

pub use batch::{LogBatch, LogRecord, Record, StateChange};
pub use failures::Failures;
pub use keep::{KeepRule, KeepRules, RuleId};
pub use memory::MemoryLog;
pub use needs::{NeedChange, NeedChanges, Needs};
pub use read::{Lost, ReadCommand, ReadFrom, ReadId, ReadRequest, ReadSlice};
pub use start::{ShardStart, Start, StateValue};

mod batch;
mod failures;
mod keep;
mod memory;
mod needs;
mod read;
mod start;

/// Keeps the records of all shards.
///
/// What an engine may rely on:
/// - **Order**: batches of one worker are committed in the order of their serials, each whole or not at all, and
///   answered once each, in that order.
/// - **Failures**: behind a batch that failed, none of its worker is committed that was sent in ignorance of that
///   ([`LogBatch::failed`], [`Failures`]). So what a batch says of earlier ones (which readings were logged) is true.
/// - **Durability**: [`LogEvent::Committed`] with `Ok` means that the batch survives what the log's setting promises
///   (`sync = always`: also a power failure). After a failure to write or to sync, nothing that may be missing is
///   reported as committed.
/// - **Reads** see every committed record that the keep rules still hold, in the order of positions, each once; a
///   read is answered by one slice for its `Open` and each `Next`, also where it failed.
/// - **Offsets** that were reserved are never given out again by a later [`Start`].
pub trait Log: Send + Sync {
    /// Takes a command. Returns at once; the answer, where there is one, comes as an event.
    ///
    /// The engine bounds what it sends: bytes of batches without an answer (`store.queue_max`), and one step under
    /// way for each read.
    fn send(&self, command: LogCommand);
}

/// What an engine wants of the log.
#[derive(Debug, Clone)]
pub enum LogCommand {
    /// Write a batch. Answered by [`LogEvent::Committed`].
    Append(Arc<LogBatch>),
    /// A step of reading. `Open` and `Next` are answered by [`LogEvent::Slice`].
    Read(ReadCommand),
    /// Reserve all offsets of a shard below `end`. Answered by [`LogEvent::Reserved`] once that is on disk.
    Reserve {
        /// Who asks.
        worker: WorkerId,
        /// Which shard.
        shard: u8,
        /// The first offset that is not needed yet.
        end: u64,
    },
    /// What kept sessions still need, whatever the keep rules say: records of each shard past the offset, and what
    /// single subscriptions need before that.
    Floors {
        /// Who says so.
        worker: WorkerId,
        /// By shard; `u64::MAX` where none is kept. It replaces what this worker said before, and the least over the
        /// workers holds.
        floors: Vec<u64>,
        /// What lies before.
        needs: NeedChanges,
    },
}

/// What the log tells the engine part of a worker.
#[derive(Debug)]
pub enum LogEvent {
    /// A batch was committed, or never will be.
    Committed {
        /// The batch's number.
        serial: u64,
        /// What became of it.
        result: Result<(), LogRefusal>,
    },
    /// A step of a read.
    Slice(ReadSlice),
    /// Offsets below `end` were reserved.
    Reserved {
        /// Of which shard.
        shard: u8,
        /// The first offset that is not reserved.
        end: u64,
    },
}

/// Why a batch was not committed. Live traffic goes on, and later batches may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum LogRefusal {
    /// `store.bytes_max` is reached, and its policy is to refuse.
    Full,
    /// The disk has no room.
    DiskFull,
    /// Writing or syncing failed.
    Failed,
}

impl LogRefusal {
    /// The code that answers a publish of the batch.
    pub fn code(self) -> Code {
        match self {
            Self::Full | Self::DiskFull => Code::QUOTA,
            Self::Failed => Code::BROKER_ERROR,
        }
    }

    /// The words that answer it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Full => "the store holds as many bytes as it may (store.bytes_max)",
            Self::DiskFull => "the disk of the store is full",
            Self::Failed => "the store could not write; the broker's log has the error",
        }
    }
}
