//! The rules that say which topics are expected to be heard, and how often.

use std::time::Duration;

use murre_protocol::{TopicFilter, TopicName};

/// A rule, by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectId(u16);

/// How long the topics that match a filter may be silent.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectRule {
    /// Which topics; never those that begin with `$`.
    pub filter: TopicFilter<'static>,
    /// The longest time between two messages of one of them.
    pub silence_max: Duration,
}

/// All rules, in order; the first that matches a topic holds.
#[derive(Debug, Clone, Default)]
pub struct ExpectRules {
    rules: Vec<ExpectRule>,
}

impl ExpectRules {
    /// The rules in their order.
    pub fn new(rules: Vec<ExpectRule>) -> Self {
        Self { rules }
    }

    /// The rule that holds for a topic.
    pub fn of(&self, topic: &str) -> Option<ExpectId> {
        if self.rules.is_empty() || topic.starts_with('$') {
            return None;
        }
        let topic = TopicName::parse(topic).ok()?;
        let place = self.rules.iter().position(|rule| rule.filter.matches(&topic))?;
        u16::try_from(place).ok().map(ExpectId)
    }

    /// How long topics of a rule may be silent.
    pub fn silence_max(&self, id: ExpectId) -> Duration {
        self.rules.get(usize::from(id.0)).map_or(Duration::MAX, |rule| rule.silence_max)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_holds_and_none_for_topics_of_the_broker() {
        let rule = |filter: &str, seconds| {
            let filter = TopicFilter::parse(filter).unwrap().into_owned();
            ExpectRule { filter, silence_max: Duration::from_secs(seconds) }
        };
        let rules = ExpectRules::new(vec![rule("site/a/#", 1), rule("site/#", 2), rule("$x/#", 3)]);
        let seconds = |topic| rules.of(topic).map(|id| rules.silence_max(id).as_secs());
        assert_eq!(["site/a/t", "site/b", "x", "$x/a"].map(seconds), [Some(1), Some(2), None, None]);
    }
}
