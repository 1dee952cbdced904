//! The rules of `[[expect]]`, as the core has them.

use std::time::Duration;

use murre_core::expect::{ExpectRule, ExpectRules};
use murre_protocol::TopicFilter;

use super::{Config, Expect, human::show_duration, keep::check_filter, rules::EXPECT};

/// The shortest time between two messages that can be watched over.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// The longest.
const EVERY_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

impl Config {
    /// The expect rules in their order. A configuration that was checked has no invalid filter; of one that was made by
    /// hand such a rule is left out.
    pub fn expect_rules(&self) -> ExpectRules {
        let rules = self.expect.iter().filter_map(|expect| {
            let filter = TopicFilter::parse(expect.filter.as_str()).ok()?.into_owned();
            let grace = expect.grace.unwrap_or(expect.every / 2);
            Some(ExpectRule { filter, silence_max: expect.every.saturating_add(grace) })
        });
        ExpectRules::new(rules.collect())
    }
}

/// What is wrong with a rule behind those `before` it: the key, its value, what was expected.
pub(super) fn wrong(rule: &Expect, before: &[Expect]) -> Option<(&'static str, String, String)> {
    let filters = before.iter().map(|rule| rule.filter.as_str());
    if let Err(expected) = check_filter(&rule.filter, EXPECT.name, filters) {
        return Some(("filter", format!("{:?}", rule.filter), expected));
    }
    if rule.filter.starts_with('$') {
        let expected = "topics that begin with $ are not watched; expected another filter".to_owned();
        return Some(("filter", format!("{:?}", rule.filter), expected));
    }
    if !(EVERY_MIN..=EVERY_MAX).contains(&rule.every) {
        let expected = format!("expected {} to {}", show_duration(EVERY_MIN), show_duration(EVERY_MAX));
        return Some(("every", format!("{:?}", show_duration(rule.every)), expected));
    }
    let grace = rule.grace.filter(|grace| *grace > EVERY_MAX)?;
    let expected = format!("expected at most {}", show_duration(EVERY_MAX));
    Some(("grace", format!("{:?}", show_duration(grace)), expected))
}
