//! Murre's wire protocol, version 1: what devices, dashboards and the broker say to each other.
//!
//! No I/O, no clock: bytes in, packets out, and back. The specification is `docs/protocol.md`.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | [`topic`], [`filter`] | names and filters that can't be invalid |
//! | [`client_id`], [`position`], [`time`], [`format`](mod@format), [`code`] | the other values on the wire |
//! | [`packet`] | every packet, borrowed from the frame that it came in |
//! | [`codec`] | one door to both encodings: decoding packets, encoding packets, MESSAGE in two parts |
//! | `msgpack`, `json` | the encodings, reached through [`codec`] |
//! | `decode`, `encode` | what both encodings share: each packet's elements, in order and by name |
//! | [`merge_patch`] | a patch and the value before it, put together |
//! | [`error`] | what can be wrong with a packet, by packet and element |

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod client_id;
pub mod code;
pub mod codec;
mod decode;
mod encode;
pub mod error;
pub mod filter;
pub mod format;
mod json;
pub mod merge_patch;
mod msgpack;
pub mod packet;
pub mod position;
pub mod time;
pub mod topic;

pub use client_id::ClientId;
pub use code::Code;
pub use codec::Codec;
pub use error::{DecodeError, Problem};
pub use filter::{SharedFilter, TopicFilter};
pub use format::Format;
pub use position::Position;
pub use time::Timestamp;
pub use topic::TopicName;

/// The subprotocol whose messages are MessagePack in binary WebSocket messages.
pub const SUBPROTOCOL_MSGPACK: &str = "murre.v1.msgpack";
/// The subprotocol whose messages are JSON lines in text WebSocket messages.
pub const SUBPROTOCOL_JSON: &str = "murre.v1.json";
