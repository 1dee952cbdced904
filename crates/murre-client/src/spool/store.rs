//! The directory of a spool: what was accepted, what of it was handed out, what is done with.
//!
//! Blocking, and without a clock. Messages go in by [`append`](Store::append) and count as accepted after
//! [`sync`](Store::sync) where the rule is to wait for it. [`read`](Store::read) hands them out in order, each once
//! for each time that the store was opened, and [`finish`](Store::finish) is told which are done with. In memory is
//! only what was handed out and not finished, which whoever reads bounds.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{
    SpoolError, SpoolFull,
    record::{self, Found, Kind, Record},
    segment::{self, AppendError, Contents, Segment, sync_directory},
    sequence::Sequences,
};

/// The spool's bound is parted into so many files; the oldest of them is what is dropped at a time.
const SEGMENTS: u64 = 16;
/// A file is not larger than this, but for one large message.
const SEGMENT_BYTES_MAX: u64 = 8 << 20;
/// Bytes that are read from a file at a time.
const READ_BYTES: u64 = 256 << 10;

/// How a store is kept.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) directory: PathBuf,
    pub(super) client_id: String,
    /// All files together.
    pub(super) bytes_max: u64,
    pub(super) when_full: SpoolFull,
    /// Whether new files have to survive a loss of power.
    pub(super) durable: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    options: Options,
    _lock: File,
    sequences: Sequences,
    /// The last one is appended to.
    segments: VecDeque<Segment>,
    /// Bytes and last message of the last file as [`sync`](Store::sync) has seen it, and the messages behind.
    synced: (u64, u64),
    unsynced: u64,
    /// Whether some of `unsynced` could not be brought to the disk.
    failed: bool,
    /// Whether the last file can be appended to.
    usable: bool,
    /// All up to this are done with.
    low: u64,
    /// Done with beyond `low`.
    done: BTreeSet<u64>,
    /// Handed out and not finished.
    handed: BTreeSet<u64>,
    /// The file and the place in it where reading goes on, and the last message before.
    cursor: (usize, u64),
    read_to: u64,
    undone: u64,
    damaged: u64,
}

/// Older messages whose file had to go for a new one.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// They were not handed out: they are dropped.
    pub(super) unread: Vec<u64>,
    /// They were handed out and are only in memory now, until they are finished.
    pub(super) handed: Vec<u64>,
}

impl Gone {
    pub(super) fn extend(&mut self, more: Self) {
        self.unread.extend(more.unread);
        self.handed.extend(more.handed);
    }
}

/// Why a message was not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no room, and the rule is not to make any.
    Full,
    /// Larger than the spool takes, in bytes.
    TooLarge { bytes: u64, max: u64 },
    /// The disk didn't take it.
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Store {
    /// Opens the spool, or makes one. `now` is the present time in milliseconds since the Unix epoch.
    pub(super) fn open(options: Options, now: u64) -> Result<Self, SpoolError> {
        let directory = options.directory.clone();
        let io = |source| SpoolError::Io { path: directory.clone(), source };
        fs::create_dir_all(&directory).map_err(io)?;
        let lock = lock(&directory)?;
        let mut segments = VecDeque::new();
        let (mut low, mut done, mut messages, mut damaged) = (0, Vec::new(), Vec::new(), 0);
        for (first, path) in segment::list(&directory).map_err(io)? {
            let (segment, contents) = Segment::open(&path, first, &options.client_id)?;
            let Contents { low: known, done: beyond, messages: more, damaged: bytes } = contents;
            (low, damaged) = (low.max(known), damaged + bytes);
            done.extend(beyond);
            messages.extend(more);
            segments.push_back(segment);
        }
        let done: BTreeSet<u64> = done.into_iter().filter(|&sequence| sequence > low).collect();
        let undone = messages.iter().filter(|&sequence| *sequence > low && !done.contains(sequence)).count();
        let greatest = segments.iter().map(Segment::last).max().map(|last| last.max(low));
        let sequences = Sequences::open(&directory, greatest, now).map_err(io)?;
        let mut store = Self {
            options,
            _lock: lock,
            sequences,
            segments,
            synced: (0, 0),
            unsynced: 0,
            failed: false,
            usable: true,
            low,
            done,
            handed: BTreeSet::new(),
            cursor: (0, 0),
            read_to: low,
            undone: undone as u64,
            damaged,
        };
        store.begin_segment().map_err(io)?;
        store.delete_finished().map_err(io)?;
        Ok(store)
    }

    /// Takes a message, whose packet `encode` makes from its sequence; that sequence, and what had to go for it.
    pub(super) fn append(&mut self, encode: impl FnOnce(u64) -> Vec<u8>) -> Result<(u64, Gone), Refused> {
        let packet = encode(self.sequences.peek());
        let bytes = (packet.len() + record::OVERHEAD_BYTES) as u64;
        let max = (self.options.bytes_max / 4).min(u64::from(u32::MAX));
        if bytes > max {
            return Err(Refused::TooLarge { bytes, max });
        }
        let gone = self.make_room(bytes)?;
        if !self.usable || self.active_is_full(bytes) {
            self.begin_segment()?;
        }
        let sequence = self.sequences.take()?;
        self.write(Record { kind: Kind::Message, sequence, body: &packet })?;
        self.undone += 1;
        self.unsynced += 1;
        Ok((sequence, gone))
    }

    /// Brings to the disk what was appended. After an error none of it counts as accepted where `all_or_nothing`.
    pub(super) fn sync(&mut self, all_or_nothing: bool) -> io::Result<()> {
        if std::mem::take(&mut self.failed) {
            return Err(io::Error::other("an earlier file of the spool could not be written"));
        }
        let Some(active) = self.segments.back_mut() else { return Ok(()) };
        let Err(error) = active.sync() else {
            self.synced = (active.bytes(), active.last());
            self.unsynced = 0;
            return Ok(());
        };
        // The system may have let go what it could not write: this file is not appended to any more.
        self.usable = false;
        if all_or_nothing && active.cut(self.synced.0, self.synced.1).is_ok() {
            self.undone = self.undone.saturating_sub(self.unsynced);
        }
        self.unsynced = 0;
        Err(error)
    }

    /// Hands out messages that were not handed out yet, in order: at most `count`, and `bytes` of packets, but always
    /// one if there is one and `count` isn't 0.
    pub(super) fn read(&mut self, count: usize, bytes: usize) -> io::Result<Vec<(u64, Vec<u8>)>> {
        self.read_files(self.segments.len(), count, bytes)
    }

    /// As [`read`](Store::read), in the first `files` files.
    fn read_files(&mut self, files: usize, count: usize, bytes: usize) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let (mut out, mut held) = (Vec::new(), 0);
        let mut chunk_bytes = READ_BYTES;
        while out.len() < count && held < bytes {
            let (index, at) = self.cursor;
            let Some(segment) = self.segments.get(index).filter(|_| index < files) else { break };
            let chunk = segment.read(at, chunk_bytes)?;
            if chunk.is_empty() {
                if index + 1 >= self.segments.len() {
                    // What could not be read by now can't be at all.
                    self.undone = (self.handed.len()) as u64;
                    break;
                }
                self.cursor = (index + 1, 0);
                continue;
            }
            let is_whole = at + chunk.len() as u64 >= segment.bytes();
            let mut read = 0;
            while let Some((found, length)) = chunk.get(read..).and_then(record::read) {
                if found == Found::Damage && read + length == chunk.len() && !is_whole {
                    break;
                }
                if let Found::Record(Record { kind: Kind::Message, sequence, body }) = found
                    && self.hand_out(sequence)
                {
                    held += body.len();
                    out.push((sequence, body.to_vec()));
                }
                read += length;
                if out.len() >= count || held >= bytes {
                    break;
                }
            }
            // A record that is larger than the chunk has to be read as a whole.
            chunk_bytes = if read == 0 { chunk_bytes.saturating_mul(4) } else { READ_BYTES };
            self.cursor.1 += read as u64;
        }
        Ok(out)
    }

    fn hand_out(&mut self, sequence: u64) -> bool {
        let wanted = sequence > self.low && !self.done.contains(&sequence) && sequence > self.read_to;
        self.read_to = self.read_to.max(sequence);
        wanted && self.handed.insert(sequence)
    }

    /// These, which were handed out, are done with. Where the disk doesn't take that, they come again after a
    /// restart.
    pub(super) fn finish(&mut self, sequences: &[u64]) -> io::Result<()> {
        for sequence in sequences {
            if self.handed.remove(sequence) {
                self.undone = self.undone.saturating_sub(1);
                self.done.insert(*sequence);
            }
        }
        let low = self.handed.first().map_or(self.read_to, |first| first - 1);
        self.raise_low(low);
        let recorded = match !self.usable || self.active_is_full(0) {
            true => self.begin_segment(),
            false => self.write_done(),
        };
        // Also where there was no room to record it: this is what makes room.
        self.delete_finished().and(recorded)
    }

    fn write_done(&mut self) -> io::Result<()> {
        let body = record::write_sequences(self.done.iter().copied());
        self.write(Record { kind: Kind::Done, sequence: self.low, body: &body })
    }

    /// Messages that are not done with.
    pub(super) fn undone(&self) -> u64 {
        self.undone
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// Bytes that were no whole records when the store was opened.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    fn raise_low(&mut self, low: u64) {
        self.low = self.low.max(low);
        self.done = self.done.split_off(&(self.low + 1));
    }

    fn segment_max(&self) -> u64 {
        (self.options.bytes_max / SEGMENTS).min(SEGMENT_BYTES_MAX)
    }

    fn active_is_full(&self, more: u64) -> bool {
        self.segments.back().is_none_or(|active| active.bytes() + more > self.segment_max())
    }

    fn write(&mut self, record: Record<'_>) -> io::Result<()> {
        let Some(active) = self.segments.back_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        active.append(record).map_err(|AppendError { source, usable }| {
            self.usable = usable;
            source
        })
    }

    /// Begins a new file to append to.
    fn begin_segment(&mut self) -> io::Result<()> {
        if self.unsynced > 0 && self.options.durable && self.usable {
            self.sync(false).inspect_err(|_| self.failed = true)?;
        }
        let first = self.sequences.peek();
        // Files are named by their first message, so that one without messages is written anew.
        if self.segments.back().is_some_and(|active| active.first() == first) {
            self.segments.pop_back();
            if self.cursor.0 >= self.segments.len() {
                self.cursor = (self.segments.len(), 0);
            }
        }
        let segment = Segment::create(&self.options.directory, &self.options.client_id, first, self.low)?;
        if self.options.durable {
            segment.sync()?;
            sync_directory(&self.options.directory)?;
        }
        self.synced = (segment.bytes(), segment.last());
        (self.unsynced, self.usable) = (0, true);
        self.segments.push_back(segment);
        if self.done.is_empty() { Ok(()) } else { self.write_done() }
    }

    /// Deletes files all of whose messages are done with.
    fn delete_finished(&mut self) -> io::Result<()> {
        while self.segments.len() > 1 && self.segments.front().is_some_and(|oldest| oldest.last() <= self.low)
        {
            self.delete_oldest()?;
        }
        Ok(())
    }

    fn delete_oldest(&mut self) -> io::Result<()> {
        if let Some(oldest) = self.segments.pop_front() {
            self.cursor = match self.cursor {
                (0, _) => (0, 0),
                (index, at) => (index - 1, at),
            };
            oldest.delete()?;
        }
        Ok(())
    }

    /// Makes room for `bytes` more, by the spool's rule; what had to go.
    fn make_room(&mut self, bytes: u64) -> Result<Gone, Refused> {
        let mut gone = Gone::default();
        while self.bytes() + bytes > self.options.bytes_max {
            if self.options.when_full == SpoolFull::Refuse && self.undone > 0 {
                return Err(Refused::Full);
            }
            if self.segments.len() == 1 {
                self.begin_segment()?;
            }
            gone.extend(self.drop_oldest()?);
        }
        Ok(gone)
    }

    /// Drops the oldest file; the messages in it that were not finished.
    fn drop_oldest(&mut self) -> io::Result<Gone> {
        let Some(last) = self.segments.front().filter(|_| self.segments.len() > 1).map(Segment::last) else {
            return Ok(Gone::default());
        };
        let handed = self.handed.range(..=last).copied().collect();
        let mut unread = Vec::new();
        loop {
            let some = self.read_files(1, usize::MAX, READ_BYTES as usize)?;
            if some.is_empty() {
                break;
            }
            unread.extend(some.into_iter().map(|(sequence, _)| sequence));
        }
        for sequence in &unread {
            self.handed.remove(sequence);
        }
        self.undone = self.undone.saturating_sub(unread.len() as u64);
        self.raise_low(last);
        self.read_to = self.read_to.max(last);
        self.delete_oldest()?;
        Ok(Gone { unread, handed })
    }
}

/// Only one process at a time: the lock goes with the process, however it ends.
fn lock(directory: &Path) -> Result<File, SpoolError> {
    let path = directory.join("lock");
    let io = |source| SpoolError::Io { path: path.clone(), source };
    let file = File::create(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
