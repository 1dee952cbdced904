//! The clocks: the only place where this broker reads them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use murre_core::now::{Now, Tick};
use murre_protocol::Timestamp;

/// Reads both clocks for the core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock whose ticks begin here.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The time now, by both clocks.
    pub(crate) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            wall: Timestamp::from_millis(wall.as_millis() as u64),
            tick: Tick(self.started.elapsed().as_millis() as u64),
        }
    }

    /// The moment of a tick.
    pub(crate) fn instant(self, tick: Tick) -> Instant {
        self.started + std::time::Duration::from_millis(tick.0)
    }
}
