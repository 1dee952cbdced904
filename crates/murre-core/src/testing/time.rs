//! `10.secs()`, for tests that read well.

use std::time::Duration;

/// Lengths of time from plain numbers.
pub trait Lengths {
    /// So many seconds.
    fn secs(self) -> Duration;
    /// So many milliseconds.
    fn millis(self) -> Duration;
}

impl Lengths for u64 {
    fn secs(self) -> Duration {
        Duration::from_secs(self)
    }

    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }
}
