//! Why a store can't be opened or worked on.

use std::path::{Path, PathBuf};

/// Why a store can't be opened or worked on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory can't be made or read.
    #[error("cannot {action} {}: {source}; check that the directory exists, that it is yours, and that the disk has \
             room", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the store in {} is in use by another process; stop that one first, or give this one another directory",
            path.display())]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error("the store in {} has format {found}, and this version of Murre reads formats up to {known}; use the \
             version that wrote it, or a later one", path.display())]
    LaterFormat {
        /// The store's directory.
        path: PathBuf,
        /// The store's format.
        found: u32,
        /// The greatest that is known.
        known: u32,
    },
    /// There are files, but they are no store.
    #[error("{} holds files but no store of Murre ({missing}); give an empty directory or that of a store",
            path.display())]
    NoStore {
        /// The directory.
        path: PathBuf,
        /// What was looked for.
        missing: &'static str,
    },
    /// There has to be nothing yet.
    #[error("{} is not empty; give a directory that is empty or doesn't exist", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// What is in the files makes no sense.
    #[error("the store in {} is damaged: {what}; restore it from a backup, or move the directory away to begin \
             with an empty store", path.display())]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The store can't be written at the moment.
    #[error("the store is not available: {0}")]
    Unavailable(&'static str),
    /// The options make no sense.
    #[error("{0}")]
    Options(&'static str),
    /// The storage engine failed.
    #[error("the storage engine of the store in {} failed: {source}", path.display())]
    Engine {
        /// The store's directory.
        path: PathBuf,
        /// What it says.
        source: fjall::Error,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }

    pub(crate) fn engine(path: &Path) -> impl Fn(fjall::Error) -> Self {
        move |source| match source {
            fjall::Error::Locked => Self::InUse { path: path.into() },
            source => Self::Engine { path: path.into(), source },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }
}
