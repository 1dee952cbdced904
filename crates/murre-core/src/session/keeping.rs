//! Where a subscription of a kept session stands, on the hub that its client is connected to.

use std::collections::VecDeque;

use murre_protocol::Position;

use super::{AckWindow, Replay, Viewed};
use crate::kept::{Begins, Cursor};

/// Where a subscription of a kept session stands.
#[derive(Debug, Default)]
pub struct Keeping {
    /// The request that has not been answered: it is not in the log yet.
    pub asked: Option<u64>,
    /// Whether its interest is in force, and only the log is waited for.
    pub interested: bool,
    /// What it began with.
    pub begins: Begins,
    /// What was acknowledged, by shard.
    acknowledged: Vec<Cursor>,
    /// What was taken to be sent, by shard, as if all of it had been acknowledged.
    taken: Vec<Cursor>,
    /// Where live began. What lies before is through once nothing of it is unacknowledged.
    passed: Vec<Position>,
    /// Messages that made room, of which a NOTICE is on its way, and what was taken before it.
    noticed: u64,
    noticed_at: Vec<Cursor>,
    /// The same, once the client has acknowledged something that was sent behind the NOTICE.
    told: u64,
    /// Shards whose acknowledgements the record of the client has not been told, as a set.
    untold: u64,
    /// Whether only what it began with is being sent, up to where its session began to keep.
    pub begins_again: bool,
    /// Whether messages were left out that are to be read back.
    pub behind: bool,
    /// Whether CAUGHT_UP is due.
    pub owes_caught_up: bool,
    /// Messages that were sent on the way to it so far.
    pub count: u64,
    /// Under a view, by shard: up to where readings were taken when a message was sent last. What the view swallowed is
    /// acknowledged only where that is.
    reach: Vec<u64>,
    /// Whether its view has swallowed something that the record of the client may have to be told of.
    pub settling: bool,
    /// Whether its view goes on with what it is sent next.
    pub goes_on: bool,
    /// Changes in place that wait for the record of the client, in order; it has been asked for the first.
    pub changes: VecDeque<Change>,
}

/// A change in place of a subscription of a kept session.
#[derive(Debug)]
pub struct Change {
    /// Another view, if it is to have one.
    pub viewed: Option<Box<Viewed>>,
    /// Where it is to begin anew, if it is.
    pub replay: Option<Replay>,
}

impl Keeping {
    /// A subscription that is to be kept.
    pub fn asked(serial: u64, begins: Begins) -> Self {
        Self { asked: Some(serial), begins, owes_caught_up: true, ..Self::default() }
    }

    /// One that was kept.
    pub fn back(begins: Begins, cursors: &[Cursor]) -> Self {
        let mut keeping = Self { begins, owes_caught_up: true, ..Self::default() };
        keeping.stand_at(cursors);
        keeping
    }

    /// It stands there.
    pub fn stand_at(&mut self, cursors: &[Cursor]) {
        (self.acknowledged, self.taken) = (cursors.to_vec(), cursors.to_vec());
    }

    /// It begins anew: what was acknowledged stays so, and what it begins with is sent whole.
    pub fn begin_anew(&mut self, begins: Begins) {
        self.begins = begins;
        self.taken = self.acknowledged.iter().map(|cursor| Cursor { begun: 0, ..*cursor }).collect();
        self.passed.clear();
        (self.begins_again, self.behind, self.owes_caught_up, self.count) = (false, false, true, 0);
    }

    /// What it goes on with behind all that was taken.
    pub fn go_on(&mut self) -> Replay {
        self.behind = false;
        self.begins_again = !self.taken.iter().all(|cursor| cursor.is_begun());
        match self.begins {
            Begins::Last if self.begins_again => Replay::Last,
            Begins::LastN(last) if self.begins_again => Replay::LastN { last, revised: false },
            Begins::Since(time) if self.begins_again => Replay::Since(time),
            _ => {
                self.begins_again = false;
                let positions =
                    (0..).zip(&self.taken).map(|(shard, cursor)| Position::new(cursor.kept, shard));
                Replay::Kept(positions.collect())
            }
        }
    }

    /// All that it began with was taken.
    pub fn has_begun(&mut self) {
        for cursor in &mut self.taken {
            cursor.begun = cursor.begun.max(cursor.kept);
        }
        self.begins_again = false;
    }

    /// Whether a message that was read back is to be sent.
    pub fn wants(&self, position: Position) -> bool {
        let Some(cursor) = self.taken.get(usize::from(position.shard())) else { return true };
        cursor.wants(position.offset()) && !(self.begins_again && position.offset() > cursor.kept)
    }

    /// A message is sent, or waits for it.
    #[inline]
    pub fn take(&mut self, position: Position) {
        if let Some(cursor) = self.taken.get_mut(usize::from(position.shard())) {
            cursor.pass(position.offset());
        }
    }

    /// Live begins there.
    pub fn pass(&mut self, positions: &[Position]) {
        positions.iter().for_each(|position| self.take(*position));
        self.passed = positions.to_vec();
    }

    /// The client has acknowledged everything of a shard up to the position, as far as it was sent.
    pub fn acknowledge(&mut self, position: Position) {
        let behind = |at: &Cursor| position.offset() > at.kept;
        if self.noticed > 0 && self.noticed_at.get(usize::from(position.shard())).is_some_and(behind) {
            self.told += std::mem::take(&mut self.noticed);
        }
        self.advance(position);
    }

    fn advance(&mut self, position: Position) {
        let shard = usize::from(position.shard());
        let (Some(cursor), Some(taken)) = (self.acknowledged.get_mut(shard), self.taken.get(shard)) else {
            return;
        };
        let before = *cursor;
        cursor.pass(position.offset().min(taken.begun));
        if *cursor != before {
            self.untold |= 1 << (position.shard() & 63);
        }
    }

    /// Where all of a shard before live is through, the rest is acknowledged too: there was nothing that matches. Looks
    /// at one shard, or at all.
    pub fn settle(&mut self, window: &AckWindow, only: Option<u8>) {
        if self.passed.is_empty() {
            return;
        }
        let mut passed = std::mem::take(&mut self.passed);
        let is_asked = |position: &Position| only.is_none_or(|shard| shard == position.shard());
        for position in passed.extract_if(.., |position| is_asked(position) && !window.owes(*position)) {
            self.advance(position);
        }
        self.passed = passed;
    }

    /// It gets a view: what was sent before is acknowledged first.
    pub fn begin_view(&mut self) {
        self.passed.clear();
        self.reach = self.taken.iter().map(|cursor| cursor.begun).collect();
    }

    /// A message of its view is sent, or waits for it. The position may be lower than those of the readings in it.
    pub fn send(&mut self, position: Position) {
        let shard = usize::from(position.shard());
        let taken = self.taken.get(shard).map_or(0, |cursor| cursor.begun);
        if self.reach.len() <= shard {
            self.reach.resize(shard + 1, 0);
        }
        if let Some(reach) = self.reach.get_mut(shard) {
            *reach = taken.max(*reach);
        }
    }

    /// What its view has swallowed is acknowledged in each shard where all that was sent is; `cap` gives the greatest
    /// position up to which the view holds nothing.
    pub fn settle_view(&mut self, cap: impl Fn(Position) -> Position) {
        self.passed.clear();
        for shard in 0..self.taken.len() {
            let (Some(taken), Some(acknowledged)) = (self.taken.get(shard), self.acknowledged.get(shard))
            else {
                continue;
            };
            if acknowledged.begun >= self.reach.get(shard).copied().unwrap_or_default() {
                self.advance(cap(Position::new(taken.begun, shard as u8)));
            }
        }
    }

    /// Messages up to the position had to make room.
    pub fn let_go(&mut self, position: Position) {
        let shard = usize::from(position.shard());
        for cursors in [&mut self.acknowledged, &mut self.taken] {
            if let Some(cursor) = cursors.get_mut(shard) {
                cursor.pass(position.offset());
            }
        }
    }

    /// The client is told of messages that made room.
    pub fn notice(&mut self, messages: u64) {
        self.noticed += messages;
        self.noticed_at = self.taken.clone();
    }

    /// Of how many messages that made room the client has been told, as the record of it does not know yet.
    pub fn take_told(&mut self) -> u64 {
        std::mem::take(&mut self.told)
    }

    /// Whether the record of the client is to be told of acknowledgements.
    pub fn is_untold(&self) -> bool {
        self.untold != 0
    }

    /// What the record of the client has not been told: by shard, up to where all was acknowledged.
    pub fn tell(&mut self) -> Vec<Position> {
        let untold = std::mem::take(&mut self.untold);
        let cursors = (0..).zip(&self.acknowledged).filter(|(shard, _)| untold & 1 << (shard & 63) != 0);
        cursors.map(|(shard, cursor)| Position::new(cursor.begun, shard)).collect()
    }
}
