//! What a subscription is sent before it is live: the snapshot of last values, then CAUGHT_UP.
//!
//! A session is sent one snapshot at a time, from one worker's shards after the other, a slice whenever its
//! outbox has room; so a snapshot of any size costs a slice of memory. A shard's messages are delivered live from
//! the point on at which its part of the snapshot ended.

use murre_protocol::{
    Position,
    packet::{BrokerPacket, CaughtUp},
};

use super::Hub;
use crate::{
    engine::{EngineInput, Outputs, Slice, SnapshotCommand},
    ids::{SessionKey, SnapshotId, WorkerId},
    now::Now,
    session::{CatchUp, NextStep, Replay, Stage},
};

impl Hub {
    pub(super) fn begin_catching_up(
        &mut self,
        key: SessionKey,
        place: u32,
        replay: Replay,
        out: &mut Outputs,
    ) {
        let id = SnapshotId { worker: self.worker, serial: self.number() };
        let (all_shards, workers) = (self.placement.all_shards(), self.placement.all_workers());
        let workers_left = workers.fold(0, |set, worker| set | worker.bit());
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        subscription.live = if replay == Replay::Live { all_shards } else { 0 };
        if replay == Replay::Last
            && let Some(window) = &mut subscription.ack
        {
            window.begin_anew();
        }
        let (count, positions, next) = (0, Vec::new(), NextStep::Open);
        subscription.stage =
            Stage::CatchingUp(Box::new(CatchUp { id, replay, count, positions, workers_left, next }));
        self.routes.void();
        self.snapshots.insert(id.serial, place);
        if replay == Replay::Live {
            self.ask_all(out, || EngineInput::Positions(id));
            return;
        }
        let Some(slot) = self.slot_mut(key) else { return };
        slot.session.snapshots_waiting.push(place);
        self.go_on_catching_up(key, out);
    }

    /// Asks for the next slice if there is room for it.
    pub(super) fn go_on_catching_up(&mut self, key: SessionKey, out: &mut Outputs) {
        let outbox_max = self.limits.outbox_max;
        let Some(slot) = self.slot_mut(key) else { return };
        if slot.outbox.len() > outbox_max / 2 {
            return;
        }
        let session = &mut slot.session;
        if session.snapshot.is_none() {
            if session.snapshots_waiting.is_empty() {
                return;
            }
            let place = session.snapshots_waiting.remove(0);
            let Some(id) = self.catch_up(place).map(|catch_up| catch_up.id) else {
                return self.go_on_catching_up(key, out);
            };
            if let Some(slot) = self.slot_mut(key) {
                slot.session.snapshot = Some(id);
            }
        }
        let Some(id) = self.slot(key).and_then(|slot| slot.session.snapshot) else { return };
        self.ask_for_slice(id, out);
    }

    fn ask_for_slice(&mut self, id: SnapshotId, out: &mut Outputs) {
        let Some(&place) = self.snapshots.get(&id.serial) else { return };
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        if subscription.ack.as_ref().is_some_and(|window| window.is_waiting()) {
            return;
        }
        let filter = subscription.filter.clone();
        let Stage::CatchingUp(catch_up) = &mut subscription.stage else { return };
        if catch_up.workers_left == 0 {
            return;
        }
        let worker = WorkerId(catch_up.workers_left.trailing_zeros() as u8);
        let command = match std::mem::replace(&mut catch_up.next, NextStep::Awaited) {
            NextStep::Awaited => return,
            NextStep::Open => SnapshotCommand::Open(id, filter),
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
        let sent = self.deliver_slice(place, &values, out);
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let Stage::CatchingUp(catch_up) = &mut subscription.stage else { return };
        catch_up.count += sent;
        for position in &finished {
            subscription.live |= 1 << (position.shard() & 63);
        }
        if !finished.is_empty() {
            self.routes.void();
        }
        catch_up.positions.extend(finished);
        if !done {
            catch_up.next = NextStep::Next;
            if overtaken {
                // what is left are messages of the live stream: they don't wait for room, their rule holds
                self.ask_for_slice(id, out);
            }
        } else {
            catch_up.workers_left &= !from.bit();
            catch_up.next = NextStep::Open;
            if catch_up.workers_left == 0 {
                self.all_through(key, place, out);
            }
        }
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
        let window =
            self.subscriptions.get_mut(place as usize).and_then(|subscription| subscription.ack.as_mut());
        if !window.is_some_and(|window| window.end_snapshot()) {
            self.caught_up(key, place, out);
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
        if replay == Replay::Last {
            self.counters.snapshots.add(1);
            if let Some(slot) = self.slot_mut(key) {
                slot.session.snapshot = None;
            }
        }
        self.send(key, &BrokerPacket::CaughtUp(CaughtUp { sub, positions: positions.into(), count }), out);
    }

    /// Stops catching up, wherever it is.
    pub(super) fn cut_catching_up(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        let Some(catch_up) = self.catch_up(place) else { return };
        let (id, worker) = (catch_up.id, WorkerId(catch_up.workers_left.trailing_zeros() as u8));
        let opened = catch_up.replay == Replay::Last && catch_up.next != NextStep::Open;
        self.snapshots.remove(&id.serial);
        if opened {
            self.cancel_snapshot(worker, id, out);
        }
        if let Some(subscription) = self.subscriptions.get_mut(place as usize) {
            subscription.stage = Stage::Live;
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
