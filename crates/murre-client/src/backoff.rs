//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Exponential backoff with full jitter.
///
/// The n-th wait is a random time between nothing and `min · 2ⁿ`, at most `max`, as in *Exponential Backoff And
/// Jitter* (Brooker, AWS Architecture Blog, 2015): many clients that lost the same broker don't come back at one
/// time. A broker that says when to come back (`retry_after`) is never asked earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait is at most this long.
    pub min: Duration,
    /// Every wait is at most this long, save what the broker asks for.
    pub max: Duration,
}

impl Default for Backoff {
    /// From 100 ms up to 30 s.
    fn default() -> Self {
        Self { min: Duration::from_millis(100), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The longest that the wait after `failures` failures in a row (0: the connection was just lost) can be.
    pub(crate) fn ceiling(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        self.min.saturating_mul(factor).min(self.max)
    }

    /// The wait after `failures` failures in a row, with `random` in 0 to 1, and never less than `retry_after`.
    pub(crate) fn delay(&self, failures: u32, random: f64, retry_after: Option<Duration>) -> Duration {
        let jittered = self.ceiling(failures).mul_f64(random.clamp(0.0, 1.0));
        jittered.max(retry_after.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(30) };

    #[test]
    fn the_ceiling_doubles_up_to_the_maximum() {
        let ceilings: Vec<_> = (0..10).map(|n| BACKOFF.ceiling(n).as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000]);
    }

    #[test]
    fn a_broker_that_says_when_to_come_back_is_not_asked_earlier() {
        let after = Duration::from_secs(7);
        assert_eq!(BACKOFF.delay(0, 1.0, Some(after)), after);
    }

    proptest! {
        #[test]
        fn every_wait_lies_between_nothing_and_its_ceiling(failures: u32, random in 0.0..=1.0_f64) {
            let delay = BACKOFF.delay(failures, random, None);
            prop_assert!(delay <= BACKOFF.ceiling(failures));
            prop_assert!(delay <= BACKOFF.max);
        }
    }
}
