//! What a subscription is still owed, and the position up to which it is owed nothing.
//!
//! A view that holds readings back may send a later one first. The position of a MESSAGE must then not pass the ones
//! that are held: a client that resumes behind it would miss them.

use std::collections::BTreeSet;

use murre_protocol::Position;

/// Readings that are held, and how far each shard was seen.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    /// By shard, offset and the topic's place: what went through another view before has offsets that may be equal.
    held: BTreeSet<(u8, u64, usize)>,
    seen: Vec<u64>,
    /// The reading that is on its way through the view: what is sent because it came may not pass it.
    passing: Option<Position>,
}

impl Owed {
    /// A reading came. It is owed until it has [passed](Self::passed).
    pub(crate) fn saw(&mut self, position: Position) {
        let shard = usize::from(position.shard());
        if self.seen.len() <= shard {
            self.seen.resize(shard + 1, 0);
        }
        if let Some(seen) = self.seen.get_mut(shard) {
            *seen = (*seen).max(position.offset());
        }
        self.passing = Some(position);
    }

    /// The reading that came is held, is being sent, or was left out.
    pub(crate) fn passed(&mut self) {
        self.passing = None;
    }

    /// What the topic at `place`, of `shard`, holds changes from the reading with offset `before` to the one with `after`.
    pub(crate) fn change(&mut self, (shard, place): (u8, usize), before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.held.remove(&(shard, before, place));
        }
        if let Some(after) = after {
            self.held.insert((shard, after, place));
        }
    }

    /// `position`, or where something before it is held, the greatest up to which nothing is.
    pub(crate) fn cap(&self, position: Position) -> Position {
        let shard = position.shard();
        let held = self.held.range((shard, 0, 0)..=(shard, u64::MAX, usize::MAX)).next();
        let first_held = held.map(|(_, offset, _)| *offset);
        let passing = self.passing.filter(|passing| passing.shard() == shard).map(Position::offset);
        let first_owed = [first_held, passing].into_iter().flatten().min();
        first_owed.map_or(position, |offset| position.min(Position::new(offset.saturating_sub(1), shard)))
    }

    /// The greatest position of `shard` up to which nothing is owed.
    pub(crate) fn settled(&self, shard: u8) -> Position {
        let seen = self.seen.get(usize::from(shard)).copied().unwrap_or(0);
        self.cap(Position::new(seen, shard))
    }
}
