//! The beat of a device: a reading when it is due, and none made up for those that were missed.

use std::time::Duration;

use tokio::time::{self, Instant, Interval, MissedTickBehavior};

/// The shortest period: a timer's resolution.
const PERIOD_MIN: Duration = Duration::from_millis(1);

/// Beats at a steady rate, for devices that read at fixed times: the n-th beat is due n periods after the first,
/// however long the work between takes. After a stall it goes on at the next due time, and says how many beats it left
/// out.
///
/// ```no_run
/// # async fn example(client: murre_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// # fn celsius() -> f64 { 21.4 }
/// use std::time::Duration;
///
/// let mut pace = murre_client::Pace::new(Duration::from_secs(1));
/// loop {
///     let beat = pace.next().await;
///     if beat.skipped > 0 {
///         eprintln!("{} readings were left out", beat.skipped);
///     }
///     client.publish("site/a/temp").json(&celsius())?.enqueue().await?;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Pace {
    interval: Interval,
    last: Option<Instant>,
}

/// One beat of a [`Pace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Beat {
    /// Since the beat before; one period for the first.
    pub elapsed: Duration,
    /// Beats that were due since the one before and are left out.
    pub skipped: u64,
}

impl Pace {
    /// Beats every `period`, which is taken as a millisecond where it is shorter, from now on.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time.
    pub fn new(period: Duration) -> Self {
        let mut interval = time::interval(period.max(PERIOD_MIN));
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { interval, last: None }
    }

    /// Waits for the next beat. Cancellation safe: a beat that nobody waited for is not lost but late.
    pub async fn next(&mut self) -> Beat {
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

    #[tokio::test(start_paused = true)]
    async fn a_period_of_nothing_is_a_millisecond() {
        let mut pace = Pace::new(Duration::ZERO);
        let start = Instant::now();
        for _ in 0..=10 {
            pace.next().await;
        }
        assert_eq!(start.elapsed(), Duration::from_millis(10));
    }
}
