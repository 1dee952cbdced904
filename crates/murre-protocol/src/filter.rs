//! Topic filters: which topics a subscription wants.

use std::{borrow::Cow, fmt};

use crate::topic::{TOPIC_LEVELS_MAX, TopicError, TopicName, check_length};

/// A filter that obeys the rules of topics, with `+` for any one level and `#` as the last level for the rest,
/// the parent level too.
///
/// A filter that begins with a wildcard does not match a topic that begins with `$`.
///
/// ```
/// use murre_protocol::{TopicFilter, TopicName};
/// let filter = TopicFilter::parse("site/+/temp")?;
/// assert!(filter.matches(&TopicName::parse("site/a/temp")?));
/// assert!(!filter.matches(&TopicName::parse("site/a/b/temp")?));
/// # Ok::<(), murre_protocol::topic::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter<'a>(Cow<'a, str>);

impl<'a> TopicFilter<'a> {
    /// Checks `text`. `$share/…` is not taken apart here: see [`SharedFilter`].
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, TopicError> {
        let text = text.into();
        check_length(&text)?;
        let bytes = text.as_bytes();
        let (mut levels, mut level_starts) = (1, true);
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                b'/' => levels += 1,
                0 => return Err(TopicError::Nul(at)),
                b'+' | b'#' => {
                    let next = bytes.get(at + 1);
                    if !level_starts || next.is_some_and(|&b| b != b'/') {
                        return Err(TopicError::PartialWildcard { wildcard: char::from(byte), at });
                    }
                    if byte == b'#' && next.is_some() {
                        return Err(TopicError::HashNotLast(at));
                    }
                }
                _ => {}
            }
            level_starts = byte == b'/';
        }
        if levels > TOPIC_LEVELS_MAX {
            return Err(TopicError::TooManyLevels);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels from the left, wildcards as they stand.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }

    /// Whether the filter is a plain topic name.
    pub fn is_exact(&self) -> bool {
        memchr::memchr2(b'+', b'#', self.0.as_bytes()).is_none()
    }

    /// Whether `topic` is wanted: level by level, for one filter. An index over many filters is the broker's.
    pub fn matches(&self, topic: &TopicName<'_>) -> bool {
        let mut wanted = self.levels();
        let mut first = true;
        for level in topic.levels() {
            let (is_first, hidden) = (first, first && level.starts_with('$'));
            first = false;
            match wanted.next() {
                Some("#") => return !(is_first && hidden),
                Some("+") if !hidden => {}
                Some(same) if same == level => {}
                _ => return false,
            }
        }
        matches!((wanted.next(), wanted.next()), (None, _) | (Some("#"), None))
    }

    /// Whether every topic that matches `narrow` matches this too.
    pub fn covers(&self, narrow: &TopicFilter<'_>) -> bool {
        if narrow.as_str().starts_with('$') && self.as_str().starts_with(['+', '#']) {
            return false;
        }
        let (mut wide, mut narrow) = (self.levels(), narrow.levels());
        loop {
            match (wide.next(), narrow.next()) {
                // also the parent level, so what has ended before is matched too
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(level)) if level != "#" => {}
                (Some(same), Some(level)) if same == level => {}
                _ => return false,
            }
        }
    }

    /// Whether some topic may match both.
    pub fn overlaps(&self, other: &TopicFilter<'_>) -> bool {
        let begins = |filter: &TopicFilter<'_>, with: &[char]| filter.as_str().starts_with(with);
        for (one, another) in [(self, other), (other, self)] {
            if begins(one, &['$']) && begins(another, &['+', '#']) {
                return false;
            }
        }
        let (mut a, mut b) = (self.levels(), other.levels());
        loop {
            match (a.next(), b.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(same), Some(level)) if same == level => {}
                _ => return false,
            }
        }
    }

    /// Whether `topic` is a valid name that is wanted: for names that stand somewhere as text.
    pub fn matches_text(&self, topic: &str) -> bool {
        TopicName::parse(topic).is_ok_and(|topic| self.matches(&topic))
    }

    /// The same filter, borrowed.
    pub fn borrowed(&self) -> TopicFilter<'_> {
        TopicFilter(Cow::Borrowed(&self.0))
    }

    /// The same filter, owning its text.
    pub fn into_owned(self) -> TopicFilter<'static> {
        TopicFilter(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// What SUBSCRIBE's `filter` says: a filter, alone or shared by a group (`$share/<group>/<filter>`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SharedFilter<'a> {
    /// The group whose members share the messages; none for a subscription of its own.
    pub group: Option<Cow<'a, str>>,
    /// Which topics.
    pub filter: TopicFilter<'a>,
}

impl<'a> SharedFilter<'a> {
    /// Takes `$share/<group>/` apart from the filter behind it.
    ///
    /// # Errors
    /// [`TopicError::Share`] where the group is missing or has a wildcard, else what the filter breaks.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        let Some(rest) = text.strip_prefix("$share/") else {
            return Ok(Self { group: None, filter: TopicFilter::parse(text)? });
        };
        let (group, filter) = rest.split_once('/').ok_or(TopicError::Share)?;
        if group.is_empty() || group.contains(['+', '#', '\0']) {
            return Err(TopicError::Share);
        }
        check_length(text)?;
        Ok(Self { group: Some(Cow::Borrowed(group)), filter: TopicFilter::parse(filter)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(filter: &str, topic: &str) -> bool {
        TopicFilter::parse(filter).unwrap().matches(&TopicName::parse(topic).unwrap())
    }

    #[test]
    fn plus_is_one_level_and_hash_is_the_rest_with_its_parent() {
        assert!(matches("a/+/c", "a/b/c"));
        assert!(matches("a/+/c", "a//c"));
        assert!(!matches("a/+", "a"));
        assert!(matches("a/#", "a"));
        assert!(matches("a/#", "a/b/c"));
        assert!(!matches("a/#", "ab"));
        assert!(matches("#", "a/b"));
        assert!(matches("+/b", "a/b"));
        assert!(!matches("a/b", "a/b/c"));
        assert!(!matches("a/b/c", "a/b"));
        assert!(!matches("a/+/#", "a"));
    }

    #[test]
    fn a_leading_wildcard_does_not_see_dollar_topics() {
        assert!(!matches("#", "$murre/clients/a"));
        assert!(!matches("+/clients/a", "$murre/clients/a"));
        assert!(matches("$murre/#", "$murre/clients/a"));
        assert!(matches("a/+", "a/$b"));
        assert!(matches("$murre/#", "$murre"));
    }

    #[test]
    fn a_wildcard_is_a_whole_level_and_hash_the_last() {
        assert_eq!(TopicFilter::parse("a+/b"), Err(TopicError::PartialWildcard { wildcard: '+', at: 1 }));
        assert_eq!(TopicFilter::parse("a/+b"), Err(TopicError::PartialWildcard { wildcard: '+', at: 2 }));
        assert_eq!(TopicFilter::parse("#/a"), Err(TopicError::HashNotLast(0)));
        assert!(TopicFilter::parse("+/+/#").is_ok());
    }

    #[test]
    fn a_filter_covers_one_whose_topics_all_match_it() {
        let parse = |filter| TopicFilter::parse(filter).unwrap();
        let yes =
            [("#", "a/+"), ("a/#", "a"), ("a/#", "a/#"), ("a/+", "a/b"), ("+/b", "+/b"), ("a/+/#", "a/+/c")];
        let no =
            [("a/+", "a/#"), ("a", "a/b"), ("+/b", "a/+"), ("#", "$murre/#"), ("a/+", "a"), ("a/b", "a/+")];
        for (wide, narrow) in yes {
            assert!(parse(wide).covers(&parse(narrow)), "{wide} covers {narrow}");
        }
        for (wide, narrow) in no {
            assert!(!parse(wide).covers(&parse(narrow)), "{wide} does not cover {narrow}");
        }
    }

    #[test]
    fn filters_without_a_common_topic_do_not_overlap() {
        let parse = |filter| TopicFilter::parse(filter).unwrap();
        for (one, another) in
            [("a/+", "b/+"), ("a/+", "a"), ("a/+/c", "+/b/d"), ("#", "$murre/#"), ("+/a", "+/a/b")]
        {
            assert!(!parse(one).overlaps(&parse(another)), "{one} {another}");
            assert!(!parse(another).overlaps(&parse(one)), "{another} {one}");
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
            if wide.covers(&narrow) && narrow.matches(&topic) {
                prop_assert!(wide.matches(&topic), "{wide} {narrow} {topic}");
            }
        }

        #[test]
        fn filters_that_match_one_topic_overlap(
            one in a_filter(), another in a_filter(), topic in "(\\$a|a|b)(/(a|b)){0,3}"
        ) {
            let topic = TopicName::parse(topic).unwrap();
            let (one, another) = (TopicFilter::parse(one).unwrap(), TopicFilter::parse(another).unwrap());
            if one.matches(&topic) && another.matches(&topic) {
                prop_assert!(one.overlaps(&another), "{one} {another} {topic}");
            }
        }
    }

    #[test]
    fn a_shared_filter_has_a_group_and_a_filter() {
        let shared = SharedFilter::parse("$share/g/site/+").unwrap();
        assert_eq!((shared.group.as_deref(), shared.filter.as_str()), (Some("g"), "site/+"));
        for wrong in ["$share/g", "$share//a", "$share/+/a"] {
            assert_eq!(SharedFilter::parse(wrong), Err(TopicError::Share), "{wrong}");
        }
        assert_eq!(SharedFilter::parse("$share/g/"), Err(TopicError::Empty));
    }
}
