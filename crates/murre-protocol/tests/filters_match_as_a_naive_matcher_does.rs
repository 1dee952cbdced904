//! `TopicFilter::matches` against the rules written down another way.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use murre_protocol::{TopicFilter, TopicName};
use proptest::{collection::vec, prelude::*, sample::select};

/// The rules, over whole lists of levels and by recursion.
fn naive(filter: &[&str], topic: &[&str], is_first: bool) -> bool {
    let is_hidden = is_first && topic.first().is_some_and(|level| level.starts_with('$'));
    match (filter, topic) {
        (["#"], _) => !is_hidden,
        ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => !is_hidden && naive(filter, topic, false),
        ([level, filter @ ..], [same, topic @ ..]) => level == same && naive(filter, topic, false),
        _ => false,
    }
}

fn levels(words: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(words), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn on_few_words_that_often_meet(
        mut filter in levels(&["", "a", "b", "$s", "+", "+"]),
        hash in any::<bool>(),
        topic in levels(&["", "a", "b", "$s"]),
    ) {
        if hash {
            filter.push("#");
        }
        let (filter_text, topic_text) = (filter.join("/"), topic.join("/"));
        prop_assume!(!filter_text.is_empty() && !topic_text.is_empty());
        let parsed = TopicFilter::parse(&*filter_text).unwrap();
        let is_match = parsed.matches(&TopicName::parse(&*topic_text).unwrap());
        prop_assert_eq!(is_match, naive(&filter, &topic, true), "{} on {}", filter_text, topic_text);
    }

    #[test]
    fn a_topic_is_a_filter_for_itself(topic in levels(&["", "a", "ö", "$s", "$murre"])) {
        let text = topic.join("/");
        prop_assume!(!text.is_empty());
        let filter = TopicFilter::parse(&*text).unwrap();
        prop_assert!(filter.is_exact());
        prop_assert!(filter.matches(&TopicName::parse(&*text).unwrap()));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        // A name has no wildcard, so whatever is a name is a filter too.
        if TopicName::parse(&*text).is_ok() {
            prop_assert!(TopicFilter::parse(&*text).is_ok_and(|filter| filter.is_exact()));
        }
    }
}
