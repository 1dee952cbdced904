//! The WebSocket layer (RFC 6455) as plain code: bytes in, events out. No socket, no clock, nothing async.
//!
//! Both session shells stand on it. The way of a connection: [`handshake::judge`] and
//! [`origin::AllowedOrigins::check`] answer the upgrade request, then a [`Decoder`] turns what was read into
//! [`Event`]s, [`PendingPong`] keeps the answer to the newest ping, and [`frame`] writes what goes out.
//!
//! # Layout
//! - [`handshake`]: is this request a WebSocket handshake, and with which subprotocol
//! - [`origin`]: may a page from there talk to this broker
//! - [`refusal`]: the HTTP answer to a request that was refused
//! - [`frame`]: opcodes and headers, and the writing of control frames
//! - [`mask`]: takes the client's mask off a payload
//! - [`close`]: close codes, and the payload of a close frame
//! - [`decoder`]: frames into messages, with all the rules and limits
//! - `unfinished`: what the decoder keeps of a frame or message whose end hasn't arrived
//! - `utf8`: checks text that comes in pieces
//! - [`error`]: what a client did wrong, and the close code that it is owed
//! - [`pings`]: at most one pong waits, however many pings come

pub mod close;
pub mod decoder;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod mask;
pub mod origin;
pub mod pings;
pub mod refusal;
mod unfinished;
mod utf8;

#[cfg(test)]
mod tests;

pub use decoder::{Decoder, Event, Limits};
pub use error::DecodeError;
pub use frame::MessageKind;
pub use origin::AllowedOrigins;
pub use pings::PendingPong;
pub use refusal::Refusal;
