//! The records of a spool's files. Pure.
//!
//! A record is `"MR"`, a kind (1 byte), the body's length (4), a sequence (8), a checksum of these (4), the body, and
//! a checksum of the body (8), numbers with the highest byte first. The header's own checksum tells a record that is
//! damaged inside, which is passed over, from bytes that are none, behind which the next whole header is looked for.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const MAGIC: [u8; 2] = *b"MR";
const HEADER_BYTES: usize = 19;
const CHECK_BYTES: usize = 8;
/// What a record takes beside its body.
pub(super) const OVERHEAD_BYTES: usize = HEADER_BYTES + CHECK_BYTES;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The body is the packet of the message `sequence`.
    Message,
    /// Every message up to `sequence` is done with, and those in the body, 8 bytes each.
    Done,
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Message => 1,
            Self::Done => 2,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [Self::Message, Self::Done].into_iter().find(|kind| kind.number() == number)
    }
}

/// A whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    pub(super) sequence: u64,
    pub(super) body: &'a [u8],
}

/// What there is at some place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A record.
    Record(Record<'a>),
    /// Bytes that are no whole record.
    Damage,
}

/// Appends a record to `out`.
pub(super) fn write(record: Record<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.push(record.kind.number());
    // A body is a packet of at most 32 bits of length, which the spool has checked.
    out.extend_from_slice(&u32::try_from(record.body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&record.sequence.to_be_bytes());
    let check = header_check(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&check);
    out.extend_from_slice(record.body);
    out.extend_from_slice(&body_check(record.sequence, record.body));
}

/// What is at the beginning of `bytes`, and where the next begins; nothing where `bytes` is empty. Damage goes on to
/// the next whole header, or to the end.
pub(super) fn read(bytes: &[u8]) -> Option<(Found<'_>, usize)> {
    if bytes.is_empty() {
        return None;
    }
    let Some((kind, sequence, length)) = header(bytes) else {
        let next = (1..bytes.len()).find(|&at| bytes.get(at..).and_then(header).is_some());
        return Some((Found::Damage, next.unwrap_or(bytes.len())));
    };
    let end = HEADER_BYTES + length;
    let body = bytes.get(HEADER_BYTES..end);
    let (Some(body), Some(check)) = (body, bytes.get(end..end + CHECK_BYTES)) else {
        return Some((Found::Damage, bytes.len()));
    };
    let found = match check == body_check(sequence, body) {
        true => Found::Record(Record { kind, sequence, body }),
        false => Found::Damage,
    };
    Some((found, end + CHECK_BYTES))
}

fn header(bytes: &[u8]) -> Option<(Kind, u64, usize)> {
    let (header, check) = bytes.get(..HEADER_BYTES)?.split_at_checked(HEADER_BYTES - 4)?;
    if !header.starts_with(&MAGIC) || header_check(header) != check {
        return None;
    }
    let kind = Kind::from_number(*header.get(2)?)?;
    let length = u32::from_be_bytes(header.get(3..7)?.try_into().ok()?);
    let sequence = u64::from_be_bytes(header.get(7..15)?.try_into().ok()?);
    Some((kind, sequence, usize::try_from(length).ok()?))
}

fn header_check(header: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = xxh3_64(header).to_be_bytes();
    [a, b, c, d]
}

fn body_check(sequence: u64, body: &[u8]) -> [u8; 8] {
    xxh3_64_with_seed(body, sequence).to_be_bytes()
}

/// The body of a [`Kind::Done`].
pub(super) fn write_sequences(sequences: impl IntoIterator<Item = u64>) -> Vec<u8> {
    sequences.into_iter().flat_map(u64::to_be_bytes).collect()
}

/// Reads what [`write_sequences`] wrote.
pub(super) fn read_sequences(body: &[u8]) -> impl Iterator<Item = u64> {
    body.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok().map(u64::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
        // Bodies with the magic in them, to be taken for records.
        let byte = prop_oneof![Just(b'M'), Just(b'R'), any::<u8>()];
        prop::collection::vec(prop::collection::vec(byte, 0..60), 1..8)
    }

    fn written(bodies: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for (sequence, body) in bodies.iter().enumerate() {
            write(Record { kind: Kind::Message, sequence: sequence as u64, body }, &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    /// The sequences of the whole records in `bytes`; each has to have its body.
    fn sequences(mut bytes: &[u8], bodies: &[Vec<u8>]) -> Vec<u64> {
        let mut sequences = Vec::new();
        while let Some((found, end)) = read(bytes) {
            if let Found::Record(record) = found {
                assert_eq!(record.body, bodies[record.sequence as usize]);
                sequences.push(record.sequence);
            }
            bytes = &bytes[end..];
        }
        sequences
    }

    proptest! {
        #[test]
        fn of_a_file_cut_anywhere_every_whole_record_is_read(bodies in bodies(), cut: prop::sample::Index) {
            let (bytes, ends) = written(&bodies);
            let cut = cut.index(bytes.len() + 1);
            let whole = ends.iter().filter(|&&end| end <= cut).count() as u64;
            prop_assert_eq!(sequences(&bytes[..cut], &bodies), (0..whole).collect::<Vec<_>>());
        }

        #[test]
        fn a_flipped_bit_costs_the_record_that_it_is_in_and_no_other(bodies in bodies(), at: prop::sample::Index, bit in 0..8) {
            let (mut bytes, ends) = written(&bodies);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let hit = ends.iter().filter(|&&end| end <= at).count() as u64;
            let others = (0..bodies.len() as u64).filter(|&sequence| sequence != hit);
            prop_assert_eq!(sequences(&bytes, &bodies), others.collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = bytes.as_slice();
            while let Some((_, end)) = read(rest) {
                prop_assert!(end > 0);
                rest = &rest[end..];
            }
        }
    }
}
