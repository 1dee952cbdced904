//! Values in a payload, read where they stand: a cursor over MessagePack or JSON that copies nothing.
//!
//! Only what a path leads through is looked at. What stands behind may be malformed, and nobody notices. Of keys that
//! come twice in a map the first counts.

use std::borrow::Cow;

use murre_protocol::Format;

mod entries;
mod json;
mod msgpack;

pub use entries::{Entries, Entry};

/// The deepest nesting of maps and lists that is read.
pub(crate) const DEPTH_MAX: u32 = 64;
/// The longest payload that a view reads, in bytes. A view may look at each byte for each of its paths, and must not
/// hold up the others of its worker.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Why a part of a view can't use a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not what its format says, or nested more than 64 deep.
    #[error("the payload can't be read as its format has it")]
    Malformed,
    /// More than [`PAYLOAD_BYTES_MAX`].
    #[error("the payload has more than 65536 bytes, and views read no longer ones")]
    TooLong,
    /// The payload lacks what a path names.
    #[error("the payload has nothing at the path")]
    Missing,
    /// A finite number was needed.
    #[error("the value at the path is no finite number")]
    NotANumber,
    /// An operator or function of the condition isn't there for these types.
    #[error("the condition compares or computes with types that don't go together")]
    Types,
    /// A whole number past 64 bits, or a division by zero.
    #[error("the condition's arithmetic overflows or divides by zero")]
    Arithmetic,
    /// The reading belongs to a window that was sent already.
    #[error("the reading came after its window was sent")]
    Late,
}

/// A value that begins with these bytes; others may follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw<'a> {
    /// In MessagePack.
    MessagePack(&'a [u8]),
    /// In JSON.
    Json(&'a [u8]),
}

impl<'a> Raw<'a> {
    /// A whole payload; none where its format has no structure.
    pub fn of(format: Format, payload: &'a [u8]) -> Option<Self> {
        match format {
            Format::MessagePack => Some(Self::MessagePack(payload)),
            Format::Json => Some(Self::Json(payload)),
            Format::Raw | Format::Text => None,
        }
    }

    /// What it is.
    ///
    /// # Errors
    /// [`Unusable::Malformed`].
    #[inline]
    pub fn value(self) -> Result<Value<'a>, Unusable> {
        match self {
            Self::MessagePack(bytes) => msgpack::value(bytes),
            Self::Json(bytes) => json::value(bytes),
        }
    }

    /// The value of `key`, where it is a map that has it.
    ///
    /// # Errors
    /// [`Unusable::Malformed`]; [`Unusable::Missing`] where it is no map or lacks the key.
    #[inline]
    pub fn get(self, key: &str) -> Result<Self, Unusable> {
        match self {
            Self::MessagePack(bytes) => msgpack::get(bytes, key).map(Self::MessagePack),
            Self::Json(bytes) => json::get(bytes, key).map(Self::Json),
        }
    }

    /// As [`Raw::get`]; none where it is no map or lacks the key.
    ///
    /// # Errors
    /// [`Unusable::Malformed`].
    #[inline]
    pub fn find(self, key: &str) -> Result<Option<Self>, Unusable> {
        match self.get(key) {
            Err(Unusable::Missing) => Ok(None),
            found => found.map(Some),
        }
    }

    /// The item at `index`, counted from 0, where it is a list that has it.
    ///
    /// # Errors
    /// [`Unusable::Malformed`]; [`Unusable::Missing`] where it is no list or too short.
    pub fn at(self, index: usize) -> Result<Self, Unusable> {
        match self {
            Self::MessagePack(bytes) => msgpack::at(bytes, index).map(Self::MessagePack),
            Self::Json(bytes) => json::at(bytes, index).map(Self::Json),
        }
    }

    /// How many items or entries it has; none where it is neither list nor map.
    ///
    /// # Errors
    /// [`Unusable::Malformed`].
    pub fn len(self) -> Result<Option<usize>, Unusable> {
        match self {
            Self::MessagePack(bytes) => msgpack::len(bytes),
            Self::Json(bytes) => json::len(bytes),
        }
    }

    /// Whether an item of a list is what `wanted` says; false where it is no list.
    ///
    /// # Errors
    /// [`Unusable::Malformed`], and those of `wanted`.
    pub fn any(self, mut wanted: impl FnMut(Value<'a>) -> Result<bool, Unusable>) -> Result<bool, Unusable> {
        let mut each = |value: Result<Value<'a>, Unusable>| value.and_then(&mut wanted);
        match self {
            Self::MessagePack(bytes) => msgpack::any(bytes, |item| each(msgpack::value(item))),
            Self::Json(bytes) => json::any(bytes, |item| each(json::value(item))),
        }
    }

    /// The bytes of this value alone.
    ///
    /// # Errors
    /// [`Unusable::Malformed`].
    pub fn bytes(self) -> Result<&'a [u8], Unusable> {
        self.until(self.skip()?)
    }

    /// Its bytes up to where `behind`, which stands behind it, begins.
    #[inline]
    fn until(self, behind: Self) -> Result<&'a [u8], Unusable> {
        let (Self::MessagePack(behind) | Self::Json(behind)) = behind;
        let bytes = match self {
            Self::MessagePack(bytes) => bytes,
            Self::Json(bytes) => json::after_space(bytes),
        };
        bytes.get(..bytes.len() - behind.len()).ok_or(Unusable::Malformed)
    }

    /// What stands behind it.
    #[inline]
    fn skip(self) -> Result<Self, Unusable> {
        match self {
            Self::MessagePack(bytes) => msgpack::skip(bytes, DEPTH_MAX).map(Self::MessagePack),
            Self::Json(bytes) => json::skip(bytes, DEPTH_MAX).map(Self::Json),
        }
    }
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number of at most 64 bits, with or without a sign.
    Int(i128),
    /// Another number.
    Double(f64),
    /// Text.
    Text(Text<'a>),
    /// Bytes; MessagePack's extensions too.
    Bytes(&'a [u8]),
    /// A list.
    List(Raw<'a>),
    /// A map.
    Map(Raw<'a>),
    /// A topic's levels, as a list.
    Levels(&'a str),
}

impl<'a> Value<'a> {
    /// What a payload is.
    ///
    /// # Errors
    /// [`Unusable::Malformed`] and [`Unusable::TooLong`].
    pub fn of(format: Format, payload: &'a [u8]) -> Result<Self, Unusable> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Unusable::TooLong);
        }
        match format {
            Format::MessagePack => msgpack::value(payload),
            Format::Json => json::value(payload),
            Format::Raw => Ok(Self::Bytes(payload)),
            Format::Text => {
                str::from_utf8(payload).map(|s| Self::Text(Text::Plain(s))).map_err(|_| Unusable::Malformed)
            }
        }
    }

    /// As a number.
    ///
    /// # Errors
    /// [`Unusable::NotANumber`], also where it isn't finite.
    pub fn number(self) -> Result<f64, Unusable> {
        let number = match self {
            Self::Int(n) => n as f64,
            Self::Double(n) => n,
            _ => return Err(Unusable::NotANumber),
        };
        if number.is_finite() { Ok(number) } else { Err(Unusable::NotANumber) }
    }
}

/// Text, as it stands in the payload.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// As it is.
    Plain(&'a str),
    /// The inside of a JSON string, with escapes.
    Escaped(&'a str),
}

impl<'a> Text<'a> {
    /// The text itself; only one with escapes is copied.
    ///
    /// # Errors
    /// [`Unusable::Malformed`]: an escape that JSON doesn't have.
    pub fn plain(self) -> Result<Cow<'a, str>, Unusable> {
        match self {
            Self::Plain(text) => Ok(Cow::Borrowed(text)),
            Self::Escaped(inside) => json::unescape(inside).map(Cow::Owned),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        matches!((self.plain(), other.plain()), (Ok(a), Ok(b)) if a == b)
    }
}

impl PartialEq<str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        match self {
            Self::Plain(text) => *text == other,
            Self::Escaped(_) => self.plain().is_ok_and(|text| text == other),
        }
    }
}
