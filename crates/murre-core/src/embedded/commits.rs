//! What follows from the log's answers, and what goes out to it at the end of each batch of publishes.

use std::sync::atomic::Ordering::Relaxed;

use murre_protocol::Position;

use super::{Embedded, give_credit, hubs::by_worker, hubs_of, logging::Waits};
use crate::{
    batch::{MessageBatch, PublishBatch},
    engine::{Answer, HubInput, Outputs},
    ids::{SessionAddress, SessionKey, WorkerId},
    log::{LogCommand, LogEvent, LogRefusal},
    now::Now,
};

impl Embedded {
    /// Hands the log what a batch of publishes came to, and says which commit its messages belong to.
    pub(super) fn close_batch(&mut self, messages: &mut MessageBatch, out: &mut Outputs) {
        messages.gate = self.logging.gate();
        if messages.gate != 0 {
            self.logging.waits().hubs |= hubs_of(messages);
        }
        self.counters.logged.add(self.logging.records() as u64);
        self.logging.flush(&mut out.log);
        self.report_debts(out);
        self.tell_pressed(out);
        let worker = self.worker;
        for shard in &mut self.shards {
            if let Some(used) = self.logging.used.get(usize::from(shard.number())) {
                used.store(shard.position().offset(), Relaxed);
            }
            if let Some(end) = shard.wants_offsets() {
                out.log.push(LogCommand::Reserve { worker, shard: shard.number(), end });
            }
        }
    }

    /// Notes the bytes of a batch of which something is logged as under way, so that their sessions wait when it is
    /// too much.
    pub(super) fn charge_for_log(&mut self, origin: WorkerId, batch: &PublishBatch, out: &mut Outputs) {
        if origin != self.worker {
            // those are under way since their hub sent them
            return;
        }
        let credits = charge(origin, batch, out);
        self.logging.waits().credits.extend(credits);
    }

    /// The log answered.
    pub(super) fn log_event(&mut self, now: Now, event: LogEvent, out: &mut Outputs) {
        match event {
            LogEvent::Committed { serial, result } => {
                if let Some(waits) = self.logging.settled(serial, result.is_err()) {
                    self.settle(now, serial, waits, result.err(), out);
                    self.begin_histories(now, serial, out);
                }
            }
            LogEvent::Slice(slice) => self.history_slice(now, slice, out),
            LogEvent::Reserved { shard, end } => {
                let place = self.place(shard);
                if let Some(shard) = self.shards.get_mut(place) {
                    shard.reserved(end);
                }
            }
        }
    }

    fn settle(
        &mut self,
        now: Now,
        serial: u64,
        mut waits: Waits,
        failed: Option<LogRefusal>,
        out: &mut Outputs,
    ) {
        let kept = std::mem::take(&mut waits.kept);
        self.tell_kept(now, kept, failed, out);
        if let Some(refusal) = failed {
            self.counters.log_batches_failed.add(1);
            tell_failed(&waits, refusal, out);
            self.not_written(now, std::mem::take(&mut waits.sessions));
            for change in &waits.sequences {
                let place = self.place(change.shard);
                if let Some(shard) = self.shards.get_mut(place) {
                    shard.sequences.take_back(&change.client, change.number);
                }
            }
        } else {
            tell(waits.answers, out);
        }
        give_credit(&waits.credits, out);
        for hub in self.placement.all_workers().filter(|hub| waits.hubs & hub.bit() != 0) {
            out.hub(hub, HubInput::Committed { from: self.worker, gate: serial });
        }
        self.tell_pressed(out);
    }

    fn tell_pressed(&mut self, out: &mut Outputs) {
        let pressed = self.logging.is_pressed();
        if std::mem::replace(&mut self.pressed, pressed) != pressed {
            for hub in self.placement.all_workers() {
                out.hub(hub, HubInput::Pressed { from: self.worker, pressed });
            }
        }
    }
}

/// Notes the bytes of a batch as under way, until the credits are given back.
pub(super) fn charge(
    origin: WorkerId,
    batch: &PublishBatch,
    out: &mut Outputs,
) -> Vec<(SessionAddress, usize)> {
    let mut charges: Vec<(SessionKey, usize)> = Vec::new();
    for entry in batch.entries() {
        let Some(session) = entry.session else { continue };
        let bytes = batch.topic(entry).len() + batch.payload(entry).len();
        match charges.last_mut().filter(|(last, _)| *last == session) {
            Some((_, sum)) => *sum += bytes,
            None => charges.push((session, bytes)),
        }
    }
    let address = |key| SessionAddress { worker: origin, key };
    let credits = charges.iter().map(|(key, bytes)| (address(*key), *bytes)).collect();
    out.hub(origin, HubInput::Charge(charges));
    credits
}

/// Answers publishers, a message for each hub.
fn tell(answers: impl IntoIterator<Item = (WorkerId, Answer)>, out: &mut Outputs) {
    for (hub, answers) in by_worker(answers) {
        out.hub(hub, HubInput::Published(answers));
    }
}

fn tell_failed(waits: &Waits, refusal: LogRefusal, out: &mut Outputs) {
    let (code, reason) = (refusal.code(), refusal.reason());
    let refused = |(hub, answer): &(WorkerId, Answer)| {
        (*hub, Answer { code, reason, position: Position::NONE, ..*answer })
    };
    tell(waits.answers.iter().map(refused), out);
}
