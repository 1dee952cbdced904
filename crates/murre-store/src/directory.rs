//! The directory of a store: who has it, and which format it has.
//!
//! ```text
//! DIR/FORMAT   "murre-store 1", written last when the store is made
//! DIR/lock     locked by the process that has the store open
//! DIR/db/      the storage engine's files
//! DIR/mirror/  what those who only look at it open instead, while they do
//! ```

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use crate::{error::StoreError, format::FORMAT};

const FORMAT_FILE: &str = "FORMAT";
const LOCK_FILE: &str = "lock";
const ENGINE: &str = "db";
const MIRROR: &str = "mirror";
const WORD: &str = "murre-store ";

/// A directory that this process has for itself.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Directory {
    /// Takes a directory; makes it where `make` says so. The flag tells whether there is a store in it.
    pub(crate) fn take(path: &Path, make: bool) -> Result<(Self, bool), StoreError> {
        if make {
            fs::create_dir_all(path).map_err(StoreError::io("make the directory", path))?;
        }
        let format = path.join(FORMAT_FILE);
        let there = match fs::read_to_string(&format) {
            Ok(text) => check_format(path, &text).map(|()| true)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(StoreError::io("read", &format)(error)),
        };
        if !there && !make {
            return Err(StoreError::NoStore { path: path.into(), missing: "the file FORMAT isn't there" });
        }
        if !there {
            check_empty(path)?;
        }
        let directory = Self { path: path.into(), _lock: lock(path)? };
        // of somebody who died while looking
        let mirror = directory.mirror();
        if there && mirror.exists() {
            fs::remove_dir_all(&mirror).map_err(StoreError::io("remove", &mirror))?;
        }
        if !there && directory.engine().exists() {
            // a store that was never finished: nothing was ever written to it
            fs::remove_dir_all(directory.engine()).map_err(StoreError::io("remove", &directory.engine()))?;
        }
        Ok((directory, there))
    }

    /// Says that the store in it is complete.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        let path = self.path.join(FORMAT_FILE);
        let write = || {
            let mut file = File::create(&path)?;
            writeln!(file, "{WORD}{FORMAT}")?;
            file.sync_all()?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(StoreError::io("write", &path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the storage engine has its files.
    pub(crate) fn engine(&self) -> PathBuf {
        self.path.join(ENGINE)
    }

    /// Where a [`Mirror`](crate::mirror::Mirror) of them goes.
    pub(crate) fn mirror(&self) -> PathBuf {
        self.path.join(MIRROR)
    }

    /// Whether the disk takes `bytes` more, by writing them.
    pub(crate) fn has_room(&self, bytes: usize) -> std::io::Result<()> {
        let path = self.path.join("probe");
        let write = || {
            let mut file = File::create(&path)?;
            let zeros = vec![0; 1 << 16];
            for _ in 0..bytes.div_ceil(zeros.len()) {
                file.write_all(&zeros)?;
            }
            file.sync_all()
        };
        let result = write();
        fs::remove_file(&path).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        result
    }
}

fn check_format(path: &Path, text: &str) -> Result<(), StoreError> {
    let found = text.strip_prefix(WORD).and_then(|number| number.trim_end().parse::<u32>().ok());
    let Some(found) = found else {
        return Err(StoreError::damaged(
            path,
            format!("the file FORMAT says {text:?}, not \"{WORD}{FORMAT}\""),
        ));
    };
    if found > FORMAT {
        return Err(StoreError::LaterFormat { path: path.into(), found, known: FORMAT });
    }
    Ok(())
}

fn check_empty(path: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(path).map_err(StoreError::io("read", path))?;
    for entry in entries {
        let name = entry.map_err(StoreError::io("read", path))?.file_name();
        if ![LOCK_FILE, ENGINE, "lost+found"].iter().any(|ours| name == **ours) {
            return Err(StoreError::NoStore { path: path.into(), missing: "the file FORMAT isn't there" });
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let file_path = path.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file_path)
        .map_err(StoreError::io("open", &file_path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.into() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &file_path)(error)),
    }
}
