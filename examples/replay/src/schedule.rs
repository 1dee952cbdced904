//! When each row is due. Pure: times go in, times since the start come out.

use std::{str::FromStr, time::Duration};

/// How fast a file is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as the rows' own times say.
    Times(f64),
    /// As fast as the broker takes it.
    Max,
}

impl Speed {
    const TIMES_MIN: f64 = 0.001;
    const TIMES_MAX: f64 = 1e6;
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse() {
            Ok(times) if (Self::TIMES_MIN..=Self::TIMES_MAX).contains(&times) => Ok(Self::Times(times)),
            _ => Err("expected a number from 0.001 to 1000000, or max".into()),
        }
    }
}

/// What decides when a row is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timing {
    /// The rows' own times, at a speed.
    Own(Speed),
    /// A row every period, whatever the times are.
    Every(Duration),
}

/// Turns the rows' times into times since the start, over any number of laps.
#[derive(Debug, Clone)]
pub struct Schedule {
    timing: Timing,
    rows: u32,
    /// The row before: its lap, its time in microseconds, and when it was due.
    last: Option<(u64, i64, Duration)>,
    /// Between the last two rows of a lap, in microseconds: as long is the gap before the next lap.
    gap: i64,
}

/// The gap before the next lap of a file that shows none (a single row, or all rows at one time).
const GAP_DEFAULT_MICROS: i64 = 1_000_000;

impl Schedule {
    /// A schedule that starts with the first row that comes.
    pub fn new(timing: Timing) -> Self {
        Self { timing, rows: 0, last: None, gap: GAP_DEFAULT_MICROS }
    }

    /// When the next row is due, since the start: its lap, and its time in microseconds, which must not fall within a
    /// lap. The first row is due at once.
    pub fn due(&mut self, lap: u64, micros: i64) -> Duration {
        let due = match self.timing {
            Timing::Own(Speed::Max) => Duration::ZERO,
            Timing::Own(Speed::Times(times)) => self.own(lap, micros, times),
            Timing::Every(period) => period.saturating_mul(self.rows),
        };
        self.rows = self.rows.saturating_add(1);
        self.last = Some((lap, micros, due));
        due
    }

    fn own(&mut self, lap: u64, micros: i64, times: f64) -> Duration {
        let Some((last_lap, last_micros, last_due)) = self.last else { return Duration::ZERO };
        let step = if lap == last_lap {
            let step = micros.saturating_sub(last_micros).max(0);
            if step > 0 {
                self.gap = step;
            }
            step
        } else {
            self.gap
        };
        last_due
            .saturating_add(Duration::try_from_secs_f64(step as f64 / 1e6 / times).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dues(timing: Timing, laps: u64, times: &[i64]) -> Vec<u64> {
        let mut schedule = Schedule::new(timing);
        let rows = (0..laps).flat_map(|lap| times.iter().map(move |time| (lap, *time)));
        rows.map(|(lap, time)| schedule.due(lap, time).as_millis() as u64).collect()
    }

    const TIMES: [i64; 3] = [5_000_000, 6_000_000, 8_000_000];

    #[test]
    fn rows_come_at_their_own_times_or_so_many_times_as_fast() {
        assert_eq!(dues(Timing::Own(Speed::Times(1.0)), 1, &TIMES), [0, 1000, 3000]);
        assert_eq!(dues(Timing::Own(Speed::Times(10.0)), 1, &TIMES), [0, 100, 300]);
        assert_eq!(dues(Timing::Own(Speed::Max), 1, &TIMES), [0, 0, 0]);
    }

    #[test]
    fn a_rate_goes_before_the_rows_own_times() {
        assert_eq!(dues(Timing::Every(Duration::from_millis(250)), 1, &TIMES), [0, 250, 500]);
    }

    #[test]
    fn the_next_lap_begins_after_the_gap_before_the_last_row() {
        assert_eq!(dues(Timing::Own(Speed::Times(1.0)), 2, &TIMES), [0, 1000, 3000, 5000, 6000, 8000]);
        assert_eq!(dues(Timing::Own(Speed::Times(2.0)), 3, &[7]), [0, 500, 1000]);
    }

    #[test]
    fn a_speed_is_a_number_in_range_or_max() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("0.5".parse(), Ok(Speed::Times(0.5)));
        for text in ["0", "-1", "NaN", "fast", "1e9", ""] {
            assert!(text.parse::<Speed>().unwrap_err().contains("or max"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn time_never_goes_back(
            mut times in proptest::collection::vec(any::<i64>(), 1..20), laps in 1u64..4, speed in 0.001..1e6,
        ) {
            times.sort_unstable();
            let dues = dues(Timing::Own(Speed::Times(speed)), laps, &times);
            prop_assert!(dues.is_sorted(), "{dues:?}");
        }
    }
}
