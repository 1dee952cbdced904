//! One shard's part of a commit: what it writes, and what it changes in memory once that is on disk.
//!
//! [`Stage::push`] takes the records in order, [`Stage::finish`] says what is to be written, and [`Stage::apply`]
//! changes the shard when it was. Between the two nothing of it can be seen; if the write fails, it is thrown away by
//! [`Stage::clear`]. A stage is used again, since growing its lists anew cost a good part of a commit.

use hashbrown::HashMap;
use murre_core::log::{KeepRules, LogBatch, LogRecord};

use crate::{
    format::{
        BlockBuilder, NewRecord, Place, SegmentBlocks, SegmentInfo, SegmentTopics, TopicId, TopicTally,
    },
    shard::{OpenTopic, Shard, joined},
};

/// One shard's part of a commit.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// Blocks in order, by their first offset.
    pub(crate) blocks: Vec<(u64, Vec<u8>)>,
    /// Whether the segment closes with it.
    pub(crate) closes: bool,
    info: SegmentInfo,
    builder: BlockBuilder,
    topics: Vec<StagedTopic>,
    by_id: HashMap<TopicId, u32>,
    /// Where the records stand, with the place of their topic in `topics`: one list, since a list for each topic would
    /// cost more than all the rest.
    places: Vec<(u32, Place)>,
}

#[derive(Debug)]
struct StagedTopic {
    id: TopicId,
    /// Where the shard doesn't know the topic yet.
    name: Option<Box<str>>,
    tally: TopicTally,
    /// Without the places.
    part: OpenTopic,
}

/// What a segment that closes writes.
#[derive(Debug)]
pub(crate) struct Closing {
    /// Its blocks.
    pub(crate) blocks: SegmentBlocks,
    /// Its topics.
    pub(crate) topics: SegmentTopics,
    /// The index entry of each topic.
    pub(crate) index: Vec<(TopicId, Vec<u8>)>,
    /// Each topic's own entry.
    pub(crate) entries: Vec<(TopicId, Vec<u8>)>,
}

impl Stage {
    /// Makes it empty, for another commit.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.closes = false;
        self.info = SegmentInfo::default();
        // left over where the write failed
        self.builder.finish();
        self.topics.clear();
        self.by_id.clear();
        self.places.clear();
    }

    /// Whether there are no records in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.info.records == 0
    }

    /// Takes the next record.
    pub(crate) fn push(&mut self, shard: &Shard, batch: &LogBatch, record: &LogRecord) {
        let (topic, tail) = (batch.topic(record), batch.tail(record));
        let id = TopicId::new(record.hash, topic.as_bytes());
        let topics = &mut self.topics;
        let number = *self.by_id.entry(id).or_insert_with(|| {
            topics.push(StagedTopic::new(shard, id, topic));
            topics.len() as u32 - 1
        });
        let Some(staged) = self.topics.get_mut(number as usize) else { return };
        let ordinal = staged.tally.count + 1;
        let record = NewRecord { record, ordinal, topic: topic.as_bytes(), tail }.as_ref();
        let block = self.builder.first().unwrap_or(record.offset);
        let place = Place { offset: record.offset, block, slot: self.builder.len() as u32 };
        staged.tally.add(&record);
        staged.part.count(&record);
        self.places.push((number, place));
        self.info.add(&record);
        self.builder.push(&record);
        if self.builder.is_full() {
            self.finish_block();
        }
    }

    fn finish_block(&mut self) {
        if let Some((first, bytes)) = self.builder.finish() {
            self.info.bytes += bytes.len() as u64;
            self.blocks.push((first, bytes));
        }
    }

    /// Bytes of its blocks.
    pub(crate) fn bytes(&self) -> u64 {
        self.info.bytes
    }

    /// Closes the last block. If that brings the segment to so many bytes, it closes too: says what is to be written besides.
    pub(crate) fn finish(&mut self, shard: &Shard, segment_bytes: u64) -> Option<Closing> {
        self.finish_block();
        self.closes = shard.open.info.bytes + self.info.bytes >= segment_bytes;
        self.closes.then(|| self.closing(shard))
    }

    fn closing(&mut self, shard: &Shard) -> Closing {
        for (number, place) in self.places.drain(..) {
            if let Some(staged) = self.topics.get_mut(number as usize) {
                staged.part.places.places.push(place);
            }
        }
        let info = joined(&shard.open.info, &self.info);
        let mut blocks = shard.open.blocks.clone();
        blocks.extend(self.blocks.iter().map(|(first, _)| first));
        let mut closing = Closing {
            blocks: SegmentBlocks { info, blocks },
            topics: SegmentTopics::default(),
            index: Vec::new(),
            entries: Vec::new(),
        };
        for (id, before) in shard.open.topics() {
            let staged = self.by_id.get(&id).and_then(|place| self.topics.get(*place as usize));
            let mut part = before.clone();
            if let Some(staged) = staged {
                part.append(&staged.part);
            }
            let topic = shard.topics.get(id);
            if let Some((name, tally)) = topic.map(|topic| (&topic.name, topic.tally)) {
                closing.add(id, &part, name, &staged.map_or(tally, |staged| staged.tally));
            }
        }
        for staged in self.topics.iter().filter(|staged| shard.open.topic(staged.id).is_none()) {
            let known = shard.topics.get(staged.id).map(|topic| &topic.name);
            if let Some(name) = known.or(staged.name.as_ref()) {
                closing.add(staged.id, &staged.part, name, &staged.tally);
            }
        }
        closing
    }

    /// Changes the shard, once everything is on disk.
    pub(crate) fn apply(&mut self, shard: &mut Shard, rules: &KeepRules) {
        let mut slots = Vec::with_capacity(self.topics.len());
        for staged in self.topics.drain(..) {
            let Some(topic) = shard.topics.entry(staged.id, staged.name.as_deref().unwrap_or(""), rules)
            else {
                continue;
            };
            topic.tally = staged.tally;
            if !self.closes {
                slots.push(shard.open.append(staged.id, &staged.part));
            }
        }
        if !self.closes {
            for (number, place) in self.places.drain(..) {
                slots.get(number as usize).into_iter().for_each(|slot| shard.open.place(*slot, place));
            }
        }
        let info = joined(&shard.open.info, &self.info);
        shard.committed = shard.committed.max(info.last);
        if self.closes {
            shard.open = Default::default();
            shard.insert_segment(info);
        } else {
            shard.open.info = info;
            shard.open.blocks.extend(self.blocks.drain(..).map(|(first, _)| first));
        }
    }
}

impl StagedTopic {
    fn new(shard: &Shard, id: TopicId, topic: &str) -> Self {
        let known = shard.topics.get(id);
        Self {
            id,
            name: known.is_none().then(|| topic.into()),
            tally: known.map(|known| known.tally).unwrap_or_default(),
            part: OpenTopic::default(),
        }
    }
}

impl Closing {
    fn add(&mut self, id: TopicId, part: &OpenTopic, name: &str, tally: &TopicTally) {
        self.topics.0.push(part.summary(id));
        self.index.push((id, part.places.encode()));
        self.entries.push((id, tally.encode(name)));
    }
}
