//! The cursor over MessagePack. No length that the bytes claim is believed before the bytes are there.

use super::{Raw, Text, Unusable, Value};

type Taken<'a, T> = Result<(T, &'a [u8]), Unusable>;

/// A value's first bytes.
enum Head {
    Null,
    Bool(bool),
    Int(i128),
    Double(f64),
    Text(usize),
    /// `bin`, and `ext` with the byte of its type.
    Bytes(usize),
    List(usize),
    Map(usize),
}

#[inline]
fn take(bytes: &[u8], length: usize) -> Taken<'_, &[u8]> {
    bytes.split_at_checked(length).ok_or(Unusable::Malformed)
}

#[inline]
fn chunk<const N: usize>(bytes: &[u8]) -> Taken<'_, [u8; N]> {
    let (&chunk, rest) = bytes.split_first_chunk::<N>().ok_or(Unusable::Malformed)?;
    Ok((chunk, rest))
}

/// A length of one, two or four bytes, `extra` added.
#[inline]
fn length(bytes: &[u8], width: u8, extra: usize) -> Taken<'_, usize> {
    let (length, rest) = match width {
        1 => chunk::<1>(bytes).map(|([n], rest)| (n.into(), rest))?,
        2 => chunk(bytes).map(|(n, rest)| (u16::from_be_bytes(n).into(), rest))?,
        _ => chunk(bytes).map(|(n, rest)| (u32::from_be_bytes(n) as usize, rest))?,
    };
    Ok((length + extra, rest))
}

#[inline]
fn head(bytes: &[u8]) -> Taken<'_, Head> {
    let (&first, rest) = bytes.split_first().ok_or(Unusable::Malformed)?;
    let fixed = |head| Ok((head, rest));
    let low = usize::from(first);
    match first {
        0x00..=0x7f => fixed(Head::Int(first.into())),
        0x80..=0x8f => fixed(Head::Map(low & 0x0f)),
        0x90..=0x9f => fixed(Head::List(low & 0x0f)),
        0xa0..=0xbf => fixed(Head::Text(low & 0x1f)),
        0xc0 => fixed(Head::Null),
        0xc2 | 0xc3 => fixed(Head::Bool(first == 0xc3)),
        0xc4..=0xc6 => length(rest, 1 << (first - 0xc4), 0).map(|(n, rest)| (Head::Bytes(n), rest)),
        0xc7..=0xc9 => length(rest, 1 << (first - 0xc7), 1).map(|(n, rest)| (Head::Bytes(n), rest)),
        0xca..=0xd3 => number(first, rest),
        0xd4..=0xd8 => fixed(Head::Bytes((1 << (first - 0xd4)) + 1)),
        0xd9..=0xdb => length(rest, 1 << (first - 0xd9), 0).map(|(n, rest)| (Head::Text(n), rest)),
        0xdc | 0xdd => length(rest, 2 << (first - 0xdc), 0).map(|(n, rest)| (Head::List(n), rest)),
        0xde | 0xdf => length(rest, 2 << (first - 0xde), 0).map(|(n, rest)| (Head::Map(n), rest)),
        0xe0..=0xff => fixed(Head::Int((first as i8).into())),
        0xc1 => Err(Unusable::Malformed),
    }
}

/// The numbers of more than one byte.
#[inline]
fn number(first: u8, rest: &[u8]) -> Taken<'_, Head> {
    Ok(match first {
        0xca => chunk(rest).map(|(n, rest)| (Head::Double(f32::from_be_bytes(n).into()), rest))?,
        0xcb => chunk(rest).map(|(n, rest)| (Head::Double(f64::from_be_bytes(n)), rest))?,
        0xcc => chunk::<1>(rest).map(|([n], rest)| (Head::Int(n.into()), rest))?,
        0xcd => chunk(rest).map(|(n, rest)| (Head::Int(u16::from_be_bytes(n).into()), rest))?,
        0xce => chunk(rest).map(|(n, rest)| (Head::Int(u32::from_be_bytes(n).into()), rest))?,
        0xcf => chunk(rest).map(|(n, rest)| (Head::Int(u64::from_be_bytes(n).into()), rest))?,
        0xd0 => chunk(rest).map(|(n, rest)| (Head::Int(i8::from_be_bytes(n).into()), rest))?,
        0xd1 => chunk(rest).map(|(n, rest)| (Head::Int(i16::from_be_bytes(n).into()), rest))?,
        0xd2 => chunk(rest).map(|(n, rest)| (Head::Int(i32::from_be_bytes(n).into()), rest))?,
        _ => chunk(rest).map(|(n, rest)| (Head::Int(i64::from_be_bytes(n).into()), rest))?,
    })
}

#[inline]
pub(super) fn value(bytes: &[u8]) -> Result<Value<'_>, Unusable> {
    let (head, rest) = head(bytes)?;
    Ok(match head {
        Head::Null => Value::Null,
        Head::Bool(value) => Value::Bool(value),
        Head::Int(n) => Value::Int(n),
        Head::Double(n) => Value::Double(n),
        Head::Text(length) => {
            let text = str::from_utf8(take(rest, length)?.0).map_err(|_| Unusable::Malformed)?;
            Value::Text(Text::Plain(text))
        }
        Head::Bytes(length) => Value::Bytes(take(rest, length)?.0),
        Head::List(_) => Value::List(Raw::MessagePack(bytes)),
        Head::Map(_) => Value::Map(Raw::MessagePack(bytes)),
    })
}

/// Passes over one value. What readings mostly have, numbers and short texts, is passed over by its first byte alone.
#[inline]
pub(super) fn skip(bytes: &[u8], depth: u32) -> Result<&[u8], Unusable> {
    let (&first, rest) = bytes.split_first().ok_or(Unusable::Malformed)?;
    let length = match first {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 0,
        0xa0..=0xbf => usize::from(first & 0x1f),
        0xcc | 0xd0 => 1,
        0xcd | 0xd1 => 2,
        0xca | 0xce | 0xd2 => 4,
        0xcb | 0xcf | 0xd3 => 8,
        _ => return skip_rare(bytes, depth),
    };
    rest.get(length..).ok_or(Unusable::Malformed)
}

/// Passes over a value of any kind.
fn skip_rare(bytes: &[u8], depth: u32) -> Result<&[u8], Unusable> {
    let (head, rest) = head(bytes)?;
    match head {
        Head::Null | Head::Bool(_) | Head::Int(_) | Head::Double(_) => Ok(rest),
        Head::Text(length) | Head::Bytes(length) => take(rest, length).map(|(_, rest)| rest),
        Head::List(items) => skip_items(rest, items, depth),
        Head::Map(pairs) => skip_items(rest, pairs.saturating_mul(2), depth),
    }
}

fn skip_items(mut rest: &[u8], items: usize, depth: u32) -> Result<&[u8], Unusable> {
    let depth = depth.checked_sub(1).ok_or(Unusable::Malformed)?;
    for _ in 0..items {
        rest = skip(rest, depth)?;
    }
    Ok(rest)
}

/// A key where it is text, and its value's bytes.
#[inline]
fn pair(bytes: &[u8]) -> Taken<'_, Option<&[u8]>> {
    if let [first @ 0xa0..=0xbf, rest @ ..] = bytes {
        return take(rest, usize::from(first & 0x1f)).map(|(key, rest)| (Some(key), rest));
    }
    match head(bytes)? {
        (Head::Text(length), rest) => take(rest, length).map(|(key, rest)| (Some(key), rest)),
        _ => skip(bytes, super::DEPTH_MAX).map(|rest| (None, rest)),
    }
}

#[inline]
pub(super) fn get<'a>(bytes: &'a [u8], key: &str) -> Result<&'a [u8], Unusable> {
    let (Head::Map(pairs), mut rest) = head(bytes)? else { return Err(Unusable::Missing) };
    for _ in 0..pairs {
        let (found, value) = pair(rest)?;
        if found == Some(key.as_bytes()) {
            return Ok(value);
        }
        rest = skip(value, super::DEPTH_MAX)?;
    }
    Err(Unusable::Missing)
}

pub(super) fn at(bytes: &[u8], index: usize) -> Result<&[u8], Unusable> {
    let (Head::List(items), rest) = head(bytes)? else { return Err(Unusable::Missing) };
    if index >= items {
        return Err(Unusable::Missing);
    }
    skip_items(rest, index, super::DEPTH_MAX)
}

pub(super) fn any<'a>(
    bytes: &'a [u8],
    mut wanted: impl FnMut(&'a [u8]) -> Result<bool, Unusable>,
) -> Result<bool, Unusable> {
    let (Head::List(items), mut rest) = head(bytes)? else { return Ok(false) };
    for _ in 0..items {
        if wanted(rest)? {
            return Ok(true);
        }
        rest = skip(rest, super::DEPTH_MAX)?;
    }
    Ok(false)
}

pub(super) fn len(bytes: &[u8]) -> Result<Option<usize>, Unusable> {
    Ok(match head(bytes)?.0 {
        Head::List(n) | Head::Map(n) => Some(n),
        _ => None,
    })
}

/// How many entries a map has, and where they begin; none where it is no map.
pub(super) fn map(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, Unusable> {
    let (head, rest) = head(bytes)?;
    Ok(if let Head::Map(pairs) = head { Some((pairs, rest)) } else { None })
}

/// The next entry of a map: its key where that is text, the key's bytes, and the value's.
#[expect(clippy::type_complexity, reason = "named at once by its only caller")]
pub(super) fn entry(bytes: &[u8]) -> Result<(Option<&str>, &[u8], &[u8]), Unusable> {
    let (key, value) = pair(bytes)?;
    let key = key.map(str::from_utf8).transpose().map_err(|_| Unusable::Malformed)?;
    let key_bytes = bytes.get(..bytes.len() - value.len()).ok_or(Unusable::Malformed)?;
    Ok((key, key_bytes, value))
}
