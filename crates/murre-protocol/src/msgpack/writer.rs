//! MessagePack values in their shortest encodings, appended to a buffer in memory.
//!
//! Writing to a `Vec` never fails, so the results of [`rmp::encode`] are dropped, here and nowhere else.

use rmp::encode;

#[inline]
pub(crate) fn uint(out: &mut Vec<u8>, n: u64) {
    let _ = encode::write_uint(out, n);
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
    let _ = encode::write_str(out, text);
}

#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let _ = encode::write_bin(out, bytes);
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
