//! Subscriptions with a view: what a view lets through, sent to all who share it.
//!
//! Subscriptions of equal filter and view share one at work: a reading is evaluated and its message written once,
//! and copied to each. A snapshot of last values goes through a view that lasts as long as the snapshot. Some have a
//! view of their own: one that begins with history, since what its windows and rates remember comes from that history;
//! one that gets patches, since they are made against what that subscription was sent; and one that watches over
//! silence, since it begins with the topics of its snapshot.
//! Subscriptions without a view are never looked at here.

use std::{collections::BTreeSet, time::Duration};

use hashbrown::HashMap;
use murre_protocol::{
    Codec, Position, Timestamp,
    packet::{ClientPacket, Message, Subscribe, SubscribeOptions, ViewOptions},
};
use murre_view::{Limits, View};
use slab::Slab;

use super::{
    Hub,
    kept_views::ready_for_view,
    run::Run,
    wish::{Refusal, Wish},
};
use crate::{
    batch::{MessageBatch, MessageEntry},
    engine::Outputs,
    ids::{GroupId, WorkerId},
    now::{Now, Tick},
    session::{Gate, Stage, Viewed},
};

mod slices;

/// The views at work in a hub.
pub(super) struct Views {
    at_work: Slab<AtWork>,
    /// Those that can be shared, by filter and options.
    shared: HashMap<Box<[u8]>, u32>,
    /// Subscriptions with a view that have not begun, and may need one each.
    waiting: usize,
    /// When they have something to do.
    dues: BTreeSet<(Timestamp, u32)>,
    /// What one let through, on its way to its members.
    sending: MessageBatch,
    /// The newest batch that readings came with, by the worker of their shards: what is made of them waits for its
    /// commit where it is acknowledged.
    gates: Vec<u64>,
}

/// A view at work for some subscriptions.
pub(super) struct AtWork {
    pub(super) view: View,
    /// The places of the subscriptions.
    pub(super) members: Vec<u32>,
    /// By what others find it; none where it is one subscription's own.
    key: Option<Box<[u8]>>,
    /// Whether a snapshot or history still goes through it, whose time is not now.
    catching_up: bool,
    due: Option<Timestamp>,
    /// When its members may be told again of what it could not do.
    pub(super) notice_from: Tick,
}

impl Views {
    /// None.
    pub(super) fn new(worker: WorkerId) -> Self {
        Self {
            at_work: Slab::new(),
            shared: HashMap::new(),
            waiting: 0,
            dues: BTreeSet::new(),
            sending: MessageBatch::new(worker),
            gates: Vec::new(),
        }
    }

    /// Readings came that wait for a commit where they are acknowledged.
    fn note_gate(&mut self, gate: Gate) {
        let from = gate.from.index();
        if gate.serial > 0 && self.gates.len() <= from {
            self.gates.resize(from + 1, 0);
        }
        if let Some(newest) = self.gates.get_mut(from) {
            *newest = gate.serial.max(*newest);
        }
    }

    /// What messages that are made of a worker's readings wait for.
    fn gate_of(&self, from: WorkerId) -> Gate {
        Gate { from, serial: self.gates.get(from.index()).copied().unwrap_or_default() }
    }

    /// How many are at work.
    pub(super) fn len(&self) -> usize {
        self.at_work.len()
    }

    /// A position, or where a view holds something before it, the greatest up to which it doesn't.
    pub(super) fn cap(&self, view: u32, position: Position) -> Position {
        self.at_work.get(view as usize).map_or(position, |at_work| at_work.view.cap(position))
    }

    /// A view goes on with what is read back, by the time of that.
    pub(super) fn goes_on(&mut self, view: u32) -> bool {
        let Some(at_work) = self.get(view) else { return false };
        at_work.catching_up = true;
        self.settle(view);
        true
    }

    pub(super) fn get(&mut self, view: u32) -> Option<&mut AtWork> {
        self.at_work.get_mut(view as usize)
    }

    /// Notes when a view has something to do next.
    fn settle(&mut self, view: u32) {
        let Some(at_work) = self.at_work.get_mut(view as usize) else { return };
        let due = at_work.view.next_due().filter(|_| !at_work.catching_up);
        if due != at_work.due {
            at_work.due.map(|before| self.dues.remove(&(before, view)));
            due.map(|due| self.dues.insert((due, view)));
            at_work.due = due;
        }
    }
}

/// When a view is put to work.
#[derive(Clone, Copy)]
pub(super) enum Begun {
    /// When its subscription is live already.
    Live,
    /// With what comes before.
    CatchingUp {
        /// Whether that is history.
        in_history: bool,
    },
}

/// What equal subscriptions have in common, as bytes. A group's view is for its members alone.
fn key((group, filter): (Option<GroupId>, &str), options: &ViewOptions<'static>) -> Box<[u8]> {
    let group = group.map_or(0, |group| group.0).to_be_bytes();
    [&group, filter.as_bytes(), b"\0", &as_bytes(options)].concat().into()
}

/// Options as bytes, equal for equal ones.
pub(super) fn as_bytes(options: &ViewOptions<'static>) -> Box<[u8]> {
    let options = SubscribeOptions { view: Some(Box::new(options.clone())), ..Default::default() };
    let subscribe = Subscribe { sub: 0, filter: "#".into(), options };
    let mut bytes = Vec::new();
    Codec::MessagePack.write_client(&ClientPacket::Subscribe(Box::new(subscribe)), &mut bytes);
    bytes.into()
}

/// Puts a view's messages into a batch.
pub(super) fn into(batch: &mut MessageBatch) -> impl FnMut(&Message<'_>) {
    |message| {
        batch.push(0, 0, message.clone());
    }
}

/// As [`into`], for a snapshot's view: positions must not fall when those of the `shared` one follow.
fn capped_into<'b>(batch: &'b mut MessageBatch, shared: &'b View) -> impl FnMut(&Message<'_>) {
    |message| {
        let position = shared.cap(message.position);
        batch.push(0, 0, Message { position, ..message.clone() });
    }
}

impl Hub {
    /// Whether a subscription may have a view: an equal one is at work, or there may be one more.
    pub(super) fn check_view(&self, wish: &Wish<'_>) -> Result<(), Refusal> {
        let Some((options, _)) = &wish.view else { return Ok(()) };
        let max = self.limits.views_max;
        let is_full = self.views.len() + self.views.waiting >= max;
        let is_known = || self.views.shared.contains_key(&key((wish.group, wish.filter.as_str()), options));
        if is_full && !is_known() { Err(Refusal::limit("limits.views_max", max)) } else { Ok(()) }
    }

    /// Gives a subscription that has not begun its view.
    pub(super) fn set_view(&mut self, place: u32, viewed: Box<Viewed>) {
        self.leave_view(place);
        if let Some(subscription) = self.subscriptions.get_mut(place as usize) {
            subscription.view = Some(viewed);
            self.views.waiting += 1;
        }
    }

    /// A subscription begins: its view, if it has one, is put to work.
    pub(super) fn begin_view(&mut self, place: u32, begun: Begun) {
        self.leave_view(place);
        let limits =
            Limits { topics_max: self.limits.view_topics_max, bytes_max: self.limits.view_bytes_max };
        let Self { views, subscriptions, .. } = self;
        let Some(subscription) = subscriptions.get_mut(place as usize) else { return };
        let Some(viewed) = &mut subscription.view else { return };
        let in_history = matches!(begun, Begun::CatchingUp { in_history: true });
        let catching_up = matches!(begun, Begun::CatchingUp { .. });
        let is_kept = subscription.keeping.is_some();
        let is_own = in_history || is_kept || viewed.options.patch || viewed.options.expect_ms.is_some();
        let key = (!is_own).then(|| key((subscription.group, subscription.filter.as_str()), &viewed.options));
        let known = key.as_ref().and_then(|key| views.shared.get(key)).copied();
        let at_work = known.unwrap_or_else(|| {
            let view = View::new(viewed.plan.clone(), limits);
            let at_work = AtWork {
                view,
                members: Vec::new(),
                key: key.clone(),
                catching_up: is_own && catching_up,
                due: None,
                notice_from: Tick::default(),
            };
            let made = views.at_work.insert(at_work) as u32;
            key.map(|key| views.shared.insert(key, made));
            made
        });
        if let Some(shared) = views.get(at_work) {
            shared.members.push(place);
        }
        viewed.at_work = Some(at_work);
        viewed.of_snapshot = (catching_up && !is_own).then(|| View::new(viewed.plan.clone(), limits));
        ready_for_view(subscription);
        self.routes.void();
    }

    /// A subscription has its view no longer.
    pub(super) fn leave_view(&mut self, place: u32) {
        let viewed = self.subscriptions.get_mut(place as usize).and_then(|s| s.view.as_mut());
        let Some(viewed) = viewed else { return };
        let Some(view) = viewed.at_work.take() else {
            self.views.waiting = self.views.waiting.saturating_sub(1);
            return;
        };
        self.routes.void();
        let Some(at_work) = self.views.get(view) else { return };
        at_work.members.retain(|member| *member != place);
        if at_work.members.is_empty() {
            let due = at_work.due;
            due.map(|due| self.views.dues.remove(&(due, view)));
            let at_work = self.views.at_work.remove(view as usize);
            at_work.key.map(|key| self.views.shared.remove(&key));
        }
    }

    /// A subscription gets another view in place. What the old one held back is sent first.
    pub(super) fn change_view(&mut self, place: u32, viewed: Box<Viewed>, out: &mut Outputs) {
        self.end_degraded(place, out);
        let Some(subscription) = self.subscriptions.get_mut(place as usize) else { return };
        let begun = match &subscription.stage {
            Stage::CatchingUp(catch_up) if catch_up.workers_left > 0 => {
                Begun::CatchingUp { in_history: catch_up.replay.is_history() }
            }
            _ => Begun::Live,
        };
        let before = subscription.view.as_ref().and_then(|view| view.at_work);
        if let Some(at_work) = before.and_then(|view| self.views.get(view)) {
            let mut waiting = MessageBatch::new(self.worker);
            if at_work.key.is_some() {
                at_work.view.send_waiting(&mut into(&mut waiting));
                self.send_to(&[place], &waiting, out);
            } else {
                // also of shards that are not live: what was taken of them comes never again
                at_work.view.release(&mut into(&mut waiting));
                let sent = self.send_slice(place, &waiting, false, out);
                self.counters.delivered.add(sent);
            }
        }
        self.set_view(place, viewed);
        self.begin_view(place, begun);
    }

    /// Offers a run of messages to the views that want them.
    pub(super) fn deliver_views(&mut self, run: &Run<'_>, out: &mut Outputs) {
        self.views.note_gate(run.gate());
        let mut wanted = std::mem::take(&mut self.viewing);
        for message in (0..run.entries().len()).filter_map(|at| run.message(at)) {
            for view in &wanted {
                self.offer(*view, &message, out);
            }
        }
        wanted.clear();
        self.viewing = wanted;
    }

    /// Offers a message to a view, and sends what it lets through.
    fn offer(&mut self, view: u32, message: &Message<'_>, out: &mut Outputs) {
        let from = 1 << (message.position.shard() & 63);
        let Self { views, subscriptions, .. } = self;
        let Some(at_work) = views.get(view) else { return };
        let is_live = |place: &u32| subscriptions.get(*place as usize).is_some_and(|s| s.live & from != 0);
        if at_work.key.is_none() && !at_work.members.iter().any(is_live) {
            // what goes through it of this shard is still of some time ago, and comes to this
            return;
        }
        let own = at_work.members.first().copied().filter(|_| at_work.key.is_none());
        if own.is_some_and(|place| !self.takes_reading(place, message.position)) {
            return;
        }
        self.counters.view_readings.add(1);
        self.work(view, out, |at_work, send| at_work.view.offer(message, send));
        own.map(|place| self.falls_behind(place));
    }

    /// Lets a view do something, and sends what it lets through to its members.
    fn work(
        &mut self,
        view: u32,
        out: &mut Outputs,
        act: impl FnOnce(&mut AtWork, &mut dyn FnMut(&Message<'_>)),
    ) {
        let mut sending = std::mem::replace(&mut self.views.sending, MessageBatch::new(self.worker));
        let Some(at_work) = self.views.get(view) else { return };
        act(at_work, &mut into(&mut sending));
        if !sending.is_empty() {
            let members = std::mem::take(&mut at_work.members);
            self.send_to(&members, &sending, out);
            if let Some(at_work) = self.views.get(view) {
                at_work.members = members;
            }
        }
        sending.clear();
        self.views.sending = sending;
        self.views.settle(view);
        self.tell_troubles(view, out);
    }

    /// Sends messages of a view to those of its members that are live where the messages come from.
    fn send_to(&mut self, members: &[u32], sending: &MessageBatch, out: &mut Outputs) {
        for entry in sending.entries() {
            // what was made for the subscription comes from no shard
            let is_made = entry.position == Position::NONE;
            let from = if is_made { u64::MAX } else { 1 << (entry.position.shard() & 63) };
            let mut run = self.made_by_view(sending, entry);
            let mut sent = 0;
            for place in members {
                let live = self.subscriptions.get(*place as usize).is_some_and(|s| s.live & from != 0);
                if live && self.deliver_to(*place, &mut run, 0, out) {
                    sent += 1;
                }
            }
            let bytes = sent * sending.tail(entry).len();
            self.counters.delivered.add(sent as u64);
            self.counters.delivered_bytes.add(bytes as u64);
            self.fresh_bytes += bytes;
        }
    }

    /// A message that a view made, which waits where it is acknowledged for the readings that it is made of.
    fn made_by_view<'a>(&self, sending: &'a MessageBatch, entry: &'a MessageEntry) -> Run<'a> {
        let from = self.placement.worker(entry.position.shard());
        Run::single(sending, entry).behind(self.views.gate_of(from))
    }

    /// A subscription lost messages: what comes next can be no patch to them.
    pub(super) fn lost_messages(&mut self, place: u32) {
        let viewed = self.subscriptions.get(place as usize).and_then(|s| s.view.as_ref());
        let Some(viewed) = viewed.filter(|viewed| viewed.options.patch) else { return };
        if let Some(at_work) = viewed.at_work.and_then(|view| self.views.get(view)) {
            at_work.view.send_whole();
        }
    }

    /// When a view has something to do, by the steady clock.
    pub(super) fn views_due(&self) -> Option<Tick> {
        let due = self.views.dues.first().map(|(due, _)| {
            let wait = due.millis().saturating_sub(self.now.wall.millis());
            self.now.tick + Duration::from_millis(wait)
        });
        [due, self.settling.due()].into_iter().flatten().min()
    }

    /// Sends what views held back until now.
    pub(super) fn tick_views(&mut self, now: Now, out: &mut Outputs) {
        while let Some(&(due, view)) = self.views.dues.first()
            && due <= now.wall
        {
            self.work(view, out, |at_work, send| at_work.view.due(now.wall, send));
            let own = self.views.get(view).filter(|at_work| at_work.key.is_none());
            own.and_then(|at_work| at_work.members.first().copied()).map(|place| self.falls_behind(place));
        }
        self.read_back(out);
        self.tick_settling(now);
    }
}
