//! Subscriptions that are kept over disconnects.
//!
//! Such a subscription is delivered to as every one with `ack` is. Beside that, the record of its client is told what
//! is acknowledged; and what finds no room to wait is not left out but read back from the log later.

use std::sync::Arc;

use murre_protocol::{
    Code, Position,
    packet::{BrokerPacket, Notice, NoticeKind, Subscribed},
};

use super::{Hub, wish::Wish};
use crate::{
    engine::{EngineInput, Outputs},
    ids::SessionKey,
    kept::{Acknowledged, Begins, KeptAnswer, KeptRequest, Returning},
    log::LogRefusal,
    now::Now,
    session::{Keeping, Replay, Stage, Subscription},
};

impl Hub {
    /// Asks the record of a client to keep a new subscription, if the session is kept. SUBSCRIBED waits for the answer.
    pub(super) fn ask_to_keep(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        if self.slot(key).is_none_or(|slot| slot.session.expiry == 0) {
            return;
        }
        let serial = self.number();
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let Stage::Announced { replay, .. } = &subscription.stage else { return };
        let (begins, after) = (begins(replay), after(replay));
        subscription.keeping = Some(Box::new(Keeping::asked(serial, begins)));
        let (sub, filter) = (subscription.sub, subscription.filter.clone());
        let view = subscription.view.as_ref().map(|viewed| Arc::new(viewed.options.clone()));
        let request = KeptRequest::Subscribe { sub, filter, begins, after, view, serial };
        self.ask_record(key, request, out);
    }

    /// Asks the record of a client to keep a subscription no more. False where it wasn't kept.
    pub(super) fn ask_to_keep_no_more(&mut self, key: SessionKey, place: u32, out: &mut Outputs) -> bool {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return false };
        if subscription.keeping.is_none() {
            return false;
        }
        let sub = subscription.sub;
        self.ask_record(key, KeptRequest::Unsubscribe { sub }, out);
        true
    }

    pub(super) fn ask_record(&mut self, key: SessionKey, request: KeptRequest, out: &mut Outputs) {
        let session = self.address(key);
        let Some(client) = self.slot(key).and_then(|slot| slot.session.client.clone()) else { return };
        let worker = self.placement.worker(self.placement.client_shard(&client));
        self.ask(worker, EngineInput::Kept { client, session, request }, out);
    }

    /// The record of a client answers.
    pub(super) fn kept_answer(&mut self, now: Now, key: SessionKey, answer: KeptAnswer, out: &mut Outputs) {
        if self.slot(key).is_none_or(|slot| slot.session.is_closing()) {
            return;
        }
        match answer {
            KeptAnswer::Kept { sub, serial, cursors } => {
                let Some((place, keeping)) = self.keeping(key, sub) else { return };
                if keeping.asked.take_if(|asked| *asked == serial).is_none() {
                    return;
                }
                keeping.stand_at(&cursors);
                if keeping.interested {
                    self.granted(place, out);
                    self.resume(now, key, out);
                }
            }
            KeptAnswer::Refused { sub, serial, why } => {
                let asked = self.keeping(key, sub).filter(|(_, keeping)| keeping.asked == Some(serial));
                if let Some((place, _)) = asked {
                    self.refuse_to_keep(key, sub, place, why, out);
                    self.resume(now, key, out);
                }
            }
            KeptAnswer::Changed { sub, .. } => {
                let place = self.keeping(key, sub).map(|(place, _)| place);
                place.into_iter().for_each(|place| self.changed(key, place, None, out));
            }
            KeptAnswer::NotChanged { sub, why } => {
                let place = self.keeping(key, sub).map(|(place, _)| place);
                place.into_iter().for_each(|place| self.changed(key, place, Some(why), out));
            }
            KeptAnswer::Gone { sub } => {
                self.send(key, &BrokerPacket::Unsubscribed { sub, code: Code::OK }, out);
            }
            KeptAnswer::Limited { sub, position, messages } => {
                let Some((place, keeping)) = self.keeping(key, sub) else { return };
                keeping.let_go(position);
                self.tell_limited(key, place, Some(messages), out);
            }
        }
    }

    /// It could not be written: the subscription is none.
    fn refuse_to_keep(&mut self, key: SessionKey, sub: u64, place: u32, why: LogRefusal, out: &mut Outputs) {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return };
        let Stage::Announced { answers, .. } = subscription.stage else { return };
        self.counters.subscriptions_refused.add(1);
        let reason = Some(why.reason().into());
        let info = Subscribed { code: why.code(), reason, ..Default::default() };
        self.say_subscribed(key, place, answers, info, out);
        if let Some(slot) = self.slot_mut(key) {
            slot.session.remove_subscription(sub);
        }
        self.drop_subscription(key, place, out);
    }

    /// Goes on with a subscription that was kept while its client was away.
    pub(super) fn go_on(&mut self, key: SessionKey, returning: Returning, out: &mut Outputs) {
        let Returning { sub, filter, begins, cursors, limited, view } = returning;
        let mut keeping = Keeping::back(begins, &cursors);
        let replay = keeping.go_on();
        let wish = Wish {
            sub,
            filter,
            group: None,
            group_name: None,
            replay: None,
            on_slow: None,
            ack: Some(true),
            view: None,
        };
        let subscription = Subscription {
            keeping: Some(Box::new(keeping)),
            // nobody has asked for it on this connection
            stage: Stage::Announced { replay, answers: 0 },
            ..wish.subscription(key, &self.limits)
        };
        let place = self.add_subscription(key, subscription);
        if let Some(view) = view {
            self.restore_view(key, place, &view, out);
        }
        if limited > 0 {
            self.tell_limited(key, place, Some(limited), out);
        }
        self.want(place, &wish.filter, out);
    }

    /// SUBSCRIBE has a kept subscription begin anew.
    pub(super) fn begin_kept_anew(&mut self, place: u32, replay: &Replay) {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let (Some(keeping), Some(window)) = (&mut subscription.keeping, &mut subscription.ack) else {
            return;
        };
        window.begin_anew();
        keeping.begin_anew(begins(replay));
    }

    /// All that a subscription begins with was taken. Where that came again, what its session has kept follows: true.
    pub(super) fn has_begun(&mut self, key: SessionKey, place: u32, out: &mut Outputs) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return false };
        let has_view = subscription.view.is_some();
        let (Some(keeping), Some(window)) = (&mut subscription.keeping, &subscription.ack) else {
            return false;
        };
        let Stage::CatchingUp(catch_up) = &subscription.stage else { return false };
        if !keeping.begins_again {
            keeping.pass(&catch_up.positions);
            if !has_view {
                keeping.settle(window, None);
            }
            self.note_untold(place);
            return false;
        }
        keeping.count = catch_up.count;
        keeping.has_begun();
        self.catch_up_again(key, place, out);
        true
    }

    /// Reads back from the log what subscriptions had no room for.
    pub(super) fn read_back(&mut self, out: &mut Outputs) {
        while let Some(place) = self.behind.pop() {
            let Some(key) = self.session_of(place) else { continue };
            let Some(subscription) = self.subscriptions.get_mut(place as usize) else { continue };
            let Some(keeping) = subscription.keeping.as_mut().filter(|keeping| keeping.behind) else {
                continue;
            };
            if let Stage::CatchingUp(catch_up) = &subscription.stage {
                keeping.count = catch_up.count;
            }
            self.catch_up_again(key, place, out);
        }
    }

    /// Goes on behind all that was taken.
    fn catch_up_again(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        self.cut_catching_up(key, place, out);
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let Some(keeping) = &mut subscription.keeping else { return };
        let replay = keeping.go_on();
        keeping.goes_on = true;
        self.begin_catching_up(key, place, replay, 0, out);
    }

    /// Whether CAUGHT_UP is to be sent; for one that had only fallen behind it was before.
    pub(super) fn tells_caught_up(&mut self, place: u32) -> bool {
        let subscription = self.subscriptions.get_mut(place as usize);
        match subscription.and_then(|subscription| subscription.keeping.as_mut()) {
            Some(keeping) => {
                keeping.count = 0;
                std::mem::take(&mut keeping.owes_caught_up)
            }
            None => true,
        }
    }

    /// The client has acknowledged something of a kept subscription.
    pub(super) fn note_acknowledged(&mut self, place: u32, position: Position) {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let has_view = subscription.view.is_some();
        if let (Some(keeping), Some(window)) = (&mut subscription.keeping, &subscription.ack) {
            let was_told = !keeping.is_untold();
            keeping.acknowledge(position);
            if !has_view {
                keeping.settle(window, Some(position.shard()));
            }
            if was_told && keeping.is_untold() {
                self.acknowledged.push(place);
            }
        }
        if has_view {
            self.settle_view(place);
        }
    }

    fn note_untold(&mut self, place: u32) {
        let subscription = self.subscriptions.get(place as usize);
        let is_untold = |keeping: &Keeping| keeping.is_untold();
        if subscription.and_then(|of| of.keeping.as_deref()).is_some_and(is_untold) {
            self.acknowledged.push(place);
        }
    }

    /// Tells the records of clients what was acknowledged in this turn.
    pub(super) fn tell_acknowledged(&mut self, out: &mut Outputs) {
        if self.acknowledged.is_empty() {
            return;
        }
        let places = std::mem::take(&mut self.acknowledged);
        let mut places: Vec<(SessionKey, u32)> =
            places.into_iter().filter_map(|place| Some((self.session_of(place)?, place))).collect();
        places.sort_unstable();
        places.dedup();
        for of_session in places.chunk_by(|(a, _), (b, _)| a == b) {
            if let Some((key, _)) = of_session.first() {
                self.tell_acknowledged_of(*key, of_session, out);
            }
        }
    }

    fn tell_acknowledged_of(&mut self, key: SessionKey, places: &[(SessionKey, u32)], out: &mut Outputs) {
        let mut acknowledged = Vec::new();
        for (_, place) in places {
            let Some(subscription) = self.subscriptions.get_mut(*place as usize) else { continue };
            let sub = subscription.sub;
            let Some(keeping) = &mut subscription.keeping else { continue };
            let (positions, told) = (keeping.tell(), keeping.take_told());
            if !positions.is_empty() {
                acknowledged.push(Acknowledged { sub, positions, told });
            }
        }
        if !acknowledged.is_empty() {
            self.ask_record(key, KeptRequest::Acknowledge(acknowledged), out);
        }
    }

    /// Tells a client that messages that it had not acknowledged had to make room.
    pub(super) fn tell_limited(
        &mut self,
        key: SessionKey,
        place: u32,
        count: Option<u64>,
        out: &mut Outputs,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        if let Some(keeping) = &mut subscription.keeping {
            keeping.notice(count.unwrap_or_default());
        }
        let reason = match count {
            Some(_) => {
                "the session owed more acknowledgements than it may (limits.session_messages_max, \
                 limits.session_bytes_max): the oldest messages made room"
            }
            None => "messages made room in the store (store.bytes_max)",
        };
        let notice = Notice {
            kind: NoticeKind::Limited,
            sub: Some(subscription.sub),
            count,
            topics: Vec::new(),
            reason: reason.into(),
            code: Some(Code::QUOTA),
        };
        self.send(key, &BrokerPacket::Notice(Box::new(notice)), out);
    }

    /// Where a subscription of a client stands, if it is kept, and its place.
    fn keeping(&mut self, key: SessionKey, sub: u64) -> Option<(u32, &mut Keeping)> {
        let place = self.slot(key)?.session.subscription(sub)?;
        let keeping = self.subscriptions.get_mut(place as usize)?.keeping.as_deref_mut()?;
        Some((place, keeping))
    }
}

pub(super) fn begins(replay: &Replay) -> Begins {
    match replay {
        Replay::Live | Replay::After { .. } | Replay::Kept(_) => Begins::Live,
        Replay::Last => Begins::Last,
        Replay::LastN { last, .. } => Begins::LastN(*last),
        Replay::Since(time) => Begins::Since(*time),
    }
}

fn after(replay: &Replay) -> Option<Arc<[Position]>> {
    match replay {
        Replay::After { positions, .. } => Some(positions.clone()),
        _ => None,
    }
}
