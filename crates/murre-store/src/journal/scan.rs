//! Finds whole batches in a journal.
//!
//! ```text
//! batch: 1 | count: u32 | number: u64 | count × item | 3 | xxh3 of the items: u64 | "FJL" 3
//! item:  2 | kind: u8 | compression: u8 | keyspace: u64 | key length: u16 | value length: u32 | length on disk: u32
//!          | key | value
//!      | 4 | keyspace: u64
//! ```
//! Numbers are little endian. Behind the last batch there are zeros: the file is made longer than it needs to be. This
//! is the format of fjall 3; a test writes journals with it and reads them here.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// No two batches in a row have numbers that are further apart.
const FAR: u64 = 1 << 24;
/// Before the items of a batch.
pub(super) const HEAD: usize = 13;
const MAGIC: [u8; 4] = *b"FJL\x03";

/// What is in a journal.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Whole batches in order.
    pub(super) batches: Vec<Batch>,
    /// What is neither a batch nor the zeros at the end.
    pub(super) damages: Vec<Range<usize>>,
}

/// A whole batch.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// The engine's number of it.
    pub(super) number: u64,
    /// Whether the journal has another number, which can't be right.
    pub(super) is_renumbered: bool,
    /// Where it stands.
    pub(super) range: Range<usize>,
}

/// The journal without the zeros at its end, which are most of it: so whole pieces of them are passed over at once.
fn used(bytes: &[u8]) -> usize {
    const ZEROS: [u8; 4096] = [0; 4096];
    let pieces = bytes.rchunks_exact(ZEROS.len()).take_while(|piece| *piece == ZEROS).count();
    let rest = bytes.get(..bytes.len() - pieces * ZEROS.len()).unwrap_or_default();
    rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

impl Scan {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut scan = Self::default();
        let used = used(bytes);
        let mut at = 0;
        // a batch may end in zeros nowhere: its last byte is that of the magic word
        while at < used {
            if let Some(batch) = batch_at(bytes, at) {
                at = batch.range.end;
                scan.batches.push(batch);
                continue;
            }
            let next = (at + 1..used).find(|place| batch_at(bytes, *place).is_some());
            scan.damages.push(at..next.unwrap_or(used));
            at = next.unwrap_or(used);
        }
        scan.check_numbers();
        scan
    }

    /// A batch's number is not covered by its checksum. Since numbers rise, a wrong one shows, and what is in the batch
    /// is good all the same; left as it is, it would put later writes of a key behind earlier ones.
    fn check_numbers(&mut self) {
        let numbers: Vec<u64> = self.batches.iter().map(|batch| batch.number).collect();
        let mut before = None;
        for (place, batch) in self.batches.iter_mut().enumerate() {
            let next =
                numbers.get(place + 1).copied().filter(|next| before.is_none_or(|before| *next > before + 1));
            let least = before.map_or(0, |before: u64| before + 1);
            let most = next.map_or(u64::MAX, |next| next - 1).min(before.map_or(u64::MAX, |_| least + FAR));
            if !(least..=most).contains(&batch.number) {
                batch.number = if before.is_some() { least } else { most };
                batch.is_renumbered = true;
            }
            before = Some(batch.number);
        }
    }
}

/// The whole batch that begins at `at`.
fn batch_at(bytes: &[u8], at: usize) -> Option<Batch> {
    let mut reader = Reader { bytes, at };
    if reader.byte()? != START {
        return None;
    }
    let (count, number) = (u32::from_le_bytes(reader.array()?), u64::from_le_bytes(reader.array()?));
    let items = at + HEAD;
    for _ in 0..count {
        reader.item()?;
    }
    let items = bytes.get(items..reader.at)?;
    if reader.byte()? != END {
        return None;
    }
    let (checksum, magic) = (u64::from_le_bytes(reader.array()?), reader.array::<4>()?);
    let is_whole = magic == MAGIC && xxh3_64(items) == checksum;
    is_whole.then_some(Batch { number, is_renumbered: false, range: at..reader.at })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(array)
    }

    fn item(&mut self) -> Option<()> {
        match self.byte()? {
            ITEM => {
                let [kind, compression] = self.array()?;
                if kind > 4 || compression > 1 {
                    return None;
                }
                self.array::<8>()?;
                let key = u16::from_le_bytes(self.array()?) as usize;
                self.array::<4>()?;
                let value = u32::from_le_bytes(self.array()?) as usize;
                self.at = self.at.checked_add(key + value).filter(|end| *end <= self.bytes.len())?;
            }
            CLEAR => drop(self.array::<8>()?),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zeros_at_the_end_are_not_used() {
        for (length, last) in
            [(0_usize, 0_usize), (1, 1), (4096, 5), (4096, 4096), (10_000, 4097), (10_000, 9_999)]
        {
            let mut bytes = vec![0; length];
            if let Some(byte) = last.checked_sub(1).and_then(|at| bytes.get_mut(at)) {
                *byte = 1;
            }
            assert_eq!(used(&bytes), last, "{length}");
        }
    }
}
