//! Groups that have members on this hub.
//!
//! A group's members have one view, which is a part of the group: it is applied before the message is a member's. What
//! it leaves out is nobody's. A member keeps a message as it was before the view, for another one to see it so too.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use murre_protocol::Codec;

use super::{Hub, Slot, run::Run, views::into};
use crate::{
    batch::{MessageBatch, MessageEntry, Share},
    engine::{EngineInput, Outputs},
    ids::{GroupId, SessionKey, WorkerId},
    session::{Gate, Left, Stage, Subscription},
};

/// The members of a group on one hub.
#[derive(Debug, Default)]
pub(super) struct LocalGroup {
    /// The group's name.
    pub name: Box<str>,
    /// Their subscriptions' places.
    pub members: Vec<u32>,
    /// Whose turn it is among those with equally little waiting.
    pub turn: usize,
    /// The bytes that wait for the member with the least; the engine looks at it.
    pub load: Arc<AtomicUsize>,
    /// Whether any member has had messages to acknowledge.
    pub acknowledges: bool,
    /// The announcement that is under way.
    pub announced: Option<u64>,
    /// Messages that came before any member here had its SUBSCRIBED; they wait for that, up to `outbox_max` bytes.
    pub early: Option<Box<MessageBatch>>,
    /// Messages that found no room to wait.
    pub early_dropped: u64,
}

impl Hub {
    /// The member that gets the group's next message: the one with the least waiting, ties in turn.
    pub(super) fn choose_member(&mut self, group: GroupId) -> Option<u32> {
        let Self { groups, subscriptions, sessions, .. } = self;
        let local = groups.get_mut(&group)?;
        let waiting = |place: &u32| {
            let subscription = subscriptions.get(*place as usize)?;
            if matches!(subscription.stage, Stage::Announced { .. }) {
                return None;
            }
            sessions.get(subscription.session as usize).map(|slot| pending(slot, subscription))
        };
        let least = local.members.iter().filter_map(waiting).min()?;
        local.load.store(least, Relaxed);
        let count = local.members.len();
        let in_turn = (0..count).map(|step| (local.turn + step) % count);
        let chosen =
            in_turn.into_iter().find(|at| local.members.get(*at).and_then(waiting) == Some(least))?;
        local.turn = chosen + 1;
        local.members.get(chosen).copied()
    }

    /// Delivers what the group's view makes of a message to a member that was chosen. False where it is left out.
    pub(super) fn deliver_viewed_share(
        &mut self,
        (place, view): (u32, u32),
        batch: &MessageBatch,
        entry: &MessageEntry,
        out: &mut Outputs,
    ) -> bool {
        let Some(at_work) = self.views.get(view) else { return false };
        let mut sending = MessageBatch::new(self.worker);
        at_work.view.offer(&batch.message(entry), &mut into(&mut sending));
        self.counters.view_readings.add(1);
        self.tell_troubles(view, out);
        let Some(made) = sending.entries().first() else {
            self.give_turn_back(place);
            return false;
        };
        let gate = Gate { from: batch.from, serial: batch.gate };
        let mut run = Run::single(&sending, made).behind(gate).made_of(batch, entry);
        self.deliver_to(place, &mut run, 0, out)
    }

    /// A member got nothing although it was its turn.
    fn give_turn_back(&mut self, place: u32) {
        let group = self.subscriptions.get(place as usize).and_then(|subscription| subscription.group);
        if let Some(local) = group.and_then(|group| self.groups.get_mut(&group)) {
            local.turn = local.turn.saturating_sub(1);
        }
    }

    /// Keeps a message that came before any member here had its SUBSCRIBED.
    pub(super) fn keep_early(
        &mut self,
        share: &Share,
        batch: &MessageBatch,
        entry: &MessageEntry,
        out: &mut Outputs,
    ) {
        let Some(local) = self.groups.get_mut(&share.group) else {
            // all members here have left while the message was on its way
            let left = share.acknowledged.then(|| Left::of(batch, entry));
            return self.leave_to_others(share.group, left, out);
        };
        let early = local.early.get_or_insert_with(|| Box::new(MessageBatch::new(batch.from)));
        if early.len() >= self.limits.outbox_max {
            local.early_dropped += 1;
            return;
        }
        early.push(entry.hash, 0, batch.message(entry));
    }

    /// Gives messages that no member here will acknowledge back to the shards, for other members of the group.
    pub(super) fn leave_to_others(
        &mut self,
        group: GroupId,
        left: impl IntoIterator<Item = Left>,
        out: &mut Outputs,
    ) {
        let mut batches: BTreeMap<WorkerId, Box<MessageBatch>> = BTreeMap::new();
        for Left { has_options, tail } in left {
            let Some(peek) = Codec::peek_tail(&tail) else { continue };
            let hash = std::str::from_utf8(peek.topic).map(|topic| self.placement.topic_hash(topic));
            let worker = self.placement.worker(peek.position.shard());
            let batch = batches.entry(worker).or_insert_with(|| Box::new(MessageBatch::new(worker)));
            batch.push_encoded(hash.unwrap_or_default(), 0, has_options, &tail);
        }
        for (worker, batch) in batches {
            self.ask(worker, EngineInput::Reshare { group, batch }, out);
        }
    }

    /// A member's outbox was emptied somewhat: the engine may send more here again.
    pub(super) fn renew_loads(&mut self, key: SessionKey) {
        let Some(slot) = self.slot(key) else { return };
        slot.session.subscriptions.iter().for_each(|(_, place)| self.renew_load(*place));
    }

    /// The same for one of its subscriptions, of which something was acknowledged.
    pub(super) fn renew_load(&self, place: u32) {
        let Some(subscription) = self.subscriptions.get(place as usize) else { return };
        let Some(local) = subscription.group.and_then(|group| self.groups.get(&group)) else { return };
        if let Some(slot) = self.sessions.get(subscription.session as usize) {
            local.load.fetch_min(pending(slot, subscription), Relaxed);
        }
    }
}

/// What waits for a member: in its outbox, and for its acknowledgements.
fn pending(slot: &Slot, subscription: &Subscription) -> usize {
    slot.outbox.len() + subscription.ack.as_ref().map_or(0, |window| window.pending())
}
