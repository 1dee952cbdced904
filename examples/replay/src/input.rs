//! What stands between a file and the CSV reader: a bound on a row's bytes, and the numbers of lines.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

/// Bytes of one row at most: an open quotation mark must not take the rest of a file into memory.
pub(crate) const ROW_BYTES_MAX: usize = 1 << 20;

/// Reads on only while the row that is being read may still grow, and notes where lines begin.
///
/// The CSV reader's own line numbers are those of where it looked for a row, before empty lines; people want the line
/// in which the row is.
pub(crate) struct Input {
    inner: Box<dyn Read + Send>,
    left: usize,
    /// Bytes read so far.
    offset: u64,
    /// Line ends read so far.
    lines: u64,
    at_line_start: bool,
    /// Where lines that aren't empty begin, and their numbers from 1; only those not yet behind the reader.
    starts: VecDeque<(u64, u64)>,
}

impl Input {
    pub(crate) fn new(inner: Box<dyn Read + Send>) -> Self {
        let starts = VecDeque::new();
        Self { inner, left: ROW_BYTES_MAX, offset: 0, lines: 0, at_line_start: true, starts }
    }

    /// A new row begins: the bound counts from here.
    pub(crate) fn begin_row(&mut self) {
        self.left = ROW_BYTES_MAX;
    }

    /// The number of the first line that isn't empty at or after `offset`, which must not fall from call to call.
    pub(crate) fn line_at(&mut self, offset: u64) -> Option<u64> {
        while self.starts.front().is_some_and(|(start, _)| *start < offset) {
            self.starts.pop_front();
        }
        self.starts.front().map(|(_, line)| *line)
    }

    fn note_lines(&mut self, bytes: &[u8]) {
        for (offset, byte) in (self.offset..).zip(bytes) {
            match byte {
                b'\n' => {
                    self.lines += 1;
                    self.at_line_start = true;
                }
                b'\r' => {}
                _ if self.at_line_start => {
                    self.starts.push_back((offset, self.lines + 1));
                    self.at_line_start = false;
                }
                _ => {}
            }
        }
        self.offset += bytes.len() as u64;
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        // The reader takes a buffer at a time, so rows shorter than it never come near the bound.
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            io::Error::other(format!(
                "a row of more than {ROW_BYTES_MAX} bytes: is a quotation mark not closed?"
            ))
        })?;
        self.note_lines(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_count_but_are_not_where_a_row_is() {
        let mut input = Input::new(Box::new("a\r\n\r\n\nb\nc".as_bytes()));
        io::read_to_string(&mut input).unwrap();
        // The offsets are those at which a reader looks for the next row: behind the row before.
        assert_eq!([0, 2, 7].map(|offset| input.line_at(offset)), [Some(1), Some(4), Some(5)]);
        assert_eq!(input.line_at(9), None);
    }
}
