//! What is to fail.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

/// What a process asks of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Write,
    Sync,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    Full,
    /// Half of it is written.
    Short,
    /// What was written since the last sync is thrown away.
    Lost,
}

#[derive(Debug, Default)]
struct State {
    /// The order that is being followed, as it stands in the file.
    text: String,
    /// Calls of its kind since it was found.
    count: u64,
    /// The next write fails too, since the disk is full.
    is_full: bool,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// Whether this call to a file fails.
pub(crate) fn failure_of(call: Call, file: &Path) -> Option<Failure> {
    let mut state = STATE.lock().ok()?;
    let state = state.get_or_insert_default();
    if call == Call::Write && std::mem::take(&mut state.is_full) {
        return Some(Failure::Full);
    }
    let path = PathBuf::from(std::env::var_os("SHIM_ORDER")?);
    let text = std::fs::read_to_string(&path).ok()?;
    if text != state.text {
        *state = State { text: text.clone(), ..State::default() };
    }
    let mut words = text.split_whitespace();
    let (of, number, how) = (words.next()?, words.next()?.parse::<u64>().ok()?, words.next()?);
    let is_meant = words.next().is_none_or(|part| file.to_string_lossy().contains(part));
    if !is_meant || of != (if call == Call::Write { "write" } else { "sync" }) {
        return None;
    }
    state.count += 1;
    if state.count < number {
        return None;
    }
    if how != "stuck" {
        // by this the test knows that it was done
        std::fs::remove_file(&path).ok()?;
        state.text.clear();
    }
    state.is_full = how == "short";
    match how {
        "io" => Some(Failure::Io),
        "full" | "stuck" => Some(Failure::Full),
        "short" => Some(Failure::Short),
        "lost" => Some(Failure::Lost),
        _ => None,
    }
}
