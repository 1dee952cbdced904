//! Murre's broker core: what happens to a reading between the socket that it came from and those that it goes to.
//!
//! Everything here but [`actor`] is pure: no clock, no socket, no thread, no random source. Methods take the time
//! as an argument and say in [`engine::Outputs`] what is to be done.
//!
//! # Layout
//! | module | is | owns |
//! |---|---|---|
//! | [`session`] | one client's state | nothing shared |
//! | [`hub`] | the sessions of a worker | their subscription index, their outboxes |
//! | [`engine`] | the boundary to what orders, keeps and spreads | |
//! | [`embedded`] | the engine in this process: a worker's shards | the interest of each hub in each filter |
//! | [`shard`] | the topics that hash to it, in one order | last values, client records |
//! | [`snapshot`] | last values on their way to one subscription | a cursor |
//! | [`log`] | the boundary to what keeps messages | |
//! | [`groups`] | shared subscriptions, as the engine sees them | |
//! | [`expect`] | the rules that say which topics are expected to be heard | |
//! | [`kept`] | sessions that outlive their connection, as all parts speak of them | |
//! | [`outbox`] | the bounded bytes pending for a session | blocks of the worker's pool |
//! | [`batch`] | what crosses between parts | |
//! | [`index`] | filters by level | |
//! | [`placement`] | topics to shards to workers | |
//! | [`worker`] | a hub and an engine part, put together | |
//! | [`actor`] | the only file that knows actix | mailboxes |
//! | [`counters`], [`limits`] | what is counted, what is bounded | |
//! | [`now`], [`ids`] | time as an argument, small names | |
//! | [`testing`] | a whole broker under a virtual clock | |

#[cfg(feature = "actor")]
pub mod actor;
pub mod batch;
pub mod counters;
pub mod embedded;
pub mod engine;
pub mod expect;
pub mod groups;
pub mod hub;
pub mod ids;
pub mod index;
pub mod kept;
pub mod limits;
pub mod log;
pub mod now;
pub mod outbox;
pub mod placement;
pub mod session;
pub mod shard;
pub mod snapshot;
pub mod testing;
pub mod worker;
