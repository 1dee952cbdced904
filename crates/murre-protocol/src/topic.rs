//! Topic names: what a reading is published under.

use std::{borrow::Cow, fmt};

/// The longest topic or filter, in bytes of UTF-8.
pub const TOPIC_BYTES_MAX: usize = 65_535;
/// The most levels that a topic or filter may have.
pub const TOPIC_LEVELS_MAX: usize = 64;
/// The first level of the broker's own topics; clients may read them, never publish there.
pub const RESERVED_LEVEL: &str = "$murre";

/// Why a text is no topic name or filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// There is no text at all.
    #[error("it is empty; a topic has at least one character")]
    Empty,
    /// Longer than [`TOPIC_BYTES_MAX`].
    #[error("it has {0} bytes; at most {TOPIC_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// More levels than [`TOPIC_LEVELS_MAX`].
    #[error("it has more than {TOPIC_LEVELS_MAX} levels")]
    TooManyLevels,
    /// NUL is not allowed anywhere.
    #[error("it has a NUL character at byte {0}")]
    Nul(usize),
    /// `+` and `#` belong to filters.
    #[error("it has the wildcard '{wildcard}' at byte {at}; wildcards belong to filters")]
    Wildcard {
        /// The wildcard.
        wildcard: char,
        /// Where, in bytes.
        at: usize,
    },
    /// `+` or `#` beside other characters in its level.
    #[error("the wildcard '{wildcard}' at byte {at} has to be a whole level")]
    PartialWildcard {
        /// The wildcard.
        wildcard: char,
        /// Where, in bytes.
        at: usize,
    },
    /// `#` somewhere else than in the last level.
    #[error("the wildcard '#' at byte {0} has to be the last level")]
    HashNotLast(usize),
    /// `$share/` without a group or a filter.
    #[error(
        "a shared filter is written $share/<group>/<filter>, with a group that is not empty and has no wildcard"
    )]
    Share,
}

/// A topic name that obeys the rules: 1 to 65,535 bytes of UTF-8, at most 64 levels parted by `/`, no NUL and
/// no wildcard.
///
/// ```
/// use murre_protocol::TopicName;
/// let topic = TopicName::parse("site/a/temp")?;
/// assert_eq!(topic.levels().count(), 3);
/// assert!(TopicName::parse("site/+/temp").is_err());
/// # Ok::<(), murre_protocol::topic::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName<'a>(Cow<'a, str>);

impl<'a> TopicName<'a> {
    /// Checks `text`.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, TopicError> {
        let text = text.into();
        check_length(&text)?;
        let mut levels = 1;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'/' => levels += 1,
                0 => return Err(TopicError::Nul(at)),
                b'+' | b'#' => return Err(TopicError::Wildcard { wildcard: char::from(byte), at }),
                _ => {}
            }
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

    /// The levels from the left; there is at least one, and a level may be empty.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }

    /// Whether this is one of the broker's own topics (`$murre/…`).
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }

    /// The same topic, borrowed.
    pub fn borrowed(&self) -> TopicName<'_> {
        TopicName(Cow::Borrowed(&self.0))
    }

    /// The same topic, owning its text.
    pub fn into_owned(self) -> TopicName<'static> {
        TopicName(Cow::Owned(self.0.into_owned()))
    }
}

/// Whether `text`'s first level is the broker's own.
pub(crate) fn is_reserved(text: &str) -> bool {
    text.strip_prefix(RESERVED_LEVEL).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The rules of length that names and filters share.
pub(crate) fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        n if n > TOPIC_BYTES_MAX => Err(TopicError::TooLong(n)),
        _ => Ok(()),
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_have_empty_levels_but_not_be_empty() {
        assert_eq!(TopicName::parse("/a//b/").unwrap().levels().count(), 5);
        assert_eq!(TopicName::parse(""), Err(TopicError::Empty));
    }

    #[test]
    fn wildcards_and_nul_are_refused_where_they_stand() {
        assert_eq!(TopicName::parse("a/#"), Err(TopicError::Wildcard { wildcard: '#', at: 2 }));
        assert_eq!(TopicName::parse("a+b"), Err(TopicError::Wildcard { wildcard: '+', at: 1 }));
        assert_eq!(TopicName::parse("a\0"), Err(TopicError::Nul(1)));
    }

    #[test]
    fn length_and_levels_are_bounded() {
        assert!(TopicName::parse("x".repeat(TOPIC_BYTES_MAX)).is_ok());
        assert_eq!(TopicName::parse("x".repeat(TOPIC_BYTES_MAX + 1)), Err(TopicError::TooLong(65_536)));
        assert!(TopicName::parse("/".repeat(TOPIC_LEVELS_MAX - 1)).is_ok());
        assert_eq!(TopicName::parse("/".repeat(TOPIC_LEVELS_MAX)), Err(TopicError::TooManyLevels));
    }

    #[test]
    fn only_the_whole_first_level_is_reserved() {
        for (topic, reserved) in
            [("$murre", true), ("$murre/a", true), ("$murrey/a", false), ("a/$murre", false)]
        {
            assert_eq!(TopicName::parse(topic).unwrap().is_reserved(), reserved, "{topic}");
        }
    }
}
