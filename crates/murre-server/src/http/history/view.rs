//! An answer's view: messages of the past go through it as they are read, and what it makes of them is written.
//!
//! An answer that ends before all is read leaves nothing waiting for its rate or the end of a silence; only windows may
//! be open then. The next answer reads what these hold again, and writes nothing of what comes of that: it was written
//! before.

use std::sync::Arc;

use murre_protocol::{
    Position, Timestamp,
    packet::{Message, ViewOptions},
};
use murre_view::{Limits, Plan, View};

use super::Cursor;

/// How much a view may do for one answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// What it may remember.
    pub(crate) limits: Limits,
    /// Messages that it reads at most, of those that no answer before has read.
    pub(crate) read_max: u64,
}

/// A view that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// As it was asked for.
    pub(crate) options: Box<ViewOptions<'static>>,
    /// The same, compiled.
    pub(crate) plan: Arc<Plan>,
    /// Windows that end later are not over.
    pub(crate) ends_at: Timestamp,
}

impl PartialEq for Asked {
    /// The plan follows from the options.
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options && self.ends_at == other.ends_at
    }
}

/// The view of an answer. Messages are [offered](Self::offer) in the order of their times; then comes
/// [`end`](Self::end), or [`cut`](Self::cut) where more would follow.
#[derive(Debug)]
pub(crate) struct HistoryView {
    view: View,
    ends_at: Timestamp,
    /// What an answer before has read, and what came of it has written.
    before: Cursor,
    /// Up to when what has come due was sent.
    now: Timestamp,
    /// Messages that it may still read.
    left: u64,
}

impl HistoryView {
    /// A view behind `before`.
    pub(crate) fn new(asked: &Asked, before: Cursor, bounds: Bounds) -> Self {
        let view = View::new(asked.plan.clone(), bounds.limits);
        Self { view, ends_at: asked.ends_at, before, now: Timestamp::default(), left: bounds.read_max }
    }

    /// Whether no answer before has read a message.
    pub(crate) fn is_new(&self, position: Position) -> bool {
        position > self.before.of_shard(position.shard())
    }

    /// Whether it has read as much as one answer may.
    pub(crate) fn has_read_all(&self) -> bool {
        self.left == 0
    }

    /// Takes a message.
    pub(crate) fn offer(&mut self, message: &Message<'_>, send: &mut dyn FnMut(&Message<'_>)) {
        self.advance(message.time, send);
        if self.is_new(message.position) {
            self.left = self.left.saturating_sub(1);
            self.view.offer(message, send);
        } else {
            self.view.offer(message, &mut |_| ());
            self.view.release(&mut |_| ());
        }
    }

    /// Sends what has come due until then, but for what an answer before has sent.
    fn advance(&mut self, to: Timestamp, send: &mut dyn FnMut(&Message<'_>)) {
        let sent_until = self.before.read_until();
        if self.now < sent_until {
            self.view.due(to.min(sent_until), &mut |_| ());
        }
        if to > sent_until {
            self.view.due(to, send);
        }
        self.now = self.now.max(to);
    }

    /// All was read: windows that are over are sent, and the last values.
    pub(crate) fn end(&mut self, send: &mut dyn FnMut(&Message<'_>)) {
        self.advance(self.ends_at, send);
        self.view.release(send);
    }

    /// More would follow: the values that wait are sent, and `cursor` is told what the open windows hold.
    pub(crate) fn cut(&mut self, cursor: &mut Cursor, send: &mut dyn FnMut(&Message<'_>)) {
        self.view.release(send);
        cursor.hold(self.now.max(self.before.read_until()), |position| self.view.cap(position));
    }

    /// What it could not do, for people.
    pub(crate) fn troubles(&mut self) -> Vec<String> {
        let Some(troubles) = self.view.take_troubles() else { return Vec::new() };
        let unusable = troubles.first.filter(|_| troubles.left_out > 0).map(|(topic, why)| {
            let count = troubles.left_out;
            format!("the view left out {count} messages that it can't use; the first on {topic}: {why}")
        });
        let past_limits = (troubles.past_limits > 0).then(|| {
            let count = troubles.past_limits;
            format!(
                "the view left out {count} messages since it holds as much as it may (limits.view_topics_max, \
                 limits.view_bytes_max)"
            )
        });
        unusable.into_iter().chain(past_limits).collect()
    }
}
