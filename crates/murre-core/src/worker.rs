//! One worker: its hub and its part of the engine, and the way between them.
//!
//! Between parts on one thread an input is handled at once, in order, until nothing is left to do; what concerns
//! other workers is handed out to be sent. Nothing re-enters: each part only says what it wants done.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    batch::MessageBatch,
    embedded::{give_credit, hubs_of},
    engine::{Engine, EngineInput, HubInput, Input, Outputs},
    hub::Hub,
    ids::{SessionKey, WorkerId},
    log::LogCommand,
    now::{Now, Tick},
};

/// A hub and its worker's part of the engine.
pub struct Worker<E> {
    id: WorkerId,
    /// The sessions.
    pub hub: Hub,
    engine: E,
    out: Outputs,
    local: VecDeque<Input>,
    /// Bytes of other workers' publishes whose messages have not been handed on.
    taken_bytes: usize,
}

/// What a worker wants done by its shell.
#[derive(Debug, Default)]
pub struct Wants {
    /// Inputs for other workers, in order.
    pub sent: Vec<(WorkerId, Input)>,
    /// Sessions whose shell has something to do.
    pub woken: Vec<SessionKey>,
    /// Commands for the log, in order.
    pub log: Vec<LogCommand>,
    /// Whether [`Worker::finish`] is to be called again when the woken sessions have been sent what waits for them.
    pub more: bool,
    /// Whether [`Worker::turn`] is to be called again when the event loop has had a turn.
    pub again: bool,
}

/// Bytes of publishes that are taken through the shards although the turn is not over, while the processor's caches have
/// them.
const PENDING_BYTES_MAX: usize = 64 * 1024;

impl<E: Engine> Worker<E> {
    /// Puts a hub and an engine part together.
    pub fn new(id: WorkerId, hub: Hub, engine: E) -> Self {
        Self { id, hub, engine, out: Outputs::default(), local: VecDeque::new(), taken_bytes: 0 }
    }

    /// The engine part, to look at.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Lets the hub do something, without finishing: publishes wait for [`Self::finish`], so that those of several
    /// sessions go on together.
    pub fn with_hub<R>(&mut self, act: impl FnOnce(&mut Hub, &mut Outputs) -> R) -> R {
        act(&mut self.hub, &mut self.out)
    }

    /// Whether [`Self::finish`] has something to do.
    pub fn has_work(&self) -> bool {
        !self.out.is_empty() || !self.local.is_empty() || self.hub.has_publishes()
    }

    /// Takes an input from another worker.
    pub fn take(&mut self, now: Now, input: Input) {
        if let Input::Engine(EngineInput::Publish { batch, .. }) = &input {
            self.taken_bytes += batch.len();
        }
        match input {
            Input::Hub(HubInput::Messages(shared)) => {
                self.hub.take_shared(now, &shared, &mut self.out);
                if let Some(shared) = Arc::into_inner(shared) {
                    self.engine.recycle(shared.batch);
                }
            }
            Input::Hub(input) => self.hub.handle(now, input, &mut self.out),
            Input::Engine(EngineInput::Publish { origin, batch, credits }) => {
                let messages = self.engine.publish(now, origin, &batch, credits, &mut self.out);
                // for publishes of this worker's sessions, whosever they were
                self.hub.give_back(batch);
                // behind what is on its way to the hub
                self.engine.spread(messages, &mut self.out);
            }
            Input::Engine(input) => self.engine.handle(now, input, &mut self.out),
        }
    }

    /// Bytes of publishes that wait for this worker's shards.
    fn pending_bytes(&self) -> usize {
        self.hub.pending_bytes() + self.taken_bytes
    }

    /// Does what was put off until the event loop has had a turn, then all that follows.
    pub fn turn(&mut self, now: Now) {
        for input in std::mem::take(&mut self.out.later) {
            self.engine.handle(now, input, &mut self.out);
        }
    }

    /// Does what time alone makes due.
    pub fn tick(&mut self, now: Now) {
        self.hub.tick(now, &mut self.out);
        self.engine.tick(now, &mut self.out);
    }

    /// When [`Self::tick`] wants to be called at the latest.
    pub fn next_due(&self) -> Option<Tick> {
        [self.hub.next_due(), self.engine.next_due()].into_iter().flatten().min()
    }

    /// Does all that can be done on this worker, and says what is left for others; where that is much, in portions. The
    /// caller lets the woken sessions be sent what waits for them.
    pub fn finish(&mut self, now: Now, wants: &mut Wants) {
        self.hand_on(now, wants);
        self.hub.forget_fresh_bytes();
    }

    /// Whether so much has come together that [`Self::hand_on_early`] is due although the turn is not over.
    pub fn is_full(&self) -> bool {
        let pending = self.pending_bytes();
        pending >= PENDING_BYTES_MAX || self.hub.makes_portion(pending)
    }

    /// Does what [`Self::finish`] does in the midst of a turn, where [`Self::is_full`] says so. What the woken sessions
    /// are to be sent may wait for more; true where it is so much that [`Self::finish`] is due: so an outbox is filled by
    /// what its socket doesn't take, not by what nobody has tried to send.
    pub fn hand_on_early(&mut self, now: Now, wants: &mut Wants) -> bool {
        if self.hub.makes_portion(self.pending_bytes()) {
            return true;
        }
        self.hand_on(now, wants);
        wants.more
    }

    fn hand_on(&mut self, now: Now, wants: &mut Wants) {
        wants.more = loop {
            self.sort(wants);
            let left = !self.local.is_empty() || self.hub.has_own_publishes();
            if left && self.hub.has_portion() {
                break true;
            }
            if let Some(input) = self.local.pop_front() {
                self.take(now, input);
            } else if !self.publish_own(now) {
                self.hub.flush(&mut self.out);
                self.sort(wants);
                if self.local.is_empty() {
                    break false;
                }
            }
        };
        self.hub.forget_handed_bytes();
        self.taken_bytes = 0;
        wants.woken.append(&mut self.out.woken);
        wants.log.append(&mut self.out.log);
        wants.again |= !self.out.later.is_empty();
    }

    /// Parts what was sent into what stays on this worker and what doesn't.
    fn sort(&mut self, wants: &mut Wants) {
        for (worker, input) in self.out.sent.drain(..) {
            if worker == self.id {
                self.local.push_back(input);
            } else {
                wants.sent.push((worker, input));
            }
        }
    }

    /// Takes the publishes of this worker's sessions to its own shards. False where there are none.
    fn publish_own(&mut self, now: Now) -> bool {
        let batch = self.hub.take_own_publishes();
        if batch.is_empty() {
            self.hub.give_back(batch);
            return false;
        }
        let messages = self.engine.publish(now, self.id, &batch, Vec::new(), &mut self.out);
        self.hub.give_back(batch);
        self.spread(now, messages);
        true
    }

    /// The short way for what concerns this worker's hub alone: no reference count, and the batch is used again.
    fn spread(&mut self, now: Now, messages: MessageBatch) {
        if hubs_of(&messages) & !self.id.bit() == 0 {
            self.hub.deliver(now, &messages, &mut self.out);
            give_credit(&messages.credits, &mut self.out);
            self.engine.recycle(messages);
        } else {
            self.engine.spread(messages, &mut self.out);
        }
    }
}
