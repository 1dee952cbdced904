//! Payloads between MessagePack and JSON, so that clients of either encoding read each other's values.

use std::fmt;

use rmp::Marker;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{
    encode::{PAYLOAD_DEPTH_MAX, write_text},
    value::{Raw, nests_deeper, problem},
};
use crate::{
    Problem,
    msgpack::{reader::Reader, writer},
};

/// Appends the one MessagePack value that `bytes` is; none, with `out` as far as it came, where JSON has no form
/// for it: bytes, extensions, keys that are no strings, NaN and infinities, more than 64 levels, text that isn't
/// UTF-8, no whole value or more than one.
pub(super) fn to_json(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader::new(bytes);
    value_to_json(&mut reader, PAYLOAD_DEPTH_MAX, out)?;
    reader.rest().is_empty().then_some(())
}

fn value_to_json(reader: &mut Reader<'_>, depth: u32, out: &mut Vec<u8>) -> Option<()> {
    let mut ahead = *reader;
    match ahead.marker().ok()? {
        Marker::Null => out.extend_from_slice(b"null"),
        Marker::True => out.extend_from_slice(b"true"),
        Marker::False => out.extend_from_slice(b"false"),
        Marker::FixPos(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => {
            return number(reader.uint().ok()?, out);
        }
        Marker::FixNeg(n) => number(n, out)?,
        Marker::I8 => number(ahead.u8().ok()?.cast_signed(), out)?,
        Marker::I16 => number(ahead.u16().ok()?.cast_signed(), out)?,
        Marker::I32 => number(ahead.u32().ok()?.cast_signed(), out)?,
        Marker::I64 => number(ahead.u64().ok()?.cast_signed(), out)?,
        Marker::F32 => {
            let n = f32::from_bits(ahead.u32().ok()?);
            n.is_finite().then(|| serde_json::to_writer(out, &n).ok()).flatten()?;
        }
        Marker::F64 => {
            let n = f64::from_bits(ahead.u64().ok()?);
            n.is_finite().then(|| serde_json::to_writer(out, &n).ok()).flatten()?;
        }
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            write_text(reader.text().ok()?, out);
            return Some(());
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => return array_to_json(reader, depth, out),
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => return map_to_json(reader, depth, out),
        _ => return None,
    }
    *reader = ahead;
    Some(())
}

fn number(n: impl itoa::Integer, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    Some(())
}

fn array_to_json(reader: &mut Reader<'_>, depth: u32, out: &mut Vec<u8>) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    out.push(b'[');
    for at in 0..reader.array().ok()? {
        if at > 0 {
            out.push(b',');
        }
        value_to_json(reader, depth, out)?;
    }
    out.push(b']');
    Some(())
}

fn map_to_json(reader: &mut Reader<'_>, depth: u32, out: &mut Vec<u8>) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    out.push(b'{');
    for at in 0..reader.map().ok()? {
        if at > 0 {
            out.push(b',');
        }
        write_text(reader.text().ok()?, out);
        out.push(b':');
        value_to_json(reader, depth, out)?;
    }
    out.push(b'}');
    Some(())
}

/// The JSON value in MessagePack: whole numbers in their shortest form, others as 64-bit floats.
pub(super) fn to_msgpack(json: Raw<'_>) -> Result<Vec<u8>, Problem> {
    if nests_deeper(json.0, PAYLOAD_DEPTH_MAX) {
        return Err(Problem::TooDeep);
    }
    let mut out = Vec::with_capacity(json.0.len());
    ToMsgpack(&mut out)
        .deserialize(&mut serde_json::Deserializer::from_str(json.0))
        .map_err(|e| problem(&e))?;
    Ok(out)
}

/// Appends the value that it visits.
struct ToMsgpack<'o>(&'o mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for ToMsgpack<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ToMsgpack<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        writer::nil(self.0);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        writer::boolean(self.0, value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<(), E> {
        writer::uint(self.0, n);
        Ok(())
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<(), E> {
        writer::sint(self.0, n);
        Ok(())
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<(), E> {
        writer::float(self.0, n);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        writer::text(self.0, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let (start, mut count) = (self.0.len(), 0);
        while items.next_element_seed(ToMsgpack(self.0))?.is_some() {
            count += 1;
        }
        insert_header(self.0, start, |header| writer::array(header, count));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (start, mut count) = (self.0.len(), 0);
        while map.next_key_seed(ToMsgpack(self.0))?.is_some() {
            map.next_value_seed(ToMsgpack(self.0))?;
            count += 1;
        }
        insert_header(self.0, start, |header| writer::map(header, count));
        Ok(())
    }
}

/// Puts a header before what was written from `start` on: JSON says only at the end how many there were.
fn insert_header(out: &mut Vec<u8>, start: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let end = out.len();
    write(out);
    let length = out.len() - end;
    if let Some(written) = out.get_mut(start..) {
        written.rotate_right(length);
    }
}
