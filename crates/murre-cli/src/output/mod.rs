//! Standard output: lines for people and for machines, colours, a closed pipe.

mod age;
mod message;
mod style;
mod table;
mod text;

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use crate::failure::Failure;

pub(crate) use age::age;
pub(crate) use message::Reading;
pub(crate) use style::{Style, colours_are_welcome};
pub(crate) use table::{Align, Table};
pub(crate) use text::{escape, shorten, thousands};

/// Standard output, buffered: lines appear at [`Output::flush`], so that many at once cost one write.
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    style: Style,
    is_terminal: bool,
}

impl Output {
    /// Colours only on a terminal, and where `NO_COLOR` is not set.
    pub(crate) fn stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let style = if is_terminal && colours_are_welcome() { Style::Colours } else { Style::Plain };
        Self { out: BufWriter::new(io::stdout()), style, is_terminal }
    }

    /// The style that suits whoever reads.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// The columns of a terminal; none where lines may be as long as they are.
    pub(crate) fn width(&self) -> Option<usize> {
        let size = if self.is_terminal { terminal_size::terminal_size() } else { None };
        size.map(|(width, _)| usize::from(width.0))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// Standard output was closed or is full.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.out, "{}", line.as_ref()).map_err(|error| Failure::output(&error))
    }

    /// Makes all lines appear.
    ///
    /// # Errors
    /// Standard output was closed or is full.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::output(&error))
    }
}
