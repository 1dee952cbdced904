//! A subscription's way from SUBSCRIBE to its end.
//!
//! A filter that nobody on this worker wanted before is announced to every engine part first; SUBSCRIBED goes out
//! when all have it, so that nothing published after it can pass by.

use std::{borrow::Cow, sync::Arc};

use murre_protocol::{
    Code, SharedFilter, TopicFilter,
    packet::{BrokerPacket, From, Subscribe, SubscribeOptions, Subscribed},
};

use super::Hub;
use crate::{
    engine::{EngineInput, Outputs, SnapshotCommand},
    ids::{GroupId, SessionKey},
    now::Now,
    session::{AckWindow, Replay, Stage, Subscription},
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

/// A SUBSCRIBE that can't be granted.
struct Refusal {
    code: Code,
    reason: String,
    rule: Option<&'static str>,
}

impl Refusal {
    fn invalid(reason: impl Into<String>) -> Self {
        Self { code: Code::INVALID, reason: reason.into(), rule: None }
    }

    fn not_supported(reason: impl Into<String>) -> Self {
        Self { code: Code::NOT_SUPPORTED, reason: reason.into(), rule: None }
    }

    fn limit(rule: &'static str, max: usize) -> Self {
        let reason = format!("{rule} is {max}");
        Self { code: Code::QUOTA, reason, rule: Some(rule) }
    }
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
        let shared = SharedFilter::parse(&subscribe.filter)
            .map_err(|why| Refusal::invalid(format!("SUBSCRIBE.filter: {why}")))?;
        let replay = read_options(&subscribe.options, shared.group.is_some())?;
        let group = shared.group.as_ref().map(|group| self.placement.group(group, shared.filter.as_str()));
        let Some(slot) = self.slot(key) else { return Ok(()) };
        if let Some(place) = slot.session.subscription(subscribe.sub) {
            return self.change(key, place, subscribe, &shared.filter, group, replay, out);
        }
        if slot.session.subscriptions.len() >= self.limits.subscriptions_max {
            return Err(Refusal::limit("limits.subscriptions_max", self.limits.subscriptions_max));
        }
        let known = match &group {
            Some(group) => self.groups.contains_key(group),
            None => self.filters.contains_key(shared.filter.as_str()),
        };
        if !known && self.filters.len() + self.groups.len() >= self.limits.filters_max {
            return Err(Refusal::limit("limits.filters_max", self.limits.filters_max));
        }
        let ack = subscribe.options.ack == Some(true);
        let replay = replay.unwrap_or(if group.is_some() { Replay::Live } else { Replay::Last });
        let subscription = Subscription {
            session: key.slot,
            sub: subscribe.sub,
            filter: shared.filter.clone().into_owned(),
            group,
            on_slow: subscribe.options.on_slow.unwrap_or_default(),
            ack: ack
                .then(|| Box::new(AckWindow::new(self.limits.inflight_max, self.limits.ack_queue_bytes_max))),
            live: 0,
            stage: Stage::Announced { replay, answers: 1 },
            dropped: 0,
        };
        let place = self.subscriptions.insert(subscription) as u32;
        if let Some(slot) = self.slot_mut(key) {
            slot.session.add_subscription(subscribe.sub, place);
            slot.session.announcing += 1;
            slot.in_group |= group.is_some();
        }
        self.counters.subscriptions.add(1);
        match group {
            Some(group) => self.join(group, place, &shared.filter, out),
            None => self.want(place, &shared.filter, out),
        }
        Ok(())
    }

    /// SUBSCRIBE on a number in use: the options change in place, or it begins anew.
    #[allow(clippy::too_many_arguments, reason = "the parts of one SUBSCRIBE, read already")]
    fn change(
        &mut self,
        key: SessionKey,
        place: u32,
        subscribe: &Subscribe<'_>,
        filter: &TopicFilter<'_>,
        group: Option<GroupId>,
        replay: Option<Replay>,
        out: &mut Outputs,
    ) -> Result<(), Refusal> {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return Ok(()) };
        if subscription.filter != *filter || subscription.group != group {
            let why = format!(
                "SUBSCRIBE.filter: subscription {} has another filter; UNSUBSCRIBE first",
                subscribe.sub
            );
            return Err(Refusal::invalid(why));
        }
        if subscribe.options.ack.is_some_and(|ack| ack != subscription.ack.is_some()) {
            return Err(Refusal::invalid("SUBSCRIBE.options.ack: can't change in place; UNSUBSCRIBE first"));
        }
        if let Some(rule) = subscribe.options.on_slow {
            subscription.on_slow = rule;
        }
        if let Stage::Announced { replay: planned, answers } = &mut subscription.stage {
            *planned = replay.unwrap_or(*planned);
            *answers += 1;
            return Ok(());
        }
        self.say_subscribed(key, subscribe.sub, out);
        if let Some(replay) = replay {
            self.cut_catching_up(key, place, out);
            self.begin_catching_up(key, place, replay, out);
        }
        Ok(())
    }

    /// Counts a subscription of a filter; the first one is announced.
    fn want(&mut self, place: u32, filter: &TopicFilter<'_>, out: &mut Outputs) {
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
    fn join(&mut self, group: GroupId, place: u32, filter: &TopicFilter<'_>, out: &mut Outputs) {
        let first = !self.groups.contains_key(&group);
        let local = self.groups.entry(group).or_default();
        local.members.push(place);
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
            local.announced = Some(serial);
        }
        self.tell_group(group, filter, serial, out);
        if !first && waits_for.is_none() {
            self.granted(place, out);
        }
    }

    fn tell_group(&mut self, group: GroupId, filter: &TopicFilter<'_>, serial: u64, out: &mut Outputs) {
        let (members, load) = match self.groups.get(&group) {
            Some(local) => (local.members.len() as u32, local.load.clone()),
            None => (0, Arc::default()),
        };
        let (hub, filter) = (self.worker, filter.clone().into_owned());
        self.ask_all(out, || EngineInput::Group {
            hub,
            group,
            filter: filter.clone(),
            members,
            load: load.clone(),
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
    fn granted(&mut self, place: u32, out: &mut Outputs) {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return };
        let Stage::Announced { replay, answers } = subscription.stage else { return };
        let (sub, group, filter) = (subscription.sub, subscription.group, subscription.filter.clone());
        let Some(key) = self.sessions.get(subscription.session as usize).map(|slot| slot.key) else { return };
        if let Some(slot) = self.slot_mut(key) {
            slot.session.announcing -= 1;
        }
        for _ in 0..answers {
            self.say_subscribed(key, sub, out);
        }
        if group.is_none() {
            self.index.insert(&filter, place);
        }
        self.begin_catching_up(key, place, replay, out);
        if let Some(group) = group {
            self.deliver_early(group, place, out);
        }
    }

    fn say_subscribed(&mut self, key: SessionKey, sub: u64, out: &mut Outputs) {
        let subscribed = Subscribed { sub, ..Default::default() };
        self.send(key, &BrokerPacket::Subscribed(Box::new(subscribed)), out);
    }

    pub(super) fn unsubscribe(&mut self, key: SessionKey, sub: u64, out: &mut Outputs) {
        if self.slot(key).is_some_and(|slot| slot.owes_notice) {
            self.tell_dropped(key, out);
        }
        self.answer_before_the_end(key, sub, out);
        let place = self.slot_mut(key).and_then(|slot| slot.session.remove_subscription(sub));
        let code = match place {
            Some(place) => {
                self.drop_subscription(key, place, out);
                Code::OK
            }
            None => Code::NOT_FOUND,
        };
        self.send(key, &BrokerPacket::Unsubscribed { sub, code }, out);
    }

    /// Each SUBSCRIBE is answered, also where UNSUBSCRIBE comes before the interest is in force.
    fn answer_before_the_end(&mut self, key: SessionKey, sub: u64, out: &mut Outputs) {
        let place = self.slot(key).and_then(|slot| slot.session.subscription(sub));
        let subscription = place.and_then(|place| self.subscriptions.get(place as usize));
        if let Some(Stage::Announced { answers, .. }) = subscription.map(|subscription| &subscription.stage) {
            for _ in 0..*answers {
                self.say_subscribed(key, sub, out);
            }
        }
    }

    /// Takes a subscription out of everything but its session.
    pub(super) fn drop_subscription(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        if !self.subscriptions.contains(place as usize) {
            return;
        }
        self.cut_catching_up(key, place, out);
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
        if self.groups.get(&group).is_some_and(|local| local.members.is_empty()) {
            self.groups.remove(&group);
            announced.map(|serial| self.announced.remove(&serial));
        }
        let serial = self.number();
        self.tell_group(group, filter, serial, out);
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

/// Where a subscription is to begin, if it says so; refuses what this broker doesn't have.
fn read_options(options: &SubscribeOptions<'_>, shared: bool) -> Result<Option<Replay>, Refusal> {
    if let Some(error) = &options.invalid {
        return Err(Refusal::invalid(error.to_string()));
    }
    if let Some(key) = options.view.first() {
        let why = format!("SUBSCRIBE.options.{}: this broker has no views yet", key.word());
        return Err(Refusal::not_supported(why));
    }
    if shared && options.ack == Some(true) {
        return Err(Refusal::not_supported(
            "SUBSCRIBE.options.ack: not on shared subscriptions without a store",
        ));
    }
    match &options.from {
        None => Ok(None),
        Some(From::Live) => Ok(Some(Replay::Live)),
        Some(From::Last) if shared => {
            Err(Refusal::invalid("SUBSCRIBE.options.from: a shared subscription begins \"live\" only"))
        }
        Some(From::Last) => Ok(Some(Replay::Last)),
        Some(From::LastN(_) | From::Since(_) | From::After { .. }) => Err(Refusal::not_supported(
            "SUBSCRIBE.options.from: this broker keeps no history; \"last\" and \"live\" are there",
        )),
    }
}
