//! Murre's shells around the core: WebSocket, HTTP, configuration, the life of the process.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | [`config`] | what can be set, and where it came from |
//! | [`websocket`] | RFC 6455 as plain code |
//! | `shell` | sessions on sockets, a worker's core on its thread |
//! | `http` | what is beside `/ws` on the same port |
//! | `process` | what all workers share |
//! | `serve` | starting and stopping |
//! | `clock` | the only place where clocks are read |

mod clock;
pub mod config;
mod http;
mod process;
mod serve;
mod shell;
pub mod websocket;

pub use serve::{Running, ServeError, run, start};
