//! Messages into outboxes, and what happens when one is full.

use std::sync::atomic::Ordering::AcqRel;

use murre_protocol::{
    Code, Codec, Position,
    codec::HasOptions,
    packet::{BrokerPacket, Notice, NoticeKind, OnSlow},
};

use super::{Hub, Slot, wake};
use crate::{
    batch::{MessageBatch, MessageEntry},
    embedded::give_credit,
    engine::{Outputs, SharedBatch},
    ids::{GroupId, SessionKey},
    now::Now,
    session::Offer,
};

/// A message's tail in both encodings; the second is made when the first JSON client wants it.
struct Encoded<'a> {
    batch: &'a MessageBatch,
    entry: &'a MessageEntry,
    json: Option<(Vec<u8>, HasOptions)>,
}

impl<'a> Encoded<'a> {
    fn new(batch: &'a MessageBatch, entry: &'a MessageEntry) -> Self {
        Self { batch, entry, json: None }
    }

    #[inline]
    fn tail(&mut self, codec: Codec) -> (&[u8], HasOptions) {
        match codec {
            Codec::MessagePack => (self.batch.tail(self.entry), self.entry.has_options),
            Codec::Json => {
                let (tail, has_options) = self.json.get_or_insert_with(|| {
                    let mut tail = Vec::new();
                    let has_options = Codec::Json.message_tail(&self.batch.message(self.entry), &mut tail);
                    (tail, has_options)
                });
                (tail, *has_options)
            }
        }
    }
}

impl Hub {
    /// Takes a batch that other hubs take too.
    pub(super) fn take_shared(&mut self, now: Now, shared: &SharedBatch, out: &mut Outputs) {
        self.deliver(now, &shared.batch, out);
        if shared.left.fetch_sub(1, AcqRel) == 1 {
            give_credit(&shared.batch.credits, out);
        }
    }

    /// Delivers the messages of a batch that this hub has subscribers for.
    pub fn deliver(&mut self, now: Now, batch: &MessageBatch, out: &mut Outputs) {
        let me = self.worker.bit();
        let (mut delivered, mut bytes) = (0, 0);
        for entry in batch.entries().iter().filter(|entry| entry.hubs & me != 0) {
            let topic = batch.topic_bytes(entry);
            let mut encoded = Encoded::new(batch, entry);
            let from = 1 << (entry.position.shard() & 63);
            let receivers = self.routes.receivers(entry.hash, topic, &self.index, &self.subscriptions);
            for receiver in receivers {
                if receiver.live & from == 0 {
                    // its snapshot of this shard is still under way, and has the topic at its newest
                    continue;
                }
                let Some(slot) = self.sessions.get_mut(receiver.session as usize) else { continue };
                let (tail, has_options) = encoded.tail(slot.outbox.codec());
                if receiver.ack || !slot.outbox.fits(tail.len(), self.limits.outbox_max) {
                    self.special.push(*receiver);
                    continue;
                }
                slot.outbox.message(&mut self.pool, receiver.sub, has_options, tail);
                delivered += 1;
                bytes += tail.len();
                wake(slot, out);
            }
            if !self.special.is_empty() {
                delivered += self.deliver_special(entry, &mut encoded, out);
            }
        }
        self.deliver_shares(batch, out);
        self.counters.delivered.add(delivered);
        self.counters.delivered_bytes.add(bytes as u64);
        self.fresh_bytes += bytes;
        self.end_slow(now, out);
    }

    /// Delivers a message to those of its receivers that need more than a copy: acknowledged subscriptions, and
    /// sessions whose outbox was full.
    #[cold]
    fn deliver_special(&mut self, entry: &MessageEntry, encoded: &mut Encoded<'_>, out: &mut Outputs) -> u64 {
        let mut receivers = std::mem::take(&mut self.special);
        let mut delivered = 0;
        for receiver in receivers.drain(..) {
            delivered += u64::from(self.deliver_to(receiver.place, entry.position, encoded, out));
        }
        self.special = receivers;
        delivered
    }

    fn deliver_shares(&mut self, batch: &MessageBatch, out: &mut Outputs) {
        let me = self.worker;
        for share in batch.shares.iter().filter(|share| share.hub == me) {
            let Some(entry) = batch.entries().get(share.entry as usize) else { continue };
            match self.choose_member(share.group) {
                Some(place) => self.deliver_share(place, batch, entry, out),
                None => self.keep_early(share.group, batch, entry),
            }
        }
    }

    fn deliver_share(&mut self, place: u32, batch: &MessageBatch, entry: &MessageEntry, out: &mut Outputs) {
        let mut encoded = Encoded::new(batch, entry);
        if self.deliver_to(place, entry.position, &mut encoded, out) {
            self.counters.delivered.add(1);
        }
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
            self.count_dropped(key, sub, dropped);
        }
    }

    /// Delivers the values of a snapshot's slice to one subscription; says how many.
    pub(super) fn deliver_slice(&mut self, place: u32, values: &MessageBatch, out: &mut Outputs) -> u64 {
        let mut sent = 0;
        for entry in values.entries() {
            let mut encoded = Encoded::new(values, entry);
            let Some(subscription) = self.subscriptions.get(place as usize) else { return sent };
            let (sub, kept) = (subscription.sub, entry.retain);
            let Some(slot) = self.sessions.get_mut(subscription.session as usize) else { return sent };
            if kept && subscription.ack.is_none() {
                let (tail, has_options) = encoded.tail(slot.outbox.codec());
                slot.outbox.message(&mut self.pool, sub, has_options, tail);
                wake(slot, out);
                sent += 1;
            } else if self.deliver_to(place, entry.position, &mut encoded, out) {
                sent += 1;
            }
        }
        self.counters.delivered.add(sent);
        sent
    }

    /// Delivers a message to one subscription by its rules. False where it was left out.
    fn deliver_to(
        &mut self,
        place: u32,
        position: Position,
        encoded: &mut Encoded<'_>,
        out: &mut Outputs,
    ) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return false };
        let (sub, rule) = (subscription.sub, subscription.on_slow);
        let Some(slot) = self.sessions.get_mut(subscription.session as usize) else { return false };
        let (tail, has_options) = encoded.tail(slot.outbox.codec());
        let fits = slot.outbox.fits(tail.len(), self.limits.outbox_max);
        if let Some(window) = &mut subscription.ack {
            match window.offer(position, has_options, tail, fits) {
                Offer::Wait => {
                    slot.waits_for_room = true;
                    return true;
                }
                Offer::Send => {}
                Offer::Drop => {
                    subscription.dropped += 1;
                    slot.owes_notice = true;
                    self.counters.ack_dropped.add(1);
                    return false;
                }
            }
        } else if !fits {
            let key = slot.key;
            if rule == OnSlow::Disconnect {
                self.slow.push(key);
                return false;
            }
            let wanted = tail.len();
            if slot.stuck || !self.make_room(key, wanted) {
                self.count_dropped(key, sub, 1);
                return false;
            }
        }
        let Some(slot) =
            self.subscriptions.get(place as usize).and_then(|s| self.sessions.get_mut(s.session as usize))
        else {
            return false;
        };
        let (tail, has_options) = encoded.tail(slot.outbox.codec());
        slot.outbox.message(&mut self.pool, sub, has_options, tail);
        wake(slot, out);
        true
    }

    /// Frees a quarter of a full outbox, so that this is not needed for each message. False where that could not
    /// be had.
    fn make_room(&mut self, key: SessionKey, wanted: usize) -> bool {
        let max = self.limits.outbox_max;
        let target = (max / 4 * 3).saturating_sub(wanted);
        let Self { sessions, subscriptions, pool, .. } = self;
        let Some(slot) = sessions.get_mut(key.slot as usize) else { return false };
        let session = &slot.session;
        let rules =
            |sub: u64| match session.subscription(sub).and_then(|place| subscriptions.get(place as usize)) {
                Some(subscription)
                    if subscription.ack.is_some() || subscription.on_slow == OnSlow::Disconnect =>
                {
                    None
                }
                Some(subscription) => Some(subscription.on_slow),
                None => Some(OnSlow::DropOldest),
            };
        let dropped = slot.outbox.make_room(pool, target, &rules);
        let fits = slot.outbox.fits(wanted, max);
        // looking again for each message would cost everyone else
        slot.stuck = !fits;
        for (sub, count) in dropped {
            self.count_dropped(key, sub, count);
        }
        fits
    }

    fn count_dropped(&mut self, key: SessionKey, sub: u64, count: u64) {
        self.counters.dropped.add(count);
        let Some(slot) = self.slot_mut(key) else { return };
        slot.owes_notice = true;
        let place = slot.session.subscription(sub);
        if let Some(subscription) = place.and_then(|place| self.subscriptions.get_mut(place as usize)) {
            subscription.dropped += count;
        }
    }

    /// Tells a client what was left out, by subscription, now that it reads again.
    pub(super) fn tell_dropped(&mut self, key: SessionKey, out: &mut Outputs) {
        let Some(slot) = self.slot_mut(key) else { return };
        slot.owes_notice = false;
        let places: Vec<u32> = slot.session.subscriptions.iter().map(|(_, place)| *place).collect();
        for place in places {
            let Some(subscription) = self.subscriptions.get_mut(place as usize) else { continue };
            let count = std::mem::take(&mut subscription.dropped);
            if count == 0 {
                continue;
            }
            let rule = match &subscription.ack {
                Some(_) => "acknowledgements came too slowly".to_owned(),
                None => format!("the client read too slowly; on_slow is {}", subscription.on_slow.word()),
            };
            let (kind, sub) = (NoticeKind::Dropped, Some(subscription.sub));
            let (topics, reason) = (Vec::new(), rule.into());
            let notice =
                Notice { kind, sub, count: Some(count), topics, reason, code: Some(Code::SLOW_CONSUMER) };
            self.send(key, &BrokerPacket::Notice(Box::new(notice)), out);
        }
    }

    /// Disconnects those that read too slowly and asked for it.
    pub(super) fn end_slow(&mut self, now: Now, out: &mut Outputs) {
        while let Some(key) = self.slow.pop() {
            let Some(slot) = self.sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
                continue;
            };
            if slot.session.is_closing() {
                continue;
            }
            self.counters.slow_disconnected.add(1);
            // what waits would only keep the farewell from being heard
            slot.outbox.clear(&mut self.pool);
            let reason = format!("{} bytes wait for this client (limits.outbox_max)", self.limits.outbox_max);
            self.disconnect(now, key, Code::SLOW_CONSUMER, reason, out);
        }
    }

    pub(super) fn acknowledge(&mut self, key: SessionKey, sub: u64, position: Position, out: &mut Outputs) {
        let place = self.slot(key).and_then(|slot| slot.session.subscription(sub));
        let subscription = place.and_then(|place| self.subscriptions.get_mut(place as usize));
        if let Some(window) = subscription.and_then(|subscription| subscription.ack.as_mut()) {
            window.acknowledge(position);
            if let Some(place) = place {
                self.pump(place, out);
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
        let Self { sessions, subscriptions, pool, limits, counters, .. } = self;
        let Some(subscription) = subscriptions.get_mut(place as usize) else { return };
        let Some(window) = &mut subscription.ack else { return };
        let Some(slot) = sessions.get_mut(subscription.session as usize) else { return };
        let mut sent = 0;
        while slot.outbox.len() < limits.outbox_max {
            let Some(next) = window.send_next() else { break };
            slot.outbox.message(pool, subscription.sub, next.has_options, &next.tail);
            sent += 1;
        }
        slot.waits_for_room |= window.is_waiting();
        counters.delivered.add(sent);
        if sent > 0 {
            wake(slot, out);
        }
    }
}

impl Slot {
    /// Whether anything waits for room in the outbox.
    pub(super) fn waits(&self) -> bool {
        let session = &self.session;
        session.snapshot.is_some()
            || !session.snapshots_waiting.is_empty()
            || session.paused
            || self.owes_notice
            || self.in_group
            || self.waits_for_room
    }
}
