//! What the sequence number of a publish says about it.

use super::Embedded;
use crate::{
    batch::{PublishBatch, PublishEntry},
    now::Now,
    shard::{Refusal, Seen},
};

impl Embedded {
    /// Whether a publish that is to be logged was logged before; if not, its number goes into the log with it.
    pub(super) fn is_repeat(
        &mut self,
        now: Now,
        place: usize,
        publishes: &PublishBatch,
        entry: &PublishEntry,
    ) -> Result<bool, Refusal> {
        let Some((client, number)) = publishes.sequence(entry) else { return Ok(false) };
        let Some(shard) = self.shards.get_mut(place) else { return Ok(false) };
        match shard.sequences.look(now.wall, client, number) {
            Seen::Repeat => return Ok(true),
            Seen::TooMany => return Err(Refusal::Sequences),
            Seen::New => {}
        }
        let value = shard.sequences.note(now.wall, client, number);
        self.logging.note_sequence(shard.number(), client, number, &value);
        Ok(false)
    }

    /// A publish that would have been logged was refused: it may come again behind greater numbers.
    #[cold]
    pub(super) fn note_refused(&mut self, now: Now, publishes: &PublishBatch, entry: &PublishEntry) {
        let Some((client, number)) = publishes.sequence(entry) else { return };
        let place = self.place(self.placement.shard(entry.hash));
        let Some(shard) = self.shards.get_mut(place) else { return };
        let retain = publishes.options(entry).is_some_and(|options| options.retain);
        // whether a session wants this topic isn't worth finding out
        let kept = self.keeping.len() > 0;
        let rule = self.logging.rules.of_text(publishes.topic(entry));
        if self.logging.fate(rule, retain, kept).logged {
            shard.sequences.refused(now.wall, client, number);
        }
    }
}
