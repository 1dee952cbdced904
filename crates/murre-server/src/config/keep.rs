//! The rules of `[[keep]]`, as the core has them.

use murre_core::log::{KeepRule, KeepRules};
use murre_protocol::TopicFilter;

use super::Config;

impl Config {
    /// The keep rules in their order. A configuration that was checked has no invalid filter; of one that was made by
    /// hand such a rule is left out.
    pub fn keep_rules(&self) -> KeepRules {
        let rules = self.keep.iter().filter_map(|keep| {
            Some(KeepRule {
                filter: TopicFilter::parse(keep.filter.as_str()).ok()?.into_owned(),
                last: keep.last.map(|last| last as u64),
                age: keep.age,
                bytes: keep.bytes.map(|bytes| bytes as u64),
                durable: keep.durable,
            })
        });
        KeepRules::new(rules.collect())
    }
}

/// Checks the filter of a rule of `list`: that it is one, and that it can hold behind those of the rules `before` it,
/// since the first rule that matches a topic holds.
///
/// # Errors
/// What was expected.
pub(super) fn check_filter<'a>(
    text: &str,
    list: &str,
    mut before: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    let filter = TopicFilter::parse(text)
        .map_err(|why| format!("{why}; expected a filter, such as site/+/temp or site/#"))?;
    if text.starts_with("$share/") {
        return Err("a rule is for all; expected a filter without $share/<group>/".to_owned());
    }
    let covers = |earlier: &str| TopicFilter::parse(earlier).is_ok_and(|earlier| earlier.covers(&filter));
    match before.position(covers) {
        None => Ok(()),
        Some(at) => Err(format!(
            "{list}[{at}] matches all of these topics, and the first rule that matches holds; put this one before it, \
             or take one out"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(filters: [&str; 2]) -> Option<String> {
        let [first, second] = filters;
        check_filter(second, "keep", [first].into_iter()).err()
    }

    #[test]
    fn a_rule_behind_one_that_takes_all_of_its_topics_is_refused() {
        for pair in [["#", "site/#"], ["a/+", "a/b"], ["a/#", "a"], ["a", "a"]] {
            assert!(refused(pair).unwrap().starts_with("keep[0] matches all"), "{pair:?}");
        }
        for pair in [["site/#", "#"], ["#", "$murre/#"], ["a/+", "a/#"], ["+", "+/b"], ["a/+/c", "a/b"]] {
            assert_eq!(refused(pair), None, "{pair:?}");
        }
    }
}
