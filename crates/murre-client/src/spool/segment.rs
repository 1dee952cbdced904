//! One file of a spool: a header, then records.
//!
//! The header is `"MURRESPL"`, the format's version (4 bytes), the sequence from which on messages are in this file
//! (8), the sequence up to which all was done when it was begun (8), the length of the client id (2), the client id,
//! and a checksum (8).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    SpoolError,
    record::{self, Found, Kind, Record},
};

const MAGIC: &[u8; 8] = b"MURRESPL";
const VERSION: u32 = 1;
const EXTENSION: &str = "spool";

/// A file, open for appending.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    first: u64,
    /// Bytes that are known to be good.
    bytes: u64,
    /// The greatest sequence of its messages; one less than its first where there are none.
    last: u64,
}

/// What opening a file found in it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// All up to this was done.
    pub(super) low: u64,
    /// Done beyond that, by the last record that says so.
    pub(super) done: Vec<u64>,
    /// The messages' sequences, in order.
    pub(super) messages: Vec<u64>,
    /// Bytes that are no whole record.
    pub(super) damaged: u64,
}

impl Segment {
    /// Begins a file for messages from `first` on.
    pub(super) fn create(directory: &Path, client_id: &str, first: u64, low: u64) -> io::Result<Self> {
        let path = directory.join(format!("{first:020}.{EXTENSION}"));
        let header = header(client_id, first, low);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        file.write_all(&header)?;
        Ok(Self { path, file, first, bytes: header.len() as u64, last: first.saturating_sub(1) })
    }

    /// Opens the file at `path`, which holds messages from `first` on. What is no whole record at its end is cut.
    pub(super) fn open(path: &Path, first: u64, client_id: &str) -> Result<(Self, Contents), SpoolError> {
        let io = |source| SpoolError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let (start, low) = check_header(&bytes, path, client_id)?;
        let mut contents = Contents { low, ..Contents::default() };
        let good = scan(&bytes, start, path, &mut contents);
        if good < bytes.len() {
            file.set_len(good as u64).and_then(|()| file.sync_all()).map_err(io)?;
        }
        file.seek(SeekFrom::Start(good as u64)).map_err(io)?;
        let last = contents.messages.last().copied().unwrap_or_else(|| first.saturating_sub(1));
        Ok((Self { path: path.to_owned(), file, first, bytes: good as u64, last }, contents))
    }

    /// Appends a record. After an error the file is as before, or is not to be used for appending any more.
    pub(super) fn append(&mut self, record: Record<'_>) -> Result<(), AppendError> {
        let mut bytes = Vec::with_capacity(record.body.len() + record::OVERHEAD_BYTES);
        record::write(record, &mut bytes);
        if let Err(source) = self.file.write_all(&bytes) {
            return Err(AppendError { source, usable: self.cut(self.bytes, self.last).is_ok() });
        }
        self.bytes += bytes.len() as u64;
        if record.kind == Kind::Message {
            self.last = record.sequence;
        }
        Ok(())
    }

    /// Cuts the file to its first `bytes`, which end with the message `last`.
    pub(super) fn cut(&mut self, bytes: u64, last: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        self.file.seek(SeekFrom::Start(bytes))?;
        (self.bytes, self.last) = (bytes, last);
        Ok(())
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Reads up to `max` bytes from `at` on.
    pub(super) fn read(&self, at: u64, max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut reader = File::open(&self.path)?;
        reader.seek(SeekFrom::Start(at))?;
        reader.take(max.min(self.bytes.saturating_sub(at))).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// From which message on this file is.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn delete(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// A record was not written.
#[derive(Debug)]
pub(super) struct AppendError {
    pub(super) source: io::Error,
    /// Whether the file can be appended to again.
    pub(super) usable: bool,
}

/// The files of a spool by the first sequence that they may hold, in order.
pub(super) fn list(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let first = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let (Some(first), true) = (first, path.extension().is_some_and(|found| found == EXTENSION)) {
            files.push((first, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Makes names of files in `directory` survive a loss of power.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn header(client_id: &str, first: u64, low: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_be_bytes());
    header.extend_from_slice(&first.to_be_bytes());
    header.extend_from_slice(&low.to_be_bytes());
    // A client id has at most 128 bytes.
    header.extend_from_slice(&u16::try_from(client_id.len()).unwrap_or(u16::MAX).to_be_bytes());
    header.extend_from_slice(client_id.as_bytes());
    header.extend_from_slice(&xxh3_64(&header).to_be_bytes());
    header
}

/// Where records begin, and what was done when the file was begun. A header that can't be read stops nothing: its
/// records are looked for from the file's beginning on.
fn check_header(bytes: &[u8], path: &Path, client_id: &str) -> Result<(usize, u64), SpoolError> {
    let Some(header) = read_header(bytes) else {
        tracing::warn!(file = %path.display(), "the header of this file of the spool is damaged");
        return Ok((0, 0));
    };
    if header.version > VERSION {
        return Err(SpoolError::Version { path: path.to_owned(), found: header.version, known: VERSION });
    }
    if header.client_id != client_id.as_bytes() {
        let owner = String::from_utf8_lossy(header.client_id).into_owned();
        return Err(SpoolError::OtherClient {
            path: path.to_owned(),
            owner,
            client_id: client_id.to_owned(),
        });
    }
    Ok((header.bytes, header.low))
}

struct Header<'a> {
    version: u32,
    low: u64,
    client_id: &'a [u8],
    bytes: usize,
}

fn read_header(bytes: &[u8]) -> Option<Header<'_>> {
    let end = 30 + usize::from(u16::from_be_bytes(bytes.get(28..30)?.try_into().ok()?));
    let (content, check) = (bytes.get(..end)?, bytes.get(end..end + 8)?);
    if !content.starts_with(MAGIC) || xxh3_64(content).to_be_bytes() != check {
        return None;
    }
    Some(Header {
        version: u32::from_be_bytes(content.get(8..12)?.try_into().ok()?),
        low: u64::from_be_bytes(content.get(20..28)?.try_into().ok()?),
        client_id: content.get(30..)?,
        bytes: end + 8,
    })
}

/// Reads all records from `start` on; the end of the last whole one.
fn scan(bytes: &[u8], start: usize, path: &Path, contents: &mut Contents) -> usize {
    let (mut at, mut good) = (start, start);
    while let Some((found, length)) = bytes.get(at..).and_then(record::read) {
        match found {
            Found::Record(record) => {
                good = at + length;
                match record.kind {
                    Kind::Message => contents.messages.push(record.sequence),
                    Kind::Done => {
                        contents.low = contents.low.max(record.sequence);
                        contents.done = record::read_sequences(record.body).collect();
                    }
                }
            }
            Found::Damage => {
                contents.damaged += length as u64;
                tracing::warn!(
                    file = %path.display(), from = at, bytes = length,
                    "the spool has damaged bytes here; what is whole before and behind them is kept"
                );
            }
        }
        at += length;
    }
    good
}
