//! Disks that fail or are full.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::binary;

/// A disk under a broker's store that fails as it is told to, by the library in `tests/shim`.
#[derive(Debug)]
pub struct FailingDisk {
    files: PathBuf,
    order: PathBuf,
}

impl FailingDisk {
    /// The disk of the store in a broker's folder.
    pub fn under(folder: &Path) -> Self {
        let folder = folder.canonicalize().expect("the broker's folder");
        Self { files: folder.join("store"), order: folder.join("order") }
    }

    /// What makes a process use it.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 3] {
        [
            ("LD_PRELOAD", binary::disk_shim().into()),
            ("SHIM_FILES", self.files.clone().into()),
            ("SHIM_ORDER", self.order.clone().into()),
        ]
    }

    /// From now on the `n`-th call fails, counted from 1: `"write"` or `"sync"`, and how, where need be with a part of the
    /// files' paths; see `tests/shim`.
    pub fn fail(&self, call: &str, n: u64, how: &str) {
        let new = self.order.with_extension("new");
        fs::write(&new, format!("{call} {n} {how}")).expect("an order");
        fs::rename(&new, &self.order).expect("an order");
    }

    /// Whether what was to fail is still to come.
    pub fn is_waiting(&self) -> bool {
        self.order.exists()
    }

    /// Nothing is to fail any more.
    pub fn mend(&self) {
        fs::remove_file(&self.order).expect("an order");
    }
}

/// A file system of so many bytes in memory, where a broker's store is.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one at `store` in the folder.
    ///
    /// # Errors
    /// This process may not mount anything.
    pub fn mount(folder: &Path, bytes: u64) -> rustix::io::Result<Self> {
        let path = folder.join("store");
        fs::create_dir(&path).expect("a folder for the disk");
        let options = std::ffi::CString::new(format!("size={bytes}")).expect("a number");
        mount("tmpfs", &path, "tmpfs", MountFlags::empty(), options.as_c_str())?;
        Ok(Self { path })
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = File::create(self.path.join("filling")).expect("a file");
        for bytes in [64 << 10, 512] {
            while file.write_all(&vec![1; bytes]).is_ok() {}
        }
    }

    /// Gives it back.
    pub fn clear(&self) {
        fs::remove_file(self.path.join("filling")).expect("a file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // the broker may hold a file of it for a moment
        unmount(&self.path, UnmountFlags::DETACH).ok();
    }
}
