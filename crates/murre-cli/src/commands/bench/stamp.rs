//! When a message was due, written into its payload.

use std::time::{Duration, Instant};

use bytes::Bytes;

/// Bytes of a stamp: a number for the run, and nanoseconds since the run began.
pub(super) const STAMP_BYTES: usize = 16;

/// Writes and reads the stamps of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamper {
    run: u64,
    start: Instant,
}

impl Stamper {
    /// For the run numbered `run`, which begins now.
    pub(super) fn new(run: u64) -> Self {
        Self { run, start: Instant::now() }
    }

    /// A payload of `bytes` that was due at `due`.
    pub(super) fn payload(&self, due: Instant, bytes: usize) -> Bytes {
        let since = u64::try_from(due.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let mut payload = Vec::with_capacity(bytes.max(STAMP_BYTES));
        payload.extend_from_slice(&self.run.to_be_bytes());
        payload.extend_from_slice(&since.to_be_bytes());
        payload.resize(bytes.max(STAMP_BYTES), b'.');
        payload.into()
    }

    /// How long before `now` the message was due; none for a message of another run.
    pub(super) fn age(&self, payload: &[u8], now: Instant) -> Option<Duration> {
        let (run, rest) = payload.split_first_chunk::<8>()?;
        let (since, _) = rest.split_first_chunk::<8>()?;
        let due = self.start.checked_add(Duration::from_nanos(u64::from_be_bytes(*since)))?;
        (u64::from_be_bytes(*run) == self.run).then(|| now.saturating_duration_since(due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_says_how_old_a_message_is() {
        let stamper = Stamper::new(7);
        let due = stamper.start + Duration::from_millis(5);
        let payload = stamper.payload(due, 100);
        assert_eq!(payload.len(), 100);
        assert_eq!(stamper.age(&payload, due + Duration::from_micros(3)), Some(Duration::from_micros(3)));
        assert_eq!(Stamper { run: 8, ..stamper }.age(&payload, due), None);
        assert_eq!(stamper.age(b"short", due), None);
    }
}
