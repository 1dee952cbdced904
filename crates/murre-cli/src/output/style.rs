//! Colours on a terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Style as Ansi};

/// Whether lines have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Text alone.
    Plain,
    /// With the escape sequences of ANSI terminals.
    Colours,
}

/// Whether the person's environment allows colours: `NO_COLOR` is not set and the terminal is not a dumb one.
pub(crate) fn colours_are_welcome() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Style {
    /// For what is there to be looked up, such as the time.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.with(Ansi::new().dimmed(), text)
    }

    /// For topics.
    pub(crate) fn topic(self, text: impl Display) -> String {
        self.with(AnsiColor::Cyan.on_default(), text)
    }

    /// For headings and results.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.with(Ansi::new().bold(), text)
    }

    fn with(self, ansi: Ansi, text: impl Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Colours => format!("{}{text}{}", ansi.render(), ansi.render_reset()),
        }
    }
}
