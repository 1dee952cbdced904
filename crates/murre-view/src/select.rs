//! Selections: a payload's values at some paths, under the same structure.

use murre_protocol::Format;

use crate::{
    path::{Path, PathError},
    value::{Entries, Entry, PAYLOAD_BYTES_MAX, Raw, Text, Unusable},
};

/// Paths as a tree of keys.
#[derive(Debug)]
pub struct Selection {
    root: Vec<Branch>,
}

/// A key, and what of its value is selected; all of it where nothing is under it.
#[derive(Debug)]
struct Branch {
    name: Box<str>,
    under: Vec<Branch>,
}

impl Selection {
    /// Compiles paths.
    ///
    /// # Errors
    /// One is no path, or names the whole payload.
    pub fn compile<'p>(paths: impl IntoIterator<Item = &'p str>) -> Result<Self, PathError> {
        let mut root = Vec::new();
        for text in paths {
            let path = Path::parse(text)?;
            if path.names().len() == 0 {
                return Err(PathError::EmptyKey(text.to_owned()));
            }
            insert(&mut root, path.names());
        }
        Ok(Self { root })
    }

    /// Appends what is selected of a payload to `out`; on an error nothing.
    ///
    /// # Errors
    /// The payload is no map in MessagePack or JSON, or has none of the paths.
    pub fn write(&self, format: Format, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Unusable> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Unusable::TooLong);
        }
        let raw = Raw::of(format, payload).ok_or(Unusable::Missing)?;
        let start = out.len();
        let written = write_map(&self.root, raw, out);
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(Unusable::Missing),
            Err(why) => {
                out.truncate(start);
                Err(why)
            }
        }
    }
}

/// Adds a path. Of one that leads through another's end, the shorter counts.
fn insert<'p>(branches: &mut Vec<Branch>, mut names: impl ExactSizeIterator<Item = &'p str>) {
    let Some(name) = names.next() else { return };
    let is_end = names.len() == 0;
    let known = branches.iter().position(|branch| &*branch.name == name);
    match known.and_then(|at| branches.get_mut(at)) {
        Some(branch) if is_end => branch.under.clear(),
        Some(branch) if branch.under.is_empty() => {}
        Some(branch) => insert(&mut branch.under, names),
        None => {
            let mut branch = Branch { name: name.into(), under: Vec::new() };
            insert(&mut branch.under, names);
            branches.push(branch);
        }
    }
}

/// Writes the selected entries of a map; false, and nothing written, where there are none.
fn write_map(branches: &[Branch], raw: Raw<'_>, out: &mut Vec<u8>) -> Result<bool, Unusable> {
    let Some(mut entries) = raw.entries()? else { return Ok(false) };
    let start = out.len();
    begin(raw, branches.len(), out);
    // A bit for each branch: there are at most 32 paths.
    let (mut done, mut count) = (0_u64, 0_usize);
    while count < branches.len()
        && let Some(entry) = entries.next()?
    {
        let Some((at, branch)) = branch_of(branches, &entry) else { continue };
        if done & (1 << at) == 0 && write_entry(branch, &entry, &mut entries, count > 0, out)? {
            done |= 1 << at;
            count += 1;
        }
    }
    if count == 0 {
        out.truncate(start);
        return Ok(false);
    }
    end(raw, (start, branches.len(), count), out);
    Ok(true)
}

fn branch_of<'b>(branches: &'b [Branch], entry: &Entry<'_>) -> Option<(usize, &'b Branch)> {
    let key: Text<'_> = entry.key?;
    branches.iter().enumerate().find(|(_, branch)| key == *branch.name)
}

/// Writes an entry, the last that `entries` gave; false, and nothing written, where nothing in it is selected.
fn write_entry(
    branch: &Branch,
    entry: &Entry<'_>,
    entries: &mut Entries<'_>,
    comma: bool,
    out: &mut Vec<u8>,
) -> Result<bool, Unusable> {
    let start = out.len();
    let is_json = matches!(entry.value, Raw::Json(_));
    if is_json && comma {
        out.push(b',');
    }
    out.extend_from_slice(entry.key_bytes);
    if is_json {
        out.push(b':');
    }
    let is_there = if branch.under.is_empty() {
        out.extend_from_slice(entries.take_value()?);
        true
    } else {
        write_map(&branch.under, entry.value, out)?
    };
    if !is_there {
        out.truncate(start);
    }
    Ok(is_there)
}

/// Fewer entries than this have their number in a map's first byte.
const FIX_MAP: usize = 16;

fn begin(raw: Raw<'_>, entries_max: usize, out: &mut Vec<u8>) {
    match raw {
        Raw::Json(_) => out.push(b'{'),
        Raw::MessagePack(_) if entries_max < FIX_MAP => out.push(0x80),
        Raw::MessagePack(_) => out.extend_from_slice(&[0xde, 0, 0]),
    }
}

fn end(raw: Raw<'_>, (start, entries_max, count): (usize, usize, usize), out: &mut Vec<u8>) {
    // Fits: at most 32.
    let count = count as u8;
    match raw {
        Raw::Json(_) => out.push(b'}'),
        Raw::MessagePack(_) => {
            let at = if entries_max < FIX_MAP { start } else { start + 2 };
            if let Some(byte) = out.get_mut(at) {
                *byte |= count;
            }
        }
    }
}
