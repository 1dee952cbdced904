//! Packets as JSON objects, for reading: elements by their names.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::value::{Key, Raw, kind, nests_deeper, problem};
use crate::{
    DecodeError, Format, Problem,
    decode::{DEPTH_MAX, Elements, Kind, PayloadNames, PayloadParts, Value},
};

/// Every name that an element has in some packet.
const NAMES: [&str; 15] = [
    "type",
    "topic",
    "payload",
    "id",
    "sub",
    "position",
    "format",
    "options",
    "filter",
    "time",
    "code",
    "payload_base64",
    "reason",
    "info",
    "retry_after",
];

/// The place of an element's value.
fn slot(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// An object's values by the place of their names, as text; of a name that comes twice the last.
#[derive(Default)]
pub(super) struct Slots<'a> {
    values: [Option<&'a RawValue>; NAMES.len()],
    /// An element, empty for an unknown one, that is nested deeper than a reader has to bear.
    too_deep: Option<&'static str>,
}

impl<'a> Slots<'a> {
    /// Takes the object at the front of `bytes`, and gives its length.
    pub(super) fn take(bytes: &'a [u8]) -> Result<(Self, usize), Problem> {
        if let Some(found) = kind(bytes)
            && found != "object"
        {
            return Err(Problem::Type { expected: "object", found });
        }
        let mut objects = serde_json::Deserializer::from_slice(bytes).into_iter::<Self>();
        match objects.next() {
            Some(Ok(slots)) => Ok((slots, objects.byte_offset())),
            Some(Err(error)) if ends_in_number(bytes, &error) => Err(Problem::Truncated),
            Some(Err(error)) => Err(problem(&error)),
            None => Err(Problem::Truncated),
        }
    }

    fn get(&self, name: &str) -> Option<Raw<'a>> {
        slot(name).and_then(|at| self.values.get(at)?.map(|value| Raw(value.get())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Slots<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SlotsVisitor;
        impl<'de> Visitor<'de> for SlotsVisitor {
            type Value = Slots<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slots<'de>, A::Error> {
                let mut slots = Slots::default();
                while let Some(Key(key)) = map.next_key()? {
                    let value: &'de RawValue = map.next_value()?;
                    let at = slot(&key);
                    let name = at.and_then(|at| NAMES.get(at)).copied().unwrap_or_default();
                    // A payload is opaque; nothing here reads into it.
                    if name != "payload" && nests_deeper(value.get(), DEPTH_MAX) {
                        slots.too_deep = Some(name);
                    }
                    if let Some(place) = at.and_then(|at| slots.values.get_mut(at)) {
                        *place = Some(value);
                    }
                }
                Ok(slots)
            }
        }
        deserializer.deserialize_map(SlotsVisitor)
    }
}

/// Whether `bytes` end inside a number where `error` is: the parser calls that a wrong number.
fn ends_in_number(bytes: &[u8], error: &serde_json::Error) -> bool {
    let last_line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    error.is_syntax()
        && matches!(bytes.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E'))
        && error.column() == last_line.len()
        && error.line() == memchr::memchr_iter(b'\n', bytes).count() + 1
}

/// An object's elements.
pub(super) struct ObjectElements<'a> {
    slots: Slots<'a>,
    kind: Kind,
}

impl<'a> ObjectElements<'a> {
    /// Reads the packet's type.
    pub(super) fn begin(slots: Slots<'a>) -> Result<Self, DecodeError> {
        let kind = match slots.get("type") {
            None => return Err(DecodeError::new("packet", "type", Problem::Missing)),
            Some(value) => {
                let word = value.text().map_err(|problem| DecodeError::new("packet", "type", problem))?;
                Kind::from_word(&word).ok_or_else(|| unknown(&word))?
            }
        };
        match slots.too_deep {
            Some(element) => Err(DecodeError::new(kind.name(), element, Problem::TooDeep)),
            None => Ok(Self { slots, kind }),
        }
    }

    fn needed(&self, element: &'static str) -> Result<Raw<'a>, DecodeError> {
        self.slots.get(element).ok_or_else(|| self.error(element, Problem::Missing))
    }
}

/// The error for a packet that this side doesn't take.
pub(super) fn unknown(word: &str) -> DecodeError {
    DecodeError::new("packet", "type", Problem::value(word))
}

impl<'a> Elements<'a> for ObjectElements<'a> {
    type Value = Raw<'a>;

    fn kind(&self) -> Kind {
        self.kind
    }

    fn uint(&mut self, element: &'static str) -> Result<u64, DecodeError> {
        self.needed(element)?.uint().map_err(|problem| self.error(element, problem))
    }

    fn text(&mut self, element: &'static str) -> Result<Cow<'a, str>, DecodeError> {
        self.needed(element)?.text().map_err(|problem| self.error(element, problem))
    }

    fn optional(&mut self, element: &'static str) -> Result<Option<Raw<'a>>, DecodeError> {
        Ok(self.slots.get(element).filter(|value| !value.is_nil()))
    }

    fn payload(&mut self) -> Result<(Format, Cow<'a, [u8]>), DecodeError> {
        let parts = PayloadParts {
            format: self.slots.get("format"),
            payload: self.slots.get("payload"),
            payload_base64: self.slots.get("payload_base64"),
        };
        Raw::payload(parts, PayloadNames::ELEMENTS).map_err(|(element, problem)| self.error(element, problem))
    }

    /// With names there is no need to say that no answer is wanted.
    fn id(&mut self) -> Result<u64, DecodeError> {
        match self.optional("id")? {
            None => Ok(0),
            Some(value) => value.uint().map_err(|problem| self.error("id", problem)),
        }
    }
}
