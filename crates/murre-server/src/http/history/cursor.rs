//! Where an answer ended, as an opaque text: what `after` takes.
//!
//! Before base64 it is: the version (1), the epoch's length and the epoch, shard and offset for each shard that
//! something was given of, in the order of shards, and a checksum of all that. Lengths and offsets are LEB128. In
//! version 2, behind a view whose windows were open, the time up to which was read follows the epoch, and each offset is
//! followed by how far before it the windows begin.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use murre_protocol::{Position, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

/// Nothing is held.
const PLAIN: u8 = 1;
/// Open windows hold something.
const HOLDING: u8 = 2;
/// Bytes of the checksum.
const CHECKSUM: usize = 4;

/// How far an answer went in each shard, and in which run of positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    epoch: String,
    /// One for each shard at most, in the order of shards.
    positions: Vec<Position>,
    /// What a view's open windows hold.
    held: Option<Held>,
}

/// What open windows hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    /// Up to when the answer had read.
    until: Timestamp,
    /// For each of the positions, up to where nothing before it is held.
    from: Vec<Position>,
}

/// Why a cursor can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CursorError {
    /// Something else, or a part of one.
    #[error("this is no cursor, or a damaged one; hand back what came as next, whole and unchanged")]
    Damaged,
    /// Made by a later broker.
    #[error(
        "this cursor is of version {0}, and this broker knows versions 1 and 2; begin again without after"
    )]
    Version(
        /// The version.
        u8,
    ),
    /// Of another run of positions.
    #[error(
        "this cursor is of another store, or from before a broker without a store was started again; begin again \
         without after"
    )]
    Epoch,
}

impl Cursor {
    /// Before the first message of all shards.
    pub(crate) fn new(epoch: &str) -> Self {
        Self { epoch: epoch.to_owned(), positions: Vec::new(), held: None }
    }

    /// Takes note of what a view's open windows hold of what was read until then: `cap` gives the greatest position up
    /// to which they hold nothing. That holds until the cursor is [raised](Self::raise) again.
    pub(crate) fn hold(&mut self, until: Timestamp, cap: impl Fn(Position) -> Position) {
        let from = self.positions.iter().map(|position| cap(*position)).collect();
        self.held = (from != self.positions).then_some(Held { until, from });
    }

    /// The position up to which open windows hold nothing of a shard; [`Position::NONE`] where that is its beginning.
    pub(crate) fn held_from(&self, shard: u8) -> Position {
        let found = self.positions.binary_search_by_key(&shard, |position| position.shard());
        let held = self.held.as_ref().and_then(|held| held.from.get(found.ok()?)).copied();
        held.map_or_else(
            || self.of_shard(shard),
            |from| if from.offset() == 0 { Position::NONE } else { from },
        )
    }

    /// Up to when the answer had read that ended with open windows; the beginning of time for others.
    pub(crate) fn read_until(&self) -> Timestamp {
        self.held.as_ref().map_or(Timestamp::default(), |held| held.until)
    }

    /// Takes note that everything of this position's shard was given, up to it. One that is behind changes nothing.
    pub(crate) fn raise(&mut self, to: Position) {
        if to.offset() == 0 {
            return;
        }
        self.held = None;
        match self.positions.binary_search_by_key(&to.shard(), |position| position.shard()) {
            Ok(at) => {
                if let Some(position) = self.positions.get_mut(at) {
                    *position = to.max(*position);
                }
            }
            Err(at) => self.positions.insert(at, to),
        }
    }

    /// The position up to which everything of a shard was given; [`Position::NONE`] where nothing was.
    pub(crate) fn of_shard(&self, shard: u8) -> Position {
        let found = self.positions.binary_search_by_key(&shard, |position| position.shard());
        found.ok().and_then(|at| self.positions.get(at)).copied().unwrap_or(Position::NONE)
    }

    /// Reads what [`Cursor`]'s `Display` wrote, of the run of positions `epoch`.
    ///
    /// # Errors
    /// The text is something else, damaged, or of another epoch.
    pub(crate) fn parse(text: &str, epoch: &str) -> Result<Self, CursorError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Damaged)?;
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(CursorError::Damaged)?;
        if *checksum != checksum_of(content) {
            return Err(CursorError::Damaged);
        }
        match content.split_first() {
            Some((version @ (&PLAIN | &HOLDING), rest)) => {
                let cursor = read(rest, *version == HOLDING).ok_or(CursorError::Damaged)?;
                if cursor.epoch == epoch { Ok(cursor) } else { Err(CursorError::Epoch) }
            }
            Some((&version, _)) => Err(CursorError::Version(version)),
            None => Err(CursorError::Damaged),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![if self.held.is_some() { HOLDING } else { PLAIN }];
        write_uint(self.epoch.len() as u64, &mut bytes);
        bytes.extend_from_slice(self.epoch.as_bytes());
        if let Some(held) = &self.held {
            write_uint(held.until.millis(), &mut bytes);
        }
        for (at, position) in self.positions.iter().enumerate() {
            bytes.push(position.shard());
            write_uint(position.offset(), &mut bytes);
            if let Some(from) = self.held.as_ref().and_then(|held| held.from.get(at)) {
                write_uint(position.offset() - from.offset(), &mut bytes);
            }
        }
        let checksum = checksum_of(&bytes);
        bytes.extend_from_slice(&checksum);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Epoch and positions; none where they are not as they were written.
fn read(mut rest: &[u8], is_holding: bool) -> Option<Cursor> {
    let length = usize::try_from(read_uint(&mut rest)?).ok()?;
    let (epoch, mut rest) = rest.split_at_checked(length)?;
    let mut cursor = Cursor::new(std::str::from_utf8(epoch).ok()?);
    if is_holding {
        let until = Timestamp::from_millis(read_uint(&mut rest)?);
        cursor.held = Some(Held { until, from: Vec::new() });
    }
    while let Some((&shard, behind)) = rest.split_first() {
        rest = behind;
        let offset = read_uint(&mut rest)?;
        let position = Position::from_wire(offset.checked_mul(256)?.checked_add(shard.into())?)?;
        let in_order = cursor.positions.last().is_none_or(|last| last.shard() < shard);
        if offset == 0 || !in_order {
            return None;
        }
        cursor.positions.push(position);
        if let Some(held) = &mut cursor.held {
            let from = offset.checked_sub(read_uint(&mut rest)?)?;
            held.from.push(Position::new(from, shard));
        }
    }
    Some(cursor)
}

/// The checksum finds what was cut or mistyped; it keeps nobody from making cursors up, who would gain nothing by it.
fn checksum_of(content: &[u8]) -> [u8; CHECKSUM] {
    (xxh3_64(content) as u32).to_be_bytes()
}

fn write_uint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn read_uint(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: &str = "9f0c2a7d5b1e4c33";

    fn cursor(positions: &[Position]) -> Cursor {
        let mut cursor = Cursor::new(EPOCH);
        positions.iter().for_each(|position| cursor.raise(*position));
        cursor
    }

    #[test]
    fn a_cursor_stands_at_the_greatest_position_of_each_shard() {
        let cursor = cursor(&[7, 3, 9].map(|offset| Position::new(offset, 2)));
        assert_eq!(cursor.of_shard(2), Position::new(9, 2));
        assert_eq!(cursor.of_shard(3), Position::NONE);
    }

    #[test]
    fn behind_open_windows_a_cursor_stands_where_they_begin_too() {
        let mut cursor =
            cursor(&[(9, 2), (5, 3), (4, 7)].map(|(offset, shard)| Position::new(offset, shard)));
        let from = [(2, 6), (3, 5), (7, 0)];
        let cap = |position: Position| {
            let (shard, offset) = *from.iter().find(|(shard, _)| *shard == position.shard()).unwrap();
            Position::new(offset, shard)
        };
        cursor.hold(Timestamp::from_millis(7_000), cap);
        let read = Cursor::parse(&cursor.to_string(), EPOCH).unwrap();
        assert_eq!(read.of_shard(2), Position::new(9, 2));
        let held = [2, 3, 7, 8].map(|shard| read.held_from(shard));
        assert_eq!(held, [Position::new(6, 2), Position::new(5, 3), Position::NONE, Position::NONE]);
        assert_eq!(read.read_until().millis(), 7_000);
    }

    #[test]
    fn of_sixteen_shards_it_is_short_enough_for_any_address() {
        let positions: Vec<_> = (0..16).map(|shard| Position::new(10_000_000_000, shard)).collect();
        assert!(cursor(&positions).to_string().len() < 200);
    }

    #[test]
    fn a_cursor_of_another_store_is_told_from_a_damaged_one() {
        let text = cursor(&[Position::new(5, 1)]).to_string();
        assert_eq!(Cursor::parse(&text, "another"), Err(CursorError::Epoch));
        for damaged in ["", "AQ", "next", "ö", "null", &text[1..], &text[..text.len() - 1]] {
            assert_eq!(Cursor::parse(damaged, EPOCH), Err(CursorError::Damaged), "{damaged}");
        }
    }

    #[test]
    fn a_cursor_of_a_later_broker_is_named_as_such() {
        let mut later = vec![3, 0];
        let checksum = checksum_of(&later);
        later.extend_from_slice(&checksum);
        let text = BASE64_URL_SAFE_NO_PAD.encode(later);
        assert_eq!(Cursor::parse(&text, EPOCH), Err(CursorError::Version(3)));
    }

    prop_compose! {
        fn any_cursor()(
            positions in prop::collection::vec((1..1_u64 << 45, any::<u8>()), 0..40),
            held in prop::option::of((0..1_u64 << 53, 0..1_u64 << 45)),
        ) -> Cursor {
            let positions: Vec<_> = positions.into_iter().map(|(o, s)| Position::new(o, s)).collect();
            let mut cursor = cursor(&positions);
            if let Some((until, from)) = held {
                let cap = |position: Position| position.min(Position::new(from, position.shard()));
                cursor.hold(Timestamp::from_millis(until), cap);
            }
            cursor
        }
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_way_through_an_address(cursor in any_cursor()) {
            let text = cursor.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(Cursor::parse(&text, EPOCH), Ok(cursor));
        }

        #[test]
        fn a_mistyped_character_is_found(cursor in any_cursor(), at: prop::sample::Index, to in "[A-Za-z0-9_-]") {
            let mut text = cursor.to_string();
            let at = at.index(text.len());
            prop_assume!(text[at..=at] != to);
            text.replace_range(at..=at, &to);
            prop_assert_eq!(Cursor::parse(&text, EPOCH), Err(CursorError::Damaged));
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            prop_assert!(Cursor::parse(&text, EPOCH).is_err());
        }
    }
}
