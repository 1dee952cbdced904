//! The keys of every keyspace. Numbers are big endian, so that keys sort as they do.

use super::TopicId;

/// Of `log`: a block, by the offset of its first record.
pub(crate) fn block(shard: u8, first: u64) -> [u8; 9] {
    let mut key = [shard; 9];
    key[1..].copy_from_slice(&first.to_be_bytes());
    key
}

/// The offset in the key of a block.
pub(crate) fn block_offset(key: &[u8]) -> Option<(u8, u64)> {
    let (&shard, offset) = key.split_first()?;
    Some((shard, u64::from_be_bytes(offset.try_into().ok()?)))
}

/// Of `segments`: the blocks of a segment.
pub(crate) fn segment_blocks(shard: u8, first: u64) -> [u8; 10] {
    segment(shard, first, 0)
}

/// Of `segments`: the topics of a segment.
pub(crate) fn segment_topics(shard: u8, first: u64) -> [u8; 10] {
    segment(shard, first, 1)
}

fn segment(shard: u8, first: u64, part: u8) -> [u8; 10] {
    let mut key = [0; 10];
    key[0] = part;
    key[1..].copy_from_slice(&block(shard, first));
    key
}

/// What all keys of [`segment_blocks`] begin with; the rest is as in [`block`].
pub(crate) const SEGMENT_BLOCKS: [u8; 1] = [0];

/// Of `index`: where a topic's records stand in a segment.
pub(crate) fn index(shard: u8, topic: TopicId, segment: u64) -> [u8; 17] {
    let mut key = [0; 17];
    key[..9].copy_from_slice(&self::topic(shard, topic));
    key[9..].copy_from_slice(&segment.to_be_bytes());
    key
}

/// The segment in the key of an index entry.
pub(crate) fn index_segment(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(9..)?.try_into().ok()?))
}

/// Of `topics`: a topic.
pub(crate) fn topic(shard: u8, topic: TopicId) -> [u8; 9] {
    block(shard, topic.0)
}

/// Of `state`: a value.
pub(crate) fn state(shard: u8, key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(1 + key.len());
    whole.push(shard);
    whole.extend_from_slice(key);
    whole
}

/// Of `meta`: what is said of a shard.
pub(crate) fn shard(shard: u8) -> [u8; 7] {
    [b's', b'h', b'a', b'r', b'd', b'/', shard]
}

/// Of `meta`: names the run of positions.
pub(crate) const EPOCH: &str = "epoch";
/// Of `meta`: the seed of the topics' hashes.
pub(crate) const SEED: &str = "seed";
/// Of `meta`: what the last process promised of durable topics.
pub(crate) const PROMISE: &str = "promise";
/// Of `meta`: how many shards.
pub(crate) const SHARDS: &str = "shards";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_shard_and_number() {
        let mut keys = [block(1, 256), block(0, 1 << 40), block(1, 3), block(0, 7)];
        keys.sort_unstable();
        let back: Vec<_> = keys.iter().filter_map(|key| block_offset(key)).collect();
        assert_eq!(back, [(0, 7), (0, 1 << 40), (1, 3), (1, 256)]);
        assert_eq!(index_segment(&index(3, TopicId(9), 77)), Some(77));
    }
}
