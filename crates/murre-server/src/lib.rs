//! Murre's shells around the core: WebSocket, HTTP, configuration, the life of the process.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | [`config`] | what can be set, and where it came from |
//! | [`websocket`] | RFC 6455 as plain code |
//! | [`embed`] | the broker inside a person's own actix-web server |
//! | `shell` | sessions on sockets, a worker's core on its thread |
//! | `http` | what is beside `/ws` on the same port |
//! | `log` | where messages are kept |
//! | `reading` | reads of the log for requests |
//! | `process` | what all workers share |
//! | `stats` | what the broker says of itself each second |
//! | `serve` | starting and stopping |
//! | `closing` | what is done at the end |
//! | `files` | how many files the process may have open |
//! | [`moment`] | points in time as people write them |
//! | `clock` | the only place where clocks are read |

mod clock;
mod closing;
pub mod config;
pub mod embed;
mod files;
mod http;
mod log;
pub mod moment;
mod process;
mod reading;
mod serve;
mod shell;
mod stats;
pub mod websocket;

pub use embed::{Broker, service};
pub use serve::{Running, ServeError, run, start};
