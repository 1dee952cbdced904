//! Paths into a payload, compiled once.

use murre_protocol::Format;

use crate::value::{PAYLOAD_BYTES_MAX, Raw, Text, Unusable, Value};

/// The most keys of a path.
pub const KEYS_MAX: usize = 16;

/// Why text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Two dots in a row, or one at an end.
    #[error("{0:?} has an empty key; keys are parted by single dots, and a dot in a key is written \\.")]
    EmptyKey(String),
    /// More than [`KEYS_MAX`].
    #[error("{0:?} has more than 16 keys")]
    TooDeep(String),
}

/// A way from the payload to a value in it: keys of maps, or places in lists counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    keys: Box<[Key]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    name: Box<str>,
    /// The name as a place in a list, where it is one.
    index: Option<usize>,
}

impl Path {
    /// Reads a path: `position.lat`, `samples.0`, `a\.b` for the key `a.b`; empty for the payload itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let keys = if text.is_empty() { Vec::new() } else { keys(text)? };
        if keys.len() > KEYS_MAX {
            return Err(PathError::TooDeep(text.to_owned()));
        }
        let key = |name: String| Key { index: name.parse().ok(), name: name.into() };
        Ok(Self { keys: keys.into_iter().map(key).collect() })
    }

    /// The keys' names; none for the payload itself.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.keys.iter().map(|key| &*key.name)
    }

    /// The value at the end of the path.
    ///
    /// # Errors
    /// The payload is malformed, or lacks it.
    #[inline]
    pub fn find<'a>(&self, payload: Raw<'a>) -> Result<Raw<'a>, Unusable> {
        self.keys.iter().try_fold(payload, |raw, key| match (raw.get(&key.name), key.index) {
            (Err(Unusable::Missing), Some(index)) => raw.at(index),
            (found, _) => found,
        })
    }

    /// The number at the end of the path. A payload that is text counts where it is a number.
    ///
    /// # Errors
    /// It isn't there, or is no finite number.
    #[inline]
    pub fn number(&self, format: Format, payload: &[u8]) -> Result<f64, Unusable> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Unusable::TooLong);
        }
        let value = match Raw::of(format, payload) {
            Some(raw) => self.find(raw)?.value()?,
            None if self.keys.is_empty() => Value::of(format, payload)?,
            None => return Err(Unusable::Missing),
        };
        match value {
            Value::Text(Text::Plain(text)) if format == Format::Text => {
                let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                number.ok_or(Unusable::NotANumber)
            }
            value => value.number(),
        }
    }
}

fn keys(text: &str) -> Result<Vec<String>, PathError> {
    let (mut keys, mut key) = (Vec::new(), String::new());
    let mut characters = text.chars();
    loop {
        match characters.next() {
            Some('\\') => key.extend(characters.next()),
            Some('.') | None if key.is_empty() => return Err(PathError::EmptyKey(text.to_owned())),
            Some('.') => keys.push(std::mem::take(&mut key)),
            Some(other) => key.push(other),
            None => {
                keys.push(key);
                return Ok(keys);
            }
        }
    }
}
