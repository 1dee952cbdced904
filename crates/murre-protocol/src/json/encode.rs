//! Packets as JSON objects, for writing: a line each.

use base64::Engine;

use super::{
    transcode,
    value::{BASE64, checked, nests_deeper},
};
use crate::{
    Format,
    codec::HasOptions,
    decode::Kind,
    encode::{self, Fields},
    packet::{BrokerPacket, ClientPacket, Message},
};

/// The deepest nesting in a payload that is written as a JSON value: parsers in use bear it, and deeper ones
/// travel as base64.
pub(super) const PAYLOAD_DEPTH_MAX: u32 = 64;

/// What a MESSAGE begins with, up to the subscription's number.
pub(super) const MESSAGE_START: &[u8] = br#"{"type":"message","sub":"#;

/// See [`Codec::write_client`](crate::Codec::write_client).
pub(crate) fn write_client(packet: &ClientPacket<'_>, out: &mut Vec<u8>) {
    let mut fields = ObjectFields::begin(encode::client_kind(packet), out);
    encode::client(packet, &mut fields);
    fields.end();
}

/// See [`Codec::write_broker`](crate::Codec::write_broker).
pub(crate) fn write_broker(packet: &BrokerPacket<'_>, out: &mut Vec<u8>) {
    let mut fields = ObjectFields::begin(encode::broker_kind(packet), out);
    encode::broker(packet, &mut fields);
    fields.end();
}

/// See [`Codec::message_tail`](crate::Codec::message_tail).
pub(crate) fn message_tail(message: &Message<'_>, out: &mut Vec<u8>) -> HasOptions {
    let mut fields = ObjectFields { first: false, out };
    encode::message(message, &mut fields);
    fields.end();
    HasOptions(encode::has_options(message))
}

/// See [`Codec::message_head`](crate::Codec::message_head).
pub(crate) fn message_head(sub: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(MESSAGE_START);
    write_uint(sub, out);
}

fn write_uint(n: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// A string with its quotes and escapes. Writing to a `Vec` never fails.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    // Four characters for each three bytes, begun or whole.
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = out.get_mut(start..).and_then(|room| BASE64.encode_slice(bytes, room).ok());
    out.truncate(start + written.unwrap_or(0));
    out.push(b'"');
}

/// An object that is being written.
struct ObjectFields<'o> {
    first: bool,
    out: &'o mut Vec<u8>,
}

impl<'o> ObjectFields<'o> {
    fn begin(kind: Kind, out: &'o mut Vec<u8>) -> Self {
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.word().as_bytes());
        out.push(b'"');
        Self { first: false, out }
    }

    fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    /// Writes a key of the specification, which needs no escapes.
    fn entry(&mut self, name: &'static str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Writes `payload` as `payload` if `format` has a JSON form for it.
    fn plain_payload(&mut self, format: Format, payload: &[u8]) -> bool {
        let (length, first) = (self.out.len(), self.first);
        let out = self.entry("payload");
        let is_written = match format {
            Format::Json => write_json(payload, out),
            Format::Text => str::from_utf8(payload).map(|text| write_text(text, out)).is_ok(),
            Format::MessagePack => transcode::to_json(payload, out).is_some(),
            Format::Raw => false,
        };
        if !is_written {
            self.out.truncate(length);
            self.first = first;
        }
        is_written
    }
}

/// Writes a payload that says it is JSON, if it is.
fn write_json(payload: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(text) = checked(payload).filter(|text| !nests_deeper(text, PAYLOAD_DEPTH_MAX)) else {
        return false;
    };
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        out.extend_from_slice(text.as_bytes());
    } else {
        // Strings can't hold these, so they are white space between tokens.
        out.extend(text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    }
    true
}

impl Fields for ObjectFields<'_> {
    fn uint(&mut self, name: &'static str, n: u64) {
        write_uint(n, self.entry(name));
    }

    fn float(&mut self, name: &'static str, n: f64) {
        // Writing to a `Vec` never fails.
        drop(serde_json::to_writer(self.entry(name), &n));
    }

    fn boolean(&mut self, name: &'static str, value: bool) {
        self.entry(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn text(&mut self, name: &'static str, text: &str) {
        write_text(text, self.entry(name));
    }

    fn bytes(&mut self, name: &'static str, bytes: &[u8]) {
        write_base64(bytes, self.entry(name));
    }

    fn payload(&mut self, format: Format, payload: &[u8]) {
        self.uint("format", format.number().into());
        if !self.plain_payload(format, payload) {
            self.bytes("payload_base64", payload);
        }
    }

    fn map(&mut self, name: &'static str, fill: impl FnOnce(&mut Self)) {
        self.entry(name).push(b'{');
        self.first = true;
        fill(self);
        self.first = false;
        self.out.push(b'}');
    }

    fn uints(&mut self, name: &'static str, items: impl ExactSizeIterator<Item = u64>) {
        write_items(self.entry(name), items, write_uint);
    }

    fn list<'v>(&mut self, name: &'static str, items: impl ExactSizeIterator<Item = &'v str>) {
        write_items(self.entry(name), items, write_text);
    }

    fn texts<'v>(&mut self, name: &'static str, pairs: impl ExactSizeIterator<Item = (&'v str, &'v str)>) {
        write_pairs(self.entry(name), pairs, write_text);
    }

    fn counts<'v>(&mut self, name: &'static str, pairs: impl ExactSizeIterator<Item = (&'v str, u64)>) {
        write_pairs(self.entry(name), pairs, write_uint);
    }
}

fn write_items<V>(out: &mut Vec<u8>, items: impl Iterator<Item = V>, write: impl Fn(V, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_pairs<'v, V>(
    out: &mut Vec<u8>,
    pairs: impl Iterator<Item = (&'v str, V)>,
    write: impl Fn(V, &mut Vec<u8>),
) {
    out.push(b'{');
    for (at, (key, value)) in pairs.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(key, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}
