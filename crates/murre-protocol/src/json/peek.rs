//! A look at packets that this crate wrote itself: where one ends, and what a MESSAGE is about.

use std::borrow::Cow;

use super::encode::MESSAGE_START;
use crate::codec::MessagePeek;

/// See [`Codec::split_packet`](crate::Codec::split_packet).
pub(crate) fn split_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(memchr::memchr(b'\n', bytes)? + 1)
}

/// See [`Codec::peek_message`](crate::Codec::peek_message).
pub(crate) fn peek_message(packet: &[u8]) -> Option<MessagePeek<'_>> {
    let rest = packet.strip_prefix(MESSAGE_START)?;
    let (digits, rest) = rest.split_at_checked(memchr::memchr(b',', rest)?)?;
    let sub = str::from_utf8(digits).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(br#","topic":""#)?;
    let topic = rest.get(..string_end(rest)?)?;
    // The last of the options, and nothing else at a packet's end is the bare word `true` behind this name.
    Some(MessagePeek { sub, topic, retain: packet.ends_with(b"\"retain\":true}}\n") })
}

/// See [`Codec::peeked_topic`](crate::Codec::peeked_topic).
pub(crate) fn peeked_topic(topic: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', topic).is_none() {
        return String::from_utf8_lossy(topic);
    }
    let quoted = [b"\"", topic, b"\""].concat();
    serde_json::from_slice(&quoted).map_or_else(|_| String::from_utf8_lossy(topic), Cow::Owned)
}

/// Where the string ends that `text` is inside of.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at)? {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}
