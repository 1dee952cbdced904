//! From the shards' slices into an answer: merged by the broker's time, each shard in its own order.

use murre_core::{
    batch::{MessageBatch, MessageEntry},
    log::ReadSlice,
};
use murre_protocol::{Position, Timestamp};

use super::answer::{HistoryAnswer, Offered};

/// An answer that is being filled. [`take`](Self::take) what was read, then [`write`](Self::write) and do what it says,
/// until the answer has ended.
#[derive(Debug)]
pub(crate) struct Feed {
    shards: Vec<Shard>,
    /// None once it has ended.
    answer: Option<HistoryAnswer>,
    has_begun: bool,
}

/// What [`Feed::write`] wants of the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The next slice of these shards.
    pub(crate) next: Vec<u8>,
    /// Nothing more of these.
    pub(crate) close: Vec<u8>,
}

#[derive(Debug)]
struct Shard {
    number: u8,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A slice was asked for.
    Awaited,
    /// There is a slice; so many of its messages were offered.
    Read(ReadSlice, usize),
    /// All of it was read.
    Ended,
}

impl Feed {
    /// A feed of shards whose first slices were asked for.
    pub(crate) fn new(answer: HistoryAnswer, shards: impl IntoIterator<Item = u8>) -> Self {
        let shards = shards.into_iter().map(|number| Shard { number, state: State::Awaited }).collect();
        Self { shards, answer: Some(answer), has_begun: false }
    }

    /// Takes a slice that was asked for.
    pub(crate) fn take(&mut self, slice: ReadSlice) {
        if let (Some(answer), Some(lost)) = (&mut self.answer, slice.lost) {
            answer.lost(lost);
        }
        if let Some(shard) = self.shards.iter_mut().find(|shard| shard.number == slice.id.shard)
            && matches!(shard.state, State::Awaited)
        {
            shard.state = State::Read(slice, 0);
        }
    }

    /// Appends what can be written now, up to about `bytes`, and says what has to be read for more.
    pub(crate) fn write(&mut self, bytes: usize, out: &mut Vec<u8>) -> Wanted {
        let mut wanted = Wanted::default();
        let Some(answer) = &mut self.answer else { return wanted };
        if !self.has_begun {
            self.has_begun = true;
            answer.begin(out);
        }
        while out.len() < bytes {
            for shard in &mut self.shards {
                shard.turn_page(answer, &mut wanted);
            }
            // the next message may be one that is still to come
            if self.shards.iter().any(|shard| matches!(shard.state, State::Awaited)) {
                return wanted;
            }
            let first =
                self.shards.iter_mut().filter(|shard| shard.head().is_some()).min_by_key(|s| s.order());
            let offered = first.map(|shard| shard.offer(answer, out));
            if offered != Some(Offered::Taken) {
                return self.end(wanted, out);
            }
        }
        wanted
    }

    /// Whether the answer is whole.
    pub(crate) fn has_ended(&self) -> bool {
        self.answer.is_none()
    }

    fn end(&mut self, mut wanted: Wanted, out: &mut Vec<u8>) -> Wanted {
        if let Some(answer) = self.answer.take() {
            answer.end(out);
        }
        let open = self.shards.iter().filter(|shard| !matches!(shard.state, State::Ended));
        wanted.close.extend(open.map(|shard| shard.number));
        wanted
    }
}

impl Shard {
    fn head(&self) -> Option<(&MessageBatch, &MessageEntry)> {
        let State::Read(slice, offered) = &self.state else { return None };
        Some((&slice.messages, slice.messages.entries().get(*offered)?))
    }

    fn order(&self) -> Option<(Timestamp, Position)> {
        self.head().map(|(_, entry)| (entry.time, entry.position))
    }

    /// Offers the message at its head.
    fn offer(&mut self, answer: &mut HistoryAnswer, out: &mut Vec<u8>) -> Offered {
        let offered = self.head().map(|(messages, entry)| answer.offer(&messages.message(entry), out));
        if let State::Read(_, offered) = &mut self.state {
            *offered += 1;
        }
        offered.unwrap_or(Offered::Taken)
    }

    /// A slice that was offered as a whole leads to the next one, or to the end.
    fn turn_page(&mut self, answer: &mut HistoryAnswer, wanted: &mut Wanted) {
        let State::Read(slice, offered) = &self.state else { return };
        if *offered < slice.messages.entries().len() {
            return;
        }
        answer.passed(Position::new(slice.reached, self.number));
        if slice.at_end {
            wanted.close.push(self.number);
            self.state = State::Ended;
        } else {
            wanted.next.push(self.number);
            self.state = State::Awaited;
        }
    }
}

#[cfg(test)]
mod tests;
