//! The rules that say what is kept of which topics.

use std::time::Duration;

use murre_protocol::{TopicFilter, TopicName};

/// A rule, by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(pub u16);

/// What is kept of the topics that match a filter. Each bound that is given holds; without any, all is kept, up to
/// the store's own bound.
#[derive(Debug, Clone, PartialEq)]
pub struct KeepRule {
    /// Which topics.
    pub filter: TopicFilter<'static>,
    /// The newest messages of each topic.
    pub last: Option<u64>,
    /// What is younger than this.
    pub age: Option<Duration>,
    /// The newest messages that come to so many bytes, of all topics of the rule together.
    pub bytes: Option<u64>,
    /// Whether a publish is acknowledged only once it is committed.
    pub durable: bool,
}

/// All rules, in order; the first that matches a topic holds.
#[derive(Debug, Clone, Default)]
pub struct KeepRules {
    rules: Vec<KeepRule>,
}

impl KeepRules {
    /// The rules in their order.
    pub fn new(rules: Vec<KeepRule>) -> Self {
        Self { rules }
    }

    /// The rule that holds for a topic.
    pub fn of(&self, topic: &TopicName<'_>) -> Option<RuleId> {
        let place = self.rules.iter().position(|rule| rule.filter.matches(topic))?;
        u16::try_from(place).ok().map(RuleId)
    }

    /// The rule that holds for a topic that stands somewhere as text.
    pub fn of_text(&self, topic: &str) -> Option<RuleId> {
        TopicName::parse(topic).ok().and_then(|topic| self.of(&topic))
    }

    /// A rule.
    pub fn rule(&self, id: RuleId) -> Option<&KeepRule> {
        self.rules.get(usize::from(id.0))
    }

    /// All of them.
    pub fn all(&self) -> &[KeepRule] {
        &self.rules
    }

    /// Whether the rule of every topic that matches `filter` is durable. May say no where that is so, if only several
    /// rules together have all these topics.
    pub fn are_durable(&self, filter: &TopicFilter<'_>) -> bool {
        let covering = self.rules.iter().position(|rule| rule.filter.covers(filter));
        let reached = covering.and_then(|place| self.rules.get(..=place)).unwrap_or_default();
        covering.is_some() && reached.iter().all(|rule| rule.durable || !rule.filter.overlaps(filter))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(filter: &str, last: u64) -> KeepRule {
        let filter = TopicFilter::parse(filter).unwrap().into_owned();
        KeepRule { filter, last: Some(last), age: None, bytes: None, durable: false }
    }

    #[test]
    fn a_filter_is_durable_where_all_its_topics_are() {
        let durable = |filter| KeepRule { durable: true, ..rule(filter, 1) };
        let rules = KeepRules::new(vec![rule("site/+/state", 1), durable("site/#"), rule("#", 1)]);
        let is = |filter: &str| rules.are_durable(&TopicFilter::parse(filter).unwrap());
        assert_eq!(
            [is("site/a/t"), is("site/a/#"), is("site/+/+"), is("#"), is("x")],
            [true, false, false, false, false]
        );
        assert!(is("site") && is("site/a") && !is("site/a/state"));
        assert!(!KeepRules::default().are_durable(&TopicFilter::parse("a").unwrap()));
    }

    #[test]
    fn the_first_rule_that_matches_holds() {
        let rules = KeepRules::new(vec![rule("site/a/#", 1), rule("site/#", 2)]);
        let last = |topic| {
            let id = rules.of(&TopicName::parse(topic).unwrap())?;
            rules.rule(id)?.last
        };
        assert_eq!([last("site/a/t"), last("site/b/t"), last("x")], [Some(1), Some(2), None]);
    }
}
