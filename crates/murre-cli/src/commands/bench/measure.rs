//! Latencies, and how they are shown.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::failure::Failure;

/// The longest latency that is told apart from a longer one.
const LATENCY_NS_MAX: u64 = 600_000_000_000;

/// The percentiles that are shown, with their headings.
pub(super) const PERCENTILES: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];

/// Latencies to three significant digits.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    ///
    /// # Errors
    /// None: the bounds are fixed and valid.
    pub(super) fn new() -> Result<Self, Failure> {
        Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).map(Self).map_err(Failure::failed)
    }

    /// Adds one.
    pub(super) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    /// Adds all of `other`.
    ///
    /// # Errors
    /// None: all have the same bounds.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.0.add(&other.0).map_err(Failure::failed)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that so many per cent don't exceed.
    pub(super) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(percent / 100.0))
    }

    /// `{"p50":…, …}` in microseconds.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let micros = |percent| self.percentile(percent).as_nanos() as f64 / 1000.0;
        PERCENTILES
            .iter()
            .map(|(name, percent)| ((*name).to_owned(), serde_json::Value::from(micros(*percent))))
            .collect()
    }
}

/// Three digits and a unit: `87.4 µs`, `1.23 ms`, `12.3 s`.
pub(super) fn show(latency: Duration) -> String {
    let ns = latency.as_nanos() as f64;
    let (value, unit) = match ns {
        _ if ns < 1e3 => (ns, "ns"),
        _ if ns < 1e6 => (ns / 1e3, "µs"),
        _ if ns < 1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let (mut some, mut others) = (Latencies::new().unwrap(), Latencies::new().unwrap());
        for micros in 1..=50 {
            some.record(Duration::from_micros(micros));
            others.record(Duration::from_micros(50 + micros));
        }
        some.add(&others).unwrap();
        assert_eq!(some.count(), 100);
        let near = |percent, micros: f64| {
            (some.percentile(percent).as_nanos() as f64 / 1e3 / micros - 1.0).abs() < 0.002
        };
        assert!(near(50.0, 50.0) && near(99.0, 99.0) && near(100.0, 100.0));
    }

    #[test]
    fn a_latency_is_shown_in_three_digits() {
        let shown =
            [1, 999, 87_400, 1_234_000, 123_400_000, 12_340_000_000].map(|ns| show(Duration::from_nanos(ns)));
        assert_eq!(shown, ["1.00 ns", "999 ns", "87.4 µs", "1.23 ms", "123 ms", "12.3 s"]);
    }
}
