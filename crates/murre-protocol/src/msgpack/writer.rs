//! MessagePack values in their shortest encodings, appended to a buffer in memory.
//!
//! Writing to a `Vec` never fails, so the results of [`rmp::encode`] are dropped, here and nowhere else.

use rmp::encode;

const UINT_64_BITS: u8 = 0xcf;
/// Texts shorter than this have their length in the first byte, with these bits.
const SHORT_TEXT: (usize, u8) = (32, 0xa0);
/// Byte strings shorter than this have a length of one byte behind this one.
const SHORT_BYTES: (usize, u8) = (256, 0xc4);

/// The shortest and the longest are written out, as are short texts and byte strings below: each message has several,
/// and [`encode`] goes through `io::Write` piece by piece.
#[inline]
pub(crate) fn uint(out: &mut Vec<u8>, n: u64) {
    if n < 0x80 {
        // Fits: less than 128.
        out.push(n as u8);
    } else if let Ok(n) = u32::try_from(n) {
        let _ = encode::write_uint(out, n.into());
    } else {
        let [a, b, c, d, e, f, g, h] = n.to_be_bytes();
        out.extend_from_slice(&[UINT_64_BITS, a, b, c, d, e, f, g, h]);
    }
}

#[inline]
pub(crate) fn sint(out: &mut Vec<u8>, n: i64) {
    let _ = encode::write_sint(out, n);
}

#[inline]
pub(crate) fn float(out: &mut Vec<u8>, n: f64) {
    let _ = encode::write_f64(out, n);
}

#[inline]
pub(crate) fn nil(out: &mut Vec<u8>) {
    let _ = encode::write_nil(out);
}

#[inline]
pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    let _ = encode::write_bool(out, value);
}

#[inline]
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    if text.len() < SHORT_TEXT.0 {
        // Fits: less than 32.
        out.push(SHORT_TEXT.1 | text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    } else {
        let _ = encode::write_str(out, text);
    }
}

#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() < SHORT_BYTES.0 {
        // Fits: less than 256.
        out.extend_from_slice(&[SHORT_BYTES.1, bytes.len() as u8]);
        out.extend_from_slice(bytes);
    } else {
        let _ = encode::write_bin(out, bytes);
    }
}

#[inline]
pub(crate) fn array(out: &mut Vec<u8>, items: usize) {
    let _ = encode::write_array_len(out, length(items));
}

#[inline]
pub(crate) fn map(out: &mut Vec<u8>, pairs: usize) {
    let _ = encode::write_map_len(out, length(pairs));
}

/// Nothing that is written here has 2^32 items: they would not fit into a packet.
fn length(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
