//! Messages into outboxes.

use std::sync::atomic::Ordering::AcqRel;

use murre_protocol::{Position, packet::OnSlow};

use super::{Hub, run::Run, sending::is_crowded, wake};
use crate::{
    batch::{MessageBatch, MessageEntry},
    embedded::give_credit,
    engine::{Outputs, SharedBatch},
    ids::{GroupId, SessionKey, WorkerId},
    now::Now,
    session::{Gate, LeftOut, Offer},
};

impl Hub {
    /// Takes a batch that other hubs take too.
    pub fn take_shared(&mut self, now: Now, shared: &SharedBatch, out: &mut Outputs) {
        self.deliver(now, &shared.batch, out);
        if shared.left.fetch_sub(1, AcqRel) == 1 {
            give_credit(&shared.batch.credits, out);
        }
    }

    /// Delivers the messages of a batch that this hub has subscribers for.
    pub fn deliver(&mut self, now: Now, batch: &MessageBatch, out: &mut Outputs) {
        self.now = now;
        let me = self.worker.bit();
        let mut rest = batch.entries();
        while let Some(run) = Run::first(batch, rest, std::mem::take(&mut self.scratch)) {
            rest = rest.get(run.entries().len()..).unwrap_or_default();
            let wanted = run.entries().first().is_some_and(|entry| entry.hubs & me != 0);
            self.scratch = if wanted { self.deliver_run(run, out) } else { run.into_scratch() };
        }
        self.deliver_shares(batch, out);
        self.read_back(out);
        self.end_slow(now, out);
    }

    /// Delivers a run to its topic's subscribers; gives the memory that it used back.
    fn deliver_run(&mut self, mut run: Run<'_>, out: &mut Outputs) -> Vec<u8> {
        let Some(first) = run.entries().first() else { return run.into_scratch() };
        let from = 1 << (first.position.shard() & 63);
        let Self { routes, index, subscriptions, sessions, pool, limits, crowded, .. } = self;
        let (receivers, views) = routes.receivers(first.hash, run.topic(), index, subscriptions);
        let (mut copies, mut bytes, alone) = (0, 0, receivers.len() == 1);
        let messages = run.entries().len() as u64;
        self.viewing.extend_from_slice(views);
        for receiver in receivers {
            if receiver.live & from == 0 {
                // its snapshot of this shard is still under way, and has the topic at its newest
                continue;
            }
            let Some(slot) = sessions.get_mut(receiver.session as usize) else { continue };
            let codec = slot.outbox.codec();
            let len = match alone {
                true => run.len(codec, receiver.sub),
                false => run.written(codec, receiver.sub).len(),
            };
            if receiver.ack || slot.outbox.len() + len > slot.pace.plain_max {
                self.special.push(*receiver);
                continue;
            }
            match alone {
                // there is no use in writing elsewhere first what nobody else gets
                true => slot.outbox.append(pool, len, |block| run.append_to(block, codec, receiver.sub)),
                false => slot.outbox.messages(pool, run.written(codec, receiver.sub)),
            }
            slot.outbox.count_messages(messages);
            copies += 1;
            bytes += len;
            *crowded |= is_crowded(slot, limits);
            wake(slot, out);
        }
        self.counters.delivered.add(copies * messages);
        self.counters.delivered_bytes.add(bytes as u64);
        self.fresh_bytes += bytes;
        if !self.special.is_empty() {
            self.deliver_special(&mut run, out);
        }
        if !self.viewing.is_empty() {
            self.deliver_views(&run, out);
        }
        run.into_scratch()
    }

    /// Delivers a run to those of its receivers that need more than a copy: acknowledged subscriptions, and
    /// sessions whose outbox is rather full, or was.
    #[cold]
    fn deliver_special(&mut self, run: &mut Run<'_>, out: &mut Outputs) {
        let mut receivers = std::mem::take(&mut self.special);
        for receiver in receivers.drain(..) {
            let delivered =
                (0..run.entries().len()).filter(|at| self.deliver_to(receiver.place, run, *at, out));
            let delivered = delivered.count() as u64;
            self.counters.delivered.add(delivered);
        }
        self.special = receivers;
    }

    fn deliver_shares(&mut self, batch: &MessageBatch, out: &mut Outputs) {
        let me = self.worker;
        for share in batch.shares.iter().filter(|share| share.hub == me) {
            let Some(entry) = batch.entries().get(share.entry as usize) else { continue };
            match self.choose_member(share.group) {
                Some(place) => self.deliver_share(place, batch, entry, out),
                None => self.keep_early(share, batch, entry, out),
            }
        }
    }

    fn deliver_share(&mut self, place: u32, batch: &MessageBatch, entry: &MessageEntry, out: &mut Outputs) {
        let subscription = self.subscriptions.get(place as usize);
        let view = subscription.and_then(|of| of.view.as_ref()).and_then(|viewed| viewed.at_work);
        let is_sent = match view {
            Some(view) => self.deliver_viewed_share((place, view), batch, entry, out),
            None => self.deliver_to(place, &mut Run::single(batch, entry), 0, out),
        };
        self.counters.delivered.add(u64::from(is_sent));
    }

    /// Delivers what came for a group before `place`, its first member here, had its SUBSCRIBED.
    pub(super) fn deliver_early(&mut self, group: GroupId, place: u32, out: &mut Outputs) {
        let Some(local) = self.groups.get_mut(&group) else { return };
        let (early, dropped) = (local.early.take(), std::mem::take(&mut local.early_dropped));
        let entries = early.iter().flat_map(|batch| batch.entries().iter().map(|entry| (&**batch, entry)));
        for (batch, entry) in entries {
            let chosen = self.choose_member(group).unwrap_or(place);
            self.deliver_share(chosen, batch, entry, out);
        }
        if dropped > 0
            && let Some((key, sub)) =
                self.session_of(place).zip(self.subscriptions.get(place as usize).map(|s| s.sub))
        {
            self.count_dropped(key, sub, LeftOut::unnamed(dropped));
        }
    }

    /// Delivers a slice's messages to one subscription; says how many. Those that are `replayed` don't fall under the
    /// rule for slow clients: a slice is asked for only when there is room.
    pub(super) fn deliver_slice(
        &mut self,
        place: u32,
        values: &MessageBatch,
        replayed: impl Fn(&MessageEntry) -> bool,
        out: &mut Outputs,
    ) -> u64 {
        if self.subscriptions.get(place as usize).is_some_and(|subscription| subscription.view.is_some()) {
            return self.view_slice(place, values, replayed, out);
        }
        let mut sent = 0;
        for entry in values.entries() {
            let mut run = Run::single(values, entry);
            let Some(subscription) = self.subscriptions.get(place as usize) else { return sent };
            if subscription.keeping.as_ref().is_some_and(|keeping| !keeping.wants(entry.position)) {
                continue;
            }
            let is_sent = if replayed(entry) && subscription.ack.is_none() {
                self.write_to(place, &mut run, 0, out)
            } else {
                self.deliver_to(place, &mut run, 0, out)
            };
            sent += u64::from(is_sent);
        }
        self.counters.delivered.add(sent);
        sent
    }

    /// Delivers a message of a run to one subscription by its rules. False where it was left out, or waits.
    pub(super) fn deliver_to(&mut self, place: u32, run: &mut Run<'_>, at: usize, out: &mut Outputs) -> bool {
        // what was made for the subscription has no position to hold back
        if run.position(at) != Position::NONE
            && self.is_degraded(place)
            && let Some(message) = run.message(at)
        {
            return self.offer_degraded(place, &message, out);
        }
        self.deliver_undegraded(place, run, at, out)
    }

    /// The same at no lower rate than it asked for.
    pub(super) fn deliver_undegraded(
        &mut self,
        place: u32,
        run: &mut Run<'_>,
        at: usize,
        out: &mut Outputs,
    ) -> bool {
        let (position, gate) = (run.position(at), run.gate());
        let is_open = self.is_committed(gate);
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return false };
        let (sub, rule, has_view) = (subscription.sub, subscription.on_slow, subscription.view.is_some());
        let Some(slot) = self.sessions.get_mut(subscription.session as usize) else { return false };
        let key = slot.key;
        let (tail, has_options) = run.tail(at, slot.outbox.codec());
        let fits = slot.outbox.fits(tail.len(), self.limits.outbox_max);
        // what was made for the subscription alone is not acknowledged
        if let Some(window) = subscription.ack.as_mut().filter(|_| position != Position::NONE) {
            if subscription.keeping.as_ref().is_some_and(|keeping| keeping.behind && !has_view) {
                return false;
            }
            let offer = window.offer(position, gate, (has_options, tail), fits && is_open);
            if window.is_shared() && offer != Offer::Drop {
                let (tail, has_options) = run.for_others(at);
                window.keep(has_options, tail);
            }
            if let Some(keeping) = &mut subscription.keeping {
                if offer == Offer::Drop {
                    // the log has it
                    keeping.behind = true;
                    self.behind.push(place);
                    return false;
                }
                match has_view {
                    true => keeping.send(position),
                    false => keeping.take(position),
                }
            }
            match offer {
                Offer::Wait if is_open => {
                    slot.waits_for_room = true;
                    return true;
                }
                Offer::Wait => {
                    self.gated.push(place);
                    return true;
                }
                Offer::Send => {}
                Offer::Drop => {
                    self.counters.ack_dropped.add(1);
                    self.note_dropped(key, sub, LeftOut::of(&String::from_utf8_lossy(run.topic()), 1));
                    self.lost_messages(place);
                    return false;
                }
            }
        } else if !fits {
            if rule == OnSlow::Disconnect {
                self.slow.push(key);
                return false;
            }
            let wanted = tail.len();
            if slot.stuck || !self.make_room(key, wanted) {
                let dropped = LeftOut::of(&String::from_utf8_lossy(run.topic()), 1);
                self.count_dropped(key, sub, dropped);
                return false;
            }
        }
        self.write_to(place, run, at, out)
    }

    /// Writes a message of a run into a subscription's outbox, whatever is in there. False where there is none.
    pub(super) fn write_to(&mut self, place: u32, run: &mut Run<'_>, at: usize, out: &mut Outputs) -> bool {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return false };
        let sub = subscription.sub;
        let Some(slot) = self.sessions.get_mut(subscription.session as usize) else { return false };
        let (tail, has_options) = run.tail(at, slot.outbox.codec());
        slot.outbox.message(&mut self.pool, sub, has_options, tail);
        slot.outbox.count_messages(1);
        self.crowded |= is_crowded(slot, &self.limits);
        wake(slot, out);
        true
    }

    /// Whether a message may go to subscriptions with `ack`.
    fn is_committed(&self, gate: Gate) -> bool {
        is_committed(&self.committed, gate)
    }

    /// Batches of the log are through: what waited for them goes on.
    pub(super) fn committed(&mut self, from: WorkerId, gate: u64, out: &mut Outputs) {
        if let Some(committed) = self.committed.get_mut(from.index()) {
            *committed = (*committed).max(gate);
        }
        let mut gated = std::mem::take(&mut self.gated);
        gated.sort_unstable();
        gated.dedup();
        for place in gated {
            self.pump(place, out);
            let window =
                self.subscriptions.get(place as usize).and_then(|subscription| subscription.ack.as_ref());
            if window.is_some_and(|window| window.is_waiting()) {
                self.gated.push(place);
            }
        }
    }

    pub(super) fn acknowledge(&mut self, key: SessionKey, sub: u64, position: Position, out: &mut Outputs) {
        let place = self.slot(key).and_then(|slot| slot.session.subscription(sub));
        let subscription = place.and_then(|place| self.subscriptions.get_mut(place as usize));
        if let Some(window) = subscription.and_then(|subscription| subscription.ack.as_mut()) {
            window.acknowledge(position);
            if let Some(place) = place {
                self.note_acknowledged(place, position);
                self.pump(place, out);
                self.renew_load(place);
            }
            self.go_on_catching_up(key, out);
        }
    }

    /// Sends what waits in the windows of a session's acknowledged subscriptions.
    pub(super) fn pump_acknowledged(&mut self, key: SessionKey, out: &mut Outputs) {
        let Some(slot) = self.slot(key) else { return };
        if !slot.waits_for_room {
            return;
        }
        let places: Vec<u32> = slot.session.subscriptions.iter().map(|(_, place)| *place).collect();
        if let Some(slot) = self.slot_mut(key) {
            slot.waits_for_room = false;
        }
        for place in places {
            self.pump(place, out);
        }
    }

    fn pump(&mut self, place: u32, out: &mut Outputs) {
        while self.pump_up_to_snapshot_end(place, out) {
            if let Some(key) = self.session_of(place) {
                self.caught_up(key, place, out);
            }
        }
    }

    /// Sends what waits, but nothing past the end of a snapshot; true when that was reached.
    fn pump_up_to_snapshot_end(&mut self, place: u32, out: &mut Outputs) -> bool {
        let Self { sessions, subscriptions, pool, limits, counters, committed, .. } = self;
        let Some(subscription) = subscriptions.get_mut(place as usize) else { return false };
        let Some(window) = &mut subscription.ack else { return false };
        let Some(slot) = sessions.get_mut(subscription.session as usize) else { return false };
        let (mut sent, mut reached) = (0, false);
        while !reached && slot.outbox.len() < limits.outbox_max {
            let Some(next) = window.send_next(|gate| is_committed(committed, gate)) else { break };
            slot.outbox.message(pool, subscription.sub, next.has_options, &next.tail);
            sent += 1;
            reached = window.takes_snapshot_end();
        }
        slot.waits_for_room |= window.is_waiting();
        counters.delivered.add(sent);
        slot.outbox.count_messages(sent);
        if sent > 0 {
            wake(slot, out);
        }
        reached
    }
}

/// Whether a batch is through, where this is the newest one that is, by worker.
fn is_committed(committed: &[u64], gate: Gate) -> bool {
    gate.serial == 0 || committed.get(gate.from.index()).is_some_and(|newest| *newest >= gate.serial)
}
