//! Patches: what changed from one payload to the next, as RFC 7386 (JSON Merge Patch) has it, over MessagePack too.
//!
//! In a merge patch null means "take it away", so a change *to* null can't be said in one: then, and where a patch
//! would be no shorter, the whole payload is sent.

use murre_protocol::Format;

use crate::value::{DEPTH_MAX, Entry, PAYLOAD_BYTES_MAX, Raw, Unusable, Value};

/// How many keys may stand at another place than before. Each costs a walk through the map.
const MOVED_MAX: u32 = 64;
/// More entries than this are counted in more bytes than one: a map of more is sent as a whole.
const ENTRIES_MAX: usize = u16::MAX as usize;

/// Appends a patch that makes `new` of `old`. False, and nothing is appended, where the whole of `new` has to be
/// sent.
pub(crate) fn write(format: Format, old: &[u8], new: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let (Some(old_map), Some(new_map)) = (Raw::of(format, old), Raw::of(format, new)) else { return false };
    if old.len().max(new.len()) > PAYLOAD_BYTES_MAX {
        return false;
    }
    let mut differ = Differ { moved_left: MOVED_MAX };
    let is_written = matches!(differ.maps(old_map, new_map, out), Ok(true)) && out.len() - start < new.len();
    if !is_written {
        out.truncate(start);
    }
    is_written
}

struct Differ {
    moved_left: u32,
}

/// A map that is being written.
struct MapWriter {
    start: usize,
    count: usize,
    is_json: bool,
}

impl Differ {
    /// Writes the difference of two maps; false where there is no patch for it.
    fn maps(&mut self, old: Raw<'_>, new: Raw<'_>, out: &mut Vec<u8>) -> Result<bool, Unusable> {
        let (Some(mut old_entries), Some(mut entries)) = (old.entries()?, new.entries()?) else {
            return Ok(false);
        };
        let mut map = MapWriter::begin(new, out);
        let (mut kept, mut had) = (0_usize, 0_usize);
        while let Some(entry) = entries.next()? {
            let beside = old_entries.next()?;
            had += usize::from(beside.is_some());
            let Some(before) = self.same_key(&entry, beside, old)? else {
                if contains_null(entry.value)? {
                    return Ok(false);
                }
                map.entry(&entry, out).extend_from_slice(entry.value.bytes()?);
                continue;
            };
            kept += 1;
            if !self.change(&mut map, &entry, before, out)? {
                return Ok(false);
            }
        }
        while old_entries.next()?.is_some() {
            had += 1;
        }
        if had > kept && !self.removals(&mut map, (old, new), out)? {
            return Ok(false);
        }
        Ok(map.end(out))
    }

    /// Writes what became of a value, if it changed.
    fn change(
        &mut self,
        map: &mut MapWriter,
        entry: &Entry<'_>,
        before: Raw<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Unusable> {
        let (old, new) = (before.bytes()?, entry.value.bytes()?);
        if old == new {
            return Ok(true);
        }
        if matches!((before.value()?, entry.value.value()?), (Value::Map(_), Value::Map(_))) {
            map.entry(entry, out);
            return self.maps(before, entry.value, out);
        }
        if contains_null(entry.value)? {
            return Ok(false);
        }
        map.entry(entry, out).extend_from_slice(new);
        Ok(true)
    }

    /// Writes null for each key that is gone.
    fn removals(
        &mut self,
        map: &mut MapWriter,
        (old, new): (Raw<'_>, Raw<'_>),
        out: &mut Vec<u8>,
    ) -> Result<bool, Unusable> {
        let (Some(mut entries), Some(mut new_entries)) = (old.entries()?, new.entries()?) else {
            return Ok(false);
        };
        while let Some(entry) = entries.next()? {
            let beside = new_entries.next()?;
            if self.same_key(&entry, beside, new)?.is_none() {
                map.entry(&entry, out).extend_from_slice(if map.is_json { b"null" } else { b"\xc0" });
            }
        }
        Ok(true)
    }

    /// The value of the same key in another map, whose entry at the same place is tried first.
    ///
    /// # Errors
    /// Too many keys have moved, or one is no text.
    fn same_key<'o>(
        &mut self,
        entry: &Entry<'_>,
        beside: Option<Entry<'o>>,
        other: Raw<'o>,
    ) -> Result<Option<Raw<'o>>, Unusable> {
        let key = entry.key.ok_or(Unusable::Malformed)?;
        if let Some(beside) = beside.filter(|beside| beside.key == Some(key)) {
            return Ok(Some(beside.value));
        }
        self.moved_left = self.moved_left.checked_sub(1).ok_or(Unusable::TooLong)?;
        other.find(&key.plain()?)
    }
}

/// Whether null stands in it where a merge patch would take it for a removal: as itself, or under keys of maps.
fn contains_null(raw: Raw<'_>) -> Result<bool, Unusable> {
    nulls_within(raw, DEPTH_MAX)
}

fn nulls_within(raw: Raw<'_>, depth: u32) -> Result<bool, Unusable> {
    let depth = depth.checked_sub(1).ok_or(Unusable::Malformed)?;
    match raw.value()? {
        Value::Null => Ok(true),
        Value::Map(map) => {
            let Some(mut entries) = map.entries()? else { return Ok(false) };
            while let Some(entry) = entries.next()? {
                if nulls_within(entry.value, depth)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

impl MapWriter {
    /// The header of a MessagePack map has room for as many entries as there are.
    fn begin(of: Raw<'_>, out: &mut Vec<u8>) -> Self {
        let (start, is_json) = (out.len(), matches!(of, Raw::Json(_)));
        if is_json {
            out.push(b'{');
        } else {
            out.extend_from_slice(&[0xde, 0, 0]);
        }
        Self { start, count: 0, is_json }
    }

    /// Writes a key; the value is the caller's.
    fn entry<'o>(&mut self, entry: &Entry<'_>, out: &'o mut Vec<u8>) -> &'o mut Vec<u8> {
        if self.is_json && self.count > 0 {
            out.push(b',');
        }
        self.count += 1;
        out.extend_from_slice(entry.key_bytes);
        if self.is_json {
            out.push(b':');
        }
        out
    }

    /// Ends it, in its shortest form; false where it has too many entries.
    fn end(self, out: &mut Vec<u8>) -> bool {
        if self.is_json {
            out.push(b'}');
            return true;
        }
        if self.count > ENTRIES_MAX {
            return false;
        }
        // Fit: within what was checked.
        let header = if self.count < 16 {
            vec![0x80 | self.count as u8]
        } else {
            let [high, low] = (self.count as u16).to_be_bytes();
            vec![0xde, high, low]
        };
        out.splice(self.start..self.start + 3, header);
        true
    }
}
