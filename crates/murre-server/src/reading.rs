//! Reads of the log for requests rather than for sessions.
//!
//! Hubs read through the engine, which leads what they read on into live. Who only wants what is in the log asks it
//! directly: [`Reads`] is one such reader. It has at most one step under way for each shard, so what waits for it is
//! bounded by the slices that it asked for, and one that asks for nothing costs nothing but its place in the log.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use murre_core::{
    ids::WorkerId,
    log::{LogCommand, ReadCommand, ReadFrom, ReadId, ReadRequest, ReadSlice},
};
use murre_protocol::{Timestamp, TopicFilter};
use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::process::Process;

/// Readers at a time.
const READERS_MAX: usize = 256;
/// Marks the numbers of these reads: the engine counts its own from 1.
const MARK: u64 = 1 << 63;

/// The readers that there are.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    open: Mutex<HashMap<u64, Sender<ReadSlice>>>,
    begun: AtomicU64,
}

impl Readers {
    /// Hands a slice to the reader that asked for it. Gives it back where it is the engine's.
    pub(crate) fn deliver(&self, slice: ReadSlice) -> Option<ReadSlice> {
        if slice.id.serial & MARK == 0 {
            return Some(slice);
        }
        if let Some(reader) = self.open.lock().get(&slice.id.serial) {
            // there is room for a slice of each shard; only a reader that has gone takes none
            let _ = reader.try_send(slice);
        }
        None
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.open.lock().len() as u64
    }

    fn begin(&self, shards: usize) -> Option<(u64, Receiver<ReadSlice>)> {
        let mut open = self.open.lock();
        if open.len() >= READERS_MAX {
            return None;
        }
        let serial = MARK | self.begun.fetch_add(1, Relaxed);
        let (sender, receiver) = channel(shards.max(1));
        open.insert(serial, sender);
        Some((serial, receiver))
    }
}

/// What is read of a shard; see [`ReadRequest`].
pub(crate) struct What {
    pub(crate) filter: TopicFilter<'static>,
    pub(crate) from: ReadFrom,
    pub(crate) until: Option<Timestamp>,
}

/// One reader. Its reads end when it is dropped.
pub(crate) struct Reads {
    process: Arc<Process>,
    serial: u64,
    slices: Receiver<ReadSlice>,
    /// Shards whose reads are open.
    open: Vec<u8>,
}

impl Reads {
    /// A reader that has asked for nothing yet; none where there are too many.
    pub(crate) fn begin(process: &Arc<Process>) -> Option<Self> {
        let (serial, slices) = process.readers.begin(usize::from(process.shards()))?;
        Some(Self { process: process.clone(), serial, slices, open: Vec::new() })
    }

    /// Begins to read a shard, with a slice of so many bytes.
    pub(crate) fn open(&mut self, shard: u8, what: What, bytes: usize) {
        self.open.push(shard);
        let What { filter, from, until } = what;
        let now = self.process.clock.now().wall;
        let request = ReadRequest { id: self.id(shard), filter, from, until, bytes, now };
        self.send(ReadCommand::Open(Box::new(request)));
    }

    /// Asks for the next slice of a shard whose slice before has come.
    pub(crate) fn next(&mut self, shard: u8, bytes: usize) {
        self.send(ReadCommand::Next(self.id(shard), bytes));
    }

    /// Ends the read of a shard.
    pub(crate) fn close(&mut self, shard: u8) {
        self.open.retain(|open| *open != shard);
        self.send(ReadCommand::Cancel(self.id(shard)));
    }

    /// The next slice that comes, of whichever shard. None never comes while a read is open.
    pub(crate) fn poll_slice(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReadSlice>> {
        self.slices.poll_recv(cx)
    }

    fn id(&self, shard: u8) -> ReadId {
        ReadId { worker: WorkerId(0), serial: self.serial, shard }
    }

    fn send(&self, command: ReadCommand) {
        self.process.log(LogCommand::Read(command));
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        self.process.readers.open.lock().remove(&self.serial);
        for shard in std::mem::take(&mut self.open) {
            self.send(ReadCommand::Cancel(self.id(shard)));
        }
    }
}

#[cfg(test)]
mod tests {
    use murre_core::batch::MessageBatch;

    use super::*;

    fn slice(serial: u64) -> ReadSlice {
        let id = ReadId { worker: WorkerId(0), serial, shard: 3 };
        ReadSlice { id, messages: MessageBatch::new(WorkerId(0)), reached: 1, at_end: true, lost: None }
    }

    #[test]
    fn a_slice_goes_to_who_asked_for_it() {
        let readers = Readers::default();
        let (serial, mut slices) = readers.begin(4).unwrap();
        assert!(readers.deliver(slice(1)).is_some(), "the engine's are given back");
        assert!(readers.deliver(slice(serial)).is_none());
        assert_eq!(slices.try_recv().unwrap().id.serial, serial);
        assert!(readers.deliver(slice(serial + 1)).is_none(), "those of who has gone are let go");
    }

    #[test]
    fn readers_are_bounded() {
        let readers = Readers::default();
        let begun: Vec<_> = (0..=READERS_MAX).map_while(|_| readers.begin(1)).collect();
        assert_eq!((begun.len(), readers.len()), (READERS_MAX, READERS_MAX as u64));
    }
}
