//! What a subscription is sent before it is live: the snapshot of last values, then CAUGHT_UP.
//!
//! A session is sent one snapshot at a time, from one worker's shards after the other, a slice whenever its
//! outbox has room; so a snapshot of any size costs a slice of memory. A shard's messages are delivered live from
//! the point on at which its part of the snapshot ended.

use murre_protocol::{
    Position,
    packet::{BrokerPacket, CaughtUp, Subscribed},
};

use super::{Hub, views::Begun};
use crate::{
    engine::{EngineInput, Outputs, Slice, SnapshotCommand},
    ids::{SessionKey, SnapshotId, WorkerId},
    log::Lost,
    now::Now,
    session::{CatchUp, Judging, NextStep, Replay, Stage},
};

impl Hub {
    pub(super) fn begin_catching_up(
        &mut self,
        key: SessionKey,
        place: u32,
        replay: Replay,
        answers: u32,
        out: &mut Outputs,
    ) {
        self.end_degraded(place, out);
        let id = SnapshotId { worker: self.worker, serial: self.number() };
        let (all_shards, workers) = (self.placement.all_shards(), self.placement.all_workers());
        let workers_left = workers.fold(0, |set, worker| set | worker.bit());
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        subscription.live = if replay == Replay::Live { all_shards } else { 0 };
        if replay != Replay::Live
            && subscription.keeping.is_none()
            && let Some(window) = &mut subscription.ack
        {
            window.begin_anew();
        }
        let judging = match &replay {
            Replay::After { lost, .. } => Some(Judging { workers_left, lost: *lost, answers }),
            Replay::Kept(_) => Some(Judging { workers_left, lost: None, answers }),
            _ => None,
        };
        let count = subscription.keeping.as_ref().map_or(0, |keeping| keeping.count);
        let (positions, next) = (Vec::new(), NextStep::Open);
        let filter = subscription.filter.clone();
        let begin = replay.begin();
        if !self.view_goes_on(place) {
            self.begin_view(place, Begun::CatchingUp { in_history: replay.is_history() });
        }
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let is_judged = judging.is_some();
        let catch_up = CatchUp { id, replay, count, positions, workers_left, next, judging };
        subscription.stage = Stage::CatchingUp(Box::new(catch_up));
        self.routes.void();
        self.snapshots.insert(id.serial, place);
        match begin {
            None => self.ask_all(out, || EngineInput::Positions(id)),
            Some(begin) if is_judged => self.ask_all(out, || {
                EngineInput::Snapshot(SnapshotCommand::Open(id, filter.clone(), begin.clone()))
            }),
            Some(_) => self.wait_for_turn(key, place, out),
        }
    }

    /// A session is sent one snapshot or history after the other.
    fn wait_for_turn(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        let Some(slot) = self.slot_mut(key) else { return };
        slot.session.snapshots_waiting.push(place);
        self.go_on_catching_up(key, out);
    }

    /// Shards of one worker say whether a history after positions lacks something: SUBSCRIBED when all have.
    pub(super) fn judged(&mut self, from: WorkerId, id: SnapshotId, lost: Option<Lost>, out: &mut Outputs) {
        let Some(&place) = self.snapshots.get(&id.serial) else { return };
        let Some(catch_up) = self.catch_up(place) else { return };
        let Some(judging) = &mut catch_up.judging else { return };
        judging.lost = judging.lost.or(lost);
        judging.workers_left &= !from.bit();
        if judging.workers_left > 0 {
            return;
        }
        let (lost, answers) = (judging.lost, judging.answers);
        catch_up.judging = None;
        catch_up.next = NextStep::Next;
        let is_kept = matches!(catch_up.replay, Replay::Kept(_));
        let Some(key) = self.session_of(place) else { return };
        if is_kept && lost == Some(Lost::Limit) {
            self.tell_limited(key, place, None, out);
        }
        let (recovered, lost) = (Some(lost.is_none()), lost.map(|lost| lost.word().into()));
        self.say_subscribed(key, place, answers, Subscribed { recovered, lost, ..Default::default() }, out);
        self.wait_for_turn(key, place, out);
    }

    /// Asks for the next slice if there is room for it. A subscription that waits for acknowledgements lets the others
    /// of its session go before.
    pub(super) fn go_on_catching_up(&mut self, key: SessionKey, out: &mut Outputs) {
        let outbox_max = self.limits.outbox_max;
        let Some(slot) = self.slot(key) else { return };
        if slot.outbox.len() > outbox_max / 2 {
            return;
        }
        if let Some(id) = slot.session.snapshot {
            let Some(&place) = self.snapshots.get(&id.serial).filter(|place| self.is_held_up(**place)) else {
                return self.ask_for_slice(id, out);
            };
            if let Some(slot) = self.slot_mut(key) {
                slot.session.snapshot = None;
                slot.session.snapshots_waiting.push(place);
            }
        }
        if let Some(id) = self.next_to_catch_up(key) {
            self.ask_for_slice(id, out);
        }
    }

    /// Gives the turn to the first that waits for it and can be sent something.
    fn next_to_catch_up(&mut self, key: SessionKey) -> Option<SnapshotId> {
        let slot = self.slot_mut(key)?;
        let mut waiting = std::mem::take(&mut slot.session.snapshots_waiting);
        let mut next = None;
        waiting.retain(|place| {
            if next.is_some() {
                return true;
            }
            let Some(id) = self.catch_up(*place).filter(|of| of.workers_left > 0).map(|of| of.id) else {
                return false;
            };
            let is_held_up = self.is_held_up(*place);
            next = (!is_held_up).then_some(id);
            is_held_up
        });
        let slot = self.slot_mut(key)?;
        slot.session.snapshots_waiting = waiting;
        slot.session.snapshot = next;
        next
    }

    /// Whether nothing more can be sent to a subscription before acknowledgements come, or room in the outbox.
    fn is_held_up(&self, place: u32) -> bool {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return false };
        let is_awaited = match &subscription.stage {
            Stage::CatchingUp(catch_up) => catch_up.next == NextStep::Awaited,
            _ => false,
        };
        !is_awaited && subscription.ack.as_ref().is_some_and(|window| window.is_waiting())
    }

    fn ask_for_slice(&mut self, id: SnapshotId, out: &mut Outputs) {
        let Some(&place) = self.snapshots.get(&id.serial) else { return };
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        if subscription.ack.as_ref().is_some_and(|window| window.is_waiting()) {
            return;
        }
        let filter = subscription.filter.clone();
        let Stage::CatchingUp(catch_up) = &mut subscription.stage else { return };
        if catch_up.workers_left == 0 || catch_up.judging.is_some() {
            return;
        }
        let Some(begin) = catch_up.replay.begin() else { return };
        let worker = WorkerId(catch_up.workers_left.trailing_zeros() as u8);
        let command = match std::mem::replace(&mut catch_up.next, NextStep::Awaited) {
            NextStep::Awaited => return,
            NextStep::Open => SnapshotCommand::Open(id, filter, begin),
            NextStep::Next => SnapshotCommand::Next(id),
        };
        if worker == self.worker && matches!(command, SnapshotCommand::Next(_)) {
            // a long walk lets the event loop have its turn between two slices
            out.later.push_back(EngineInput::Snapshot(command));
        } else {
            self.ask(worker, EngineInput::Snapshot(command), out);
        }
    }

    /// A slice came.
    pub(super) fn slice(&mut self, now: Now, slice: Slice, out: &mut Outputs) {
        let Slice { id, from, values, finished, done, overtaken } = slice;
        let Some(&place) = self.snapshots.get(&id.serial) else { return };
        let Some(key) = self.session_of(place) else { return };
        let history = self.catch_up(place).is_some_and(|catch_up| catch_up.replay.is_history());
        let sent = self.deliver_slice(place, &values, |entry| history || entry.retain, out);
        let outbox_end = self.slot(key).map_or(0, |slot| slot.outbox.end());
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        if history && sent > 0 {
            subscription.history_end = outbox_end;
        }
        let Stage::CatchingUp(catch_up) = &mut subscription.stage else { return };
        catch_up.count += sent;
        if subscription.keeping.as_ref().is_some_and(|keeping| keeping.behind) {
            // not all of it found room: it is read back from there on
            return self.read_back(out);
        }
        // what is kept for it is to be sent before it is live
        if !subscription.keeping.as_ref().is_some_and(|keeping| keeping.begins_again) {
            for position in &finished {
                subscription.live |= 1 << (position.shard() & 63);
            }
            if !finished.is_empty() {
                self.routes.void();
            }
            catch_up.positions.extend(finished);
        }
        if !done {
            catch_up.next = NextStep::Next;
            if overtaken {
                // what is left are messages of the live stream: they don't wait for room, their rule holds
                self.ask_for_slice(id, out);
            }
        } else {
            catch_up.workers_left &= !from.bit();
            // a history after positions was opened everywhere at once
            catch_up.next = if catch_up.replay.is_opened_at_once() { NextStep::Next } else { NextStep::Open };
            if catch_up.workers_left == 0 {
                self.all_through(key, place, out);
            }
        }
        self.read_back(out);
        self.end_slow(now, out);
        self.go_on_catching_up(key, out);
    }

    /// An engine part says where its shards stand: all that a subscription from "live" waits for.
    pub(super) fn positions(
        &mut self,
        from: WorkerId,
        id: SnapshotId,
        positions: Vec<Position>,
        out: &mut Outputs,
    ) {
        let Some(&place) = self.snapshots.get(&id.serial) else { return };
        let Some(catch_up) = self.catch_up(place) else { return };
        catch_up.positions.extend(positions);
        catch_up.workers_left &= !from.bit();
        if catch_up.workers_left == 0
            && let Some(key) = self.session_of(place)
        {
            self.all_through(key, place, out);
        }
    }

    /// All shards are through: CAUGHT_UP goes out, behind what waits for acknowledgements.
    fn all_through(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        if self.has_begun(key, place, out) {
            return;
        }
        self.end_view_of_snapshot(place, out);
        self.settle_view(place);
        let window =
            self.subscriptions.get_mut(place as usize).and_then(|subscription| subscription.ack.as_mut());
        if !window.is_some_and(|window| window.end_snapshot()) {
            self.caught_up(key, place, out);
        } else if let Some(id) = self.catch_up(place).map(|catch_up| catch_up.id) {
            self.end_turn(key, id);
        }
    }

    pub(super) fn caught_up(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let Stage::CatchingUp(catch_up) = std::mem::replace(&mut subscription.stage, Stage::Live) else {
            return;
        };
        let sub = subscription.sub;
        let CatchUp { id, replay, count, mut positions, .. } = *catch_up;
        positions.sort_unstable_by_key(|position| position.shard());
        self.snapshots.remove(&id.serial);
        if replay != Replay::Live {
            let counter = if replay.is_history() { &self.counters.replays } else { &self.counters.snapshots };
            counter.add(1);
            self.end_turn(key, id);
        }
        if self.tells_caught_up(place) {
            self.send(
                key,
                &BrokerPacket::CaughtUp(CaughtUp { sub, positions: positions.into(), count }),
                out,
            );
        }
    }

    /// Lets the next subscription of the session be sent its snapshot or history.
    fn end_turn(&mut self, key: SessionKey, id: SnapshotId) {
        if let Some(slot) = self.slot_mut(key) {
            slot.session.snapshot.take_if(|turn| *turn == id);
        }
    }

    /// Stops catching up, wherever it is.
    pub(super) fn cut_catching_up(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        let Some(catch_up) = self.catch_up(place) else { return };
        let (id, workers_left) = (catch_up.id, catch_up.workers_left);
        let first = WorkerId(workers_left.trailing_zeros() as u8);
        let opened = match &catch_up.replay {
            Replay::Live => 0,
            Replay::After { .. } | Replay::Kept(_) => workers_left,
            _ if catch_up.next == NextStep::Open => 0,
            _ => first.bit(),
        };
        let owed = catch_up.judging.take().map_or(0, |judging| judging.answers);
        self.snapshots.remove(&id.serial);
        for worker in self.placement.all_workers().filter(|worker| opened & worker.bit() != 0) {
            self.cancel_snapshot(worker, id, out);
        }
        self.say_subscribed(key, place, owed, Subscribed::default(), out);
        if let Some(subscription) = self.subscriptions.get_mut(place as usize) {
            subscription.stage = Stage::Live;
            if let Some(view) = &mut subscription.view {
                view.of_snapshot = None;
            }
            if let Some(window) = &mut subscription.ack {
                window.forget_snapshot_end();
            }
        }
        if let Some(slot) = self.slot_mut(key) {
            slot.session.snapshots_waiting.retain(|waiting| *waiting != place);
            if slot.session.snapshot == Some(id) {
                slot.session.snapshot = None;
                self.go_on_catching_up(key, out);
            }
        }
    }

    fn catch_up(&mut self, place: u32) -> Option<&mut CatchUp> {
        match &mut self.subscriptions.get_mut(place as usize)?.stage {
            Stage::CatchingUp(catch_up) => Some(catch_up),
            _ => None,
        }
    }

    pub(super) fn session_of(&self, place: u32) -> Option<SessionKey> {
        let subscription = self.subscriptions.get(place as usize)?;
        self.sessions.get(subscription.session as usize).map(|slot| slot.key)
    }
}
