//! A segment without what isn't kept any more.

use fjall::OwnedWriteBatch as WriteBatch;
use hashbrown::HashMap;
use murre_core::log::{KeepRules, Lost};

use super::judge::{Facts, Judge};
use crate::{
    db::Db,
    format::{
        Block, BlockBuilder, Dropped, Place, RecordRef, SegmentBlocks, SegmentInfo, SegmentTopic,
        SegmentTopics, TopicId, TopicTally, keys,
    },
    shard::{OpenTopic, Shard},
};

/// What is left of a segment.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    /// The segment, without records where nothing is left.
    pub(super) info: SegmentInfo,
    /// What went, by topic.
    pub(super) gone: HashMap<TopicId, Gone>,
    blocks: Vec<(u64, Vec<u8>)>,
    topics: HashMap<TopicId, OpenTopic>,
}

/// What of one topic went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gone {
    /// How many records.
    pub(super) records: u64,
    /// The last of them, and why.
    pub(super) dropped: Dropped,
}

impl Rewritten {
    /// What is left of a segment in which nothing is kept.
    pub(super) fn nothing(segment: &SegmentInfo, topics: &[(SegmentTopic, Lost)]) -> Self {
        let gone = topics.iter().map(|(topic, why)| {
            let dropped = Dropped { offset: topic.last_offset, why: *why };
            (topic.id, Gone { records: topic.records, dropped })
        });
        let info = SegmentInfo { first: segment.first, last: segment.last, ..SegmentInfo::default() };
        Self { info, gone: gone.collect(), ..Self::default() }
    }

    /// Reads a segment and leaves out what isn't kept. None where something of it can't be read: what may still be
    /// saved by other means is not deleted.
    pub(super) fn read(
        db: &Db,
        shard: u8,
        entry: &SegmentBlocks,
        facts: &HashMap<TopicId, Facts>,
        judge: &Judge,
        rules: &KeepRules,
    ) -> Result<Option<Self>, fjall::Error> {
        let info = SegmentInfo { first: entry.info.first, ..SegmentInfo::default() };
        let (mut new, mut builder) = (Self { info, ..Self::default() }, BlockBuilder::default());
        for &first in &entry.blocks {
            let Some(bytes) = db.log.get(keys::block(shard, first))? else { return Ok(None) };
            let Ok(mut block) = Block::parse(&bytes) else { return Ok(None) };
            for slot in 0..block.len() {
                let Ok(record) = block.record(slot) else { return Ok(None) };
                match judge.verdict(&record, facts.get(&record.topic_id()), rules) {
                    None => new.keep(&mut builder, &record),
                    Some(why) => new.lose(&record, why),
                }
            }
        }
        new.finish_block(&mut builder);
        // the segment goes on standing for all offsets that it had
        new.info.last = entry.info.last;
        Ok(Some(new))
    }

    fn keep(&mut self, builder: &mut BlockBuilder, record: &RecordRef<'_>) {
        let block = builder.first().unwrap_or(record.offset);
        let place = Place { offset: record.offset, block, slot: builder.len() as u32 };
        self.topics.entry(record.topic_id()).or_default().add(place, record);
        self.info.add(record);
        builder.push(record);
        if builder.is_full() {
            self.finish_block(builder);
        }
    }

    fn finish_block(&mut self, builder: &mut BlockBuilder) {
        if let Some((first, bytes)) = builder.finish() {
            self.info.bytes += bytes.len() as u64;
            self.blocks.push((first, bytes));
        }
    }

    fn lose(&mut self, record: &RecordRef<'_>, why: Lost) {
        let dropped = Dropped { offset: record.offset, why };
        let gone = self.gone.entry(record.topic_id()).or_insert(Gone { records: 0, dropped });
        *gone = Gone { records: gone.records + 1, dropped };
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.info.records == 0
    }

    /// Writes what changes on disk, of the segment itself and its index.
    pub(super) fn write(
        &self,
        batch: &mut WriteBatch,
        db: &Db,
        shard: u8,
        old: &SegmentBlocks,
        old_topics: &[TopicId],
    ) {
        let first = self.info.first;
        let new_blocks: Vec<u64> = self.blocks.iter().map(|(first, _)| *first).collect();
        for block in old.blocks.iter().filter(|block| new_blocks.binary_search(block).is_err()) {
            batch.remove(&db.log, keys::block(shard, *block));
        }
        for (block, bytes) in &self.blocks {
            batch.insert(&db.log, keys::block(shard, *block), bytes.as_slice());
        }
        for id in old_topics {
            match self.topics.get(id) {
                Some(topic) => batch.insert(&db.index, keys::index(shard, *id, first), topic.places.encode()),
                None => batch.remove(&db.index, keys::index(shard, *id, first)),
            }
        }
        if self.is_empty() {
            batch.remove(&db.segments, keys::segment_blocks(shard, first));
            batch.remove(&db.segments, keys::segment_topics(shard, first));
            return;
        }
        let blocks = SegmentBlocks { info: self.info, blocks: new_blocks };
        let topics = SegmentTopics(self.topics.iter().map(|(id, topic)| topic.summary(*id)).collect());
        batch.insert(&db.segments, keys::segment_blocks(shard, first), blocks.encode());
        batch.insert(&db.segments, keys::segment_topics(shard, first), topics.encode());
    }

    /// Changes the topics in memory, and writes them.
    pub(super) fn apply(&self, batch: &mut WriteBatch, db: &Db, shard: &mut Shard) {
        for (id, gone) in &self.gone {
            let Some(topic) = shard.topics.get_mut(*id) else { continue };
            let tally = &mut topic.tally;
            tally.held = tally.held.saturating_sub(gone.records);
            tally.dropped = Dropped::later(tally.dropped, Some(gone.dropped));
            if self.has_lost(*id, tally.retained) {
                tally.retained = 0;
            }
            if self.has_lost(*id, tally.value) {
                tally.value = tally.retained;
            }
            // a start counts again what is in the open segment
            let in_open = shard.open.topic(*id).map_or(0, |open| open.records);
            let on_disk = TopicTally { held: tally.held.saturating_sub(in_open), ..*tally };
            batch.insert(&db.topics, keys::topic(shard.number, *id), on_disk.encode(&topic.name));
        }
        if self.is_empty() {
            shard.remove_segment(self.info.first);
        } else {
            shard.insert_segment(self.info);
        }
    }

    /// Whether a topic's record was in the segment and is not any more.
    fn has_lost(&self, topic: TopicId, offset: u64) -> bool {
        let places = self.topics.get(&topic).map_or(&[][..], |topic| &topic.places.places);
        (self.info.first..=self.info.last).contains(&offset)
            && places.binary_search_by_key(&offset, |place| place.offset).is_err()
    }
}
