//! Murre's log on disk: what the broker keeps over restarts.
//!
//! One log for each shard, cut in segments of about a megabyte, in an embedded storage engine (fjall). One thread
//! writes for all shards and commits everything that waits at once; a few threads read; nothing of it runs on the
//! broker's workers. The way in is [`murre_core::log::Log`], which [`Store`] implements.
//!
//! # Layout
//! | module | is |
//! |---|---|
//! | `store` | [`Store`]: the threads and the door to them |
//! | `options`, `error`, `stats` | how it is opened, why not, what it counts |
//! | `directory` | who has the directory, and which format it has |
//! | `db` | the storage engine with our keyspaces |
//! | `journal` | the engine's journal, looked at before the engine does |
//! | `format` | how everything is written |
//! | `shard` | what is known in memory of a shard's log |
//! | `recover` | what is on disk, when a store is opened |
//! | `stage`, `writer` | a commit, and the thread that makes it |
//! | `reader` | the threads that read |
//! | `retention` | deleting what isn't kept any more |
//! | `archive`, `check` | a store that no broker has open: every record, every checksum |
//! | `mirror` | where such a store is opened, so that it stays as it is |
//! | `import` | messages put into a store that no broker has open |
//! | `backup` | a copy of a store that is in use |
//! | `testing` | a log that fails on purpose |
//! | `inbox`, `shared` | the queues, and what the threads share |

pub use archive::{Archive, Archived, Damage};
pub use backup::{Backup, Copier};
pub use check::{Report, RuleReport, TopicReport};
pub use error::StoreError;
pub use import::{Import, ImportError};
pub use journal::JournalDamage;
pub use options::{Clock, Options, Sync, WhenFull};
pub use shared::Sink;
pub use stats::Stats;
pub use store::{Opened, Store};

mod archive;
mod backup;
mod check;
mod db;
mod directory;
mod error;
mod format;
mod import;
mod inbox;
mod journal;
mod mirror;
mod options;
mod reader;
mod recover;
mod retention;
mod shard;
mod shared;
mod stage;
mod stats;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod writer;
