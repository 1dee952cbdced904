//! Packets as MessagePack arrays, back to back: the encoding of `murre.v1.msgpack`.

mod decode;
mod encode;
mod peek;
mod plain;
pub(crate) mod reader;
pub(crate) mod writer;

use decode::{ArrayElements, unknown};
pub(crate) use encode::{message_head, message_tail, write_broker, write_client};
pub(crate) use peek::{peek_message, peek_tail, split_packet};

use crate::{
    DecodeError, Problem,
    codec::Taken,
    decode::{Elements, broker, client},
    packet::{BrokerPacket, ClientPacket},
};

/// See [`Codec::client_packet`](crate::Codec::client_packet).
#[inline]
pub(crate) fn client_packet(bytes: &[u8], max_packet: usize) -> Taken<'_, ClientPacket<'_>> {
    if let Some((publish, rest)) = plain::publish(bytes.get(..max_packet).unwrap_or(bytes)) {
        // what is behind may be more than one packet may have
        let length = bytes.len().min(max_packet) - rest.len();
        return Ok(Some((ClientPacket::Publish(publish), bytes.get(length..).unwrap_or_default())));
    }
    packet(bytes, max_packet, client)
}

/// See [`Codec::broker_packet`](crate::Codec::broker_packet).
#[inline]
pub(crate) fn broker_packet(bytes: &[u8], max_packet: usize) -> Taken<'_, BrokerPacket<'_>> {
    packet(bytes, max_packet, broker)
}

#[inline]
fn packet<'a, P>(
    bytes: &'a [u8],
    max_packet: usize,
    read: impl FnOnce(&mut ArrayElements<'a>) -> Result<Option<P>, DecodeError>,
) -> Taken<'a, P> {
    if bytes.is_empty() {
        return Ok(None);
    }
    // Looking only at as much as a packet may have makes the limit cost nothing: a larger one ends too early.
    let within = bytes.get(..max_packet).unwrap_or(bytes);
    let taken = ArrayElements::begin(within).and_then(|mut elements| {
        let packet = read(&mut elements)?.ok_or_else(|| unknown(elements.kind().number().into()))?;
        Ok((packet, elements.end()?.len()))
    });
    match taken {
        Ok((packet, left)) => {
            let length = within.len() - left;
            Ok(Some((packet, bytes.get(length..).unwrap_or_default())))
        }
        Err(error) if error.problem == Problem::Truncated && within.len() < bytes.len() => {
            let problem = Problem::TooLarge { bytes: bytes.len(), max: max_packet };
            Err(DecodeError { problem, ..error })
        }
        Err(error) => Err(error),
    }
}
