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

/// What becomes of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Judged {
    /// It is to be sent, and is what is remembered.
    Moved,
    /// It has hardly moved, and is left out unless the silence lasts for too long. This is its value.
    Near(f64),
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
        reading: (Format, &[u8], u64),
        last: &mut Option<LastSent>,
    ) -> Result<bool, Unusable> {
        Ok(self.judge(reading, last)? == Judged::Moved)
    }

    /// The same, with the value of a reading that is not to be sent.
    #[inline]
    pub(crate) fn judge(
        &self,
        (format, payload, time_ms): (Format, &[u8], u64),
        last: &mut Option<LastSent>,
    ) -> Result<Judged, Unusable> {
        let value = self.path.number(format, payload)?;
        let is_due = |last: LastSent| self.due_ms(last).is_some_and(|due_ms| due_ms <= time_ms);
        if last.is_none_or(|last| self.has_moved(last.value, value) || is_due(last)) {
            *last = Some(LastSent { value, time_ms });
            return Ok(Judged::Moved);
        }
        Ok(Judged::Near(value))
    }

    /// Remembers that a reading which was near is sent after all, at `time_ms`.
    pub(crate) fn sent(&self, value: f64, time_ms: u64) -> LastSent {
        LastSent { value, time_ms }
    }

    /// When the silence since then has lasted for as long as it may; none where it may last.
    pub(crate) fn due_ms(&self, last: LastSent) -> Option<u64> {
        self.silence_max_ms.map(|silence| last.time_ms.saturating_add(silence))
    }

    fn has_moved(&self, from: f64, to: f64) -> bool {
        let distance = (to - from).abs();
        match self.least {
            LeastChange::Absolute(least) => distance >= least,
            // From zero any move is more than any part of it; staying there is none.
            LeastChange::Percent(percent) => distance > 0.0 && distance >= from.abs() * (percent / 100.0),
        }
    }
}
