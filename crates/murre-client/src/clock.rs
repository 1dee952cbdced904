//! The time here and at the broker.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use murre_protocol::Timestamp;

/// The present time by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// How far the broker's clock is ahead of this machine's, as far as known: less than the time that CONNECTED took to
/// come is not seen.
#[derive(Debug, Default)]
pub(crate) struct BrokerClock {
    ahead_ms: AtomicI64,
}

impl BrokerClock {
    /// The broker said its time, at `now` by the clock here.
    pub(crate) fn told(&self, broker: Timestamp, now: Timestamp) {
        // A difference past 292 million years may wrap.
        self.ahead_ms.store(broker.millis().wrapping_sub(now.millis()) as i64, Ordering::Relaxed);
    }

    /// The broker's time at `now` by the clock here.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.millis().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_time_runs_on_with_the_clock_here() {
        let ms = Timestamp::from_millis;
        let clock = BrokerClock::default();
        assert_eq!(clock.at(ms(500)), ms(500));
        for (broker, here) in [(9_000, 1_000), (1_000, 9_000)] {
            clock.told(ms(broker), ms(here));
            assert_eq!(clock.at(ms(here + 250)), ms(broker + 250));
        }
        assert_eq!(clock.at(ms(100)), ms(0));
    }
}
