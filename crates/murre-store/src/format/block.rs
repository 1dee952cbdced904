//! Some kilobytes of records in a row: the unit in which the log is written and read.
//!
//! ```text
//! version: u8 | count: u32 | first offset: u64 | first time: u64 | count × length: u32 | checksum of all that: u32
//! count × (checksum: u32 | record)
//! ```
//! The lengths stand in front with a checksum of their own, so that damage to one record leaves the others readable.
//! Numbers are little endian, checksums CRC-32 (IEEE).

use murre_protocol::Timestamp;

use super::record::{Base, RecordRef};

const VERSION: u8 = 1;
const HEAD: usize = 21;
const CHECKSUM: usize = 4;

/// A block closes with the record that brings it to so many bytes.
pub(crate) const BLOCK_BYTES: usize = 4096;

/// A block in the making.
#[derive(Debug)]
pub(crate) struct BlockBuilder {
    records: Vec<u8>,
    lengths: Vec<u32>,
    base: Option<Base>,
}

impl Default for BlockBuilder {
    /// With room for a block.
    fn default() -> Self {
        Self { records: Vec::with_capacity(2 * BLOCK_BYTES), lengths: Vec::with_capacity(64), base: None }
    }
}

impl BlockBuilder {
    /// Appends a record behind all that are in it.
    pub(crate) fn push(&mut self, record: &RecordRef<'_>) {
        let base = *self.base.get_or_insert(Base { offset: record.offset, time: record.time });
        let start = self.records.len();
        self.records.extend_from_slice(&[0; CHECKSUM]);
        record.encode(base, &mut self.records);
        let (room, written) = self.records.split_at_mut(start + CHECKSUM);
        if let Some(room) = room.last_chunk_mut() {
            *room = crc32fast::hash(written).to_le_bytes();
        }
        self.lengths.push((self.records.len() - start - CHECKSUM) as u32);
    }

    /// Whether it is large enough.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= BLOCK_BYTES
    }

    /// How many records it has.
    pub(crate) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// The offset of the first record, which names the block.
    pub(crate) fn first(&self) -> Option<u64> {
        Some(self.base?.offset)
    }

    /// The block, and the builder is empty again; none where nothing is in it.
    pub(crate) fn finish(&mut self) -> Option<(u64, Vec<u8>)> {
        let base = self.base.take()?;
        let head = HEAD + self.lengths.len() * 4;
        let mut out = Vec::with_capacity(head + CHECKSUM + self.records.len());
        out.push(VERSION);
        out.extend_from_slice(&(self.lengths.len() as u32).to_le_bytes());
        out.extend_from_slice(&base.offset.to_le_bytes());
        out.extend_from_slice(&base.time.millis().to_le_bytes());
        for length in &self.lengths {
            out.extend_from_slice(&length.to_le_bytes());
        }
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&self.records);
        self.records.clear();
        self.lengths.clear();
        Some((base.offset, out))
    }
}

/// What is wrong with a block or a record in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlockDamage {
    /// Nothing of it can be read.
    #[error("the head of the block doesn't match its checksum")]
    Head,
    /// It is shorter than its head says.
    #[error("the block is {have} bytes long and should have {want}")]
    Length {
        /// What there is.
        have: usize,
        /// What its head says.
        want: usize,
    },
    /// One record can't be read.
    #[error("record {slot} of the block doesn't match its checksum")]
    Record {
        /// Which, from 0.
        slot: usize,
    },
}

/// A block whose head was checked.
#[derive(Debug, Clone)]
pub(crate) struct Block<'a> {
    base: Base,
    lengths: &'a [u8],
    records: &'a [u8],
    /// The place of the next record, and how many bytes are before it: records are asked for in order.
    next: (usize, usize),
}

impl<'a> Block<'a> {
    /// Reads the head.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, BlockDamage> {
        Self::head(bytes).ok_or(BlockDamage::Head).and_then(|block| {
            let lengths = block.lengths.as_chunks().0.iter();
            let want = lengths.map(|length| u32::from_le_bytes(*length) as usize + CHECKSUM).sum();
            let have = block.records.len();
            // what is there of a block that was cut is still good, but none is ever written so
            if have == want { Ok(block) } else { Err(BlockDamage::Length { have, want }) }
        })
    }

    fn head(bytes: &'a [u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (lengths, rest) = rest.split_at_checked(count.checked_mul(4)?)?;
        let (checksum, records) = rest.split_first_chunk()?;
        let head = bytes.get(..HEAD + lengths.len())?;
        if version != VERSION || crc32fast::hash(head) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let base = Base {
            offset: u64::from_le_bytes(*offset),
            time: Timestamp::from_millis(u64::from_le_bytes(*time)),
        };
        Some(Self { base, lengths, records, next: (0, 0) })
    }

    /// How many records it has.
    pub(crate) fn len(&self) -> usize {
        self.lengths.len() / 4
    }

    /// A record, checked. Quick where records are asked for in rising order.
    pub(crate) fn record(&mut self, slot: usize) -> Result<RecordRef<'a>, BlockDamage> {
        self.find(slot).ok_or(BlockDamage::Record { slot })
    }

    fn find(&mut self, slot: usize) -> Option<RecordRef<'a>> {
        let lengths = self.lengths.as_chunks().0;
        let (mut place, mut before) = if slot < self.next.0 { (0, 0) } else { self.next };
        for length in lengths.get(place..slot)? {
            before += CHECKSUM + u32::from_le_bytes(*length) as usize;
            place += 1;
        }
        let length = u32::from_le_bytes(*lengths.get(slot)?) as usize;
        self.next = (place, before);
        let (checksum, rest) = self.records.get(before..)?.split_first_chunk()?;
        let record = rest.get(..length)?;
        if crc32fast::hash(record) != u32::from_le_bytes(*checksum) {
            return None;
        }
        RecordRef::decode(record, self.base)
    }
}

#[cfg(test)]
mod tests {
    use murre_protocol::codec::HasOptions;
    use proptest::prelude::*;

    use super::*;

    /// Offset behind the one before, time, whether it expires, flags, tail.
    type Made = (u64, u64, Option<u64>, u8, Vec<u8>);

    /// What records of a block may look like.
    fn records() -> impl Strategy<Value = Vec<Made>> {
        let tail = proptest::collection::vec(any::<u8>(), 0..40);
        let record = (1..1u64 << 30, 0..1u64 << 50, any::<Option<u64>>(), 0..32u8, tail);
        proptest::collection::vec(record, 1..20)
    }

    /// Builds a block by reading each record back from one of its own, as a segment that is written anew does.
    fn build(records: &[Made]) -> Vec<u8> {
        let (mut builder, mut offset) = (BlockBuilder::default(), 0);
        for (step, time, expires, flags, tail) in records {
            offset += step;
            let mut bytes = vec![flags & !8 | if expires.is_some() { 8 } else { 0 }, 0, 0];
            bytes.extend_from_slice(&time.to_le_bytes());
            bytes.push(1);
            bytes.extend(expires.map(|_| 2));
            bytes.extend_from_slice(tail);
            let base = Base { offset, time: Timestamp::from_millis(*time) };
            builder.push(&RecordRef::decode(&bytes, base).unwrap());
        }
        builder.finish().unwrap().1
    }

    proptest! {
        #[test]
        fn a_block_gives_its_records_back(records in records()) {
            let bytes = build(&records);
            let mut block = Block::parse(&bytes).unwrap();
            let mut offset = 0;
            prop_assert_eq!(block.len(), records.len());
            for (slot, (step, time, expires, flags, tail)) in records.iter().enumerate() {
                offset += step;
                let record = block.record(slot).unwrap();
                prop_assert_eq!((record.offset, record.time.millis(), record.tail), (offset, *time, tail.as_slice()));
                prop_assert_eq!(record.expires.map(|at| at.millis()), expires.map(|_| time + 1));
                prop_assert_eq!((record.retain, record.ends), (flags & 1 != 0, flags & 2 != 0));
                prop_assert_eq!(record.has_options, HasOptions(flags & 4 != 0));
            }
            // backwards too
            prop_assert!((0..records.len()).rev().all(|slot| block.record(slot).is_ok()));
        }

        #[test]
        fn a_flipped_bit_costs_one_record_or_the_block(records in records(), at: prop::sample::Index, bit in 0..8u8) {
            let mut bytes = build(&records);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let lost = match Block::parse(&bytes) {
                Err(_) => records.len(),
                Ok(mut block) => (0..block.len()).filter(|slot| block.record(*slot).is_err()).count(),
            };
            prop_assert!(lost == 1 || lost == records.len(), "{lost} of {} lost", records.len());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(mut block) = Block::parse(&bytes) {
                let _ = (0..block.len()).filter(|slot| block.record(*slot).is_ok()).count();
            }
            let _ = RecordRef::decode(&bytes, Base { offset: 1, time: Timestamp::default() });
        }
    }
}
