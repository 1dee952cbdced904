//! Time as the core sees it: an argument.

use std::{ops::Add, time::Duration};

use murre_protocol::Timestamp;

/// One reading of both clocks, taken by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// The calendar's time, for what is written into messages. May jump.
    pub wall: Timestamp,
    /// The steady clock's time, for everything that waits.
    pub tick: Tick,
}

/// Milliseconds of a steady clock whose zero means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)))
    }
}
