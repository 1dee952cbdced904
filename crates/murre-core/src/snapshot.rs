//! A snapshot on its way through one worker's shards, a slice at a time.

use std::borrow::Cow;

use murre_protocol::{
    Position, TopicFilter,
    packet::{Message, MessageOptions},
};

use crate::{
    batch::MessageBatch,
    engine::Slice,
    ids::{SnapshotId, WorkerId},
    now::Now,
    placement::Placement,
    shard::{Cursor, Shard, Topic},
};

/// Bytes of values after which a slice ends.
pub const SLICE_BYTES: usize = 64 * 1024;
/// Topics that one slice looks at, so that a filter that matches little does not hold up the worker.
pub(crate) const SLICE_TOPICS: usize = 4096;

/// Where a snapshot stands in one worker's shards.
#[derive(Debug)]
pub struct Snapshot {
    filter: TopicFilter<'static>,
    /// A filter without wildcards wants one topic, which is looked up.
    exact: bool,
    /// The shard that is being walked, by its place in the list.
    at: usize,
    cursor: Option<Walk>,
}

#[derive(Debug)]
struct Walk {
    cursor: Cursor,
    /// Where the shard's order stood when the walk began.
    began: Position,
}

/// What a slice says beside its values.
#[derive(Debug, Default)]
pub struct Progress {
    finished: Vec<Position>,
    done: bool,
    overtaken: bool,
}

impl Progress {
    /// The slice with its values.
    pub fn with(self, id: SnapshotId, from: WorkerId, values: MessageBatch) -> Slice {
        let Self { finished, done, overtaken } = self;
        Slice { id, from, values, finished, done, overtaken }
    }
}

impl Snapshot {
    /// A snapshot of what matches `filter`, before its first shard.
    pub fn new(filter: TopicFilter<'static>) -> Self {
        Self { exact: filter.is_exact(), filter, at: 0, cursor: None }
    }

    /// Walks on until the slice is full, and says which shards are through.
    pub fn slice(&mut self, shards: &mut [Shard], mut slicing: Slicing<'_>) -> Progress {
        while let Some(shard) = shards.get_mut(self.at) {
            if self.exact {
                slicing.look_up(&self.filter, shard);
            } else {
                let walk = self
                    .cursor
                    .take()
                    .unwrap_or_else(|| Walk { began: shard.position(), cursor: shard.topics.open_cursor() });
                if !slicing.walk(&self.filter, &walk, shard) {
                    self.cursor = Some(walk);
                    return slicing.progress;
                }
                shard.topics.close_cursor(walk.cursor);
                slicing.progress.overtaken = false;
            }
            slicing.progress.finished.push(shard.position());
            self.at += 1;
        }
        slicing.progress.done = true;
        slicing.progress
    }

    /// Ends it early.
    pub fn cancel(self, shards: &mut [Shard]) {
        if let (Some(walk), Some(shard)) = (self.cursor, shards.get_mut(self.at)) {
            shard.topics.close_cursor(walk.cursor);
        }
    }
}

/// One slice in the making.
pub struct Slicing<'a> {
    now: Now,
    id: SnapshotId,
    placement: &'a Placement,
    values: &'a mut MessageBatch,
    /// Topics that it may still look at.
    topics_left: usize,
    progress: Progress,
}

impl<'a> Slicing<'a> {
    /// A slice of `id`, to be filled into `values`.
    pub fn new(now: Now, id: SnapshotId, placement: &'a Placement, values: &'a mut MessageBatch) -> Self {
        Self { now, id, placement, values, topics_left: SLICE_TOPICS, progress: Progress::default() }
    }

    fn look_up(&mut self, filter: &TopicFilter<'_>, shard: &Shard) {
        let hash = self.placement.topic_hash(filter.as_str());
        if self.placement.shard(hash) != shard.number() {
            return;
        }
        let topic = shard.topics.named(hash, filter.as_str());
        if let Some(topic) = topic.filter(|topic| topic.value.kept && !topic.value.is_expired(self.now.wall))
        {
            self.values.push(hash, self.id.worker.bit(), value_message(topic, true));
        }
    }

    /// Walks on over a shard's topics; true when it is through.
    fn walk(&mut self, filter: &TopicFilter<'_>, walk: &Walk, shard: &mut Shard) -> bool {
        shard.topics.advance(&walk.cursor, self.topics_left, |topic| {
            if self.values.len() >= SLICE_BYTES {
                return false;
            }
            self.topics_left -= 1;
            let overtaken = topic.value.position > walk.began;
            self.progress.overtaken = overtaken;
            if self.wants(filter, topic, overtaken) {
                // what was published after the snapshot began is a live message, told late
                self.values.push(0, self.id.worker.bit(), value_message(topic, !overtaken));
            }
            true
        })
    }

    fn wants(&self, filter: &TopicFilter<'_>, topic: &Topic, overtaken: bool) -> bool {
        let shown = topic.value.kept || overtaken;
        shown && !topic.value.is_expired(self.now.wall) && filter.matches_text(&topic.name)
    }
}

/// A kept value as a snapshot's message.
pub(crate) fn value_message<'a>(topic: &'a Topic, retain: bool) -> Message<'a> {
    let value = &topic.value;
    let mut options = value.options.clone();
    if retain {
        options.get_or_insert_with(|| Box::new(MessageOptions::default())).retain = true;
    }
    Message {
        topic: Cow::Borrowed(&topic.name),
        format: value.format,
        payload: Cow::Borrowed(&value.payload),
        time: value.time,
        position: value.position,
        options,
    }
}
