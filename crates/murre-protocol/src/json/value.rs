//! One JSON value, as its text stands in the packet.

use std::{borrow::Cow, fmt};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::transcode;
use crate::{
    DecodeError, Format, Problem,
    decode::{At, Named, PayloadNames, PayloadParts, Value, format},
};

/// Written with padding, read with or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A value's text, which is valid JSON but for what the parser leaves to whoever reads a string's escapes.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(pub(super) &'a str);

impl<'a> Raw<'a> {
    /// The problem that this is another type than `expected`.
    #[cold]
    pub(super) fn mismatch(self, expected: &'static str) -> Problem {
        Problem::Type { expected, found: kind(self.0.as_bytes()).unwrap_or("something else") }
    }
}

/// What a value is that begins with `text`; none where JSON has no such value.
pub(super) fn kind(text: &[u8]) -> Option<&'static str> {
    Some(match text.first()? {
        b'"' => "string",
        b'{' => "object",
        b'[' => "array",
        b't' | b'f' => "bool",
        b'n' => "null",
        b'-' => "negative number",
        b'0'..=b'9' => "number",
        _ => return None,
    })
}

impl<'a> Value<'a> for Raw<'a> {
    fn is_nil(self) -> bool {
        self.0 == "null"
    }

    fn is_text(self) -> bool {
        self.0.starts_with('"')
    }

    fn uint(self) -> Result<u64, Problem> {
        if !self.0.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.mismatch("uint"));
        }
        self.0.parse().map_err(|_| {
            let whole = self.0.bytes().all(|byte| byte.is_ascii_digit());
            let found = if whole { "number above 2^64 - 1" } else { "number with a fraction or exponent" };
            Problem::Type { expected: "uint", found }
        })
    }

    fn number(self) -> Result<f64, Problem> {
        if !self.0.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Err(self.mismatch("number"));
        }
        self.0.parse().map_err(|_| self.mismatch("number"))
    }

    fn boolean(self) -> Result<bool, Problem> {
        match self.0 {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn text(self) -> Result<Cow<'a, str>, Problem> {
        let inner = self.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match inner {
            None => Err(self.mismatch("str")),
            Some(plain) if memchr::memchr(b'\\', plain.as_bytes()).is_none() => Ok(Cow::Borrowed(plain)),
            Some(_) => serde_json::from_str(self.0).map(Cow::Owned).map_err(|e| problem(&e)),
        }
    }

    fn bytes(self) -> Result<Cow<'a, [u8]>, Problem> {
        let text = self.text()?;
        BASE64.decode(text.as_bytes()).map(Cow::Owned).map_err(|_| Problem::Base64)
    }

    fn payload(parts: PayloadParts<Self>, names: PayloadNames) -> Result<(Format, Cow<'a, [u8]>), Named> {
        let given = match parts.format.filter(|value| !value.is_nil()) {
            None => None,
            Some(value) => Some(value.uint().and_then(format).map_err(|problem| (names.format, problem))?),
        };
        match (parts.payload, parts.payload_base64.filter(|value| !value.is_nil())) {
            (Some(value), None) => {
                let default = if value.is_text() { Format::Text } else { Format::Json };
                let format = given.unwrap_or(default);
                Ok((format, plain_payload(format, value, names)?))
            }
            (None, Some(value)) => {
                let payload = value.bytes().map_err(|problem| (names.payload_base64, problem))?;
                Ok((given.unwrap_or(Format::Raw), payload))
            }
            (None, None) => Err((names.payload, Problem::Missing)),
            (Some(_), Some(_)) => Err((names.payload, Problem::OneOf("payload and payload_base64"))),
        }
    }

    fn array(self, at: At, each: impl FnMut(Self) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
        if !self.0.starts_with('[') {
            return Err(at.error(self.mismatch("array")));
        }
        let mut error = None;
        let visitor = ArrayVisitor { each, error: &mut error };
        let read = serde_json::Deserializer::from_str(self.0).deserialize_seq(visitor);
        read.map_err(|e| error.unwrap_or_else(|| at.error(problem(&e))))
    }

    fn map(
        self,
        at: At,
        mut each: impl FnMut(Result<Cow<'a, str>, Problem>, Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.0.starts_with('{') {
            return Err(at.error(self.mismatch("map")));
        }
        let mut error = None;
        let visitor = ObjectVisitor { each: |key, value| each(Ok(key), value), error: &mut error };
        let read = serde_json::Deserializer::from_str(self.0).deserialize_map(visitor);
        read.map_err(|e| error.unwrap_or_else(|| at.error(problem(&e))))
    }
}

/// A payload that isn't base64, as the bytes of its format.
fn plain_payload<'a>(format: Format, value: Raw<'a>, names: PayloadNames) -> Result<Cow<'a, [u8]>, Named> {
    let in_payload = |problem| (names.payload, problem);
    match format {
        Format::Json => Ok(Cow::Borrowed(value.0.as_bytes())),
        Format::Text => match value.text().map_err(in_payload)? {
            Cow::Borrowed(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Cow::Owned(text) => Ok(Cow::Owned(text.into_bytes())),
        },
        Format::MessagePack => transcode::to_msgpack(value).map(Cow::Owned).map_err(in_payload),
        Format::Raw => Err((names.payload_base64, Problem::Missing)),
    }
}

/// What a parser's error is in the protocol's terms.
pub(super) fn problem(error: &serde_json::Error) -> Problem {
    if error.is_eof() { Problem::Truncated } else { Problem::Json(error.to_string()) }
}

/// An object's key, borrowed where it has no escapes.
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Calls `each` with the keys and values of an object; the first error that it gives ends the reading.
struct ObjectVisitor<'e, F> {
    each: F,
    error: &'e mut Option<DecodeError>,
}

impl<'de, F: FnMut(Cow<'de, str>, Raw<'de>) -> Result<(), DecodeError>> Visitor<'de>
    for ObjectVisitor<'_, F>
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            if let Err(error) = (self.each)(key, Raw(value.get())) {
                *self.error = Some(error);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// Calls `each` with the items of an array; the first error that it gives ends the reading.
struct ArrayVisitor<'e, F> {
    each: F,
    error: &'e mut Option<DecodeError>,
}

impl<'de, F: FnMut(Raw<'de>) -> Result<(), DecodeError>> Visitor<'de> for ArrayVisitor<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(value) = items.next_element::<&'de RawValue>()? {
            if let Err(error) = (self.each)(Raw(value.get())) {
                *self.error = Some(error);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// Whether arrays and objects in `json`, which is valid JSON, are nested deeper than `max`.
pub(super) fn nests_deeper(json: &str, max: u32) -> bool {
    // Each level has a bracket on either side.
    if json.len() <= max as usize * 2 {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// `json`'s text without space around it, if it is one valid JSON value.
pub(super) fn checked(json: &[u8]) -> Option<&str> {
    serde_json::from_slice::<&RawValue>(json).ok().map(RawValue::get)
}
