//! Messages put into a store that no broker has open.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
};

use murre_core::{
    ids::WorkerId,
    log::{Log, LogBatch, LogCommand, LogEvent, LogRefusal, Record},
};
use murre_protocol::{Codec, Position, packet::Message};

use crate::{error::StoreError, options::Options, store::Store};

/// Messages are committed in batches of so many bytes, one after the other.
const BATCH_BYTES: usize = 1 << 20;

/// Puts messages behind what a store has, each with the time that it has. [`Import::push`] them, then
/// [`Import::finish`]: what was pushed before an error, or before the process died, is there up to some message.
pub struct Import {
    store: Store,
    events: Receiver<LogEvent>,
    used: Vec<u64>,
    batch: LogBatch,
    tail: Vec<u8>,
}

/// Why messages could not be put in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The store did not take them.
    #[error("the messages could not be written: {0}; what was imported before is there")]
    Refused(#[from] LogRefusal),
    /// The store has ended.
    #[error("the store has ended; its log says why")]
    Ended,
}

impl Import {
    /// Opens the store in a directory, or makes one there.
    ///
    /// # Errors
    /// See [`Store::open`].
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        // one batch is under way at a time
        let (sender, events) = sync_channel(1);
        let sink = Box::new(move |_, event| {
            let _ = sender.send(event);
        });
        let (store, opened) = Store::open(path, options, sink)?;
        let used = opened.start.shards.iter().map(|shard| shard.used).collect();
        Ok(Self { store, events, used, batch: LogBatch::new(WorkerId(0), 1), tail: Vec::new() })
    }

    /// Puts in a message. Its position is a new one; `expiry` of its options counts from its own
    /// time, in seconds.
    ///
    /// # Errors
    /// Where messages pushed before could not be written.
    pub fn push(&mut self, message: Message<'_>, retain: bool) -> Result<Position, ImportError> {
        let placement = self.store.placement();
        let hash = placement.topic_hash(&message.topic);
        let shard = placement.shard(hash);
        let Some(used) = self.used.get_mut(usize::from(shard)) else { return Err(ImportError::Ended) };
        *used += 1;
        let message = Message { position: Position::new(*used, shard), ..message };
        let expiry = message.options.as_ref().and_then(|options| options.expiry);
        let expires = expiry.map(|seconds| message.time.plus_seconds(seconds));
        self.tail.clear();
        let has_options = Codec::MessagePack.message_tail(&message, &mut self.tail);
        self.batch.push(Record {
            position: message.position,
            hash,
            time: message.time,
            expires,
            retain,
            ends: retain && message.payload.is_empty(),
            has_options,
            topic: &message.topic,
            tail: &self.tail,
        });
        if self.batch.len() >= BATCH_BYTES {
            self.commit()?;
        }
        Ok(message.position)
    }

    /// Writes what is still to be written, and closes the store.
    ///
    /// # Errors
    /// Where that failed.
    pub fn finish(mut self) -> Result<(), ImportError> {
        self.commit()?;
        self.store.close(self.used);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), ImportError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let next = LogBatch::new(self.batch.worker, self.batch.serial + 1);
        let batch = std::mem::replace(&mut self.batch, next);
        self.store.send(LogCommand::Append(Arc::new(batch)));
        match self.events.recv() {
            Ok(LogEvent::Committed { result, .. }) => Ok(result?),
            Ok(_) | Err(_) => Err(ImportError::Ended),
        }
    }
}
