//! Merge patches: what a MESSAGE with the option `patch` stands for, put together with the topic's value before.
//!
//! RFC 7386 (JSON Merge Patch), over MessagePack too. Values are copied as they are encoded, so that a number keeps
//! its text and what a patch leaves alone its place.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{Format, Problem, msgpack::reader::Reader, msgpack::writer};

/// The deepest nesting of maps that a patch may lead through, and of values in MessagePack that are passed over.
pub const DEPTH_MAX: u32 = 64;

/// The value that `patch` makes of `target`, both of `format`.
///
/// # Errors
/// The format has no structure, or one of the two can't be read as it: nothing can be said about the value then.
pub fn merge(format: Format, target: &[u8], patch: &[u8]) -> Result<Vec<u8>, Problem> {
    let encoding = match format {
        Format::MessagePack => Encoding::MessagePack,
        Format::Json => Encoding::Json,
        Format::Raw | Format::Text => {
            return Err(Problem::Type { expected: "MessagePack or JSON", found: "raw bytes or text" });
        }
    };
    let mut out = Vec::with_capacity(target.len() + patch.len());
    encoding.merge(Some(target), patch, DEPTH_MAX, &mut out)?;
    Ok(out)
}

#[derive(Clone, Copy)]
enum Encoding {
    MessagePack,
    Json,
}

/// An entry of a map, as it is encoded.
struct Entry<'a> {
    key: Cow<'a, str>,
    key_bytes: &'a [u8],
    value: &'a [u8],
}

/// An entry of the map that is made.
struct Merged<'a> {
    key_bytes: &'a [u8],
    before: Option<&'a [u8]>,
    change: Option<&'a [u8]>,
}

impl Encoding {
    /// Appends what `patch` makes of `target`.
    fn merge(
        self,
        target: Option<&[u8]>,
        patch: &[u8],
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let Some(changes) = self.entries(patch)? else {
            out.extend_from_slice(patch);
            return Ok(());
        };
        let depth = depth.checked_sub(1).ok_or(Problem::TooDeep)?;
        let before = target.map(|target| self.entries(target)).transpose()?.flatten().unwrap_or_default();
        let merged = self.merged(&before, &changes);
        self.begin_map(merged.len(), out);
        for (at, Merged { key_bytes, before, change }) in merged.into_iter().enumerate() {
            self.begin_entry(at, key_bytes, out);
            match (before, change) {
                (before, Some(change)) => self.merge(before, change, depth, out)?,
                (Some(before), None) => out.extend_from_slice(before),
                (None, None) => {}
            }
        }
        self.end_map(out);
        Ok(())
    }

    /// The entries of the new map: the old ones in their order, then what is new. Of keys that come twice in a patch
    /// the last counts.
    fn merged<'a>(self, before: &'a [Entry<'a>], changes: &'a [Entry<'a>]) -> Vec<Merged<'a>> {
        let mut by_key: BTreeMap<&str, (&[u8], bool)> =
            changes.iter().map(|change| (&*change.key, (change.value, false))).collect();
        let mut merged = Vec::with_capacity(before.len() + changes.len());
        for Entry { key, key_bytes, value } in before {
            let change = by_key.get_mut(&**key).map(|(change, met)| {
                *met = true;
                *change
            });
            if change.is_none_or(|change| !self.is_null(change)) {
                merged.push(Merged { key_bytes, before: Some(value), change });
            }
        }
        for Entry { key, key_bytes, .. } in changes {
            if let Some((change, met)) = by_key.remove(&**key)
                && !met
                && !self.is_null(change)
            {
                merged.push(Merged { key_bytes, before: None, change: Some(change) });
            }
        }
        merged
    }

    /// A map's entries; none where the value is no map.
    fn entries(self, value: &[u8]) -> Result<Option<Vec<Entry<'_>>>, Problem> {
        match self {
            Self::MessagePack => msgpack_entries(value),
            Self::Json => json_entries(value),
        }
    }

    fn is_null(self, value: &[u8]) -> bool {
        match self {
            Self::MessagePack => value == [0xc0],
            Self::Json => value == b"null",
        }
    }

    fn begin_map(self, entries: usize, out: &mut Vec<u8>) {
        match self {
            Self::MessagePack => writer::map(out, entries),
            Self::Json => out.push(b'{'),
        }
    }

    fn begin_entry(self, at: usize, key_bytes: &[u8], out: &mut Vec<u8>) {
        if matches!(self, Self::Json) && at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key_bytes);
        if matches!(self, Self::Json) {
            out.push(b':');
        }
    }

    fn end_map(self, out: &mut Vec<u8>) {
        if matches!(self, Self::Json) {
            out.push(b'}');
        }
    }
}

fn msgpack_entries(value: &[u8]) -> Result<Option<Vec<Entry<'_>>>, Problem> {
    let mut reader = Reader::new(value);
    if !matches!(value.first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
        // what is no map is copied as it is, so it has to be something
        reader.skip(DEPTH_MAX)?;
        return Ok(None);
    }
    let mut entries = Vec::new();
    for _ in 0..reader.map()? {
        let key_bytes = reader.value(DEPTH_MAX)?;
        let key = Cow::Borrowed(Reader::new(key_bytes).text()?);
        entries.push(Entry { key, key_bytes, value: reader.value(DEPTH_MAX)? });
    }
    Ok(Some(entries))
}

fn json_entries(value: &[u8]) -> Result<Option<Vec<Entry<'_>>>, Problem> {
    let is_map = value.trim_ascii_start().first() == Some(&b'{');
    let entries = if is_map {
        serde_json::from_slice(value).map(|JsonEntries(entries)| Some(entries))
    } else {
        serde_json::from_slice::<&RawValue>(value).map(|_| None)
    };
    entries.map_err(|error| Problem::Json(error.to_string()))
}

struct JsonEntries<'a>(Vec<Entry<'a>>);

impl<'de> Deserialize<'de> for JsonEntries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = JsonEntries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            entries.push(Entry {
                key: json_key(key.get()).map_err(serde::de::Error::custom)?,
                key_bytes: key.get().as_bytes(),
                value: value.get().as_bytes(),
            });
        }
        Ok(JsonEntries(entries))
    }
}

/// A key's text, from its text with quotes.
fn json_key(quoted: &str) -> serde_json::Result<Cow<'_, str>> {
    match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        _ => serde_json::from_str(quoted).map(Cow::Owned),
    }
}
