//! The packet that a broker reads most, and the one that it writes most, in one go: PUBLISH and MESSAGE without
//! options.
//!
//! Whatever is unusual about one is left to the general way, which also finds the words for what is wrong.

use std::borrow::Cow;

use super::{reader::Reader, writer};
use crate::{
    Format,
    packet::{Message, Publish},
};

const PUBLISH: u8 = 3;
/// An array of the type, topic, format, payload and id.
const FIVE_ELEMENTS: u8 = 0x95;

/// The plain PUBLISH at the front of `bytes`, and what is behind it; none where there is something else.
#[inline]
pub(super) fn publish(bytes: &[u8]) -> Option<(Publish<'_>, &[u8])> {
    let rest = bytes.strip_prefix(&[FIVE_ELEMENTS, PUBLISH])?;
    let mut reader = Reader::new(rest);
    let topic = Cow::Borrowed(reader.text().ok()?);
    let format = Format::from_wire(reader.uint().ok()?)?;
    let payload = Cow::Borrowed(reader.bytes().ok()?);
    let id = reader.uint().ok()?;
    Some((Publish { topic, format, payload, id, options: None }, reader.rest()))
}

/// Appends the tail of a MESSAGE without options.
#[inline]
pub(super) fn message_tail(message: &Message<'_>, out: &mut Vec<u8>) {
    writer::text(out, &message.topic);
    writer::uint(out, message.format.number().into());
    writer::bytes(out, &message.payload);
    writer::uint(out, message.time.millis());
    writer::uint(out, message.position.get());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Position, Timestamp,
        decode::client,
        msgpack::{encode::general_tail, packet, write_client},
        packet::ClientPacket,
    };

    proptest! {
        #[test]
        fn the_short_way_writes_what_the_general_way_writes(
            topic in "[a-z/]{1,40}",
            payload in prop::collection::vec(any::<u8>(), 0..300),
            (format, time, offset) in (0u64..4, any::<u64>(), 0u64..1 << 48),
        ) {
            let message = Message {
                topic: topic.into(),
                format: Format::from_wire(format).unwrap(),
                payload: payload.into(),
                time: Timestamp::from_millis(time),
                position: Position::new(offset, 7),
                options: None,
            };
            let (mut short, mut general) = (Vec::new(), Vec::new());
            super::message_tail(&message, &mut short);
            general_tail(&message, &mut general);
            prop_assert_eq!(short, general);
        }

        #[test]
        fn the_short_way_reads_what_the_general_way_reads(
            topic in "[a-z/]{1,40}",
            format in 0u64..4,
            payload in prop::collection::vec(any::<u8>(), 0..300),
            id in any::<u64>(),
            cut in any::<prop::sample::Index>(),
            flip in any::<(prop::sample::Index, u8)>(),
        ) {
            let publish = Publish {
                topic: topic.into(),
                format: Format::from_wire(format).unwrap(),
                payload: payload.into(),
                id,
                options: None,
            };
            let mut bytes = Vec::new();
            write_client(&ClientPacket::Publish(publish.clone()), &mut bytes);
            prop_assert_eq!(super::publish(&bytes).map(|(read, _)| read), Some(publish));
            bytes.truncate(cut.index(bytes.len()) + 1);
            let at = flip.0.index(bytes.len());
            bytes[at] ^= flip.1;
            if let Some((read, rest)) = super::publish(&bytes) {
                let general = packet(&bytes, usize::MAX, client).unwrap().unwrap();
                prop_assert_eq!(general, (ClientPacket::Publish(read), rest));
            }
        }
    }
}
