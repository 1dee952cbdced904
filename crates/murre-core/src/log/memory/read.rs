//! Reading one shard's records back.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    ops::Bound::{Excluded, Unbounded},
};

use murre_protocol::{Timestamp, TopicFilter};

use super::{
    books::Books,
    shard::{Shard, Stored},
    topic::{Gone, Topic},
};
use crate::{
    batch::MessageBatch,
    log::{Lost, ReadFrom, ReadId, ReadRequest, ReadSlice},
};

/// So many topics are merged record by record; for more, the shard's records are looked through in order. Few in
/// tests, so that these go both ways.
const MERGED_MAX: usize = if cfg!(test) { 2 } else { 64 };

/// A read under way.
#[derive(Debug)]
pub(super) struct Read {
    filter: TopicFilter<'static>,
    from: ReadFrom,
    /// What matches, by number.
    topics: Vec<Wanted>,
    /// Topics below this number were looked at.
    topics_seen: u64,
    reached: u64,
    /// Said once.
    lost: Option<Lost>,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    topic: u64,
    /// The first offset that is wanted.
    from: u64,
}

impl Read {
    pub(super) fn open(shard: &Shard, request: &ReadRequest) -> Self {
        let mut read = Self {
            filter: request.filter.clone(),
            from: request.from,
            topics: Vec::new(),
            topics_seen: 0,
            reached: 0,
            lost: None,
        };
        read.find_topics(shard);
        match request.from {
            ReadFrom::LastN(n) => {
                for wanted in &mut read.topics {
                    wanted.from = shard.topics.get(&wanted.topic).map_or(0, |topic| topic.newest_from(n));
                }
                // topics that come later lie behind all that is there
                let first = read.topics.iter().map(|wanted| wanted.from).min();
                read.reached = first.map_or(shard.last, |first| first.saturating_sub(1).min(shard.last));
            }
            ReadFrom::Since(_) => {}
            ReadFrom::After(position) | ReadFrom::Kept(position) => {
                read.reached = position.offset();
                let gone = read.topics.iter().filter_map(|wanted| shard.topics.get(&wanted.topic)?.gone);
                let last = gone.fold(shard.forgotten, |last, gone| Gone::later(last, Some(gone)));
                read.lost = last.filter(|gone| gone.offset > position.offset()).map(|gone| gone.why);
            }
        }
        read
    }

    /// The next slice.
    pub(super) fn slice(
        &mut self,
        id: ReadId,
        now: Timestamp,
        shard: &Shard,
        books: &Books,
        bytes: usize,
    ) -> ReadSlice {
        self.find_topics(shard);
        let mut messages = MessageBatch::new(id.worker);
        let wants = |record: &Stored, topic: &Topic| {
            !record.is_expired(now)
                && match self.from {
                    ReadFrom::LastN(_) => record.held,
                    ReadFrom::Since(time) => record.held && record.time >= time,
                    ReadFrom::Kept(_) => true,
                    ReadFrom::After(_) => !books.is_aged(topic.rule, record.time, now),
                }
        };
        let left = if self.topics.len() <= MERGED_MAX {
            fill(&mut messages, bytes, self.merged(shard).filter(|(_, record, topic)| wants(record, topic)))
        } else {
            fill(&mut messages, bytes, self.scanned(shard).filter(|(_, record, topic)| wants(record, topic)))
        };
        self.reached = self.reached.max(left.map_or(shard.last, |offset| offset - 1));
        ReadSlice { id, messages, reached: self.reached, at_end: left.is_none(), lost: self.lost.take() }
    }

    /// Looks at the topics that are new.
    fn find_topics(&mut self, shard: &Shard) {
        if self.filter.is_exact() {
            let known = shard.topic_number(self.filter.as_str());
            if known != self.topics.first().map(|wanted| wanted.topic) {
                self.topics = known.map(|topic| Wanted { topic, from: 0 }).into_iter().collect();
            }
            return;
        }
        let filter = &self.filter;
        let new =
            shard.topics.range(self.topics_seen..).filter(|(_, topic)| filter.matches_text(&topic.name));
        self.topics.extend(new.map(|(&topic, _)| Wanted { topic, from: 0 }));
        self.topics_seen = shard.topics_made;
        if self.topics.len() > 2 * shard.topics.len() + MERGED_MAX {
            self.topics.retain(|wanted| shard.topics.contains_key(&wanted.topic));
        }
    }

    /// Records past what was reached, topic by topic, in order: costs nothing for other topics.
    fn merged<'a>(&'a self, shard: &'a Shard) -> impl Iterator<Item = (u64, &'a Stored, &'a Topic)> {
        let topics: Vec<_> =
            self.topics.iter().filter_map(|w| Some((w, shard.topics.get(&w.topic)?))).collect();
        let first =
            |(wanted, topic): &(&Wanted, &Topic)| topic.next(topic.seek(wanted.from.max(self.reached + 1)));
        let mut heads: BinaryHeap<_> = (0..)
            .zip(&topics)
            .filter_map(|(place, of)| first(of).map(|(offset, next)| Reverse((offset, place, next))))
            .collect();
        std::iter::from_fn(move || {
            let Reverse((offset, place, next)) = heads.pop()?;
            let place: usize = place;
            let (_, topic) = topics.get(place)?;
            heads.extend(topic.next(next).map(|(offset, next)| Reverse((offset, place, next))));
            Some((offset, shard.records.get(&offset)?, *topic))
        })
    }

    /// The same, looked for among all records.
    fn scanned<'a>(&'a self, shard: &'a Shard) -> impl Iterator<Item = (u64, &'a Stored, &'a Topic)> {
        let records = shard.records.range((Excluded(self.reached), Unbounded));
        records.filter_map(|(&offset, record)| {
            let at = self.topics.binary_search_by_key(&record.topic, |wanted| wanted.topic).ok()?;
            self.topics.get(at).filter(|wanted| wanted.from <= offset)?;
            Some((offset, record, shard.topics.get(&record.topic)?))
        })
    }
}

/// Takes records up to so many bytes of tails, but one at least. Returns the first that found no room.
fn fill<'a>(
    messages: &mut MessageBatch,
    bytes: usize,
    mut records: impl Iterator<Item = (u64, &'a Stored, &'a Topic)>,
) -> Option<u64> {
    records.find_map(|(offset, record, topic)| {
        let room = messages.is_empty() || messages.len() + record.tail.len() <= bytes;
        if room {
            messages.push_encoded(topic.hash, 0, record.has_options, &record.tail);
        }
        (!room).then_some(offset)
    })
}
