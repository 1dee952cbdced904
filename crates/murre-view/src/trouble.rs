//! What a view could not do, for the people who asked for it.

use murre_protocol::packet::OnError;

use crate::value::Unusable;

/// Readings that a view could not do what was asked for with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Readings that a part of the view could not use.
    pub unusable: u64,
    /// How many of them were left out; the others passed as they were.
    pub left_out: u64,
    /// The first of them: its topic, and why.
    pub first: Option<(Box<str>, Unusable)>,
    /// Readings left out since the view remembers as many topics, or holds as many bytes, as it may.
    pub past_limits: u64,
}

impl Troubles {
    /// Counts a reading; whether it passes all the same.
    pub(crate) fn unusable(&mut self, topic: &str, why: Unusable, rule: OnError) -> bool {
        self.unusable += 1;
        self.left_out += u64::from(rule == OnError::Skip);
        self.first.get_or_insert_with(|| (topic.into(), why));
        rule == OnError::Pass
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.unusable == 0 && self.past_limits == 0
    }
}
