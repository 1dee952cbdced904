//! What can be wrong with a packet.

use std::{borrow::Cow, fmt};

/// A packet that can't be read, by packet, element and problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{packet}{}{element}: {problem}", if element.is_empty() { "" } else { "." })]
pub struct DecodeError {
    /// The packet's name in capitals, `packet` where its type isn't known yet.
    pub packet: &'static str,
    /// The element or option by its name in the specification; empty where the whole packet is meant.
    pub element: Cow<'static, str>,
    /// What is wrong.
    pub problem: Problem,
}

impl DecodeError {
    /// An error in `element` of `packet`.
    pub fn new(packet: &'static str, element: impl Into<Cow<'static, str>>, problem: Problem) -> Self {
        Self { packet, element: element.into(), problem }
    }
}

/// What is wrong with an element.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The bytes end inside the element.
    Truncated,
    /// A required element or key isn't there.
    Missing,
    /// Another type than the specification has.
    Type {
        /// The type that the specification has.
        expected: &'static str,
        /// The type that came.
        found: &'static str,
    },
    /// A number outside of what the element may be.
    Range(u64),
    /// A string that isn't UTF-8.
    Utf8,
    /// Values nested deeper than a reader has to bear.
    TooDeep,
    /// A packet type that this version doesn't know, or that this side doesn't send.
    UnknownType(u64),
    /// Text that isn't JSON, with the parser's words.
    Json(String),
    /// Base64 that can't be read.
    Base64,
    /// A packet of more bytes than allowed.
    TooLarge {
        /// Bytes of the packet, as far as known.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A value that is none of the known ones, cut to [`VALUE_CHARACTERS_MAX`].
    Value(String),
    /// A value of the right type that is not what it may be.
    Bounds {
        /// What was given, in words.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Too few or too many of these were given.
    OneOf(&'static str),
}

/// How much of a wrong value an error repeats, in characters.
pub const VALUE_CHARACTERS_MAX: usize = 64;

impl Problem {
    /// [`Problem::Bounds`].
    pub fn bounds(found: impl fmt::Display, expected: &'static str) -> Self {
        Self::Bounds { found: found.to_string(), expected }
    }

    /// Whether the element is of the right type, and only its value none of those that it may have.
    pub fn is_value(&self) -> bool {
        matches!(self, Self::Value(_) | Self::OneOf(_) | Self::Range(_) | Self::Bounds { .. })
    }

    /// [`Problem::Value`] with the beginning of `text`.
    pub fn value(text: &str) -> Self {
        Self::Value(text.chars().take(VALUE_CHARACTERS_MAX).collect())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the message ends before the element does"),
            Self::Missing => f.write_str("is missing"),
            Self::Type { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Range(n) => write!(f, "{n} is out of range"),
            Self::Utf8 => f.write_str("is not UTF-8"),
            Self::TooDeep => f.write_str("is nested too deep"),
            Self::UnknownType(n) => write!(f, "{n} is no packet type that this side takes"),
            Self::Json(why) => write!(f, "is not JSON: {why}"),
            Self::Base64 => f.write_str("is not base64"),
            Self::TooLarge { bytes, max } => write!(f, "has {bytes} bytes, at most {max} are allowed"),
            Self::Bounds { found, expected } => write!(f, "{found} is out of bounds, expected {expected}"),
            Self::Value(value) => write!(f, "{value:?} is none of the known values"),
            Self::OneOf(names) => write!(f, "exactly one of {names} is needed"),
        }
    }
}
