//! Who has published to a topic: each topic remembers its last publisher, and this the ones before where several take
//! turns.
//!
//! A publish by the client that published last costs a comparison. The memory is bounded: when it is full it begins
//! anew, and those who go on publishing are soon known again.

use std::collections::VecDeque;

use hashbrown::HashMap;
use murre_protocol::Timestamp;

use crate::ids::SessionAddress;

/// A client that has published to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publisher {
    /// Its session, which may have ended since.
    pub session: SessionAddress,
    /// When it did so the last time.
    pub last: Timestamp,
}

/// Publishers of one topic that are remembered beside the last one.
const EARLIER_MAX: usize = 15;
/// Topics of one shard with more than one publisher.
const TOPICS_MAX: usize = 4096;

/// The publishers before the last ones, of the topics that have such.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// By the topic's place; of each the latest first.
    topics: HashMap<usize, VecDeque<Publisher>>,
}

impl Earlier {
    /// A topic has another publisher than before.
    #[cold]
    pub(super) fn note(
        &mut self,
        topic: usize,
        before: Option<(SessionAddress, Timestamp)>,
        now: Option<SessionAddress>,
    ) {
        if let Some(publishers) = self.topics.get_mut(&topic) {
            publishers.retain(|earlier| Some(earlier.session) != now);
        }
        let Some((session, last)) = before else { return };
        if self.topics.len() >= TOPICS_MAX && !self.topics.contains_key(&topic) {
            self.topics.clear();
        }
        let publishers = self.topics.entry(topic).or_default();
        publishers.truncate(EARLIER_MAX - 1);
        publishers.push_front(Publisher { session, last });
    }

    /// The publishers of a topic but for the last one, the latest first.
    pub(super) fn of(&self, topic: usize) -> impl Iterator<Item = Publisher> {
        self.topics.get(&topic).into_iter().flatten().copied()
    }

    /// The topic is gone.
    #[inline]
    pub(super) fn forget(&mut self, topic: usize) {
        if !self.topics.is_empty() {
            self.topics.remove(&topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{SessionKey, WorkerId};

    fn session(serial: u32) -> SessionAddress {
        SessionAddress { worker: WorkerId(0), key: SessionKey { slot: serial, serial } }
    }

    fn serials(earlier: &Earlier, topic: usize) -> Vec<u32> {
        earlier.of(topic).map(|publisher| publisher.session.key.serial).collect()
    }

    /// Sessions publish one after the other.
    fn publish(earlier: &mut Earlier, topic: usize, serials: impl IntoIterator<Item = u32>) {
        let mut before = None;
        for (ms, serial) in (0..).zip(serials) {
            earlier.note(topic, before, Some(session(serial)));
            before = Some((session(serial), Timestamp::from_millis(ms)));
        }
    }

    #[test]
    fn those_that_take_turns_are_each_remembered_once() {
        let mut earlier = Earlier::default();
        publish(&mut earlier, 7, [1, 2, 1, 3, 2, 1]);
        assert_eq!(serials(&earlier, 7), [2, 3]);
        assert_eq!(earlier.of(7).next().map(|publisher| publisher.last), Some(Timestamp::from_millis(4)));
        earlier.forget(7);
        assert!(serials(&earlier, 7).is_empty());
    }

    #[test]
    fn the_memory_is_bounded_and_the_latest_stay() {
        let mut earlier = Earlier::default();
        publish(&mut earlier, 1, 0..100);
        assert_eq!(serials(&earlier, 1), (84..99).rev().collect::<Vec<_>>());
        for topic in 2..2 * TOPICS_MAX {
            publish(&mut earlier, topic, [1, 2]);
            assert!(earlier.topics.len() <= TOPICS_MAX);
            assert_eq!(serials(&earlier, topic), [1]);
        }
    }
}
