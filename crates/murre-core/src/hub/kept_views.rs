//! Views of subscriptions that are kept over disconnects.
//!
//! Such a view is the subscription's own, and lives as long as the connection. It is fed from the log: a reading is
//! taken when it goes in, whatever comes of it, and what comes of it always finds room to wait. Where that is more than
//! may wait, the view is fed no more until acknowledgements have made room, and then with what the log has behind all
//! that was taken.
//!
//! What a view has swallowed needs no acknowledgement. The record of the client is told so once a second, and with each
//! acknowledgement, as far as all that was sent of it is acknowledged.

use std::{sync::Arc, time::Duration};

use murre_protocol::{
    Code, Position,
    packet::{BrokerPacket, Notice, NoticeKind, Subscribed, ViewOptions},
};
use murre_view::Plan;

use super::{
    Hub,
    wish::{Refusal, Wish},
};
use crate::{
    engine::Outputs,
    ids::SessionKey,
    kept::KeptRequest,
    log::LogRefusal,
    now::{Now, Tick},
    session::{Change, Subscription, Viewed},
};

/// How long after a view has swallowed something the record of the client is told at the latest.
const SETTLE_AFTER: Duration = Duration::from_secs(1);
/// Changes of one subscription that may wait for the log.
const CHANGES_MAX: usize = 16;

/// Subscriptions whose views have swallowed something.
#[derive(Debug, Default)]
pub(super) struct Settling {
    places: Vec<u32>,
    due: Option<Tick>,
}

impl Settling {
    /// When the records of clients are to be told.
    pub(super) fn due(&self) -> Option<Tick> {
        self.due
    }
}

impl Hub {
    /// Whether a reading is to go into the view of a subscription; if so, it is taken. Without a session that keeps it,
    /// each is.
    pub(super) fn takes_reading(&mut self, place: u32, position: Position) -> bool {
        let Self { subscriptions, settling, now, .. } = self;
        let Some(subscription) = subscriptions.get_mut(place as usize) else { return false };
        let Some(keeping) = &mut subscription.keeping else { return true };
        if keeping.behind || !keeping.wants(position) {
            return false;
        }
        keeping.take(position);
        if !std::mem::replace(&mut keeping.settling, true) {
            settling.places.push(place);
            settling.due.get_or_insert(now.tick + SETTLE_AFTER);
        }
        true
    }

    /// Whether more waits for a subscription than may, so that its view is fed no more: then it is to be
    /// [read back](Self::read_back).
    pub(super) fn falls_behind(&mut self, place: u32) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return false };
        let is_overfull = subscription.ack.as_ref().is_some_and(|window| window.is_overfull());
        let Some(keeping) = subscription.keeping.as_mut().filter(|_| is_overfull) else { return false };
        if !std::mem::replace(&mut keeping.behind, true) {
            self.behind.push(place);
        }
        true
    }

    /// Whether the view of a subscription goes on with what is read back; if so, by the time of that.
    pub(super) fn view_goes_on(&mut self, place: u32) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return false };
        let goes_on =
            subscription.keeping.as_mut().is_some_and(|keeping| std::mem::take(&mut keeping.goes_on));
        let view = subscription.view.as_ref().and_then(|viewed| viewed.at_work).filter(|_| goes_on);
        view.is_some_and(|view| self.views.goes_on(view))
    }

    /// What a subscription's view has swallowed is acknowledged, as far as all that was sent is.
    pub(super) fn settle_view(&mut self, place: u32) {
        let Self { subscriptions, views, acknowledged, .. } = self;
        let Some(subscription) = subscriptions.get_mut(place as usize) else { return };
        let view = subscription.view.as_ref().and_then(|viewed| viewed.at_work);
        let (Some(keeping), Some(view)) = (&mut subscription.keeping, view) else { return };
        let was_told = !keeping.is_untold();
        keeping.settle_view(|position| views.cap(view, position));
        if was_told && keeping.is_untold() {
            acknowledged.push(place);
        }
    }

    /// The same for all whose views have swallowed something, once a second.
    pub(super) fn tick_settling(&mut self, now: Now) {
        if self.settling.due.is_none_or(|due| due > now.tick) {
            return;
        }
        self.settling.due = None;
        for place in std::mem::take(&mut self.settling.places) {
            let subscription = self.subscriptions.get_mut(place as usize);
            if let Some(keeping) = subscription.and_then(|subscription| subscription.keeping.as_mut()) {
                keeping.settling = false;
                self.settle_view(place);
            }
        }
    }

    /// Gives a subscription that was kept the view that it had. One that can't be had any more is told of: then
    /// everything comes.
    pub(super) fn restore_view(
        &mut self,
        key: SessionKey,
        place: u32,
        options: &Arc<ViewOptions<'static>>,
        out: &mut Outputs,
    ) {
        match Plan::compile(options) {
            Ok(plan) => {
                let (options, plan) = ((**options).clone(), Arc::new(plan));
                self.set_view(place, Box::new(Viewed { options, plan, at_work: None, of_snapshot: None }));
            }
            Err(why) => {
                let sub = self.subscriptions.get(place as usize).map(|subscription| subscription.sub);
                let reason =
                    format!("this broker can't do the view that was kept, so everything comes: {why}");
                let (kind, topics) = (NoticeKind::Degraded, Vec::new());
                let notice = Notice {
                    kind,
                    sub,
                    count: None,
                    topics,
                    reason: reason.into(),
                    code: Some(Code::INVALID),
                };
                self.send(key, &BrokerPacket::Notice(Box::new(notice)), out);
            }
        }
    }

    /// Whether SUBSCRIBE on a kept subscription has to wait until its record has noted another view.
    pub(super) fn is_kept_change(&self, place: u32, wish: &Wish<'_>) -> bool {
        let keeping = self.subscriptions.get(place as usize).and_then(|of| of.keeping.as_ref());
        keeping.is_some_and(|keeping| wish.view.is_some() || !keeping.changes.is_empty())
    }

    /// Asks the record of a client to note another view. The change is in force, and SUBSCRIBED goes out, when that is
    /// in the log.
    ///
    /// # Errors
    /// As many changes wait for that as may.
    pub(super) fn ask_to_change(
        &mut self,
        key: SessionKey,
        place: u32,
        wish: &Wish<'_>,
        out: &mut Outputs,
    ) -> Result<(), Refusal> {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return Ok(()) };
        let Some(keeping) = &mut subscription.keeping else { return Ok(()) };
        if keeping.changes.len() >= CHANGES_MAX {
            return Err(Refusal::too_many(format!(
                "{CHANGES_MAX} changes of this subscription wait for the log; send the next when one is answered"
            )));
        }
        keeping.changes.push_back(Change { viewed: wish.viewed(), replay: wish.replay.clone() });
        if keeping.changes.len() == 1 {
            self.ask_for_next_change(key, place, out);
        }
        Ok(())
    }

    fn ask_for_next_change(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return };
        let Some(change) = subscription.keeping.as_ref().and_then(|keeping| keeping.changes.front()) else {
            return;
        };
        let viewed = change.viewed.as_ref().or(subscription.view.as_ref());
        let view = viewed.map(|viewed| Arc::new(viewed.options.clone()));
        self.ask_record(key, KeptRequest::Change { sub: subscription.sub, view }, out);
    }

    /// The record of a client has noted another view, or could not.
    pub(super) fn changed(
        &mut self,
        key: SessionKey,
        place: u32,
        failed: Option<LogRefusal>,
        out: &mut Outputs,
    ) {
        let keeping = self.subscriptions.get_mut(place as usize).and_then(|of| of.keeping.as_mut());
        let Some(change) = keeping.and_then(|keeping| keeping.changes.pop_front()) else { return };
        match failed {
            None => self.change_in_place(key, place, change, out),
            Some(why) => {
                self.counters.subscriptions_refused.add(1);
                let info =
                    Subscribed { code: why.code(), reason: Some(why.reason().into()), ..Default::default() };
                self.say_subscribed(key, place, 1, info, out);
            }
        }
        self.ask_for_next_change(key, place, out);
    }
}

/// Readies a kept subscription for a view.
pub(super) fn ready_for_view(subscription: &mut Subscription) {
    if let (Some(keeping), Some(window)) = (&mut subscription.keeping, &mut subscription.ack) {
        if !window.takes_all() {
            keeping.begin_view();
        }
        window.take_all();
    }
}
