//! The cursor over JSON.
//!
//! What is passed over is checked as far as finding its end needs it: strings end at their quote, brackets pair.

use super::{Raw, Text, Unusable, Value};

const MALFORMED: Unusable = Unusable::Malformed;

/// `bytes` without the white space at the front.
#[inline]
pub(super) fn after_space(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// What stands behind `wanted` and the white space before it.
#[inline]
fn expect(bytes: &[u8], wanted: u8) -> Result<&[u8], Unusable> {
    match after_space(bytes) {
        [first, rest @ ..] if *first == wanted => Ok(rest),
        _ => Err(MALFORMED),
    }
}

/// The inside of a string whose opening quote is passed, whether it has escapes, and what stands behind it.
#[inline]
fn string(inside: &[u8]) -> Result<(&[u8], bool, &[u8]), Unusable> {
    let (mut at, mut escaped) = (0, false);
    loop {
        let rest = inside.get(at..).ok_or(MALFORMED)?;
        let found = memchr::memchr2(b'"', b'\\', rest).ok_or(MALFORMED)?;
        let end = at + found;
        if inside.get(end) == Some(&b'"') {
            let text = inside.get(..end).ok_or(MALFORMED)?;
            return Ok((text, escaped, inside.get(end + 1..).ok_or(MALFORMED)?));
        }
        escaped = true;
        at = end + 2;
    }
}

/// The length of a number's text.
#[inline]
fn number_length(bytes: &[u8]) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    bytes.iter().position(|byte| !is_part(byte)).unwrap_or(bytes.len())
}

fn number(bytes: &[u8]) -> Result<Value<'_>, Unusable> {
    let text =
        bytes.get(..number_length(bytes)).and_then(|text| str::from_utf8(text).ok()).ok_or(MALFORMED)?;
    let is_whole = memchr::memchr3(b'.', b'e', b'E', text.as_bytes()).is_none();
    if is_whole && let Ok(n) = text.parse::<i64>() {
        return Ok(Value::Int(n.into()));
    }
    if is_whole && let Ok(n) = text.parse::<u64>() {
        return Ok(Value::Int(n.into()));
    }
    text.parse().map(Value::Double).map_err(|_| MALFORMED)
}

#[inline]
pub(super) fn value(bytes: &[u8]) -> Result<Value<'_>, Unusable> {
    let bytes = after_space(bytes);
    match bytes {
        [b'"', inside @ ..] => string(inside).and_then(|(text, escaped, _)| text_value(text, escaped)),
        [b'{', ..] => Ok(Value::Map(Raw::Json(bytes))),
        [b'[', ..] => Ok(Value::List(Raw::Json(bytes))),
        [b'-' | b'0'..=b'9', ..] => number(bytes),
        _ if bytes.starts_with(b"true") => Ok(Value::Bool(true)),
        _ if bytes.starts_with(b"false") => Ok(Value::Bool(false)),
        _ if bytes.starts_with(b"null") => Ok(Value::Null),
        _ => Err(MALFORMED),
    }
}

fn text_value(text: &[u8], escaped: bool) -> Result<Value<'_>, Unusable> {
    let text = str::from_utf8(text).map_err(|_| MALFORMED)?;
    Ok(Value::Text(if escaped { Text::Escaped(text) } else { Text::Plain(text) }))
}

/// A string's text from its inside.
pub(super) fn unescape(inside: &str) -> Result<String, Unusable> {
    serde_json::from_str(&format!("\"{inside}\"")).map_err(|_| MALFORMED)
}

/// Passes over one value.
pub(super) fn skip(bytes: &[u8], depth: u32) -> Result<&[u8], Unusable> {
    let bytes = after_space(bytes);
    match bytes {
        [b'"', inside @ ..] => string(inside).map(|(_, _, rest)| rest),
        [b'{', rest @ ..] => skip_items(rest, b'}', depth),
        [b'[', rest @ ..] => skip_items(rest, b']', depth),
        [b'-' | b'0'..=b'9', ..] => bytes.get(number_length(bytes)..).ok_or(MALFORMED),
        _ => {
            let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| bytes.starts_with(word));
            word.and_then(|word| bytes.get(word.len()..)).ok_or(MALFORMED)
        }
    }
}

fn skip_items(mut rest: &[u8], close: u8, depth: u32) -> Result<&[u8], Unusable> {
    let depth = depth.checked_sub(1).ok_or(MALFORMED)?;
    let mut first = true;
    while let Some(at) = next(rest, close, first)? {
        rest = if close == b'}' { key(at)?.2 } else { at };
        rest = skip(rest, depth)?;
        first = false;
    }
    expect(rest, close)
}

/// Where the next item or key begins; none where the list or map ends.
#[inline]
fn next(rest: &[u8], close: u8, first: bool) -> Result<Option<&[u8]>, Unusable> {
    match after_space(rest) {
        [byte, ..] if *byte == close => Ok(None),
        at if first => Ok(Some(at)),
        [b',', at @ ..] => Ok(Some(after_space(at))),
        _ => Err(MALFORMED),
    }
}

/// A key's inside, whether it has escapes, and its value's bytes.
#[inline]
fn key(at: &[u8]) -> Result<(&[u8], bool, &[u8]), Unusable> {
    let (text, escaped, rest) = string(expect(at, b'"')?)?;
    Ok((text, escaped, expect(rest, b':')?))
}

#[inline]
pub(super) fn get<'a>(bytes: &'a [u8], wanted: &str) -> Result<&'a [u8], Unusable> {
    let [b'{', rest @ ..] = after_space(bytes) else { return Err(Unusable::Missing) };
    let (mut rest, mut first) = (rest, true);
    while let Some(at) = next(rest, b'}', first)? {
        let (text, escaped, value) = key(at)?;
        if text == wanted.as_bytes() && !escaped || escaped && is_text(text, wanted) {
            return Ok(value);
        }
        rest = skip(value, super::DEPTH_MAX)?;
        first = false;
    }
    Err(Unusable::Missing)
}

fn is_text(inside: &[u8], wanted: &str) -> bool {
    text_value(inside, true).is_ok_and(|value| matches!(value, Value::Text(text) if text == *wanted))
}

pub(super) fn at(bytes: &[u8], index: usize) -> Result<&[u8], Unusable> {
    let [b'[', rest @ ..] = after_space(bytes) else { return Err(Unusable::Missing) };
    let (mut rest, mut passed) = (rest, 0);
    while let Some(at) = next(rest, b']', passed == 0)? {
        if passed == index {
            return Ok(at);
        }
        rest = skip(at, super::DEPTH_MAX)?;
        passed += 1;
    }
    Err(Unusable::Missing)
}

pub(super) fn any<'a>(
    bytes: &'a [u8],
    mut wanted: impl FnMut(&'a [u8]) -> Result<bool, Unusable>,
) -> Result<bool, Unusable> {
    let [b'[', rest @ ..] = after_space(bytes) else { return Ok(false) };
    let (mut rest, mut first) = (rest, true);
    while let Some(at) = next(rest, b']', first)? {
        if wanted(at)? {
            return Ok(true);
        }
        rest = skip(at, super::DEPTH_MAX)?;
        first = false;
    }
    Ok(false)
}

pub(super) fn len(bytes: &[u8]) -> Result<Option<usize>, Unusable> {
    let (close, rest) = match after_space(bytes) {
        [b'{', rest @ ..] => (b'}', rest),
        [b'[', rest @ ..] => (b']', rest),
        _ => return Ok(None),
    };
    let (mut rest, mut length) = (rest, 0);
    while let Some(at) = next(rest, close, length == 0)? {
        let value = if close == b'}' { key(at)?.2 } else { at };
        rest = skip(value, super::DEPTH_MAX)?;
        length += 1;
    }
    Ok(Some(length))
}

/// Where a map's entries begin; none where it is no map.
pub(super) fn map(bytes: &[u8]) -> Option<&[u8]> {
    if let [b'{', rest @ ..] = after_space(bytes) { Some(rest) } else { None }
}

/// The next entry of a map: its key, the key's bytes with quotes, and the value's; none at the map's end.
#[expect(clippy::type_complexity, reason = "named at once by its only caller")]
pub(super) fn entry(rest: &[u8], first: bool) -> Result<Option<(Text<'_>, &[u8], &[u8])>, Unusable> {
    let Some(at) = next(rest, b'}', first)? else { return Ok(None) };
    let (inside, escaped, value) = key(at)?;
    let Value::Text(text) = text_value(inside, escaped)? else { return Err(MALFORMED) };
    let key_bytes = at.get(..inside.len() + 2).ok_or(MALFORMED)?;
    Ok(Some((text, key_bytes, value)))
}
