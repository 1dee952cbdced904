//! Packets as MessagePack arrays, for writing.

use super::{plain, writer};
use crate::{
    Format,
    codec::HasOptions,
    decode::Kind,
    encode::{self, Fields},
    packet::{BrokerPacket, ClientPacket, Message},
};

/// See [`Codec::write_client`](crate::Codec::write_client).
pub(crate) fn write_client(packet: &ClientPacket<'_>, out: &mut Vec<u8>) {
    let kind = encode::client_kind(packet);
    encode::client(packet, &mut ArrayFields::begin(kind, out));
}

/// See [`Codec::write_broker`](crate::Codec::write_broker).
pub(crate) fn write_broker(packet: &BrokerPacket<'_>, out: &mut Vec<u8>) {
    if let BrokerPacket::Message { sub, message } = packet {
        message_head(*sub, HasOptions(encode::has_options(message)), out);
        message_tail(message, out);
    } else {
        let kind = encode::broker_kind(packet);
        encode::broker(packet, &mut ArrayFields::begin(kind, out));
    }
}

/// See [`Codec::message_tail`](crate::Codec::message_tail).
#[inline]
pub(crate) fn message_tail(message: &Message<'_>, out: &mut Vec<u8>) -> HasOptions {
    if message.options.is_none() {
        plain::message_tail(message, out);
        return HasOptions(false);
    }
    general_tail(message, out);
    HasOptions(encode::has_options(message))
}

/// The tail of whatever MESSAGE.
pub(super) fn general_tail(message: &Message<'_>, out: &mut Vec<u8>) {
    encode::message(message, &mut ArrayFields { header: None, named: false, out });
}

/// See [`Codec::message_head`](crate::Codec::message_head).
#[inline]
pub(crate) fn message_head(sub: u64, has_options: HasOptions, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x97 + u8::from(has_options.0), Kind::Message.number()]);
    writer::uint(out, sub);
}

/// A packet's array or an option map, with a header of one byte that counts what is written: no packet and no
/// option map has 16 entries.
struct ArrayFields<'o> {
    /// Where the header is; none where it has been written already.
    header: Option<usize>,
    /// Whether keys are written.
    named: bool,
    out: &'o mut Vec<u8>,
}

impl<'o> ArrayFields<'o> {
    #[inline]
    fn begin(kind: Kind, out: &'o mut Vec<u8>) -> Self {
        let header = Some(out.len());
        out.extend_from_slice(&[0x91, kind.number()]);
        Self { header, named: false, out }
    }

    /// Counts an entry and writes its key where there are keys.
    #[inline]
    fn entry(&mut self, name: &'static str) -> &mut Vec<u8> {
        if let Some(count) = self.header.and_then(|at| self.out.get_mut(at)) {
            *count += 1;
        }
        if self.named {
            writer::text(self.out, name);
        }
        self.out
    }
}

impl Fields for ArrayFields<'_> {
    #[inline]
    fn uint(&mut self, name: &'static str, n: u64) {
        writer::uint(self.entry(name), n);
    }

    fn float(&mut self, name: &'static str, n: f64) {
        writer::float(self.entry(name), n);
    }

    fn boolean(&mut self, name: &'static str, value: bool) {
        writer::boolean(self.entry(name), value);
    }

    #[inline]
    fn text(&mut self, name: &'static str, text: &str) {
        writer::text(self.entry(name), text);
    }

    fn bytes(&mut self, name: &'static str, bytes: &[u8]) {
        writer::bytes(self.entry(name), bytes);
    }

    #[inline]
    fn payload(&mut self, format: Format, payload: &[u8]) {
        writer::uint(self.entry("format"), format.number().into());
        writer::bytes(self.entry("payload"), payload);
    }

    fn map(&mut self, name: &'static str, fill: impl FnOnce(&mut Self)) {
        self.entry(name);
        let outer = (self.header.replace(self.out.len()), self.named);
        self.named = true;
        self.out.push(0x80);
        fill(self);
        (self.header, self.named) = outer;
    }

    fn uints(&mut self, name: &'static str, items: impl ExactSizeIterator<Item = u64>) {
        let out = self.entry(name);
        writer::array(out, items.len());
        items.for_each(|n| writer::uint(out, n));
    }

    fn list<'v>(&mut self, name: &'static str, items: impl ExactSizeIterator<Item = &'v str>) {
        let out = self.entry(name);
        writer::array(out, items.len());
        items.for_each(|item| writer::text(out, item));
    }

    fn texts<'v>(&mut self, name: &'static str, pairs: impl ExactSizeIterator<Item = (&'v str, &'v str)>) {
        let out = self.entry(name);
        writer::map(out, pairs.len());
        for (key, value) in pairs {
            writer::text(out, key);
            writer::text(out, value);
        }
    }

    fn counts<'v>(&mut self, name: &'static str, pairs: impl ExactSizeIterator<Item = (&'v str, u64)>) {
        let out = self.entry(name);
        writer::map(out, pairs.len());
        for (key, count) in pairs {
            writer::text(out, key);
            writer::uint(out, count);
        }
    }
}
