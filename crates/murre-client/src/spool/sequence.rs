//! The file that keeps sequences from going back.
//!
//! Sequences are reserved in blocks, on disk before the first of them is used, whatever the rule for the messages is:
//! a sequence that was used once must not be used again for another message, as the broker would take that for a
//! repeat. A new spool begins at the present time in milliseconds, so that a device whose disk was wiped goes on
//! above what it used before.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::segment::sync_directory;

/// Sequences that are reserved at a time.
pub(super) const BLOCK: u64 = 1 << 16;
/// Greater ones are not used: they are ids of publishes too, which stay below 2^53.
pub(crate) const SEQUENCE_MAX: u64 = 1 << 52;

const MAGIC: &[u8; 8] = b"MURRESEQ";

/// See the module.
#[derive(Debug)]
pub(super) struct Sequences {
    directory: PathBuf,
    next: u64,
    reserved: u64,
}

impl Sequences {
    /// Goes on behind everything that may have been used: `greatest` is the greatest sequence in the spool's files,
    /// `now` the present time in milliseconds since the Unix epoch.
    pub(super) fn open(directory: &Path, greatest: Option<u64>, now: u64) -> io::Result<Self> {
        let next = match (read(&directory.join("sequence"))?, greatest) {
            (Some(reserved), greatest) => reserved.max(greatest.unwrap_or_default()) + 1,
            (None, None) => {
                let first = now.clamp(1, SEQUENCE_MAX / 2);
                write(directory, first - 1)?;
                first
            }
            (None, Some(greatest)) => {
                tracing::warn!(directory = %directory.display(), "the spool's file `sequence` is missing or damaged");
                // At most a block was reserved beyond what is in the files.
                greatest + BLOCK + 1
            }
        };
        Ok(Self { directory: directory.to_owned(), next, reserved: 0 })
    }

    /// The next one to be given.
    pub(super) fn peek(&self) -> u64 {
        self.next
    }

    /// Gives one, and never again.
    pub(super) fn take(&mut self) -> io::Result<u64> {
        if self.next >= SEQUENCE_MAX {
            return Err(io::Error::other("all sequences are used up"));
        }
        if self.next > self.reserved {
            let reserved = self.next + BLOCK;
            write(&self.directory, reserved)?;
            self.reserved = reserved;
        }
        let sequence = self.next;
        self.next += 1;
        Ok(sequence)
    }
}

/// The greatest sequence that may have been used; none where the file is missing or not whole.
fn read(path: &Path) -> io::Result<Option<u64>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let parts = bytes.split_at_checked(16).filter(|(content, check)| {
        content.starts_with(MAGIC) && *check == xxh3_64(content).to_be_bytes().as_slice()
    });
    Ok(parts.and_then(|(content, _)| content.get(8..16)?.try_into().ok().map(u64::from_be_bytes)))
}

/// Replaces the file as a whole: whenever the power goes, the old or the new one is there.
fn write(directory: &Path, reserved: u64) -> io::Result<()> {
    let (path, new) = (directory.join("sequence"), directory.join("sequence.new"));
    let mut content = MAGIC.to_vec();
    content.extend_from_slice(&reserved.to_be_bytes());
    content.extend_from_slice(&xxh3_64(&content).to_be_bytes());
    let mut file = File::create(&new)?;
    file.write_all(&content)?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    sync_directory(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path, greatest: Option<u64>) -> Sequences {
        Sequences::open(directory, greatest, 1_000_000).unwrap()
    }

    #[test]
    fn a_new_spool_begins_at_the_present_time() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(open(directory.path(), None).take().unwrap(), 1_000_000);
    }

    #[test]
    fn they_rise_over_restarts_also_when_no_message_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let mut last = 0;
        for _ in 0..3 {
            let mut sequences = open(directory.path(), None);
            for _ in 0..3 {
                let sequence = sequences.take().unwrap();
                assert!(sequence > last);
                last = sequence;
            }
        }
    }

    #[test]
    fn a_lost_or_damaged_file_leaves_a_gap_and_never_goes_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut used = open(directory.path(), None);
        let greatest = (0..10).map(|_| used.take().unwrap()).last();
        for content in [None, Some("MURRESEQ"), Some("damaged beyond all reading")] {
            fs::remove_file(directory.path().join("sequence")).unwrap();
            if let Some(content) = content {
                fs::write(directory.path().join("sequence"), content).unwrap();
            }
            let next = open(directory.path(), greatest).take().unwrap();
            assert!(next > used.reserved, "{next}");
        }
    }
}
