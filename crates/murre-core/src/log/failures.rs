//! What follows from a failed batch for the ones behind it.

use super::{LogBatch, LogRefusal};

/// The last failed batch of each worker. A log asks it before it commits a batch, and tells it of each failure.
///
/// A batch says what was logged before it: the greatest sequence number of a client, and which below it were not. If an
/// earlier batch of its worker failed that it took for good, this would be wrong, and a reading that was never logged
/// be taken for logged. It would also put a reading in front of one that its publisher sent before, and sends again.
#[derive(Debug, Default)]
pub struct Failures {
    /// By worker: number of the batch, and why.
    last: Vec<Option<(u64, LogRefusal)>>,
}

impl Failures {
    /// Whether a batch may be committed, as far as this tells.
    ///
    /// # Errors
    /// An earlier one of its worker failed, and the worker did not know when it sent this one; why that one failed.
    pub fn check(&self, batch: &LogBatch) -> Result<(), LogRefusal> {
        match self.last.get(batch.worker.index()).copied().flatten() {
            Some((serial, refusal)) if batch.failed < serial => Err(refusal),
            _ => Ok(()),
        }
    }

    /// A batch failed.
    pub fn note(&mut self, batch: &LogBatch, refusal: LogRefusal) {
        let at = batch.worker.index();
        if self.last.len() <= at {
            self.last.resize(at + 1, None);
        }
        if let Some(last) = self.last.get_mut(at) {
            *last = Some((batch.serial, refusal));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WorkerId;

    fn batch(worker: u8, serial: u64, failed: u64) -> LogBatch {
        let mut batch = LogBatch::new(WorkerId(worker), serial);
        batch.failed = failed;
        batch
    }

    #[test]
    fn a_batch_that_was_sent_in_ignorance_of_a_failure_fails_too() {
        let mut failures = Failures::default();
        failures.note(&batch(1, 5, 0), LogRefusal::Full);
        assert_eq!(failures.check(&batch(1, 6, 0)), Err(LogRefusal::Full));
        assert_eq!(failures.check(&batch(0, 6, 0)), Ok(()), "another worker's");
        failures.note(&batch(1, 6, 0), LogRefusal::Full);
        assert_eq!(failures.check(&batch(1, 7, 5)), Err(LogRefusal::Full), "it knew of the first one only");
        assert_eq!(failures.check(&batch(1, 8, 6)), Ok(()));
    }
}
