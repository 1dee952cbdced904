//! Freshness: topics that are expected to be heard and fall silent, and those that return.
//!
//! A message of a topic that is watched only notes when it came. Each such topic has one entry in a heap of due times;
//! when it comes up, the topic was heard meanwhile, and the entry moves to when it would be silent for too long since
//! then, or it falls stale. So a topic costs one move for each span of silence that it may have, however often it
//! speaks.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use murre_protocol::Timestamp;

use super::topics::{Topic, TopicSlot, TopicTable};
use crate::{
    expect::{ExpectId, ExpectRules},
    now::{Now, Tick},
};

/// Topics that are looked at in one go; a gateway that dies may silence very many at once.
const TOPICS_AT_ONCE: usize = 1024;
/// Due times are rounded up to this part of the silence, and to [`ROUNDED_MS_MAX`], so that many come up together.
const ROUNDED_PART: u64 = 64;
const ROUNDED_MS_MAX: u64 = 250;

/// How a topic that is watched stands.
#[derive(Debug)]
pub struct Watch {
    rule: ExpectId,
    /// When it was heard last.
    heard: Tick,
    /// When it comes up; another entry of the heap for it is void. None while nothing is awaited of it.
    due: Option<Tick>,
    is_stale: bool,
    /// Whether something was told of it that is still there.
    is_told: bool,
}

/// What is to be told of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is silent, and was heard last then.
    Stale(Timestamp),
    /// It returned.
    Fresh(Timestamp),
    /// It was deleted, and with it goes what was told of it.
    Gone,
}

/// The watched topics of a shard.
#[derive(Debug)]
pub struct Freshness {
    rules: Arc<ExpectRules>,
    dues: BinaryHeap<Reverse<(Tick, TopicSlot)>>,
    news: Vec<(Box<str>, News)>,
    stale: usize,
}

impl Watch {
    fn new(rule: ExpectId) -> Self {
        Self { rule, heard: Tick::default(), due: None, is_stale: false, is_told: false }
    }
}

impl Freshness {
    /// Watches by these rules.
    pub fn new(rules: Arc<ExpectRules>) -> Self {
        Self { rules, dues: BinaryHeap::new(), news: Vec::new(), stale: 0 }
    }

    /// Whether no topic is watched.
    #[inline]
    pub fn is_off(&self) -> bool {
        self.rules.is_empty()
    }

    /// How a topic is to be watched that has not been heard, if it is. `told` is the payload on its `$murre/fresh/`
    /// topic, if there is one.
    pub fn watch(&self, topic: &str, told: Option<&[u8]>) -> Option<Box<Watch>> {
        let rule = self.rules.of(topic).filter(|_| murre_view::fresh::topic_of(topic).is_some())?;
        let mut watch = Box::new(Watch::new(rule));
        watch.is_told = told.is_some();
        watch.is_stale = told.is_some_and(murre_view::fresh::says_stale);
        Some(watch)
    }

    /// Watches over a topic from now on, as [`Self::watch`] says, or no longer.
    pub fn put(&mut self, topic: &mut Topic, watch: Option<Box<Watch>>) {
        let is_stale = |watch: &Option<Box<Watch>>| usize::from(watch.as_ref().is_some_and(|of| of.is_stale));
        self.stale = self.stale + is_stale(&watch) - is_stale(&topic.watch);
        topic.watch = watch;
    }

    /// A message of a topic comes; one that is not `kept` deletes it.
    pub fn hear(&mut self, now: Now, slot: TopicSlot, topic: &mut Topic, kept: bool) {
        let Topic { name, watch: Some(watch), .. } = topic else { return };
        if !kept {
            self.stale -= usize::from(watch.is_stale);
            if watch.is_told {
                self.news.push((name.clone(), News::Gone));
            }
            **watch = Watch::new(watch.rule);
            return;
        }
        watch.heard = now.tick;
        if watch.is_stale {
            watch.is_stale = false;
            self.stale -= 1;
            self.news.push((name.clone(), News::Fresh(now.wall)));
        }
        if watch.due.is_none() {
            self.await_silence(slot, watch);
        }
    }

    /// Watches over a topic of an earlier process, which has all of its time from now on.
    pub fn resume(&mut self, now: Now, slot: TopicSlot, topic: &mut Topic) {
        if let Some(watch) = topic.watch.as_mut().filter(|watch| !watch.is_stale && watch.due.is_none()) {
            watch.heard = now.tick;
            self.await_silence(slot, watch);
        }
    }

    /// Puts a topic's entry where it will have been silent for too long.
    fn await_silence(&mut self, slot: TopicSlot, watch: &mut Watch) {
        let silence_max = self.rules.silence_max(watch.rule);
        let Tick(due) = watch.heard + silence_max;
        let part = u64::try_from(silence_max.as_millis()).unwrap_or(u64::MAX) / ROUNDED_PART;
        let due = Tick(due.saturating_add(1).next_multiple_of(part.clamp(1, ROUNDED_MS_MAX)));
        watch.due = Some(due);
        self.dues.push(Reverse((due, slot)));
    }

    /// Notes which topics fell stale until now; where there are more, [`Self::next_due`] says so.
    pub fn tick(&mut self, now: Tick, topics: &mut TopicTable) {
        for _ in 0..TOPICS_AT_ONCE {
            let Some(Reverse((due, slot))) =
                self.dues.peek().copied().filter(|Reverse((due, _))| *due <= now)
            else {
                return;
            };
            self.dues.pop();
            let Some(topic) = topics.topic_mut(slot) else { continue };
            let Topic { name, value, watch: Some(watch), .. } = topic else { continue };
            if watch.due != Some(due) {
                continue;
            }
            watch.due = None;
            if watch.heard + self.rules.silence_max(watch.rule) >= now {
                self.await_silence(slot, watch);
                continue;
            }
            (watch.is_stale, watch.is_told) = (true, true);
            self.stale += 1;
            self.news.push((name.clone(), News::Stale(value.time)));
        }
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_due(&self) -> Option<Tick> {
        self.dues.peek().map(|Reverse((due, _))| *due)
    }

    /// Makes the heap anew where entries of topics that are gone are the most of it, so that short-lived topics can't
    /// make it grow.
    pub fn sweep(&mut self, topics: &TopicTable) {
        if self.dues.len() <= 1024 + 2 * topics.len() {
            return;
        }
        let due = |(slot, topic): (TopicSlot, &Topic)| {
            topic.watch.as_ref().and_then(|watch| watch.due).map(|due| Reverse((due, slot)))
        };
        self.dues = topics.all().filter_map(due).collect();
    }

    /// Whether there is something to tell.
    #[inline]
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// What is to be told since this was last asked.
    pub fn take_news(&mut self) -> Vec<(Box<str>, News)> {
        std::mem::take(&mut self.news)
    }

    /// How many topics are silent for too long.
    pub fn stale(&self) -> usize {
        self.stale
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use murre_protocol::{Format, TopicFilter};

    use crate::{
        expect::{ExpectRule, ExpectRules},
        now::{Now, Tick},
        shard::{Directory, Intake, News, Rules, Shard, Taking},
    };

    /// A shard all of whose topics may be silent for a second.
    fn shard() -> Shard {
        let filter = TopicFilter::parse("#").unwrap().into_owned();
        let rule = ExpectRule { filter, silence_max: Duration::from_secs(1) };
        let rules = Rules { expect: ExpectRules::new(vec![rule]).into(), ..Rules::default() };
        Shard::new(0, Default::default(), Directory::default(), rules)
    }

    fn publish(shard: &mut Shard, ms: u64, topic: &str, kept: bool) {
        let intake = Intake { hash: 7, topic, format: Format::Text, payload: b"x", options: None, kept };
        let slot = shard.locate(&intake, None).unwrap();
        let now = Now { tick: Tick(ms), ..Now::default() };
        shard.take(Taking { now, logged: false, publisher: None }, slot, &intake);
    }

    #[test]
    fn a_topic_has_one_entry_and_one_move_for_each_silence_however_often_it_speaks() {
        let (mut shard, mut moves) = (shard(), 0);
        for ms in 0..10_000 {
            publish(&mut shard, ms, "a", true);
            if shard.freshness.next_due().is_some_and(|due| due <= Tick(ms)) {
                shard.tick_freshness(Tick(ms));
                moves += 1;
            }
            assert_eq!(shard.freshness.dues.len(), 1);
        }
        assert_eq!((moves, shard.freshness.has_news()), (9, false));
    }

    #[test]
    fn topics_that_come_and_go_leave_nothing_behind() {
        let mut shard = shard();
        for n in 0..20_000 {
            let topic = format!("t/{}", n % 100);
            publish(&mut shard, n, &topic, true);
            publish(&mut shard, n, &topic, false);
        }
        assert!(shard.freshness.dues.len() <= 1024 + 2);
        shard.tick_freshness(Tick(u64::MAX));
        assert_eq!(shard.freshness.take_news(), [], "nothing is expected of topics that are gone");
    }

    #[test]
    fn many_that_fall_silent_at_once_are_told_of_in_portions() {
        let mut shard = shard();
        let topics: Vec<String> = (0..3_000).map(|n| n.to_string()).collect();
        topics.iter().for_each(|topic| publish(&mut shard, 0, topic, true));
        let mut told = Vec::new();
        while shard.freshness.next_due().is_some_and(|due| due <= Tick(2_000)) {
            shard.tick_freshness(Tick(2_000));
            let portion = shard.freshness.take_news();
            assert!(portion.len() <= super::TOPICS_AT_ONCE);
            told.extend(portion);
        }
        assert_eq!((told.len(), shard.freshness.stale()), (3_000, 3_000));
        assert!(told.iter().all(|(_, news)| matches!(news, News::Stale(_))));
    }
}
