//! Which files are looked at, and what was written to them since their last sync.

use std::{collections::HashMap, ops::Range, path::PathBuf, sync::Mutex};

/// By file: what was written and not synced, from the first byte to the last.
static UNSYNCED: Mutex<Option<HashMap<PathBuf, Range<u64>>>> = Mutex::new(None);

/// The file behind a descriptor, if it is one of those that are looked at.
pub(crate) fn file_of(descriptor: i32) -> Option<PathBuf> {
    let folder = std::env::var_os("SHIM_FILES")?;
    let path = std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
    path.starts_with(folder).then_some(path)
}

/// Bytes were written.
pub(crate) fn wrote(file: PathBuf, range: Range<u64>) {
    let Ok(mut unsynced) = UNSYNCED.lock() else { return };
    let known = unsynced.get_or_insert_default().entry(file).or_insert_with(|| range.clone());
    *known = known.start.min(range.start)..known.end.max(range.end);
}

/// The file was synced, or what was written is lost: what that was.
pub(crate) fn take_unsynced(file: &PathBuf) -> Option<Range<u64>> {
    UNSYNCED.lock().ok()?.as_mut()?.remove(file)
}
