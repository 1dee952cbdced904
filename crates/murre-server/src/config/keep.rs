//! The rules of `[[keep]]`, as the core has them.

use murre_core::log::{KeepRule, KeepRules};
use murre_protocol::TopicFilter;

use super::{Config, Keep};

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

/// Checks a rule's filter: that it is one, and that it can hold behind the rules before it, since the first rule that
/// matches a topic holds.
///
/// # Errors
/// What was expected.
pub(super) fn check_filter(text: &str, before: &[Keep]) -> Result<(), String> {
    let filter = TopicFilter::parse(text)
        .map_err(|why| format!("{why}; expected a filter, such as site/+/temp or site/#"))?;
    if text.starts_with("$share/") {
        return Err("messages are kept for all; expected a filter without $share/<group>/".to_owned());
    }
    let covers = |earlier: &Keep| {
        TopicFilter::parse(earlier.filter.as_str()).is_ok_and(|earlier| covers(&earlier, &filter))
    };
    match before.iter().position(covers) {
        None => Ok(()),
        Some(at) => Err(format!(
            "keep[{at}] matches all of these topics, and the first rule that matches holds; put this one before it, \
             or take one out"
        )),
    }
}

/// Whether `wide` matches every topic that `narrow` matches.
fn covers(wide: &TopicFilter<'_>, narrow: &TopicFilter<'_>) -> bool {
    let mut narrow_levels = narrow.levels();
    let mut first = true;
    for level in wide.levels() {
        let wanted = narrow_levels.next();
        let hidden = std::mem::take(&mut first) && wanted.is_some_and(|level| level.starts_with('$'));
        match (level, wanted) {
            // also the parent level, so what has ended before is matched too
            ("#", _) => return !hidden,
            ("+", Some(other)) if other != "#" && !hidden => {}
            (same, Some(other)) if same == other => {}
            _ => return false,
        }
    }
    narrow_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use murre_protocol::TopicName;
    use proptest::prelude::*;

    use super::*;

    fn refused(filters: [&str; 2]) -> Option<String> {
        let [first, second] = filters;
        let before = Keep { filter: first.to_owned(), ..Keep::default() };
        check_filter(second, &[before]).err()
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

    fn a_filter() -> impl Strategy<Value = String> {
        "(\\+|\\$a|a|b)(/(\\+|a|b)){0,2}(/#)?|#"
    }

    proptest! {
        #[test]
        fn what_a_filter_covers_it_matches(
            wide in a_filter(), narrow in a_filter(), topic in "(\\$a|a|b)(/(a|b)){0,3}"
        ) {
            let topic = TopicName::parse(topic).unwrap();
            let (wide, narrow) = (TopicFilter::parse(wide).unwrap(), TopicFilter::parse(narrow).unwrap());
            if covers(&wide, &narrow) && narrow.matches(&topic) {
                prop_assert!(wide.matches(&topic), "{wide} {narrow} {topic}");
            }
        }
    }
}
