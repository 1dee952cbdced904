//! The way of a read over a segment: from block to block, or from place to place by the index.

use fjall::{Readable, Snapshot};

use super::wanted::Wanted;
use crate::{
    db::Db,
    format::{Place, Places, SegmentBlocks, SegmentInfo, TopicId, keys},
    shard::Shard,
};

/// What is to be looked at, in the order of offsets.
#[derive(Debug)]
pub(super) enum Way {
    /// All records of these blocks.
    Blocks(Vec<u64>),
    /// These records.
    Places(Vec<Place>),
}

impl Way {
    /// Over a closed segment, behind `reached`. Nothing where it was deleted meanwhile.
    pub(super) fn closed(
        db: &Db,
        snapshot: &Snapshot,
        shard: u8,
        segment: &SegmentInfo,
        wanted: &Wanted,
        reached: u64,
    ) -> Result<Self, fjall::Error> {
        let Some(topics) = &wanted.topics else {
            let entry = snapshot.get(&db.segments, keys::segment_blocks(shard, segment.first))?;
            let blocks = entry.and_then(|bytes| SegmentBlocks::decode(&bytes)).map(|entry| entry.blocks);
            return Ok(Self::Blocks(blocks_behind(&blocks.unwrap_or_default(), reached)));
        };
        let mut places = Vec::new();
        for &topic in topics {
            let entry = snapshot.get(&db.index, keys::index(shard, topic, segment.first))?;
            if let Some(entry) = entry.and_then(|bytes| Places::decode(&bytes)) {
                add_places(&mut places, topic, &entry, wanted, reached);
            }
        }
        Ok(Self::in_order(places, topics.len()))
    }

    /// Over the open segment, behind `reached`.
    pub(super) fn open(shard: &Shard, wanted: &Wanted, reached: u64) -> Self {
        let Some(topics) = &wanted.topics else {
            return Self::Blocks(blocks_behind(&shard.open.blocks, reached));
        };
        let mut places = Vec::new();
        for &topic in topics {
            if let Some(open) = shard.open.topic(topic) {
                add_places(&mut places, topic, &open.places, wanted, reached);
            }
        }
        Self::in_order(places, topics.len())
    }

    fn in_order(mut places: Vec<Place>, topics: usize) -> Self {
        if topics > 1 {
            places.sort_unstable_by_key(|place| place.offset);
        }
        Self::Places(places)
    }
}

/// From the block on that has the offset behind `reached`.
fn blocks_behind(blocks: &[u64], reached: u64) -> Vec<u64> {
    let first = blocks.partition_point(|block| *block <= reached.saturating_add(1)).saturating_sub(1);
    blocks.get(first..).unwrap_or_default().to_vec()
}

/// Behind `reached`, without those that are too old by their ordinal. Ordinals are counted back from the last one: where
/// records between were deleted, a record's own is less than what comes out, never more.
fn add_places(places: &mut Vec<Place>, topic: TopicId, of_topic: &Places, wanted: &Wanted, reached: u64) {
    let all = &of_topic.places;
    let first = all.partition_point(|place| place.offset <= reached);
    let behind = all.iter().enumerate().skip(first).filter(|(at, place)| {
        let ordinal = of_topic.last_ordinal.saturating_sub((all.len() - 1 - at) as u64);
        !wanted.is_before(topic, place.offset, ordinal)
    });
    places.extend(behind.map(|(_, place)| *place));
}
