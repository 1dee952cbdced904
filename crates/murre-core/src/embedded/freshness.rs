//! Topics that fell silent, returned or are gone, told on `$murre/fresh/<topic>`.

use murre_protocol::{Format, packet::PublishOptions};

use super::Embedded;
use crate::{
    batch::{Content, MessageBatch, Origin, PublishBatch},
    engine::{Engine, Outputs},
    now::{Now, Tick},
    shard::News,
};

impl Embedded {
    /// Tells what the shards have noticed, by messages into `messages`.
    #[cold]
    pub(super) fn tell_news(&mut self, now: Now, messages: &mut MessageBatch) {
        self.has_news = false;
        self.count_stale();
        let mut publishes = PublishBatch::default();
        for shard in &mut self.shards {
            for (topic, news) in shard.freshness.take_news() {
                let Some(topic) = murre_view::fresh::topic_of(&topic) else { continue };
                let payload = match news {
                    News::Stale(last) => murre_view::fresh::payload(true, last.millis()),
                    News::Fresh(last) => murre_view::fresh::payload(false, last.millis()),
                    News::Gone => String::new(),
                };
                let deletion = PublishOptions { retain: true, ..Default::default() };
                let options = (news == News::Gone).then_some(deletion);
                let content = Content { format: Format::Json, payload: payload.as_bytes(), options };
                let hash = self.placement.topic_hash(&topic);
                publishes.push(hash, Origin { session: None, id: 0 }, &topic, content);
            }
        }
        for entry in publishes.entries() {
            // past the bound on topics it is told live and not kept
            if self.take_one(now, (self.worker, entry), &publishes, true, messages).is_err() {
                let _ = self.take_one(now, (self.worker, entry), &publishes, false, messages);
            }
        }
        // the next publish has nothing to do with these topics
        self.recent = None;
    }

    /// Looks which topics fell stale until now, and tells it.
    pub(super) fn watch_over_silence(&mut self, now: Now, out: &mut Outputs) {
        let is_due = |due: Option<Tick>| due.is_some_and(|due| due <= now.tick);
        for shard in self.shards.iter_mut().filter(|shard| is_due(shard.freshness.next_due())) {
            shard.tick_freshness(now.tick);
            self.has_news |= shard.freshness.has_news();
        }
        if self.has_news {
            let mut messages = self.batch();
            self.tell_news(now, &mut messages);
            self.close_batch(&mut messages, out);
            self.spread(messages, out);
        }
    }

    /// When a topic may fall stale.
    pub(super) fn silence_due(&self) -> Option<Tick> {
        self.shards.iter().filter_map(|shard| shard.freshness.next_due()).min()
    }

    /// Counts the topics that fell stale or are it no longer.
    pub(super) fn count_stale(&mut self) {
        let stale: usize = self.shards.iter().map(|shard| shard.freshness.stale()).sum();
        let before = std::mem::replace(&mut self.stale, stale);
        self.counters.stale_topics.add((stale as u64).wrapping_sub(before as u64));
    }
}
