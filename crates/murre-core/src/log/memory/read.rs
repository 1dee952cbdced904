//! Reading one shard's records back.

use std::ops::Bound::{Excluded, Unbounded};

use hashbrown::HashMap;
use murre_protocol::{Timestamp, TopicFilter, TopicName};

use super::shard::{MemoryShard, Stored};
use crate::{
    batch::MessageBatch,
    log::{KeepRules, Lost, ReadFrom, ReadId, ReadRequest, ReadSlice},
};

/// Records that one slice looks at, so that a filter that matches little does not hold everything up.
const SCAN_MAX: usize = 65_536;

/// A read under way.
#[derive(Debug)]
pub(super) struct Read {
    filter: TopicFilter<'static>,
    from: ReadFrom,
    reached: u64,
    /// Of the newest messages of each topic: the first one that is wanted.
    firsts: HashMap<Box<str>, u64>,
    /// What is missing is said once.
    lost: Option<Lost>,
}

impl Read {
    pub(super) fn open(shard: &MemoryShard, request: &ReadRequest) -> Self {
        let filter = request.filter.clone();
        let matches = |name: &str| TopicName::parse(name).is_ok_and(|name| filter.matches(&name));
        let (mut firsts, mut lost) = (HashMap::new(), None);
        for (name, topic) in shard.topics.iter().filter(|(name, _)| matches(name)) {
            match request.from {
                ReadFrom::LastN(n) => {
                    let skipped = topic.held.len().saturating_sub(usize::try_from(n).unwrap_or(usize::MAX));
                    let first = topic.held.get(skipped).copied().unwrap_or(shard.last + 1);
                    firsts.insert((&**name).into(), first);
                }
                ReadFrom::After(position) => {
                    let gone = topic.gone.filter(|(offset, _)| *offset > position.offset());
                    lost = lost.or(gone.map(|(_, why)| why));
                }
                ReadFrom::Since(_) => {}
            }
        }
        let reached = match request.from {
            ReadFrom::After(position) => {
                let forgotten = shard.forgotten.filter(|(offset, _)| *offset > position.offset());
                lost = lost.or(forgotten.map(|(_, why)| why));
                position.offset()
            }
            // topics that come later lie behind all that is there
            ReadFrom::LastN(_) => firsts.values().copied().min().unwrap_or(shard.last + 1) - 1,
            ReadFrom::Since(_) => 0,
        };
        Self { filter, from: request.from, reached, firsts, lost }
    }

    pub(super) fn slice(
        &mut self,
        id: ReadId,
        now: Timestamp,
        rules: &KeepRules,
        shard: &MemoryShard,
        bytes: usize,
    ) -> ReadSlice {
        let mut messages = MessageBatch::new(id.worker);
        let mut at_end = true;
        let records = shard.records.range((Excluded(self.reached), Unbounded));
        for (looked, (offset, record)) in records.enumerate() {
            if messages.len() >= bytes.max(1) || looked >= SCAN_MAX {
                at_end = false;
                break;
            }
            self.reached = *offset;
            if !record.is_expired(now) && self.wants(*offset, record, rules, shard) {
                messages.push_encoded(record.hash, 0, record.has_options, &record.tail);
            }
        }
        if at_end {
            self.reached = self.reached.max(shard.last);
        }
        ReadSlice { id, messages, reached: self.reached, at_end, lost: self.lost.take() }
    }

    fn wants(&self, offset: u64, record: &Stored, rules: &KeepRules, shard: &MemoryShard) -> bool {
        let Ok(name) = TopicName::parse(&*record.topic) else { return false };
        if !self.filter.matches(&name) {
            return false;
        }
        let held = || {
            let topic = shard.topics.get(&record.topic);
            rules.of(&name).is_some()
                && topic.and_then(|topic| topic.held.front()).is_some_and(|first| *first <= offset)
        };
        match self.from {
            ReadFrom::After(_) => true,
            ReadFrom::Since(time) => record.time >= time && held(),
            ReadFrom::LastN(_) => {
                self.firsts.get(&*record.topic).is_none_or(|first| *first <= offset) && held()
            }
        }
    }
}
