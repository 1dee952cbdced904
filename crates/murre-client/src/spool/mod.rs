//! The spool: publishes that wait on disk until the broker has answered them.
//!
//! | file | holds |
//! |---|---|
//! | `record` | the records of its files: bytes, checksums, what is found in damaged ones; pure |
//! | `segment` | one file |
//! | `sequence` | the file that keeps sequences from going back |
//! | `store` | the directory: what was accepted, handed out, and is done with |
//! | `drain` | what is being sent, how fast, and what an answer means; pure |
//! | `worker` | the thread that works on the files, between handles and session |

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) mod drain;
mod record;
mod segment;
mod sequence;
pub(crate) mod store;
pub(crate) mod worker;

pub(crate) use sequence::SEQUENCE_MAX;

/// The least that a spool's bound may be.
const BYTES_MIN: u64 = 64 << 10;

/// A queue on disk for acknowledged publishes: what a device publishes while there is no network is sent when there is
/// one, also after the device was switched off.
///
/// Every acknowledged publish of the client goes through it, but for requests, answers to requests and what is
/// published [in memory only](crate::PublishBuilder::in_memory): it waits there until the broker has answered.
/// What isn't acknowledged goes beside it. Each message carries a `sequence`, by which the broker drops a repeat, and
/// the time at which it was published.
///
/// ```no_run
/// use std::time::Duration;
///
/// use murre_client::{Client, Spool, SpoolFull, SpoolSync};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let spool = Spool::at("/var/lib/boiler/spool")
///     .bytes(256 << 20)
///     .when_full(SpoolFull::DropOldest)
///     .sync(SpoolSync::Interval(Duration::from_secs(1)))
///     .rate(200.0);
/// let client = Client::builder("ws://broker:8080").client_id("boiler-7").spool(spool).start()?;
/// // Resolves when the message is on disk; with `.await` instead of `.enqueue()`, when the broker has it.
/// client.publish("site/a/boiler/temp").json(&21.4)?.enqueue().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Spool {
    pub(crate) directory: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) when_full: SpoolFull,
    pub(crate) sync: SpoolSync,
    pub(crate) rate: Option<f64>,
    pub(crate) in_flight: usize,
}

/// What happens to a publish when the [`Spool`] is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SpoolFull {
    /// It isn't taken: [`PublishError::SpoolFull`](crate::PublishError::SpoolFull).
    #[default]
    Refuse,
    /// The oldest messages go, a sixteenth of the bound at a time, and are counted.
    DropOldest,
}

/// When a publish counts as taken by the [`Spool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SpoolSync {
    /// When it is on the disk (fdatasync, which all that wait share): it survives a loss of power.
    #[default]
    Always,
    /// When the system has it, which brings it to the disk at least this often: it survives the end of the process
    /// in whatever way; a loss of power may cost what came in the interval.
    Interval(Duration),
    /// When the system has it, which brings it to the disk when it likes.
    Never,
}

impl Spool {
    /// A spool in `directory`, which is made where there is none: 64 MiB, [`SpoolFull::Refuse`], [`SpoolSync::Always`],
    /// 1,000 messages a second, 256 in flight.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            bytes: 64 << 20,
            when_full: SpoolFull::default(),
            sync: SpoolSync::default(),
            rate: Some(1000.0),
            in_flight: 256,
        }
    }

    /// How much all files of the spool may take, at least 64 KiB. A message may have a quarter of that.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes.max(BYTES_MIN);
        self
    }

    /// What happens when it is full.
    #[must_use]
    pub fn when_full(mut self, rule: SpoolFull) -> Self {
        self.when_full = rule;
        self
    }

    /// When a publish counts as taken.
    #[must_use]
    pub fn sync(mut self, rule: SpoolSync) -> Self {
        self.sync = rule;
        self
    }

    /// How many messages are on their way at a time, sent and not answered: 1 to 256. With 1 each waits for the answer
    /// to the one before, which costs a round trip for each message and makes the order hold also where the broker
    /// refuses messages for a while.
    #[must_use]
    pub fn in_flight(mut self, messages: usize) -> Self {
        self.in_flight = messages.clamp(1, 256);
        self
    }

    /// How many messages a second are sent at most, so that many devices that come back at one time don't
    /// bury the broker and the network. Give more than the device publishes, else the spool only grows. Zero, negative
    /// or not finite: no limit.
    #[must_use]
    pub fn rate(mut self, messages_per_second: f64) -> Self {
        self.rate = Some(messages_per_second).filter(|rate| rate.is_finite() && *rate > 0.0);
        self
    }
}

impl<T: AsRef<Path> + ?Sized> From<&T> for Spool {
    fn from(directory: &T) -> Self {
        Self::at(directory.as_ref())
    }
}

impl From<PathBuf> for Spool {
    fn from(directory: PathBuf) -> Self {
        Self::at(directory)
    }
}

/// How a [`Spool`] is: from [`Client::spool`](crate::Client::spool).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpoolStatus {
    /// Messages that the broker has not answered.
    pub pending: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Messages that had to go for newer ones, since the client was built.
    pub dropped: u64,
    /// Messages that the broker refused for good, since the client was built.
    pub refused: u64,
    /// Bytes that were found damaged when the spool was opened, an unfinished last record included.
    pub damaged_bytes: u64,
    /// The sequence of the message that was taken last since the client was built; 0 where there is none.
    pub sequence: u64,
}

/// Why a spool can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// Sequences belong to a client id.
    #[error("a spool needs a client id that stays the same: give client_id() to the builder too")]
    NoClientId,
    /// Another process, or another client in this one, has it.
    #[error("the spool {path:?} is used by another client; give each one a directory of its own")]
    InUse {
        /// Its directory.
        path: PathBuf,
    },
    /// It was made under another client id.
    #[error(
        "the spool's file {path:?} belongs to the client {owner:?}, not to {client_id:?}; give each client id a directory of its own"
    )]
    OtherClient {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: String,
        /// Who wants it.
        client_id: String,
    },
    /// It was written by a later version.
    #[error(
        "the spool's file {path:?} has format {found}; this version knows up to {known}: use a later one"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The last format that is known.
        known: u32,
    },
    /// The system gave no thread to work on its files.
    #[error("the system gave no thread for the spool: {0}")]
    Thread(#[source] io::Error),
    /// The file system said no.
    #[error("the spool at {path:?} can't be used: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
