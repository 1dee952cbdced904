//! Packets as JSON objects, normally a line each: the encoding of `murre.v1.json`.

mod decode;
mod encode;
mod peek;
mod transcode;
mod value;

use decode::{ObjectElements, Slots, unknown};
pub(crate) use encode::{message_head, message_tail, write_broker, write_client};
pub(crate) use peek::{peek_message, peeked_topic, split_packet};

use crate::{
    DecodeError, Problem,
    codec::Taken,
    decode::{Elements, broker, client},
    packet::{BrokerPacket, ClientPacket},
};

/// See [`Codec::client_packet`](crate::Codec::client_packet).
pub(crate) fn client_packet(bytes: &[u8], max_packet: usize) -> Taken<'_, ClientPacket<'_>> {
    packet(bytes, max_packet, client)
}

/// See [`Codec::broker_packet`](crate::Codec::broker_packet).
pub(crate) fn broker_packet(bytes: &[u8], max_packet: usize) -> Taken<'_, BrokerPacket<'_>> {
    packet(bytes, max_packet, broker)
}

fn packet<'a, P>(
    bytes: &'a [u8],
    max_packet: usize,
    read: impl FnOnce(&mut ObjectElements<'a>) -> Result<Option<P>, DecodeError>,
) -> Taken<'a, P> {
    let Some(start) = bytes.iter().position(|byte| !is_space(*byte)) else {
        return Ok(None);
    };
    let bytes = bytes.get(start..).unwrap_or_default();
    // Looking only at as much as a packet may have makes the limit cost nothing: a larger one ends too early.
    let within = bytes.get(..max_packet).unwrap_or(bytes);
    let (slots, rest) = match Slots::take(within) {
        Ok((slots, length)) => (slots, bytes.get(length..).unwrap_or_default()),
        Err(Problem::Truncated) if within.len() < bytes.len() => {
            let problem = Problem::TooLarge { bytes: bytes.len(), max: max_packet };
            return Err(DecodeError::new("packet", "", problem));
        }
        Err(problem) => return Err(DecodeError::new("packet", "", problem)),
    };
    let mut elements = ObjectElements::begin(slots)?;
    let packet = read(&mut elements)?.ok_or_else(|| unknown(elements.kind().word()))?;
    Ok(Some((packet, rest)))
}

/// JSON's white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
