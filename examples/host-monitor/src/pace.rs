//! The beat of a device: a reading when it is due, and none made up for those that were missed.

use std::time::Duration;

use tokio::time::{self, Instant, Interval, MissedTickBehavior};

/// Beats at a steady rate. After a stall it goes on at the next due time, and says how many beats it left out.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Interval,
    last: Option<Instant>,
}

/// One beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beat {
    /// Since the beat before; one period for the first.
    pub(crate) elapsed: Duration,
    /// Beats that were due since the one before and are left out.
    pub(crate) skipped: u64,
}

impl Pace {
    /// Beats every `period`, which must not be zero, from now on.
    pub(crate) fn new(period: Duration) -> Self {
        let mut interval = time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { interval, last: None }
    }

    /// Waits for the next beat. Cancellation safe: a beat that nobody waited for is not lost but late.
    pub(crate) async fn next(&mut self) -> Beat {
        let due = self.interval.tick().await;
        let period = self.interval.period();
        let elapsed = self.last.replace(due).map_or(period, |last| due - last);
        let periods = (elapsed.as_secs_f64() / period.as_secs_f64()).round() as u64;
        Beat { elapsed, skipped: periods.saturating_sub(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beats_come_at_their_rate() {
        let mut pace = Pace::new(Duration::from_millis(10));
        let start = Instant::now();
        for _ in 0..=100 {
            assert_eq!(pace.next().await, Beat { elapsed: Duration::from_millis(10), skipped: 0 });
        }
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn beats_missed_in_a_stall_are_counted_and_not_made_up_for() {
        let mut pace = Pace::new(Duration::from_millis(10));
        pace.next().await;
        time::advance(Duration::from_millis(255)).await;
        let late = pace.next().await;
        let after = pace.next().await;
        // The beat of 10 ms comes late; those of 20 to 250 ms are left out; then 260 ms is on time.
        assert_eq!(late.skipped, 0);
        assert_eq!(after, Beat { elapsed: Duration::from_millis(250), skipped: 24 });
    }
}
