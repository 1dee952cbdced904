//! Degrading before cutting: a client that reads too slowly gets a lower rate before anything is dropped.
//!
//! Where an outbox passes `degrade.at_percent`, the subscriptions that fill it go a step down: half of what waits is
//! taken out, and what comes goes through a rate of each topic ([`Degraded`]) that is half of what came. Each further
//! time halves that again, until the client keeps up for `degrade.recover`, which doubles it, until all is sent again.
//! What fills the outbox all the same falls under the rule for slow clients (`slow`).
//!
//! Only sessions whose outbox is that full come here: until then they cost nothing, and neither do others.

use std::{collections::BTreeSet, time::Duration};

use hashbrown::{HashMap, HashSet};
use murre_protocol::{
    Timestamp,
    packet::{BrokerPacket, Message, Notice, NoticeKind},
};
use murre_view::Limits;

use super::{Hub, run::Run, slow::rule_of, views::into};
use crate::{
    batch::MessageBatch,
    engine::Outputs,
    ids::{SessionKey, WorkerId},
    now::{Now, Tick},
    session::{Degraded, LeftOut},
};

/// The time to the next step of a session of whose outbox a step could not free this part: looking again for each
/// message would cost everyone else. One that freed so much has paid for its walk over the outbox.
const STEP_AGAIN: Duration = Duration::from_secs(1);
const FREED_PART: usize = 8;
/// How often a client is told of what is left out while its rate stays the same.
const NOTICE_EVERY: Duration = Duration::from_secs(60);

/// The degraded subscriptions of a hub.
pub(super) struct Degrading {
    /// When what waits is due, by the subscriptions' places.
    dues: BTreeSet<(Timestamp, u32)>,
    /// When it is looked whether sessions keep up.
    checks: BTreeSet<(Tick, SessionKey)>,
    /// What is let through, on its way to the outbox.
    sending: MessageBatch,
}

/// How a session's client keeps up.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes in the outbox up to which messages are put there without another look; 0 while a subscription is degraded.
    pub(super) plain_max: usize,
    /// From when on the rate may be lowered again.
    step_from: Tick,
    /// There while subscriptions are degraded.
    pressure: Option<Box<Pressure>>,
}

/// A session with degraded subscriptions.
#[derive(Debug)]
struct Pressure {
    /// The subscriptions' places.
    places: Vec<u32>,
    /// Since when the client keeps up, at this rate.
    calm_from: Tick,
    /// When it is looked whether it does.
    check: Tick,
}

/// A step down of a session.
struct Step {
    /// Which of its subscriptions take it.
    subs: HashSet<u64>,
    /// How far behind its client is, in milliseconds.
    lag_ms: u64,
    /// The messages a second of each topic that are half of what came.
    per_second: f64,
    /// What was taken out of the outbox.
    left_out: HashMap<u64, LeftOut>,
}

impl Pace {
    /// That of a session without messages.
    pub(super) fn new(limits: &crate::limits::Limits) -> Self {
        Self { plain_max: limits.plain_max(), step_from: Tick::default(), pressure: None }
    }
}

impl Degrading {
    /// None.
    pub(super) fn new(worker: WorkerId) -> Self {
        let (dues, checks) = (BTreeSet::new(), BTreeSet::new());
        Self { dues, checks, sending: MessageBatch::new(worker) }
    }

    /// Notes when a subscription has something to send next.
    fn settle(&mut self, place: u32, degraded: &mut Degraded) {
        let due = degraded.next_due();
        if due != degraded.due {
            degraded.due.map(|before| self.dues.remove(&(before, place)));
            due.map(|due| self.dues.insert((due, place)));
            degraded.due = due;
        }
    }
}

impl Hub {
    /// Whether a subscription's messages go at a lower rate, now that there is one for it. An outbox that is too full
    /// is degraded here.
    pub(super) fn is_degraded(&mut self, place: u32) -> bool {
        let Some(at) = self.limits.degrade_at() else { return false };
        let Some(subscription) = self.subscriptions.get(place as usize) else { return false };
        if subscription.degraded.is_some() {
            return true;
        }
        let slot = self.sessions.get(subscription.session as usize);
        let Some(key) = slot.filter(|slot| slot.outbox.len() > at).map(|slot| slot.key) else { return false };
        subscription.may_be_degraded() && self.step_down(key) && self.has_degraded(place)
    }

    fn has_degraded(&self, place: u32) -> bool {
        self.subscriptions.get(place as usize).is_some_and(|subscription| subscription.degraded.is_some())
    }

    /// Offers a message to a degraded subscription; what is let through goes to its outbox. False where nothing is.
    pub(super) fn offer_degraded(&mut self, place: u32, message: &Message<'_>, out: &mut Outputs) -> bool {
        let Some(at) = self.limits.degrade_at() else { return false };
        let now = self.now.tick;
        let Some(subscription) = self.subscriptions.get(place as usize) else { return false };
        let Some(slot) = self.sessions.get_mut(subscription.session as usize) else { return false };
        let (key, waiting) = (slot.key, slot.outbox.len());
        if let Some(pressure) = slot.pace.pressure.as_mut().filter(|_| waiting > calm_at(at)) {
            pressure.calm_from = now;
        }
        if waiting > at {
            self.step_down(key);
        }
        self.with_degraded(place, out, |degraded, send| degraded.offer(message, send)) > 0
    }

    /// Lets a degraded subscription do something, and puts what it lets through into its outbox. Says how many
    /// messages that were.
    fn with_degraded(
        &mut self,
        place: u32,
        out: &mut Outputs,
        act: impl FnOnce(&mut Degraded, &mut dyn FnMut(&Message<'_>)),
    ) -> u64 {
        let Self { degrading, subscriptions, sessions, .. } = self;
        let Some(subscription) = subscriptions.get_mut(place as usize) else { return 0 };
        let Some(degraded) = subscription.degraded.as_mut() else { return 0 };
        let Some(key) = sessions.get(subscription.session as usize).map(|slot| slot.key) else { return 0 };
        let mut sending = std::mem::replace(&mut degrading.sending, MessageBatch::new(self.worker));
        let before = degraded.conflated.count();
        act(degraded, &mut into(&mut sending));
        let conflated = degraded.conflated.count() - before;
        degrading.settle(place, degraded);
        self.count_conflated(key, conflated);
        let mut sent = 0;
        for entry in sending.entries() {
            let mut run = Run::single(&sending, entry);
            sent += u64::from(self.deliver_undegraded(place, &mut run, 0, out));
        }
        sending.clear();
        self.degrading.sending = sending;
        sent
    }

    /// Takes the subscriptions that fill a session's outbox a step down. False where none could be.
    fn step_down(&mut self, key: SessionKey) -> bool {
        let Some(terms) = self.limits.degrade.clone() else { return false };
        let Some(mut step) = self.halve_outbox(key) else { return false };
        let Some(slot) = self.slot(key) else { return false };
        let subscriptions = &slot.session.subscriptions;
        let share = subscriptions.len().max(1);
        let room = Limits {
            topics_max: self.limits.view_topics_max.div_ceil(share),
            bytes_max: self.limits.outbox_max.div_ceil(share),
        };
        let stepping = subscriptions.iter().filter(|(sub, _)| step.subs.contains(sub));
        let stepping: Vec<(u64, u32)> = stepping.copied().collect();
        let mut conflated = 0;
        for (sub, place) in &stepping {
            let Some(subscription) = self.subscriptions.get_mut(*place as usize) else { continue };
            let degraded = match &mut subscription.degraded {
                Some(degraded) => {
                    degraded.step_down();
                    degraded
                }
                none => {
                    self.counters.degraded.add(1);
                    none.insert(Box::new(Degraded::new(step.per_second, terms.per_second_min(), room)))
                }
            };
            let left_out = step.left_out.remove(sub).unwrap_or_default();
            conflated += left_out.count();
            degraded.conflated.join(left_out);
            degraded.untold_lag_ms = Some(step.lag_ms);
        }
        self.count_conflated(key, conflated);
        if !stepping.is_empty() {
            self.note_pressure(key, self.now.tick + terms.recover, stepping.iter().map(|(_, place)| *place));
        }
        !stepping.is_empty()
    }

    /// Takes half of what waits out of a session's outbox, of those subscriptions that fill it and can step down. None
    /// where it is too early to.
    fn halve_outbox(&mut self, key: SessionKey) -> Option<Step> {
        let now = self.now;
        let Self { sessions, subscriptions, pool, limits, .. } = self;
        let slot = sessions.get_mut(key.slot as usize).filter(|slot| slot.pace.step_from <= now.tick)?;
        let session = &slot.session;
        let rules = |sub: u64, place: u64| {
            let subscription = session.subscription(sub).and_then(|at| subscriptions.get(at as usize))?;
            subscription.can_step_down().then(|| rule_of(subscription, place)).flatten()
        };
        let filling = slot.outbox.filling(&rules);
        let lag_ms = filling.oldest.map_or(0, |oldest| now.wall.millis().saturating_sub(oldest.millis()));
        let subs = those_that_fill(&filling.bytes);
        let before = slot.outbox.len();
        let halved = slot.outbox.halve(pool, &|sub, place| rules(sub, place).filter(|_| subs.contains(&sub)));
        let has_freed = (before - slot.outbox.len()) * FREED_PART >= limits.outbox_max;
        slot.pace.step_from = if has_freed { now.tick } else { now.tick + STEP_AGAIN };
        slot.stuck = false;
        // all that waits came since the oldest of it did
        let per_second = halved.most * 1000.0 / lag_ms.max(1) as f64;
        Some(Step { subs, lag_ms, per_second, left_out: halved.left_out })
    }

    /// Notes that subscriptions of a session went a step down; it keeps up at `check` at the earliest.
    fn note_pressure(&mut self, key: SessionKey, check: Tick, stepped: impl Iterator<Item = u32>) {
        let Some(slot) = self.sessions.get_mut(key.slot as usize) else { return };
        let pressure = slot.pace.pressure.get_or_insert_with(|| {
            self.degrading.checks.insert((check, key));
            Box::new(Pressure { places: Vec::new(), calm_from: Tick::default(), check })
        });
        pressure.calm_from = self.now.tick;
        for place in stepped {
            if !pressure.places.contains(&place) {
                pressure.places.push(place);
            }
        }
        slot.pace.plain_max = 0;
        slot.owes_notice = true;
    }

    /// A subscription is degraded no more: what waits is sent, and all that comes.
    pub(super) fn end_degraded(&mut self, place: u32, out: &mut Outputs) {
        if !self.has_degraded(place) {
            return;
        }
        self.with_degraded(place, out, |degraded, send| degraded.send_waiting(send));
        self.forget_degraded(place);
    }

    /// A subscription that was degraded is no more, or is it no longer.
    pub(super) fn forget_degraded(&mut self, place: u32) {
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let Some(degraded) = subscription.degraded.take() else { return };
        degraded.due.map(|due| self.degrading.dues.remove(&(due, place)));
        self.counters.degraded.sub(1);
        let Some(slot) = self.sessions.get_mut(subscription.session as usize) else { return };
        let Some(pressure) = &mut slot.pace.pressure else { return };
        pressure.places.retain(|of| *of != place);
        if pressure.places.is_empty() {
            self.degrading.checks.remove(&(pressure.check, slot.key));
            slot.pace.pressure = None;
            slot.pace.plain_max = self.limits.plain_max();
        }
    }

    /// When a degraded subscription has something to send, or it is to be looked whether a session keeps up.
    pub(super) fn degraded_due(&self) -> Option<Tick> {
        let due = self.degrading.dues.first().map(|(due, _)| {
            let wait = due.millis().saturating_sub(self.now.wall.millis());
            self.now.tick + Duration::from_millis(wait)
        });
        let check = self.degrading.checks.first().map(|(check, _)| *check);
        [due, check].into_iter().flatten().min()
    }

    /// Sends what has waited for long enough, and lets those step up that keep up.
    pub(super) fn tick_degraded(&mut self, now: Now, out: &mut Outputs) {
        while let Some(&(due, place)) = self.degrading.dues.first()
            && due <= now.wall
        {
            let sent = self.with_degraded(place, out, |degraded, send| degraded.due(now.wall, send));
            self.counters.delivered.add(sent);
        }
        while let Some(&(check, key)) = self.degrading.checks.first()
            && check <= now.tick
        {
            self.degrading.checks.remove(&(check, key));
            self.check_pressure(now, key, out);
        }
    }

    /// Looks whether a session keeps up, and when to look again.
    fn check_pressure(&mut self, now: Now, key: SessionKey, out: &mut Outputs) {
        let Some(at) = self.limits.degrade_at() else { return };
        let Some(recover) = self.limits.degrade.as_ref().map(|terms| terms.recover) else { return };
        let Some(slot) = self.sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
            return;
        };
        let waiting = slot.outbox.len();
        let Some(pressure) = &mut slot.pace.pressure else { return };
        if waiting > calm_at(at) {
            pressure.calm_from = now.tick;
        }
        let is_calm = pressure.calm_from + recover <= now.tick;
        if is_calm {
            pressure.calm_from = now.tick;
        }
        pressure.check = pressure.calm_from + recover;
        self.degrading.checks.insert((pressure.check, key));
        let places = pressure.places.clone();
        for place in places {
            match is_calm {
                true => self.step_up(key, place, out),
                false if waiting <= at => self.tell_conflated(key, place, out),
                false => {}
            }
        }
    }

    fn step_up(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        let degraded = self.subscriptions.get_mut(place as usize).and_then(|of| of.degraded.as_mut());
        let Some(degraded) = degraded else { return };
        if degraded.step_up() {
            let reason = format!("the client keeps up: {}", rate(degraded.per_second()));
            return self.tell_degraded(key, place, reason, out);
        }
        self.tell_degraded(key, place, "the client keeps up: it gets all messages again".to_owned(), out);
        self.end_degraded(place, out);
    }

    /// Tells a client which of its subscriptions went a step down, now that it reads again.
    pub(super) fn tell_steps_down(&mut self, key: SessionKey, out: &mut Outputs) {
        let places = self.slot(key).and_then(|slot| slot.pace.pressure.as_ref()).map(|of| of.places.clone());
        for place in places.unwrap_or_default() {
            let degraded = self.subscriptions.get_mut(place as usize).and_then(|of| of.degraded.as_mut());
            let Some(degraded) = degraded else { continue };
            let Some(lag_ms) = degraded.untold_lag_ms.take() else { continue };
            let (rate, count, dropped) =
                (rate(degraded.per_second()), degraded.conflated.count(), degraded.dropped);
            let reason = format!(
                "the client reads too slowly and was {lag_ms} ms behind: {rate}, until it keeps up; {count} messages \
                 were left out for newer ones, {dropped} dropped"
            );
            self.tell_degraded(key, place, reason, out);
        }
    }

    /// Tells now and then what is left out at a rate that stays the same.
    fn tell_conflated(&mut self, key: SessionKey, place: u32, out: &mut Outputs) {
        let now = self.now.tick;
        let degraded = self.subscriptions.get(place as usize).and_then(|of| of.degraded.as_ref());
        let untold = degraded.filter(|of| of.conflated.count() > 0 && of.told + NOTICE_EVERY <= now);
        if let Some(per_second) = untold.map(|degraded| degraded.per_second()) {
            let reason = format!("the client reads too slowly: {}, until it keeps up", rate(per_second));
            self.tell_degraded(key, place, reason, out);
        }
    }

    fn tell_degraded(&mut self, key: SessionKey, place: u32, reason: String, out: &mut Outputs) {
        let now = self.now.tick;
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let Some(degraded) = &mut subscription.degraded else { return };
        degraded.told = now;
        let conflated = std::mem::take(&mut degraded.conflated);
        let (kind, sub, count) = (NoticeKind::Degraded, Some(subscription.sub), Some(conflated.count()));
        let (topics, reason) = (conflated.into_topics(), reason.into());
        let notice = Notice { kind, sub, count, topics, reason, code: None };
        self.send(key, &BrokerPacket::Notice(Box::new(notice)), out);
    }
}

/// How full an outbox may be of a client that keeps up.
fn calm_at(at: usize) -> usize {
    at / 3
}

fn rate(per_second: f64) -> String {
    format!("at most {} messages a second of each topic", (per_second * 100.0).round() / 100.0)
}

/// Of subscriptions with so many bytes in an outbox those that fill it: at least half of an even share.
fn those_that_fill(bytes: &hashbrown::HashMap<u64, usize>) -> HashSet<u64> {
    let half = bytes.values().sum::<usize>() / (2 * bytes.len().max(1));
    bytes.iter().filter(|(_, bytes)| **bytes >= half).map(|(sub, _)| *sub).collect()
}
