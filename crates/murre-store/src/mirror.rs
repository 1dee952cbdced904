//! A second directory over the engine's files, in which the engine may do as it likes.
//!
//! The engine can't be opened without changing files: it cuts journals, deletes what a crash has left over, writes
//! tables and merges them. Who only looks at a store opens it in a mirror. What the engine never changes once it is
//! written (tables and large values) stands there by a second name and takes no room, all else is copied, and of the
//! journals what is whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::journal::{self, JournalDamage};

/// The directories whose files are written once and deleted some day.
const WRITTEN_ONCE: [&str; 2] = ["tables", "blobs"];

/// A mirror of an engine's directory; gone when it is dropped. Who has opened the engine there has to close it first.
#[derive(Debug)]
pub(crate) struct Mirror {
    path: PathBuf,
}

impl Mirror {
    /// Makes a mirror of `engine` at `path`, on the same file system. Says what is damaged in the journals.
    pub(crate) fn make(engine: &Path, path: PathBuf) -> io::Result<(Self, Vec<JournalDamage>)> {
        let mirror = Self { path };
        mirror.add(engine, &mirror.path, false)?;
        let damages = journal::copy_whole(engine, &mirror.path)?;
        Ok((mirror, damages))
    }

    fn add(&self, from: &Path, to: &Path, is_written_once: bool) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            if entry.file_type()?.is_dir() {
                let is_written_once = WRITTEN_ONCE.iter().any(|name| entry.file_name() == **name);
                self.add(&source, &target, is_written_once)?;
            } else if journal::is_journal(&source) {
                // the caller's part
            } else if !is_written_once || fs::hard_link(&source, &target).is_err() {
                fs::copy(&source, &target)?;
            }
        }
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a directory that is of no use any more stays");
        }
    }
}
