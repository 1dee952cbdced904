//! What a view could not do, for the people who asked for it.

use crate::value::Unusable;

/// Readings that a view left out, or let through untouched, though it was not meant to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Readings that a part of the view could not use.
    pub unusable: u64,
    /// The first of them: its topic, and why.
    pub first: Option<(Box<str>, Unusable)>,
    /// Readings of topics past the number that a view remembers.
    pub past_topics_max: u64,
}

impl Troubles {
    pub(crate) fn unusable(&mut self, topic: &str, why: Unusable) {
        self.unusable += 1;
        self.first.get_or_insert_with(|| (topic.into(), why));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.unusable == 0 && self.past_topics_max == 0
    }
}
