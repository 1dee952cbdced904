//! Positions: where a message stands in the order of its shard.

use std::fmt;

/// A message's place: `offset << 8 | shard`. Of two positions with the same shard the greater one is later.
///
/// Stays below 2^53, so that JavaScript's numbers hold it. Zero is for messages made for one client alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(u64);

impl Position {
    /// The position of messages made for one client alone.
    pub const NONE: Self = Self(0);
    /// The greatest value on the wire.
    pub const MAX: u64 = (1 << 53) - 1;

    /// The position of `offset` in `shard`; offsets begin at 1.
    pub fn new(offset: u64, shard: u8) -> Self {
        Self(offset << 8 | u64::from(shard))
    }

    /// A position as it came over the wire; none past [`Position::MAX`].
    pub fn from_wire(value: u64) -> Option<Self> {
        (value <= Self::MAX).then_some(Self(value))
    }

    /// The number for the wire.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The shard: the low 8 bits.
    pub fn shard(self) -> u8 {
        (self.0 & 0xff) as u8
    }

    /// The offset within the shard.
    pub fn offset(self) -> u64 {
        self.0 >> 8
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.offset(), self.shard())
    }
}
