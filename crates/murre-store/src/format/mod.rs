//! How everything is written: pure, and without any I/O.
//!
//! | file | has |
//! |---|---|
//! | `varint` | numbers of few bytes |
//! | `keys` | the keys of every keyspace |
//! | `record` | one message |
//! | `block` | some kilobytes of records in a row |
//! | `segment` | what a megabyte of a shard's log has in it, and where |
//! | `topic` | what is known of a topic |

pub(crate) use block::{Block, BlockBuilder};
pub(crate) use record::{NewRecord, RecordRef, TopicId};
pub(crate) use segment::{Place, Places, SegmentBlocks, SegmentInfo, SegmentTopic, SegmentTopics};
pub(crate) use topic::{Dropped, ShardEntry, TopicTally};

pub(crate) mod keys;

mod block;
mod record;
mod segment;
mod topic;
mod varint;

/// The format of what this version writes. It refuses stores of a greater one.
pub(crate) const FORMAT: u32 = 1;
