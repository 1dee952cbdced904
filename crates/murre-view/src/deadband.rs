//! Deadbands: what has hardly moved isn't sent.

use murre_protocol::{
    Format,
    packet::{self, LeastChange},
};

use crate::{
    path::{Path, PathError},
    value::Unusable,
};

/// A deadband, compiled once.
#[derive(Debug)]
pub struct Deadband {
    path: Path,
    least: LeastChange,
    silence_max_ms: Option<u64>,
}

/// What a topic's deadband remembers: the value sent last, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastSent {
    value: f64,
    time_ms: u64,
}

impl Deadband {
    /// Compiles what a client asked for.
    ///
    /// # Errors
    /// Its path is none.
    pub fn compile(options: &packet::Deadband<'_>) -> Result<Self, PathError> {
        let path = Path::parse(&options.path)?;
        Ok(Self { path, least: options.least, silence_max_ms: options.silence_max_ms })
    }

    /// Whether a reading is to be sent; if so, it is what is remembered.
    ///
    /// # Errors
    /// It has no number at the path.
    #[inline]
    pub fn passes(
        &self,
        (format, payload, time_ms): (Format, &[u8], u64),
        last: &mut Option<LastSent>,
    ) -> Result<bool, Unusable> {
        let value = self.path.number(format, payload)?;
        let passes = last.is_none_or(|last| self.has_moved(last.value, value) || self.is_due(last, time_ms));
        if passes {
            *last = Some(LastSent { value, time_ms });
        }
        Ok(passes)
    }

    fn has_moved(&self, from: f64, to: f64) -> bool {
        let distance = (to - from).abs();
        match self.least {
            LeastChange::Absolute(least) => distance >= least,
            // From zero any move is more than any part of it; staying there is none.
            LeastChange::Percent(percent) => distance > 0.0 && distance >= from.abs() * (percent / 100.0),
        }
    }

    fn is_due(&self, last: LastSent, time_ms: u64) -> bool {
        self.silence_max_ms.is_some_and(|silence| time_ms.saturating_sub(last.time_ms) >= silence)
    }
}
