//! A snapshot on its way through one worker's shards, a slice at a time.

use murre_protocol::{Position, TopicFilter, TopicName};

use crate::{
    batch::MessageBatch,
    embedded::value_message,
    engine::Slice,
    ids::{SnapshotId, WorkerId},
    now::Now,
    placement::Placement,
    shard::{Cursor, Shard, Topic},
};

/// Bytes of values after which a slice ends.
pub const SLICE_BYTES: usize = 64 * 1024;
/// Topics that one slice looks at, so that a filter that matches little does not hold up the worker.
const SLICE_TOPICS: usize = 4096;

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
    pub fn slice(
        &mut self,
        now: Now,
        id: SnapshotId,
        shards: &mut [Shard],
        placement: &Placement,
        values: &mut MessageBatch,
    ) -> Progress {
        let mut progress = Progress::default();
        let mut topics_left = SLICE_TOPICS;
        while let Some(shard) = shards.get_mut(self.at) {
            if self.exact {
                self.look_up(now, id, shard, placement, values);
            } else {
                let walk = self.cursor.take();
                let walk = walk
                    .unwrap_or_else(|| Walk { began: shard.position(), cursor: shard.topics.open_cursor() });
                let (through, looked_at) =
                    self.walk(now, id, &walk, shard, topics_left, values, &mut progress);
                topics_left = topics_left.saturating_sub(looked_at);
                if !through {
                    self.cursor = Some(walk);
                    return progress;
                }
                shard.topics.close_cursor(walk.cursor);
                progress.overtaken = false;
            }
            progress.finished.push(shard.position());
            self.at += 1;
        }
        progress.done = true;
        progress
    }

    /// Ends it early.
    pub fn cancel(self, shards: &mut [Shard]) {
        if let (Some(walk), Some(shard)) = (self.cursor, shards.get_mut(self.at)) {
            shard.topics.close_cursor(walk.cursor);
        }
    }

    fn look_up(
        &self,
        now: Now,
        id: SnapshotId,
        shard: &Shard,
        placement: &Placement,
        values: &mut MessageBatch,
    ) {
        let topic = self.filter.as_str();
        let hash = placement.topic_hash(topic);
        if placement.shard(hash) != shard.number() {
            return;
        }
        let topic = shard.topics.find(hash, topic).and_then(|slot| shard.topics.topic(slot));
        if let Some(topic) = topic.filter(|topic| topic.value.kept && !topic.value.is_expired(now.wall)) {
            values.push(hash, id.worker.bit(), value_message(topic, true));
        }
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one loop's state, taken apart so that the borrows are clear"
    )]
    fn walk(
        &self,
        now: Now,
        id: SnapshotId,
        walk: &Walk,
        shard: &mut Shard,
        topics_max: usize,
        values: &mut MessageBatch,
        progress: &mut Progress,
    ) -> (bool, usize) {
        let mut looked_at = 0;
        let through = shard.topics.advance(&walk.cursor, topics_max, |topic| {
            if values.len() >= SLICE_BYTES {
                return false;
            }
            looked_at += 1;
            let overtaken = topic.value.position > walk.began;
            progress.overtaken = overtaken;
            if self.wants(now, topic, overtaken) {
                // what was published after the snapshot began is a live message, told late
                values.push(0, id.worker.bit(), value_message(topic, !overtaken));
            }
            true
        });
        (through, looked_at)
    }

    fn wants(&self, now: Now, topic: &Topic, overtaken: bool) -> bool {
        let shown = topic.value.kept || overtaken;
        shown
            && !topic.value.is_expired(now.wall)
            && TopicName::parse(&*topic.name).is_ok_and(|name| self.filter.matches(&name))
    }
}
