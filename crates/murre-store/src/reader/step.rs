//! The next slice of a read.

use std::ops::ControlFlow::{self, Break, Continue};

use fjall::{Readable, Snapshot};
use murre_core::{
    batch::MessageBatch,
    log::{Lost, ReadSlice},
};
use murre_protocol::Timestamp;

use super::{
    places::Way,
    read::Read,
    wanted::{Wanted, Wants},
};
use crate::{
    db::Db,
    format::{Block, Place, RecordRef, SegmentInfo, keys},
    shared::Shared,
};

/// A step looks at so many bytes of blocks and then lets others have their turn, whatever it has found.
const LOOK_BYTES: usize = 4 << 20;
/// Closed segments that a step goes over.
const SEGMENTS: usize = 64;

/// A slice in the making.
struct Step<'a> {
    shared: &'a Shared,
    db: &'a Db,
    snapshot: Snapshot,
    shard: u8,
    wanted: &'a mut Wanted,
    messages: MessageBatch,
    /// Bytes that are asked for.
    bytes: usize,
    now: Timestamp,
    /// Nothing behind it was committed when the step began.
    committed: u64,
    reached: u64,
    looked: usize,
    is_damaged: bool,
    has_expired: bool,
}

impl Read {
    /// The next slice.
    pub(super) fn step(&mut self, shared: &Shared, db: &Db, bytes: usize) -> ReadSlice {
        let (id, now) = (self.id, self.now(shared));
        let began = match self.begin(shared, db) {
            Ok(began) => began,
            Err(error) => {
                damaged(shared, id.shard, self.reached, &error);
                None
            }
        };
        self.wanted.find_topics(shared, id.shard, |_| {});
        let Some(shard) = shared.shard(id.shard) else { return self.nothing() };
        let shard = shard.lock();
        self.wanted.choose_way(shard.records());
        let segments = shard.segments_behind(self.reached, SEGMENTS);
        let open = (segments.len() < SEGMENTS).then(|| Way::open(&shard, &self.wanted, self.reached));
        let mut step = Step {
            shared,
            db,
            // under the lock, so that it has what the lock shows
            snapshot: db.database.snapshot(),
            shard: id.shard,
            wanted: &mut self.wanted,
            messages: MessageBatch::new(id.worker),
            bytes,
            now,
            committed: shard.committed,
            reached: self.reached,
            looked: 0,
            is_damaged: false,
            has_expired: false,
        };
        drop(shard);
        let at_end = step.run(&segments, open, self.until).is_continue();
        self.reached = step.reached;
        let expired = began.is_some_and(|began| began.is_after) && step.has_expired;
        let lost = step.is_damaged.then_some(Lost::Damaged);
        let lost = lost.or(began.and_then(|began| began.lost)).or(expired.then_some(Lost::Expired));
        let slice = ReadSlice { id, messages: step.messages, reached: self.reached, at_end, lost };
        self.wanted.reached(slice.reached);
        slice
    }

    fn nothing(&self) -> ReadSlice {
        let messages = MessageBatch::new(self.id.worker);
        ReadSlice { id: self.id, messages, reached: self.reached, at_end: true, lost: None }
    }
}

impl Step<'_> {
    fn run(
        &mut self,
        segments: &[SegmentInfo],
        open: Option<Way>,
        until: Option<Timestamp>,
    ) -> ControlFlow<()> {
        for segment in segments {
            if until.is_some_and(|until| segment.time_min >= until) {
                self.reached = self.reached.max(segment.last);
                continue;
            }
            let way = Way::closed(self.db, &self.snapshot, self.shard, segment, self.wanted, self.reached);
            match way {
                Ok(way) => self.go(way)?,
                Err(error) => {
                    self.is_damaged = true;
                    damaged(self.shared, self.shard, segment.first, &error);
                }
            }
            self.reached = self.reached.max(segment.last);
            if self.looked >= LOOK_BYTES {
                return Break(());
            }
        }
        let Some(open) = open else { return Break(()) };
        self.go(open)?;
        self.reached = self.reached.max(self.committed);
        Continue(())
    }

    fn go(&mut self, way: Way) -> ControlFlow<()> {
        match way {
            Way::Blocks(blocks) => {
                for block in blocks {
                    self.block(block, None)?;
                }
            }
            Way::Places(places) => {
                for places in places.chunk_by(|a, b| a.block == b.block) {
                    let Some(first) = places.first() else { continue };
                    self.block(first.block, Some(places))?;
                }
            }
        }
        Continue(())
    }

    /// Looks at a block: at these records of it, or at all.
    fn block(&mut self, first: u64, places: Option<&[Place]>) -> ControlFlow<()> {
        if first > self.committed {
            return Continue(());
        }
        if self.looked >= LOOK_BYTES {
            return Break(());
        }
        let bytes = match self.snapshot.get(&self.db.log, keys::block(self.shard, first)) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return self.lose(first, "it isn't there"),
            Err(error) => return self.lose(first, error),
        };
        self.looked += bytes.len();
        let mut block = match Block::parse(&bytes) {
            Ok(block) => block,
            Err(damage) => return self.lose(first, damage),
        };
        match places {
            Some(places) => {
                places.iter().try_for_each(|place| self.slot(&mut block, first, place.slot as usize))
            }
            None => (0..block.len()).try_for_each(|slot| self.slot(&mut block, first, slot)),
        }
    }

    fn slot(&mut self, block: &mut Block<'_>, first: u64, slot: usize) -> ControlFlow<()> {
        match block.record(slot) {
            Ok(record) => self.record(&record),
            Err(damage) => self.lose(first, damage),
        }
    }

    fn record(&mut self, record: &RecordRef<'_>) -> ControlFlow<()> {
        if record.offset <= self.reached || record.offset > self.committed {
            return Continue(());
        }
        match self.wanted.wants(record, self.shared, self.now) {
            Wants::Yes => {
                if !self.messages.is_empty() && self.messages.len() + record.tail.len() > self.bytes {
                    self.reached = record.offset - 1;
                    return Break(());
                }
                if !self.messages.push_encoded(record.hash, 0, record.has_options, record.tail) {
                    let _ = self.lose(record.offset, "it holds no message");
                }
            }
            Wants::Expired => self.has_expired = true,
            Wants::No => {}
        }
        self.reached = record.offset;
        Continue(())
    }

    fn lose(&mut self, offset: u64, what: impl std::fmt::Display) -> ControlFlow<()> {
        self.is_damaged = true;
        damaged(self.shared, self.shard, offset, &what);
        Continue(())
    }
}

/// Reports what could not be read.
fn damaged(shared: &Shared, shard: u8, offset: u64, what: &dyn std::fmt::Display) {
    shared.counters.damaged.add(1);
    let key = format!("{:02x?}", keys::block(shard, offset));
    tracing::error!(shard, offset, key, %what, "a part of the store is damaged; reading goes on behind it");
}
