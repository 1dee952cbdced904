//! The figures of one value over a span of time.

use murre_protocol::packet::Figure;

use super::quantiles::Quantiles;

/// Sums of the values so far.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of squared distances from the mean (Welford).
    squares: f64,
    first: (u64, f64),
    last: (u64, f64),
    quantiles: Option<Quantiles>,
}

impl Figures {
    pub(super) fn new(with_quantiles: bool) -> Self {
        Self {
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            squares: 0.0,
            first: (u64::MAX, 0.0),
            last: (0, 0.0),
            quantiles: with_quantiles.then(Quantiles::default),
        }
    }

    pub(super) fn add(&mut self, time_ms: u64, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let from_mean = value - self.mean;
        self.mean += from_mean / self.count as f64;
        self.squares += from_mean * (value - self.mean);
        if time_ms < self.first.0 {
            self.first = (time_ms, value);
        }
        // of two at the same time, the one that came later
        if time_ms >= self.last.0 {
            self.last = (time_ms, value);
        }
        if let Some(quantiles) = &mut self.quantiles {
            quantiles.add(value);
        }
    }

    /// Adds the values of a later span (Chan, Golub and LeVeque, 1979).
    pub(super) fn merge(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        let (a, b) = (self.count as f64, later.count as f64);
        let apart = later.mean - self.mean;
        self.count += later.count;
        self.mean += apart * (b / (a + b));
        self.squares += later.squares + apart * apart * (a * b / (a + b));
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        if later.first.0 < self.first.0 {
            self.first = later.first;
        }
        if later.last.0 >= self.last.0 {
            self.last = later.last;
        }
        if let (Some(all), Some(more)) = (&mut self.quantiles, &later.quantiles) {
            all.merge(more);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A figure; none where there are no values.
    pub(super) fn figure(&self, figure: Figure) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        Some(match figure {
            Figure::Count => self.count as f64,
            Figure::Min => self.min,
            Figure::Max => self.max,
            Figure::Mean => self.mean,
            Figure::First => self.first.1,
            Figure::Last => self.last.1,
            Figure::Stddev => (self.squares / self.count as f64).max(0.0).sqrt(),
            Figure::P50 => self.quantiles.as_ref()?.at(0.5)?,
            Figure::P95 => self.quantiles.as_ref()?.at(0.95)?,
        })
    }
}
