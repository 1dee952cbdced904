//! Which shard a topic or a client id belongs to, and which worker runs a shard.

use murre_protocol::ClientId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::ids::{GroupId, WorkerId};

/// How topics spread over shards and shards over workers.
///
/// The number of shards and the seed belong to the store, the number of workers to the process: with other
/// workers every topic stays in its shard, and its positions stay what they are.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    /// How many shards; at most 64.
    pub shards: u8,
    /// How many workers; at most 64.
    pub workers: u8,
    /// Keeps strangers from aiming at one shard or hash bucket.
    pub seed: u64,
}

/// How many shards a store has that says nothing else.
pub const SHARDS_DEFAULT: u8 = 16;

const CLIENT_TOPIC_PREFIX: &str = "$murre/clients/";
const FRESH_TOPIC_PREFIX: &str = murre_view::fresh::PREFIX;

impl Placement {
    /// A topic's hash, computed once for each message and carried along.
    ///
    /// A client's presence topic hashes like the client id, and a topic that tells of another one's freshness like
    /// that one, so that the shard that publishes there is the one that has what it tells of.
    #[inline]
    pub fn topic_hash(&self, topic: &str) -> u64 {
        let of = if topic.starts_with('$') { subject(topic) } else { topic };
        xxh3_64_with_seed(of.as_bytes(), self.seed)
    }

    /// The hash that places a client id's record.
    fn client_hash(&self, client: &ClientId) -> u64 {
        xxh3_64_with_seed(client.as_str().as_bytes(), self.seed)
    }

    /// The topic where a client's presence is published.
    pub fn presence_topic(client: &ClientId) -> String {
        format!("{CLIENT_TOPIC_PREFIX}{client}")
    }

    /// Names a group with its filter, and the bytes of its view where it has one.
    pub fn group(&self, group: &str, filter: &str, view: &[u8]) -> GroupId {
        // no filter has a zero in it
        let name = [group.as_bytes(), b"/", filter.as_bytes(), b"\0", view].concat();
        GroupId(xxh3_64_with_seed(&name, self.seed))
    }

    /// The shard that a hash falls to.
    #[inline]
    pub fn shard(&self, hash: u64) -> u8 {
        // the high bits: tables use the low ones; 16 of them, since a short division takes a fraction of a long one
        ((hash >> 48) as u16 % u16::from(self.shards.max(1))) as u8
    }

    /// The shard that has a client id's record.
    pub fn client_shard(&self, client: &ClientId) -> u8 {
        self.shard(self.client_hash(client))
    }

    /// The worker that runs a shard.
    #[inline]
    pub fn worker(&self, shard: u8) -> WorkerId {
        if self.workers <= 1 {
            return WorkerId(0);
        }
        WorkerId(shard % self.workers)
    }

    /// A shard's place among those of its worker.
    #[inline]
    pub fn place(&self, shard: u8) -> usize {
        if self.workers <= 1 {
            return usize::from(shard);
        }
        usize::from(shard / self.workers)
    }

    /// The shards that a worker runs.
    pub fn shards_of(&self, worker: WorkerId) -> impl Iterator<Item = u8> + use<> {
        (worker.0..self.shards).step_by(usize::from(self.workers.max(1)))
    }

    /// The set of all shards.
    pub fn all_shards(&self) -> u64 {
        if self.shards >= 64 { u64::MAX } else { (1 << self.shards) - 1 }
    }

    /// Every worker.
    pub fn all_workers(&self) -> impl Iterator<Item = WorkerId> + use<> {
        (0..self.workers).map(WorkerId)
    }
}

/// What a topic of the broker's own is about.
fn subject(topic: &str) -> &str {
    let about = topic.strip_prefix(CLIENT_TOPIC_PREFIX).or_else(|| topic.strip_prefix(FRESH_TOPIC_PREFIX));
    about.unwrap_or(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_workers_leave_every_topic_in_its_shard() {
        let one = Placement { shards: 16, workers: 1, seed: 7 };
        let two = Placement { workers: 2, ..one };
        let hash = one.topic_hash("site/a/temp");
        assert_eq!(one.shard(hash), two.shard(two.topic_hash("site/a/temp")));
        let all: Vec<u8> = two.all_workers().flat_map(|worker| two.shards_of(worker)).collect();
        assert_eq!(all.len(), 16);
        assert!(two.shards_of(WorkerId(1)).all(|shard| two.worker(shard) == WorkerId(1)));
    }

    #[test]
    fn a_presence_topic_lies_where_the_record_is() {
        let placement = Placement { shards: 16, workers: 2, seed: 1 };
        let client = ClientId::parse("boiler-7").unwrap();
        assert_eq!(placement.topic_hash(&Placement::presence_topic(&client)), placement.client_hash(&client));
        assert_eq!(placement.topic_hash("$murre/fresh/a/b"), placement.topic_hash("a/b"));
    }
}
