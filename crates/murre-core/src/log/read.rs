//! What is read back from the log, a slice at a time.
//!
//! A read goes through one shard in the order of positions. Whoever reads asks for the next slice when there is
//! room for it, so a read of any length costs a slice of memory, and a reader that stalls costs nothing.

use murre_protocol::{Position, Timestamp, TopicFilter};

use crate::{batch::MessageBatch, ids::WorkerId};

/// A read of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadId {
    /// The worker that its slices go to.
    pub worker: WorkerId,
    /// Counts what the worker reads.
    pub serial: u64,
    /// The shard.
    pub shard: u8,
}

/// Steps of a read.
#[derive(Debug, Clone)]
pub enum ReadCommand {
    /// Begin; answered by the first slice.
    Open(Box<ReadRequest>),
    /// The next slice, of at most so many bytes of tails (but of one message at least, if there is one).
    Next(ReadId, usize),
    /// Nobody wants it any more.
    Cancel(ReadId),
}

/// What is to be read.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Its number.
    pub id: ReadId,
    /// Which topics.
    pub filter: TopicFilter<'static>,
    /// Where to begin.
    pub from: ReadFrom,
    /// What the broker took at this time or later isn't wanted. A log may leave it out where that saves work, and may
    /// as well give it.
    pub until: Option<Timestamp>,
    /// Bytes of the first slice.
    pub bytes: usize,
    /// The time by which expiry and age are judged; it goes on with the log's own clock.
    pub now: Timestamp,
}

/// Where a read begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// With the newest `n` messages of each topic, as of the read's begin, or fewer where the keep rule holds fewer.
    LastN(u64),
    /// With the first message that the broker took at or after this time.
    Since(Timestamp),
    /// Behind this position. All that is there is read, also what a keep rule would hold no longer.
    After(Position),
    /// The same, of what is kept for a session: also what is too old for its keep rule.
    Kept(Position),
}

/// A part of a read.
#[derive(Debug)]
pub struct ReadSlice {
    /// Which read.
    pub id: ReadId,
    /// The messages in the order of their positions, without `retain` in their options.
    pub messages: MessageBatch,
    /// The read has seen everything up to and with this offset, whatever of it matched. Never falls.
    pub reached: u64,
    /// Whether it had seen all that was committed when the slice was made. The read stays open: a later `Next`
    /// goes on with what was committed since.
    pub at_end: bool,
    /// On the first slice of [`ReadFrom::After`] and [`ReadFrom::Kept`]: why messages that match are missing behind the position, as far as
    /// the log knows. On any slice: [`Lost::Damaged`] where records could not be read.
    pub lost: Option<Lost>,
}

/// Why messages are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// A keep rule holds them no longer, or never did.
    Kept,
    /// They were too old, or their own expiry was over.
    Expired,
    /// A bound of bytes: `store.bytes_max`, or a session's limit.
    Limit,
    /// The positions are of another epoch.
    Epoch,
    /// They were under way when the broker died.
    Crash,
    /// Records on disk are damaged.
    Damaged,
}

impl Lost {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Expired => "expired",
            Self::Limit => "limit",
            Self::Epoch => "epoch",
            Self::Crash | Self::Damaged => "crash",
        }
    }
}
