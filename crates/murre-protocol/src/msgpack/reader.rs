//! A cursor over MessagePack: each method takes one value of one type off the front, or says what is wrong.
//!
//! Nothing is copied or allocated, and no length that the bytes claim is believed before the bytes are there.

use rmp::Marker;

use crate::Problem;

/// The bytes not read yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is left.
    #[inline]
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Whether the next value is nil.
    #[inline]
    pub(crate) fn at_nil(self) -> bool {
        self.rest.first() == Some(&0xc0)
    }

    /// A value's first byte.
    #[inline]
    pub(crate) fn marker(&mut self) -> Result<Marker, Problem> {
        let (&first, rest) = self.rest.split_first().ok_or(Problem::Truncated)?;
        self.rest = rest;
        Ok(Marker::from_u8(first))
    }

    /// The next `length` bytes.
    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Problem::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let (&chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(Problem::Truncated)?;
        self.rest = rest;
        Ok(chunk)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Problem> {
        self.chunk().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Problem> {
        self.chunk().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Problem> {
        self.chunk().map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, Problem> {
        self.chunk().map(u64::from_be_bytes)
    }

    /// An unsigned integer, in any unsigned encoding.
    #[inline]
    pub(crate) fn uint(&mut self) -> Result<u64, Problem> {
        let marker = self.marker()?;
        self.unsigned(marker, "uint")
    }

    /// The unsigned integer behind `marker`; where that is none, `expected` wasn't found.
    #[inline]
    fn unsigned(&mut self, marker: Marker, expected: &'static str) -> Result<u64, Problem> {
        match marker {
            Marker::FixPos(n) => Ok(n.into()),
            Marker::U8 => self.u8().map(Into::into),
            Marker::U16 => self.u16().map(Into::into),
            Marker::U32 => self.u32().map(Into::into),
            Marker::U64 => self.u64(),
            other => Err(mismatch(expected, other)),
        }
    }

    /// An integer or a float; integers past 2^53 are rounded.
    pub(crate) fn number(&mut self) -> Result<f64, Problem> {
        match self.marker()? {
            Marker::FixNeg(n) => Ok(n.into()),
            Marker::I8 => self.chunk().map(|bytes| i8::from_be_bytes(bytes).into()),
            Marker::I16 => self.chunk().map(|bytes| i16::from_be_bytes(bytes).into()),
            Marker::I32 => self.chunk().map(|bytes| i32::from_be_bytes(bytes).into()),
            Marker::I64 => self.chunk().map(|bytes| i64::from_be_bytes(bytes) as f64),
            Marker::F32 => self.chunk().map(|bytes| f32::from_be_bytes(bytes).into()),
            Marker::F64 => self.chunk().map(f64::from_be_bytes),
            other => self.unsigned(other, "number").map(|n| n as f64),
        }
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self) -> Result<bool, Problem> {
        match self.marker()? {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            other => Err(mismatch("bool", other)),
        }
    }

    /// A string's bytes, not checked to be UTF-8.
    #[inline]
    pub(crate) fn text_bytes(&mut self) -> Result<&'a [u8], Problem> {
        let length = match self.marker()? {
            Marker::FixStr(n) => n.into(),
            Marker::Str8 => self.u8()?.into(),
            Marker::Str16 => self.u16()?.into(),
            Marker::Str32 => self.u32()? as usize,
            other => return Err(mismatch("str", other)),
        };
        self.take(length)
    }

    /// A string.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, Problem> {
        std::str::from_utf8(self.text_bytes()?).map_err(|_| Problem::Utf8)
    }

    /// A `bin`.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Problem> {
        let length = match self.marker()? {
            Marker::Bin8 => self.u8()?.into(),
            Marker::Bin16 => self.u16()?.into(),
            Marker::Bin32 => self.u32()? as usize,
            other => return Err(mismatch("bin", other)),
        };
        self.take(length)
    }

    /// An array's header: how many items follow.
    #[inline]
    pub(crate) fn array(&mut self) -> Result<u32, Problem> {
        match self.marker()? {
            Marker::FixArray(n) => Ok(n.into()),
            Marker::Array16 => self.u16().map(Into::into),
            Marker::Array32 => self.u32(),
            other => Err(mismatch("array", other)),
        }
    }

    /// A map's header: how many pairs follow.
    pub(crate) fn map(&mut self) -> Result<u32, Problem> {
        match self.marker()? {
            Marker::FixMap(n) => Ok(n.into()),
            Marker::Map16 => self.u16().map(Into::into),
            Marker::Map32 => self.u32(),
            other => Err(mismatch("map", other)),
        }
    }

    /// One value of whatever type, as it is encoded; maps and arrays at most `depth` deep.
    pub(crate) fn value(&mut self, depth: u32) -> Result<&'a [u8], Problem> {
        let before = self.rest;
        self.skip(depth)?;
        let length = before.len() - self.rest.len();
        before.get(..length).ok_or(Problem::Truncated)
    }

    /// Passes over one value, maps and arrays at most `depth` deep.
    pub(crate) fn skip(&mut self, depth: u32) -> Result<(), Problem> {
        let marker = self.marker()?;
        let length = match marker {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => 0,
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::FixExt4 => 5,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::FixStr(n) => n.into(),
            Marker::Str8 | Marker::Bin8 => self.u8()?.into(),
            Marker::Str16 | Marker::Bin16 => self.u16()?.into(),
            Marker::Str32 | Marker::Bin32 => self.u32()? as usize,
            Marker::Ext8 => usize::from(self.u8()?) + 1,
            Marker::Ext16 => usize::from(self.u16()?) + 1,
            Marker::Ext32 => (self.u32()? as usize).saturating_add(1),
            Marker::Reserved => return Err(mismatch("a value", marker)),
            _ => return self.skip_items(marker, depth),
        };
        self.take(length).map(|_| ())
    }

    fn skip_items(&mut self, marker: Marker, depth: u32) -> Result<(), Problem> {
        let items: u64 = match marker {
            Marker::FixArray(n) => n.into(),
            Marker::Array16 => self.u16()?.into(),
            Marker::Array32 => self.u32()?.into(),
            Marker::FixMap(n) => u64::from(n) * 2,
            Marker::Map16 => u64::from(self.u16()?) * 2,
            _ => u64::from(self.u32()?) * 2,
        };
        let depth = depth.checked_sub(1).ok_or(Problem::TooDeep)?;
        for _ in 0..items {
            self.skip(depth)?;
        }
        Ok(())
    }
}

/// The problem that a value begins with `found`.
#[cold]
pub(crate) fn mismatch(expected: &'static str, found: Marker) -> Problem {
    let found = match found {
        Marker::FixPos(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => "uint",
        Marker::FixNeg(_) | Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => "int",
        Marker::F32 | Marker::F64 => "float",
        Marker::Null => "nil",
        Marker::True | Marker::False => "bool",
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "str",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "bin",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "array",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "map",
        Marker::Reserved => "the byte 0xc1, which MessagePack does not use",
        _ => "ext",
    };
    Problem::Type { expected, found }
}
