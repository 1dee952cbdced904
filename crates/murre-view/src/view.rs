//! A view at work: readings in, what is to be sent out, and the time at which it wants to be asked again.
//!
//! Its methods are of four kinds:
//! - readings and time: [`View::offer`], [`View::pass_by`], [`View::due`], [`View::next_due`];
//! - what ends: [`View::release`], [`View::send_waiting`];
//! - where it stands: [`View::settled`], [`View::cap`], [`View::take_troubles`], [`View::take_conflated`];
//! - what its receivers lost, or can't take: [`View::send_whole`], [`View::pace`].
//!
//! The parts come in this order: `where`, `select`, `deadband`, `window`, `max_rate`, `patch`. Each sees what the one
//! before it lets through. `now` is always the reading's own time by the broker, so that a view over history gives
//! what it gave live. A deletion, which is an empty payload, passes every view at once.

use std::{collections::BTreeSet, sync::Arc};

use hashbrown::HashMap;
use murre_protocol::{Position, Timestamp, packet::Message};
use slab::Slab;

use crate::{
    condition::Subject,
    fresh::{Fresh, Heard},
    owed::Owed,
    plan::Plan,
    rate::{Paced, Rate},
    trouble::Troubles,
    value::Unusable,
    window::TopicWindows,
    work::{Passing, Step, Topic, Work, emit, tell_fresh},
};

/// Where a view's messages go.
pub type Send<'s> = &'s mut dyn FnMut(&Message<'_>);

/// How much a view may remember.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Topics.
    pub topics_max: usize,
    /// Bytes of payloads that wait, or that patches are made against.
    pub bytes_max: usize,
}

/// A view and what it remembers.
#[derive(Debug)]
pub struct View {
    plan: Arc<Plan>,
    topics: Slab<Topic>,
    places: HashMap<Box<str>, usize>,
    limits: Limits,
    /// Bytes of the payloads that are kept.
    bytes: usize,
    /// Topics by when they want to be asked again.
    dues: BTreeSet<(u64, usize)>,
    owed: Owed,
    troubles: Troubles,
    selected: Vec<u8>,
    /// The rate that holds in place of the plan's.
    slowed: Option<Rate>,
    /// Readings that waited and were left out for a newer one, since this was last asked.
    conflated: u64,
}

impl View {
    /// A view that remembers nothing yet.
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        Self {
            plan,
            topics: Slab::new(),
            places: HashMap::new(),
            limits,
            bytes: 0,
            dues: BTreeSet::new(),
            owed: Owed::default(),
            troubles: Troubles::default(),
            selected: Vec::new(),
            slowed: None,
            conflated: 0,
        }
    }

    /// A view that does nothing but hold topics to `per_second` messages each, which may change.
    pub fn pacing(per_second: f64, limits: Limits) -> Self {
        Self { slowed: Some(Rate::new(per_second)), ..Self::new(Arc::new(Plan::nothing()), limits) }
    }

    /// Holds topics to `per_second` messages each from now on. What waits goes when it would have gone.
    pub fn pace(&mut self, per_second: f64) {
        self.slowed = Some(Rate::new(per_second));
    }

    /// Takes a reading, and sends what is to be sent now.
    pub fn offer(&mut self, message: &Message<'_>, send: Send<'_>) {
        self.owed.saw(message.position);
        self.take(message, send);
        self.owed.passed();
    }

    fn take(&mut self, message: &Message<'_>, send: Send<'_>) {
        if message.payload.is_empty() {
            // a deletion
            return self.pass_by(message, send);
        }
        let plan = Arc::clone(&self.plan);
        if let Some(fresh) = plan.fresh {
            self.hear(&plan, fresh, message, send);
        }
        if !self.meets(&plan, message) {
            return;
        }
        let mut selected = std::mem::take(&mut self.selected);
        selected.clear();
        if let Some(payload) = self.select(&plan, message, &mut selected) {
            let passing = Passing {
                format: message.format,
                payload,
                time: message.time,
                options: message.options.as_deref(),
                offset: message.position.offset(),
            };
            self.pass(&plan, message, passing, send);
        }
        self.selected = selected;
    }

    /// Sends a message at once. What is remembered of its topic goes, and so does what waits.
    pub fn pass_by(&mut self, message: &Message<'_>, send: Send<'_>) {
        self.owed.passed();
        if let Some(place) = self.places.remove(&*message.topic)
            && let Some(topic) = self.topics.try_remove(place)
        {
            self.owed.change((topic.shard, place), topic.oldest, None);
            self.bytes -= topic.bytes();
            topic.due_ms.map(|due_ms| self.dues.remove(&(due_ms, place)));
        }
        let position = self.owed.settled(message.position.shard());
        send(&Message { position, ..message.clone() });
    }

    /// Sends what has come due at `now`.
    pub fn due(&mut self, now: Timestamp, send: Send<'_>) {
        let (plan, now_ms) = (Arc::clone(&self.plan), now.millis());
        while let Some(&(due_ms, place)) = self.dues.first()
            && due_ms <= now_ms
        {
            let Some(mut work) = self.topic(place) else { return };
            if let Some(window) = &plan.window {
                let ended_ms = work.topic.windows.ended_by(window, now_ms);
                work.close_windows(&plan, window, ended_ms, send);
            }
            work.break_silence(&plan, now_ms, send);
            work.release(&plan, now_ms, send);
            let stale = plan.fresh.and_then(|fresh| fresh.falls_stale(&mut work.topic.heard, now_ms));
            if let Some(last_ms) = stale {
                tell_fresh(&work.topic.name, (true, last_ms), now, send);
            }
            work.settle(&plan);
        }
    }

    /// When [`View::due`] has something to do; none while nothing waits.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.dues.first().map(|(due_ms, _)| Timestamp::from_millis(*due_ms))
    }

    /// The greatest position of `shard` up to which nothing is owed.
    pub fn settled(&self, shard: u8) -> Position {
        self.owed.settled(shard)
    }

    /// What it could not do since this was last asked; none where there was nothing.
    pub fn take_troubles(&mut self) -> Option<Troubles> {
        Some(std::mem::take(&mut self.troubles)).filter(|troubles| !troubles.is_empty())
    }

    /// How many readings waited and were left out for a newer one, since this was last asked.
    pub fn take_conflated(&mut self) -> u64 {
        std::mem::take(&mut self.conflated)
    }

    /// Sends the next value of each topic as a whole, not as a patch: a receiver lost one, or is new.
    pub fn send_whole(&mut self) {
        for (_, topic) in &mut self.topics {
            self.bytes -= topic.whole.take().map_or(0, |(_, payload)| payload.len());
        }
    }

    /// Sends what waits for its rate, or for the end of a silence, without waiting any longer: of each topic the newest.
    /// Windows that have not ended stay open.
    pub fn release(&mut self, send: Send<'_>) {
        let plan = Arc::clone(&self.plan);
        let places: Vec<usize> = self
            .topics
            .iter()
            .filter(|(_, topic)| topic.paced.waiting().is_some() || topic.near.is_some())
            .map(|(at, _)| at)
            .collect();
        for place in places {
            let Some(mut work) = self.topic(place) else { continue };
            work.release_at_once(&plan, send);
            work.settle(&plan);
        }
    }

    /// Sends what waits without waiting any longer, and goes on holding it: for a receiver that leaves.
    pub fn send_waiting(&self, send: Send<'_>) {
        for (_, topic) in &self.topics {
            if let Some(held) = topic.paced.waiting() {
                emit(&topic.name, self.owed.settled(topic.shard), &held.passing(), false, send);
            }
        }
    }

    /// `position`, or where the view holds something before it, the greatest up to which it doesn't.
    pub fn cap(&self, position: Position) -> Position {
        self.owed.cap(position)
    }

    /// Notes that a topic was heard, whatever the other parts make of it.
    fn hear(&mut self, plan: &Plan, fresh: Fresh, message: &Message<'_>, send: Send<'_>) {
        let Some(mut work) = self.place(message).and_then(|place| self.topic(place)) else { return };
        let time_ms = message.time.millis();
        if fresh.hear(&mut work.topic.heard, time_ms) {
            tell_fresh(&message.topic, (false, time_ms), message.time, send);
        }
        work.settle(plan);
    }

    /// Whether a reading meets the condition.
    fn meets(&mut self, plan: &Plan, message: &Message<'_>) -> bool {
        let Some(condition) = &plan.condition else { return true };
        let subject = Subject {
            topic: &message.topic,
            time_ms: message.time.millis(),
            format: message.format,
            payload: &message.payload,
        };
        condition.is_met(&subject).unwrap_or_else(|why| self.passes_all_the_same(&message.topic, why))
    }

    /// What is selected of a payload; none where it is left out.
    fn select<'a>(
        &mut self,
        plan: &Plan,
        message: &'a Message<'_>,
        selected: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        let Some(selection) = &plan.selection else { return Some(&message.payload) };
        match selection.write(message.format, &message.payload, selected) {
            Ok(()) => Some(selected),
            Err(why) => self.passes_all_the_same(&message.topic, why).then_some(&message.payload),
        }
    }

    /// The rule for a reading that a part can't use: whether it goes on.
    fn passes_all_the_same(&mut self, topic: &str, why: Unusable) -> bool {
        self.troubles.unusable(topic, why, self.plan.on_error)
    }

    /// The parts that remember something.
    fn pass(&mut self, plan: &Plan, message: &Message<'_>, passing: Passing<'_>, send: Send<'_>) {
        if !plan.has_state() && self.slowed.is_none() {
            self.owed.passed();
            let position = self.owed.settled(message.position.shard());
            return emit(&message.topic, position, &passing, false, send);
        }
        let Some(place) = self.place(message) else {
            self.troubles.past_limits += 1;
            return;
        };
        let Some(mut work) = self.topic(place) else { return };
        let step = work.before_rate(plan, (message, &passing), send);
        match step {
            Step::GoesOn => work.pace_reading(plan, &passing, send),
            Step::Ends => {}
        }
        work.settle(plan);
    }

    /// The place of a message's topic, a new one if there may be one more.
    fn place(&mut self, message: &Message<'_>) -> Option<usize> {
        if let Some(place) = self.places.get(&*message.topic) {
            return Some(*place);
        }
        if self.topics.len() >= self.limits.topics_max {
            return None;
        }
        let place = self.topics.insert(Topic {
            name: (&*message.topic).into(),
            shard: message.position.shard(),
            last_sent: None,
            near: None,
            windows: TopicWindows::default(),
            closing: None,
            paced: Paced::default(),
            heard: Heard::default(),
            whole: None,
            due_ms: None,
            oldest: None,
        });
        self.places.insert((&*message.topic).into(), place);
        Some(place)
    }

    fn topic(&mut self, place: usize) -> Option<Work<'_>> {
        let Self { topics, owed, dues, troubles, bytes, limits, conflated, .. } = self;
        let (topic, bytes_max) = (topics.get_mut(place)?, limits.bytes_max);
        let rate = self.slowed.or(self.plan.rate);
        Some(Work { place, topic, owed, dues, troubles, bytes, bytes_max, rate, conflated })
    }
}
