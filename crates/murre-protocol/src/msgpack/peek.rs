//! A look at packets that this crate wrote itself: where one ends, and what a MESSAGE is about.

use super::reader::Reader;
use crate::{
    Format, Position, Timestamp,
    codec::{MessagePeek, TailPeek},
    decode::{DEPTH_MAX, Kind},
};

/// See [`Codec::split_packet`](crate::Codec::split_packet).
#[inline]
pub(crate) fn split_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(bytes);
    let packet = reader.value(DEPTH_MAX + 1).ok()?;
    Some((packet, reader.rest()))
}

/// See [`Codec::peek_message`](crate::Codec::peek_message).
#[inline]
pub(crate) fn peek_message(packet: &[u8]) -> Option<MessagePeek<'_>> {
    let mut reader = Reader::new(packet);
    let elements = reader.array().ok()?;
    if elements < 7 || reader.uint().ok()? != u64::from(Kind::Message.number()) {
        return None;
    }
    let sub = reader.uint().ok()?;
    let topic = reader.text_bytes().ok()?;
    let retain = elements > 7 && has_retain(reader).unwrap_or(false);
    Some(MessagePeek { sub, topic, retain })
}

/// See [`Codec::peek_tail`](crate::Codec::peek_tail).
#[inline]
pub(crate) fn peek_tail(tail: &[u8]) -> Option<TailPeek<'_>> {
    let mut reader = Reader::new(tail);
    Some(TailPeek {
        topic: reader.text_bytes().ok()?,
        format: Format::from_wire(reader.uint().ok()?)?,
        payload: reader.bytes().ok()?,
        time: Timestamp::from_millis(reader.uint().ok()?),
        position: Position::from_wire(reader.uint().ok()?)?,
    })
}

/// Whether the options behind format, payload, time and position say `retain`.
fn has_retain(mut reader: Reader<'_>) -> Option<bool> {
    for _ in 0..4 {
        reader.skip(DEPTH_MAX).ok()?;
    }
    for _ in 0..reader.map().ok()? {
        if reader.text_bytes().ok()? == b"retain" {
            return reader.boolean().ok();
        }
        reader.skip(DEPTH_MAX).ok()?;
    }
    Some(false)
}
