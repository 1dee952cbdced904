//! How many messages a subscription missed, and of which topics: what a NOTICE tells.

use std::borrow::Cow;

/// Topics that are told by name; the count is of all.
const TOPICS_MAX: usize = 32;
/// Bytes of a name that is told.
const NAME_BYTES_MAX: usize = 256;

/// Messages that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    count: u64,
    /// The first topics that there was something of.
    topics: Vec<(Box<str>, u64)>,
}

impl LeftOut {
    /// Messages whose topics nobody knows any more.
    pub fn unnamed(count: u64) -> Self {
        Self { count, topics: Vec::new() }
    }

    /// Messages of one topic.
    pub fn of(topic: &str, count: u64) -> Self {
        let mut left_out = Self::default();
        left_out.add(topic, count);
        left_out
    }

    /// How many in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds messages of a topic.
    pub fn add(&mut self, topic: &str, count: u64) {
        self.count += count;
        if let Some((_, known)) = self.topics.iter_mut().find(|(name, _)| **name == *topic) {
            *known += count;
        } else if self.topics.len() < TOPICS_MAX && topic.len() <= NAME_BYTES_MAX {
            self.topics.push((topic.into(), count));
        }
    }

    /// Adds what was counted elsewhere.
    pub fn join(&mut self, other: Self) {
        let named: u64 = other.topics.iter().map(|(_, count)| count).sum();
        for (topic, count) in &other.topics {
            self.add(topic, *count);
        }
        self.count += other.count - named;
    }

    /// By topic, as far as it is known.
    pub fn into_topics(self) -> Vec<(Cow<'static, str>, u64)> {
        self.topics.into_iter().map(|(topic, count)| (Cow::Owned(topic.into()), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_past_the_bound_are_counted_and_not_named() {
        let mut left_out = LeftOut::unnamed(1);
        for topic in 0..100 {
            left_out.add(&format!("t/{topic}"), 2);
        }
        left_out.add(&"x".repeat(NAME_BYTES_MAX + 1), 5);
        let mut twice = left_out.clone();
        twice.join(left_out);
        assert_eq!(twice.count(), 2 * (1 + 200 + 5));
        let topics = twice.into_topics();
        assert_eq!((topics.len(), topics[0].1), (TOPICS_MAX, 4));
    }
}
