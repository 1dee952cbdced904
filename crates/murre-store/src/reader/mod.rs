//! The threads that read.
//!
//! A read lives on one of them and is a cursor: between two slices it holds no snapshot, no iterator and no memory
//! that grows with what it has still to read.
//!
//! | file | has |
//! |---|---|
//! | `read` | a read, and where it begins |
//! | `wanted` | which records it wants |
//! | `step` | the next slice |
//! | `places` | the way over blocks and records, by the index or by scanning |

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;
use murre_core::{
    batch::MessageBatch,
    log::{LogEvent, ReadCommand, ReadId, ReadSlice},
};
use read::Read;

use crate::{
    inbox::{Inbox, Taken},
    shared::Shared,
};

mod places;
mod read;
mod step;
mod wanted;

/// While the engine is opened again, slices come empty and not faster than this, since who gets one asks again.
const UNAVAILABLE: Duration = Duration::from_millis(50);

/// Runs until the inbox is closed and empty.
pub(crate) fn run(shared: &Arc<Shared>, inbox: &Inbox<ReadCommand>) {
    let mut reads: HashMap<ReadId, Read> = HashMap::new();
    let mut commands = Vec::new();
    while inbox.take(None, &mut commands, |_| false) != Taken::Closed {
        for command in commands.drain(..) {
            serve(shared, &mut reads, command);
        }
    }
}

fn serve(shared: &Arc<Shared>, reads: &mut HashMap<ReadId, Read>, command: ReadCommand) {
    let (id, bytes) = match command {
        ReadCommand::Open(request) => {
            let (id, bytes) = (request.id, request.bytes);
            reads.insert(id, Read::new(*request, shared));
            (id, bytes)
        }
        ReadCommand::Next(id, bytes) => (id, bytes),
        ReadCommand::Cancel(id) => {
            reads.remove(&id);
            return;
        }
    };
    // the number of open reads is the engine's to bound
    let Some(read) = reads.get_mut(&id) else {
        tracing::error!(?id, "a slice was asked for of a read that isn't open");
        return;
    };
    let slice = match shared.db() {
        Some(db) => read.step(shared, &db, bytes),
        None => {
            std::thread::sleep(UNAVAILABLE);
            ReadSlice {
                id,
                messages: MessageBatch::new(id.worker),
                reached: read.reached(),
                at_end: false,
                lost: None,
            }
        }
    };
    shared.counters.slices.add(1);
    shared.counters.read.add(slice.messages.entries().len() as u64);
    (shared.sink)(id.worker, LogEvent::Slice(slice));
}
