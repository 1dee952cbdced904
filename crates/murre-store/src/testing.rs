//! A log that fails on purpose, for tests of what stands on a log, and a store whose disk does.

use std::{io::ErrorKind, sync::Arc};

use murre_core::{
    ids::WorkerId,
    log::{Failures, Log, LogBatch, LogCommand, LogEvent, LogRefusal},
};
use parking_lot::Mutex;

use crate::store::Store;

/// What goes wrong with a commit of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// Nothing is written.
    Write(ErrorKind),
    /// It is written, but the sync fails: whether it will be there after a power failure, nobody knows.
    Sync(ErrorKind),
}

impl DiskFault {
    pub(crate) fn commit(self, batch: fjall::OwnedWriteBatch) -> Result<(), fjall::Error> {
        let kind = match self {
            Self::Write(kind) => kind,
            Self::Sync(kind) => {
                batch.durability(Some(fjall::PersistMode::Buffer)).commit()?;
                kind
            }
        };
        Err(fjall::Error::Io(kind.into()))
    }
}

impl Store {
    /// The next commits fail like this, one after the other.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = DiskFault>) {
        self.shared.faults.lock().extend(faults);
    }
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with an error, and never reaches the log.
    Refuse(LogRefusal),
    /// It is held, with all that is sent behind it, until [`FaultyLog::release`].
    Hold,
    /// It is neither written nor answered, and neither is anything behind it: the process has died.
    Die,
}

/// A log in front of another one. Reads go through; of batches and reservations it decides by number, from 1 on, in the
/// order in which they are sent.
pub struct FaultyLog<L> {
    log: L,
    sink: Box<dyn Fn(WorkerId, LogEvent) + Send + Sync>,
    state: Mutex<State>,
}

type Plan = Box<dyn FnMut(u64, &LogBatch) -> Option<Fault> + Send>;

struct State {
    plan: Plan,
    sent: u64,
    held: Vec<LogCommand>,
    is_holding: bool,
    is_dead: bool,
    failures: Failures,
}

impl<L: Log> FaultyLog<L> {
    /// `plan` says by number what becomes of a batch; none: it is written. `sink` is the one that `log` has.
    pub fn new(
        log: L,
        sink: impl Fn(WorkerId, LogEvent) + Send + Sync + 'static,
        plan: impl FnMut(u64, &LogBatch) -> Option<Fault> + Send + 'static,
    ) -> Self {
        let state = State {
            plan: Box::new(plan),
            sent: 0,
            held: Vec::new(),
            is_holding: false,
            is_dead: false,
            failures: Failures::default(),
        };
        Self { log, sink: Box::new(sink), state: Mutex::new(state) }
    }

    /// Lets what is held go on. What was sent behind a held batch is decided on now.
    pub fn release(&self) {
        let held = {
            let mut state = self.state.lock();
            state.is_holding = false;
            std::mem::take(&mut state.held)
        };
        let mut held = held.into_iter();
        // the first one was decided on: it was to wait
        held.next().into_iter().for_each(|first| self.log.send(first));
        held.for_each(|command| self.send(command));
    }

    /// The log behind it.
    pub fn log(&self) -> &L {
        &self.log
    }

    fn append(&self, batch: Arc<LogBatch>) {
        let fault = {
            let mut state = self.state.lock();
            state.sent += 1;
            let number = state.sent;
            let ignorant = state.failures.check(&batch).err().map(Fault::Refuse);
            let fault = ignorant.or_else(|| (state.plan)(number, &batch));
            if let Some(Fault::Refuse(refusal)) = fault {
                state.failures.note(&batch, refusal);
            }
            state.is_dead |= fault == Some(Fault::Die);
            if fault == Some(Fault::Hold) {
                state.is_holding = true;
                state.held.push(LogCommand::Append(batch.clone()));
            }
            fault
        };
        match fault {
            None => self.log.send(LogCommand::Append(batch)),
            Some(Fault::Hold | Fault::Die) => {}
            Some(Fault::Refuse(refusal)) => {
                let event = LogEvent::Committed { serial: batch.serial, result: Err(refusal) };
                (self.sink)(batch.worker, event);
            }
        }
    }
}

impl<L: Log> Log for FaultyLog<L> {
    fn send(&self, command: LogCommand) {
        {
            let mut state = self.state.lock();
            if state.is_dead {
                return;
            }
            if state.is_holding && !matches!(command, LogCommand::Read(_)) {
                state.held.push(command);
                return;
            }
        }
        match command {
            LogCommand::Append(batch) => self.append(batch),
            command => self.log.send(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes note of the numbers of batches.
    #[derive(Default)]
    struct Noted(Mutex<Vec<u64>>);

    impl Log for Noted {
        fn send(&self, command: LogCommand) {
            if let LogCommand::Append(batch) = command {
                self.0.lock().push(batch.serial);
            }
        }
    }

    fn send(log: &impl Log, serials: std::ops::RangeInclusive<u64>) {
        serials.for_each(|serial| log.send(LogCommand::Append(Arc::new(LogBatch::new(WorkerId(0), serial)))));
    }

    #[test]
    fn what_is_held_goes_on_in_order() {
        let plan = |number, _: &LogBatch| (number == 2).then_some(Fault::Hold);
        let log = FaultyLog::new(Noted::default(), |_, _| {}, plan);
        send(&log, 1..=4);
        assert_eq!(*log.log().0.lock(), [1]);
        log.release();
        assert_eq!(*log.log().0.lock(), [1, 2, 3, 4]);
    }

    #[test]
    fn after_its_death_nothing_reaches_the_log() {
        let plan = |number, _: &LogBatch| (number == 3).then_some(Fault::Die);
        let log = FaultyLog::new(Noted::default(), |_, _| {}, plan);
        send(&log, 1..=9);
        assert_eq!(*log.log().0.lock(), [1, 2]);
    }
}
