//! The shells: what stands between the core's plain structs and sockets, threads and clocks.
//!
//! | module | is |
//! |---|---|
//! | `runtime` | a worker's core with its sessions' wakers: one for each thread |
//! | `turn` | the task that finishes a worker's work at the end of the event loop's turn, and keeps its timers |
//! | `beat` | what a worker does each second |
//! | `accept` | the pace at which new connections are taken |
//! | `socket` | a WebSocket on a socket: frames in, frames out, both closing directions |
//! | `connection` | a session that owns its socket |
//! | `session` | what a session does alike over both shells |
//! | `echo` | `/echo`: every message back over the same WebSocket layer |
//! | `upgrade` | upgrade requests to connections |
//! | `local` | a session of this process, for HTTP |
//! | `actor` | a session on a connection of a person's own server, as an actor |

pub(crate) mod accept;
pub(crate) mod actor;
mod beat;
pub(crate) mod connection;
pub(crate) mod echo;
pub(crate) mod local;
pub(crate) mod runtime;
mod session;
pub(crate) mod socket;
mod turn;
pub(crate) mod upgrade;
