//! Packets as MessagePack arrays, for reading: elements by their order.

use std::borrow::Cow;

use super::reader::Reader;
use crate::{
    DecodeError, Format, Problem,
    decode::{At, DEPTH_MAX, Elements, Kind, Named, PayloadNames, PayloadParts, Value, format},
};

/// An array's elements that are not read yet.
pub(super) struct ArrayElements<'a> {
    reader: Reader<'a>,
    left: u32,
    kind: Kind,
}

impl<'a> ArrayElements<'a> {
    /// Reads the array's header and the packet's type.
    #[inline]
    pub(super) fn begin(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let length = reader.array().map_err(|problem| DecodeError::new("packet", "", problem))?;
        let Some(left) = length.checked_sub(1) else {
            return Err(DecodeError::new("packet", "type", Problem::Missing));
        };
        let number = reader.uint().map_err(|problem| DecodeError::new("packet", "type", problem))?;
        let kind = Kind::from_number(number).ok_or_else(|| unknown(number))?;
        Ok(Self { reader, left, kind })
    }

    /// Passes over the elements that this version doesn't know, and gives what follows the packet.
    #[inline]
    pub(super) fn end(mut self) -> Result<&'a [u8], DecodeError> {
        for _ in 0..self.left {
            self.reader.skip(DEPTH_MAX).map_err(|problem| self.error("", problem))?;
        }
        Ok(self.reader.rest())
    }

    #[inline]
    fn next<T>(
        &mut self,
        element: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Problem>,
    ) -> Result<T, DecodeError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(self.error(element, Problem::Missing));
        };
        self.left = left;
        read(&mut self.reader).map_err(|problem| self.error(element, problem))
    }
}

/// The error for a packet that this side doesn't take.
pub(super) fn unknown(number: u64) -> DecodeError {
    DecodeError::new("packet", "type", Problem::UnknownType(number))
}

impl<'a> Elements<'a> for ArrayElements<'a> {
    type Value = Raw<'a>;

    #[inline]
    fn kind(&self) -> Kind {
        self.kind
    }

    #[inline]
    fn uint(&mut self, element: &'static str) -> Result<u64, DecodeError> {
        self.next(element, Reader::uint)
    }

    #[inline]
    fn text(&mut self, element: &'static str) -> Result<Cow<'a, str>, DecodeError> {
        self.next(element, Reader::text).map(Cow::Borrowed)
    }

    #[inline]
    fn optional(&mut self, element: &'static str) -> Result<Option<Raw<'a>>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        let value = self.next(element, |reader| reader.value(DEPTH_MAX))?;
        Ok(Some(Raw(value)).filter(|value| !value.is_nil()))
    }

    #[inline]
    fn payload(&mut self) -> Result<(Format, Cow<'a, [u8]>), DecodeError> {
        let format = self.next("format", |reader| reader.uint().and_then(format))?;
        Ok((format, Cow::Borrowed(self.next("payload", Reader::bytes)?)))
    }
}

/// One whole value, as it is encoded.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    fn reader(self) -> Reader<'a> {
        Reader::new(self.0)
    }
}

impl<'a> Value<'a> for Raw<'a> {
    fn is_nil(self) -> bool {
        self.reader().at_nil()
    }

    fn is_text(self) -> bool {
        self.reader().text_bytes().is_ok()
    }

    fn uint(self) -> Result<u64, Problem> {
        self.reader().uint()
    }

    fn number(self) -> Result<f64, Problem> {
        self.reader().number()
    }

    fn boolean(self) -> Result<bool, Problem> {
        self.reader().boolean()
    }

    fn text(self) -> Result<Cow<'a, str>, Problem> {
        self.reader().text().map(Cow::Borrowed)
    }

    fn bytes(self) -> Result<Cow<'a, [u8]>, Problem> {
        self.reader().bytes().map(Cow::Borrowed)
    }

    /// `payload_base64` belongs to JSON: here it is a key that nobody knows.
    fn payload(parts: PayloadParts<Self>, names: PayloadNames) -> Result<(Format, Cow<'a, [u8]>), Named> {
        let number = match parts.format {
            Some(value) if !value.is_nil() => value.uint().map_err(|problem| (names.format, problem))?,
            _ => 0,
        };
        let format = format(number).map_err(|problem| (names.format, problem))?;
        let payload = parts.payload.ok_or((names.payload, Problem::Missing))?;
        Ok((format, payload.bytes().map_err(|problem| (names.payload, problem))?))
    }

    fn array(self, at: At, mut each: impl FnMut(Self) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
        let mut reader = self.reader();
        for _ in 0..reader.array().map_err(|problem| at.error(problem))? {
            each(Self(reader.value(DEPTH_MAX).map_err(|problem| at.error(problem))?))?;
        }
        Ok(())
    }

    fn map(
        self,
        at: At,
        mut each: impl FnMut(Result<Cow<'a, str>, Problem>, Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut reader = self.reader();
        for _ in 0..reader.map().map_err(|problem| at.error(problem))? {
            let key = Self(reader.value(DEPTH_MAX).map_err(|problem| at.error(problem))?).text();
            let value = reader.value(DEPTH_MAX).map_err(|problem| at.error(problem))?;
            each(key, Self(value))?;
        }
        Ok(())
    }
}
