//! Medians and percentiles in bounded memory: exact for the first [`EXACT_MAX`] values, then by halving.
//!
//! A full level is sorted, and every other value of it goes up with twice the weight; which of the two, odd or even,
//! alternates. This is the deterministic sketch of Munro and Paterson as Manku, Rajagopalan and Lindsay have it
//! (*Approximate Medians and other Quantiles in One Pass and with Limited Memory*, SIGMOD 1998). Each halving of a
//! level of k values moves a rank by at most half the level's weight, which adds up to (levels / 2k) of all values:
//! 0.4 % at k = 512 and four levels, which is 8,192 values, and below 1 % up to half a million.

/// So many values are kept as they are, and at each level.
pub(crate) const EXACT_MAX: usize = 512;

/// Values in levels: one at level n stands for 2^n.
#[derive(Debug, Clone, Default)]
pub(super) struct Quantiles {
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Default)]
struct Level {
    values: Vec<f64>,
    odd: bool,
}

impl Quantiles {
    pub(super) fn add(&mut self, value: f64) {
        self.add_at(0, value);
    }

    fn add_at(&mut self, at: usize, value: f64) {
        if self.levels.len() <= at {
            self.levels.resize_with(at + 1, Level::default);
        }
        let Some(level) = self.levels.get_mut(at) else { return };
        level.values.push(value);
        if level.values.len() > EXACT_MAX {
            self.halve(at);
        }
    }

    /// Moves every other value of a level up. One of an odd number stays, so that none is counted twice or lost.
    fn halve(&mut self, at: usize) {
        let Some(level) = self.levels.get_mut(at) else { return };
        level.values.sort_unstable_by(f64::total_cmp);
        let mut values = std::mem::take(&mut level.values);
        if values.len() % 2 == 1 {
            level.values.extend(values.pop());
        }
        let from = usize::from(level.odd);
        level.odd = !level.odd;
        for value in values.into_iter().skip(from).step_by(2) {
            self.add_at(at + 1, value);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (at, level) in other.levels.iter().enumerate() {
            for value in &level.values {
                self.add_at(at, *value);
            }
        }
    }

    /// The value below which `share` (0 to 1) of the values are. Between two of them it is interpolated linearly, as
    /// spreadsheets and NumPy do; none where there are no values.
    pub(super) fn at(&self, share: f64) -> Option<f64> {
        let mut weighted: Vec<(f64, u64)> = Vec::new();
        for (at, level) in self.levels.iter().enumerate() {
            weighted.extend(level.values.iter().map(|value| (*value, 1 << at.min(63))));
        }
        weighted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let count: u64 = weighted.iter().map(|(_, weight)| weight).sum();
        let rank = share * count.checked_sub(1)? as f64;
        let below = value_at(&weighted, rank.floor() as u64)?;
        let above = value_at(&weighted, rank.ceil() as u64)?;
        Some(below + (above - below) * rank.fract())
    }
}

/// The value at a rank, counted from 0.
fn value_at(weighted: &[(f64, u64)], rank: u64) -> Option<f64> {
    let mut passed = 0;
    let found = weighted.iter().find(|(_, weight)| {
        passed += weight;
        passed > rank
    });
    found.or(weighted.last()).map(|(value, _)| *value)
}
