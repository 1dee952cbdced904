//! What happens when a session's outbox is full.

use std::time::Duration;

use murre_protocol::{
    Code,
    packet::{BrokerPacket, Notice, NoticeKind, OnSlow},
};

use super::{
    Hub,
    slot::{Losses, Slot},
};
use crate::{
    engine::Outputs,
    ids::SessionKey,
    now::{Now, Tick},
    session::{LeftOut, SessionKind, Subscription},
};

/// A session is slow for so long after it lost something.
const SLOW_FOR: Duration = Duration::from_secs(10);

impl Slot {
    /// Whether it reads too slowly: its outbox is more than half full, or it lost something in the last 10 seconds.
    pub(super) fn is_slow(&self, now: Tick, outbox_max: usize) -> bool {
        let has_lost = |losses: &Losses| now.since(losses.last) < SLOW_FOR;
        self.outbox.len() > outbox_max / 2 || self.tally.losses.as_deref().is_some_and(has_lost)
    }
}

/// Puts a session among those that may be slow.
pub(super) fn watch(slot: &mut Slot, watched: &mut Vec<SessionKey>) {
    if !std::mem::replace(&mut slot.watched, true) {
        watched.push(slot.key);
    }
}

/// Notes that a session does not get something, so that it is slow for a while; gives what it has lost, to be added to.
fn losing<'s>(slot: &'s mut Slot, now: Tick, watched: &mut Vec<SessionKey>) -> &'s mut Losses {
    watch(slot, watched);
    let losses = slot.tally.losses.get_or_insert_default();
    losses.last = now;
    losses
}

impl Hub {
    /// Frees a quarter of a full outbox, so that this is not needed for each message. False where that could not
    /// be had.
    pub(super) fn make_room(&mut self, key: SessionKey, wanted: usize) -> bool {
        let max = self.limits.outbox_max;
        let target = (max / 4 * 3).saturating_sub(wanted);
        let Self { sessions, subscriptions, pool, .. } = self;
        let Some(slot) = sessions.get_mut(key.slot as usize) else { return false };
        let session = &slot.session;
        let rules = |sub: u64, place: u64| {
            let subscription = session.subscription(sub).and_then(|place| subscriptions.get(place as usize));
            match subscription {
                Some(subscription) => rule_of(subscription, place).filter(|rule| *rule != OnSlow::Disconnect),
                None => Some(OnSlow::DropOldest),
            }
        };
        let dropped = slot.outbox.make_room(pool, target, &rules);
        let fits = slot.outbox.fits(wanted, max);
        // looking again for each message would cost everyone else
        slot.stuck = !fits;
        for (sub, dropped) in dropped {
            self.count_dropped(key, sub, dropped);
        }
        fits
    }

    pub(super) fn count_dropped(&mut self, key: SessionKey, sub: u64, dropped: LeftOut) {
        self.counters.dropped.add(dropped.count());
        self.note_dropped(key, sub, dropped);
        let place = self.slot(key).and_then(|slot| slot.session.subscription(sub));
        if let Some(place) = place {
            self.lost_messages(place);
        }
    }

    /// Counts messages that a lower rate leaves out for newer ones of their topics.
    pub(super) fn count_conflated(&mut self, key: SessionKey, count: u64) {
        if count == 0 {
            return;
        }
        let now = self.now.tick;
        self.counters.conflated.add(count);
        let Some(slot) = self.sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
            return;
        };
        losing(slot, now, &mut self.watched).conflated += count;
    }

    /// Notes messages that a subscription does not get, for its NOTICE and for those who ask.
    pub(super) fn note_dropped(&mut self, key: SessionKey, sub: u64, dropped: LeftOut) {
        let (now, count) = (self.now.tick, dropped.count());
        let Some(slot) = self.sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
            return;
        };
        slot.owes_notice = true;
        losing(slot, now, &mut self.watched).dropped += count;
        let place = slot.session.subscription(sub);
        if let Some(subscription) = place.and_then(|place| self.subscriptions.get_mut(place as usize)) {
            subscription.dropped.join(dropped);
            subscription.dropped_in_all += count;
            if let Some(degraded) = &mut subscription.degraded {
                degraded.dropped += count;
            }
        }
    }

    /// Looks at the sessions that may be slow, and counts the clients among them that are. To be called about once a
    /// second.
    pub fn count_slow(&mut self, now: Now) {
        let Self { sessions, watched, limits, counters, .. } = self;
        watched.retain(|key| {
            let Some(slot) = sessions.get_mut(key.slot as usize).filter(|slot| slot.key == *key) else {
                return false;
            };
            let is_client = slot.session.is_open() && slot.session.kind != SessionKind::Local;
            slot.watched = is_client && slot.is_slow(now.tick, limits.outbox_max);
            slot.watched
        });
        counters.slow.set(watched.len() as u64);
    }

    /// Tells a client what was left out, by subscription, now that it reads again.
    pub(super) fn tell_dropped(&mut self, key: SessionKey, out: &mut Outputs) {
        let Some(slot) = self.slot_mut(key) else { return };
        slot.owes_notice = false;
        let places: Vec<u32> = slot.session.subscriptions.iter().map(|(_, place)| *place).collect();
        for place in places {
            let Some(subscription) = self.subscriptions.get_mut(place as usize) else { continue };
            let dropped = std::mem::take(&mut subscription.dropped);
            if dropped.count() == 0 {
                continue;
            }
            let rule = match &subscription.ack {
                Some(_) => "acknowledgements came too slowly".to_owned(),
                None => format!("the client read too slowly; on_slow is {}", subscription.on_slow.word()),
            };
            let (kind, sub) = (NoticeKind::Dropped, Some(subscription.sub));
            let (count, topics, reason) = (Some(dropped.count()), dropped.into_topics(), rule.into());
            let notice = Notice { kind, sub, count, topics, reason, code: Some(Code::SLOW_CONSUMER) };
            self.send(key, &BrokerPacket::Notice(Box::new(notice)), out);
        }
        self.tell_steps_down(key, out);
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
}

/// The rule of a subscription for a message at a place in the outbox; none where it must not be left out.
pub(super) fn rule_of(subscription: &Subscription, place: u64) -> Option<OnSlow> {
    let must_stay =
        subscription.ack.is_some() || subscription.is_patched() || place < subscription.history_end;
    match &subscription.degraded {
        _ if must_stay => None,
        // it gets the newest values, so these are what stays
        Some(_) if subscription.on_slow == OnSlow::DropOldest => Some(OnSlow::Conflate),
        _ => Some(subscription.on_slow),
    }
}
