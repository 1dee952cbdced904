//! What can go wrong, and the exit codes.

use std::{io, process::ExitCode};

/// Why a command ended otherwise than well. Its message is a line for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Anything that isn't one of the others.
    #[error("{0}")]
    Failed(String),
    /// Something about the command line that the parser can't see.
    #[error("{0}")]
    Usage(String),
    /// No connection to the broker.
    #[error("{0}")]
    Unreachable(String),
    /// The broker said no.
    #[error("{0}")]
    Refused(String),
    /// The time given by `--timeout` was over.
    #[error("{0}")]
    TimedOut(String),
    /// Whoever read standard output has gone, as `head` does. That's no failure.
    #[error("standard output was closed")]
    OutputClosed,
}

impl Failure {
    /// A failure with `error`'s words.
    pub(crate) fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }

    /// The same with other words.
    pub(crate) fn map(self, words: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Failed(text) => Self::Failed(words(text)),
            Self::Usage(text) => Self::Usage(words(text)),
            Self::Unreachable(text) => Self::Unreachable(words(text)),
            Self::Refused(text) => Self::Refused(words(text)),
            Self::TimedOut(text) => Self::TimedOut(words(text)),
            Self::OutputClosed => Self::OutputClosed,
        }
    }

    /// Of writing to standard output.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(format!("cannot write to standard output: {error}")),
        }
    }

    /// The exit code, as `murre --help` lists them.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Refused(_) => 4,
            Self::TimedOut(_) => 124,
        }
    }

    /// Says it on standard error, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !matches!(self, Self::OutputClosed) {
            eprintln!("murre: {self}");
        }
        ExitCode::from(self.code())
    }
}
