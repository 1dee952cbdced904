//! End-to-end tests of the murre binary: each test starts a broker of its own on a free port, talks to it over real
//! connections, and ends it. What is here knows the wire protocol by its document alone, and none of the broker's
//! crates.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | [`binary`] | finding the binary, or building it once |
//! | [`broker`] | a running broker: its addresses, its log, its end |
//! | [`observe`] | a running broker from outside: its counters, memory, open files |
//! | [`load`] | more than a well-behaved client sends: publishes at full speed, clients that don't read |
//! | [`client`] | a client in MessagePack that waits for what a test expects |
//! | [`device`] | a client that numbers its readings and sends again what was refused |
//! | [`disk`] | disks that fail or are full |
//! | [`packet`] | packets as values, written and read |
//! | [`raw`] | a socket that sends any bytes: bad handshakes, bad frames, half-closed connections |
//! | [`phone`] | a subscriber at the end of a slow link |
//! | [`frame`] | WebSocket frames, right and wrong ones |
//! | [`http`] | HTTP requests and Server-Sent Events |
//! | [`tools`] | commands that end by themselves |
//!
//! Everything here panics with what it was waiting for and what came instead: a failed test shows that, and the
//! broker's log. Nothing waits for a duration; [`DEADLINE`] only bounds how long a failure takes.

// This whole crate is a test.
#![allow(clippy::unwrap_used)]

pub mod binary;
pub mod broker;
pub mod client;
pub mod device;
pub mod disk;
pub mod frame;
pub mod http;
pub mod load;
pub mod observe;
pub mod packet;
pub mod phone;
pub mod raw;
pub mod tools;

use std::time::Duration;

pub use broker::Broker;
pub use client::Client;
pub use device::Device;
pub use disk::{FailingDisk, SmallDisk};
pub use frame::Frame;
pub use packet::{Kind, Message, Packet, value};
pub use phone::Phone;
pub use raw::RawSocket;
pub use serde_json::json;

/// How long a test waits for anything before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);
