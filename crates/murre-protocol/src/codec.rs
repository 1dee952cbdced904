//! One door to both encodings.
//!
//! Methods are of four kinds: reading packets out of a WebSocket message ([`Codec::client_packet`],
//! [`Codec::broker_packet`]), writing packets ([`Codec::write_client`], [`Codec::write_broker`]), MESSAGE in
//! two parts ([`Codec::message_tail`], [`Codec::message_head`]): everything after `sub` is the same for every
//! subscriber, so a broker writes the tail once and copies it behind each subscriber's head; and a look at bytes
//! that this crate wrote ([`Codec::split_packet`], [`Codec::peek_message`]), for a broker that has to choose
//! among packets that already wait.

use std::borrow::Cow;

use crate::{
    DecodeError, Format, Position, Timestamp, json, msgpack,
    packet::{BrokerPacket, ClientPacket, Message},
};

/// An encoding of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Packets back to back in binary WebSocket messages.
    MessagePack,
    /// A JSON object a line in text WebSocket messages.
    Json,
}

/// How a MESSAGE's tail wants its head written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HasOptions(pub bool);

/// What [`Codec::peek_message`] sees of a MESSAGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagePeek<'a> {
    /// The subscription's number.
    pub sub: u64,
    /// The topic as it is encoded: only good as a key among packets of one encoding.
    pub topic: &'a [u8],
    /// Whether it is a kept value, sent as part of a snapshot.
    pub retain: bool,
}

/// What [`Codec::peek_tail`] sees of a MESSAGE's tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailPeek<'a> {
    /// The topic's bytes.
    pub topic: &'a [u8],
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: &'a [u8],
    /// When the broker took it.
    pub time: Timestamp,
    /// Where it stands.
    pub position: Position,
}

/// What is left of a WebSocket message's bytes after a packet was taken off the front.
pub type Taken<'a, P> = Result<Option<(P, &'a [u8])>, DecodeError>;

impl Codec {
    /// Takes the first packet that a client sent off `bytes`; none when only white space (JSON) or nothing is left.
    ///
    /// # Errors
    /// Names the packet and the element that can't be read, or that is larger than `max_packet` bytes.
    pub fn client_packet<'a>(self, bytes: &'a [u8], max_packet: usize) -> Taken<'a, ClientPacket<'a>> {
        match self {
            Self::MessagePack => msgpack::client_packet(bytes, max_packet),
            Self::Json => json::client_packet(bytes, max_packet),
        }
    }

    /// Takes the first packet that a broker sent off `bytes`; none when only white space (JSON) or nothing is left.
    ///
    /// # Errors
    /// Names the packet and the element that can't be read, or that is larger than `max_packet` bytes.
    pub fn broker_packet<'a>(self, bytes: &'a [u8], max_packet: usize) -> Taken<'a, BrokerPacket<'a>> {
        match self {
            Self::MessagePack => msgpack::broker_packet(bytes, max_packet),
            Self::Json => json::broker_packet(bytes, max_packet),
        }
    }

    /// Appends a client's packet.
    pub fn write_client(self, packet: &ClientPacket<'_>, out: &mut Vec<u8>) {
        match self {
            Self::MessagePack => msgpack::write_client(packet, out),
            Self::Json => json::write_client(packet, out),
        }
    }

    /// Appends a broker's packet.
    pub fn write_broker(self, packet: &BrokerPacket<'_>, out: &mut Vec<u8>) {
        match self {
            Self::MessagePack => msgpack::write_broker(packet, out),
            Self::Json => json::write_broker(packet, out),
        }
    }

    /// Appends what of a MESSAGE is the same for every subscriber, and says how the head has to be written.
    pub fn message_tail(self, message: &Message<'_>, out: &mut Vec<u8>) -> HasOptions {
        match self {
            Self::MessagePack => msgpack::message_tail(message, out),
            Self::Json => json::message_tail(message, out),
        }
    }

    /// Appends what stands before a MESSAGE's tail.
    pub fn message_head(self, sub: u64, has_options: HasOptions, out: &mut Vec<u8>) {
        match self {
            Self::MessagePack => msgpack::message_head(sub, has_options, out),
            Self::Json => json::message_head(sub, out),
        }
    }

    /// The first packet of `bytes` that this crate wrote, for JSON with its newline, and what follows; none where
    /// `bytes` is empty or ends inside the packet. Looks for the end and checks nothing else.
    pub fn split_packet(self, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        match self {
            Self::MessagePack => msgpack::split_packet(bytes),
            Self::Json => json::split_packet(bytes),
        }
    }

    /// What `packet`, written by [`Codec::message_head`] and [`Codec::message_tail`], is about; none for other
    /// packets.
    pub fn peek_message(self, packet: &[u8]) -> Option<MessagePeek<'_>> {
        match self {
            Self::MessagePack => msgpack::peek_message(packet),
            Self::Json => json::peek_message(packet),
        }
    }

    /// The name that a [`MessagePeek::topic`] of this encoding stands for.
    pub fn peeked_topic(self, topic: &[u8]) -> Cow<'_, str> {
        match self {
            Self::MessagePack => String::from_utf8_lossy(topic),
            Self::Json => json::peeked_topic(topic),
        }
    }

    /// What a tail, written by [`Codec::message_tail`] in MessagePack, is about; none for other bytes. The options
    /// behind it are not looked at.
    pub fn peek_tail(tail: &[u8]) -> Option<TailPeek<'_>> {
        msgpack::peek_tail(tail)
    }
}
