//! A subscription's way from SUBSCRIBE to its end.
//!
//! A filter that nobody on this worker wanted before is announced to every engine part first; SUBSCRIBED goes out
//! when all have it, so that nothing published after it can pass by.

use std::borrow::Cow;

use murre_protocol::{
    Code, TopicFilter,
    packet::{BrokerPacket, Subscribe, Subscribed},
};

use super::{
    Hub,
    wish::{Refusal, Terms, Wish},
};
use crate::{
    engine::{EngineInput, Outputs, SnapshotCommand},
    groups::Members,
    ids::{GroupId, SessionKey},
    now::Now,
    session::{Change, Left, Replay, Stage, Subscription},
};

/// A filter that subscriptions of this hub want.
#[derive(Debug)]
pub(super) struct Wanted {
    subscriptions: usize,
    /// The announcement that is under way.
    announced: Option<u64>,
}

/// An interest that is not in force yet.
#[derive(Debug)]
pub(super) struct Announcement {
    /// Engine parts that have not answered.
    left: usize,
    /// Subscriptions that wait for it.
    waiting: Vec<u32>,
    of: Interest,
}

#[derive(Debug, Clone)]
enum Interest {
    Filter(Box<str>),
    Group(GroupId),
}

impl Hub {
    pub(super) fn subscribe(&mut self, key: SessionKey, subscribe: Subscribe<'_>, out: &mut Outputs) {
        let sub = subscribe.sub;
        if let Err(refusal) = self.try_subscribe(key, &subscribe, out) {
            self.counters.subscriptions_refused.add(1);
            let subscribed = Subscribed {
                sub,
                code: refusal.code,
                reason: Some(refusal.reason.into()),
                rule: refusal.rule.map(Cow::Borrowed),
                ..Default::default()
            };
            self.send(key, &BrokerPacket::Subscribed(Box::new(subscribed)), out);
        }
    }

    fn try_subscribe(
        &mut self,
        key: SessionKey,
        subscribe: &Subscribe<'_>,
        out: &mut Outputs,
    ) -> Result<(), Refusal> {
        let Self { placement, limits, identity, .. } = self;
        let terms = Terms { placement, limits, epoch: &identity.epoch };
        let wish = Wish::read(subscribe, &terms)?;
        let Some(slot) = self.slot(key) else { return Ok(()) };
        if let Some(place) = slot.session.subscription(wish.sub) {
            return self.change(key, place, &wish, out);
        }
        self.check_view(&wish)?;
        if slot.session.subscriptions.len() >= self.limits.subscriptions_max {
            return Err(Refusal::limit("limits.subscriptions_max", self.limits.subscriptions_max));
        }
        let known = match &wish.group {
            Some(group) => self.groups.contains_key(group),
            None => self.filters.contains_key(wish.filter.as_str()),
        };
        if !known && self.filters.len() + self.groups.len() >= self.limits.filters_max {
            return Err(Refusal::limit("limits.filters_max", self.limits.filters_max));
        }
        let place = self.add_subscription(key, wish.subscription(key, &self.limits));
        if let Some(viewed) = wish.viewed() {
            self.set_view(place, viewed);
        }
        match wish.group {
            Some(group) => {
                self.join((group, wish.group_name.as_deref().unwrap_or_default()), place, &wish.filter, out)
            }
            None => {
                if wish.ack == Some(true) {
                    self.ask_to_keep(key, place, out);
                }
                self.want(place, &wish.filter, out);
            }
        }
        Ok(())
    }

    /// Adds a subscription to its session, for its interest to be announced next; gives its place.
    pub(super) fn add_subscription(&mut self, key: SessionKey, subscription: Subscription) -> u32 {
        let (sub, in_group) = (subscription.sub, subscription.group.is_some());
        let place = self.subscriptions.insert(subscription) as u32;
        if let Some(slot) = self.slot_mut(key) {
            slot.session.add_subscription(sub, place);
            slot.session.announcing += 1;
            slot.in_group |= in_group;
        }
        self.counters.subscriptions.add(1);
        place
    }

    /// SUBSCRIBE on a number in use: the options change in place, or it begins anew.
    fn change(
        &mut self,
        key: SessionKey,
        place: u32,
        wish: &Wish<'_>,
        out: &mut Outputs,
    ) -> Result<(), Refusal> {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return Ok(()) };
        wish.check_change(subscription, &self.placement)?;
        self.check_view(wish)?;
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return Ok(()) };
        if let Some(rule) = wish.on_slow {
            subscription.on_slow = rule;
        }
        if self.is_kept_change(place, wish) {
            return self.ask_to_change(key, place, wish, out);
        }
        let change = Change { viewed: wish.viewed(), replay: wish.replay.clone() };
        self.change_in_place(key, place, change, out);
        Ok(())
    }

    /// Puts a change in force, and answers it.
    pub(super) fn change_in_place(&mut self, key: SessionKey, place: u32, change: Change, out: &mut Outputs) {
        let Change { viewed, replay } = change;
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let announced = matches!(subscription.stage, Stage::Announced { .. });
        if let Some(view) = viewed {
            match announced {
                true => self.set_view(place, view),
                false => self.change_view(place, view, out),
            }
        }
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        if let Stage::Announced { replay: planned, answers } = &mut subscription.stage {
            if let Some(replay) = replay {
                if let Some(keeping) = &mut subscription.keeping {
                    keeping.begins = super::kept::begins(&replay);
                }
                *planned = replay;
            }
            *answers += 1;
            return;
        }
        let Some(replay) = replay else {
            return self.say_subscribed(key, place, 1, Subscribed::default(), out);
        };
        self.cut_catching_up(key, place, out);
        self.begin_kept_anew(place, &replay);
        self.answer_and_catch_up(key, place, replay, 1, out);
    }

    /// Counts a subscription of a filter; the first one is announced.
    pub(super) fn want(&mut self, place: u32, filter: &TopicFilter<'_>, out: &mut Outputs) {
        if let Some(wanted) = self.filters.get_mut(filter.as_str()) {
            wanted.subscriptions += 1;
            match wanted.announced {
                Some(serial) => self.wait_for(serial, place),
                None => self.granted(place, out),
            }
            return;
        }
        let serial = self.announce(Interest::Filter(filter.as_str().into()), place);
        self.filters.insert(filter.as_str().into(), Wanted { subscriptions: 1, announced: Some(serial) });
        let (hub, filter) = (self.worker, filter.clone().into_owned());
        self.ask_all(out, || EngineInput::Interest { hub, filter: filter.clone(), wanted: true, serial });
    }

    /// Adds a member to a group; the first one of this hub waits until the engine knows.
    fn join(
        &mut self,
        (group, name): (GroupId, &str),
        place: u32,
        filter: &TopicFilter<'_>,
        out: &mut Outputs,
    ) {
        let acknowledges = self.subscriptions.get(place as usize).is_some_and(|of| of.ack.is_some());
        let first = !self.groups.contains_key(&group);
        let local = self.groups.entry(group).or_default();
        local.members.push(place);
        local.acknowledges |= acknowledges;
        let waits_for = local.announced;
        let serial = match (first, waits_for) {
            (true, _) => self.announce(Interest::Group(group), place),
            (false, Some(serial)) => {
                self.wait_for(serial, place);
                self.number()
            }
            (false, None) => self.number(),
        };
        if first && let Some(local) = self.groups.get_mut(&group) {
            local.name = name.into();
            local.announced = Some(serial);
        }
        self.tell_group(group, filter, serial, out);
        if !first && waits_for.is_none() {
            self.granted(place, out);
        }
    }

    fn tell_group(&mut self, group: GroupId, filter: &TopicFilter<'_>, serial: u64, out: &mut Outputs) {
        let members = self.groups.get(&group).map(|local| Members {
            count: local.members.len() as u32,
            acknowledges: local.acknowledges,
            load: local.load.clone(),
        });
        let members = members.unwrap_or_default();
        let (hub, filter) = (self.worker, filter.clone().into_owned());
        self.ask_all(out, || EngineInput::Group {
            hub,
            group,
            filter: filter.clone(),
            members: members.clone(),
            serial,
        });
    }

    fn announce(&mut self, of: Interest, place: u32) -> u64 {
        let serial = self.number();
        let left = usize::from(self.placement.workers);
        self.announced.insert(serial, Announcement { left, waiting: vec![place], of });
        serial
    }

    fn wait_for(&mut self, serial: u64, place: u32) {
        if let Some(announcement) = self.announced.get_mut(&serial) {
            announcement.waiting.push(place);
        }
    }

    /// An engine part has an interest in force.
    pub(super) fn interested(&mut self, now: Now, serial: u64, out: &mut Outputs) {
        let Some(announcement) = self.announced.get_mut(&serial) else { return };
        announcement.left -= 1;
        if announcement.left > 0 {
            return;
        }
        let Some(announcement) = self.announced.remove(&serial) else { return };
        match &announcement.of {
            Interest::Filter(filter) => {
                if let Some(wanted) = self.filters.get_mut(filter) {
                    wanted.announced = None;
                }
            }
            Interest::Group(group) => {
                if let Some(local) = self.groups.get_mut(group) {
                    local.announced = None;
                }
            }
        }
        for place in announcement.waiting {
            self.granted(place, out);
            if let Some(key) = self.session_of(place) {
                self.resume(now, key, out);
            }
        }
    }

    /// SUBSCRIBED, and on to what the subscription begins with.
    pub(super) fn granted(&mut self, place: u32, out: &mut Outputs) {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let Stage::Announced { replay, answers } = &subscription.stage else { return };
        let (replay, answers) = (replay.clone(), *answers);
        if let Some(keeping) = subscription.keeping.as_mut().filter(|keeping| keeping.asked.is_some()) {
            // SUBSCRIBED goes out when it is in the log as well
            keeping.interested = true;
            return;
        }
        let (group, filter) = (subscription.group, subscription.filter.clone());
        let Some(key) = self.sessions.get(subscription.session as usize).map(|slot| slot.key) else { return };
        if let Some(slot) = self.slot_mut(key) {
            slot.session.announcing -= 1;
        }
        if group.is_none() {
            self.index.insert(&filter, place);
        }
        self.answer_and_catch_up(key, place, replay, answers, out);
        if let Some(group) = group {
            self.deliver_early(group, place, out);
        }
    }

    /// SUBSCRIBED as often as it is due, and on to what the subscription begins with. After positions the answer has
    /// to wait until it is known what is missing.
    fn answer_and_catch_up(
        &mut self,
        key: SessionKey,
        place: u32,
        replay: Replay,
        answers: u32,
        out: &mut Outputs,
    ) {
        let now = if replay.is_opened_at_once() { 0 } else { answers };
        let last = if let Replay::LastN { last, revised: true } = replay { Some(last) } else { None };
        self.say_subscribed(key, place, now, Subscribed { last, ..Default::default() }, out);
        self.begin_catching_up(key, place, replay, answers - now, out);
    }

    /// Grants a subscription as often as it was asked for, with what there is to say beside its number.
    pub(super) fn say_subscribed(
        &mut self,
        key: SessionKey,
        place: u32,
        times: u32,
        info: Subscribed<'_>,
        out: &mut Outputs,
    ) {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return };
        let view = subscription.view.as_ref().map(|view| Box::new(view.options.clone()));
        let packet = BrokerPacket::Subscribed(Box::new(Subscribed { sub: subscription.sub, view, ..info }));
        for _ in 0..times {
            self.send(key, &packet, out);
        }
    }

    pub(super) fn unsubscribe(&mut self, key: SessionKey, sub: u64, out: &mut Outputs) {
        if self.slot(key).is_some_and(|slot| slot.owes_notice) {
            self.tell_dropped(key, out);
        }
        self.answer_before_the_end(key, sub, out);
        let place = self.slot_mut(key).and_then(|slot| slot.session.remove_subscription(sub));
        let code = match place {
            Some(place) => {
                let is_kept = self.ask_to_keep_no_more(key, place, out);
                self.drop_subscription(key, place, out);
                if is_kept {
                    // UNSUBSCRIBED goes out when it is in the log no more
                    return;
                }
                Code::OK
            }
            None => Code::NOT_FOUND,
        };
        self.send(key, &BrokerPacket::Unsubscribed { sub, code }, out);
    }

    /// Each SUBSCRIBE is answered, also where UNSUBSCRIBE comes before the interest is in force.
    fn answer_before_the_end(&mut self, key: SessionKey, sub: u64, out: &mut Outputs) {
        let Some(place) = self.slot(key).and_then(|slot| slot.session.subscription(sub)) else { return };
        let Some(subscription) = self.subscriptions.get(place as usize) else { return };
        let changes = subscription.keeping.as_ref().map_or(0, |keeping| keeping.changes.len() as u32);
        let answers = if let Stage::Announced { answers, .. } = subscription.stage { answers } else { 0 };
        self.say_subscribed(key, place, answers + changes, Subscribed::default(), out);
    }

    /// Takes a subscription out of everything but its session.
    pub(super) fn drop_subscription(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        if !self.subscriptions.contains(place as usize) {
            return;
        }
        self.cut_catching_up(key, place, out);
        self.leave_view(place);
        self.forget_degraded(place);
        let subscription = self.subscriptions.remove(place as usize);
        if matches!(subscription.stage, Stage::Announced { .. })
            && let Some(slot) = self.slot_mut(key)
        {
            slot.session.announcing = slot.session.announcing.saturating_sub(1);
        }
        self.counters.subscriptions.sub(1);
        self.routes.void();
        let filter = subscription.filter;
        if let Some(group) = subscription.group {
            self.leave(group, place, &filter, out);
            let left = subscription.ack.into_iter().flat_map(|window| window.into_left());
            self.leave_to_others(group, left, out);
            return;
        }
        self.index.remove(&filter, &place);
        let Some(wanted) = self.filters.get_mut(filter.as_str()) else { return };
        wanted.subscriptions -= 1;
        if let Some(announcement) = wanted.announced.and_then(|serial| self.announced.get_mut(&serial)) {
            announcement.waiting.retain(|waiting| *waiting != place);
        }
        if wanted.subscriptions == 0 {
            if let Some(wanted) = self.filters.remove(filter.as_str()) {
                wanted.announced.map(|serial| self.announced.remove(&serial));
            }
            let hub = self.worker;
            self.ask_all(out, || EngineInput::Interest {
                hub,
                filter: filter.clone(),
                wanted: false,
                serial: 0,
            });
        }
    }

    fn leave(&mut self, group: GroupId, place: u32, filter: &TopicFilter<'_>, out: &mut Outputs) {
        let Some(local) = self.groups.get_mut(&group) else { return };
        local.members.retain(|member| *member != place);
        let announced = local.announced;
        if let Some(announcement) = announced.and_then(|serial| self.announced.get_mut(&serial)) {
            announcement.waiting.retain(|waiting| *waiting != place);
        }
        let mut early = None;
        if self.groups.get(&group).is_some_and(|local| local.members.is_empty()) {
            early =
                self.groups.remove(&group).filter(|local| local.acknowledges).and_then(|local| local.early);
            announced.map(|serial| self.announced.remove(&serial));
        }
        let serial = self.number();
        self.tell_group(group, filter, serial, out);
        if let Some(early) = early {
            let left = early.entries().iter().map(|entry| Left::of(&early, entry));
            self.leave_to_others(group, left, out);
        }
    }

    /// Ends a snapshot that nobody wants any more, wherever it is.
    pub(super) fn cancel_snapshot(
        &mut self,
        worker: crate::ids::WorkerId,
        id: crate::ids::SnapshotId,
        out: &mut Outputs,
    ) {
        self.ask(worker, EngineInput::Snapshot(SnapshotCommand::Cancel(id)), out);
    }
}
