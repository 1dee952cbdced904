//! Groups that have members on this hub.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::Hub;
use crate::{
    batch::{MessageBatch, MessageEntry},
    ids::{GroupId, SessionKey},
    session::Stage,
};

/// The members of a group on one hub.
#[derive(Debug, Default)]
pub(super) struct LocalGroup {
    /// Their subscriptions' places.
    pub members: Vec<u32>,
    /// Whose turn it is among those with equally little waiting.
    pub turn: usize,
    /// The bytes that wait for the member with the least; the engine looks at it.
    pub load: Arc<AtomicUsize>,
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
            sessions.get(subscription.session as usize).map(|slot| slot.outbox.len())
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

    /// Keeps a message that came before any member here had its SUBSCRIBED.
    pub(super) fn keep_early(&mut self, group: GroupId, batch: &MessageBatch, entry: &MessageEntry) {
        // without members here, all have left while the message was on its way
        let Some(local) = self.groups.get_mut(&group) else { return };
        let early = local.early.get_or_insert_with(|| Box::new(MessageBatch::new(batch.from)));
        if early.len() >= self.limits.outbox_max {
            local.early_dropped += 1;
            return;
        }
        early.push(entry.hash, 0, batch.message(entry));
    }

    /// A member's outbox was emptied somewhat: the engine may send more here again.
    pub(super) fn renew_loads(&mut self, key: SessionKey) {
        let Some(slot) = self.slot(key) else { return };
        let waiting = slot.outbox.len();
        for (_, place) in &slot.session.subscriptions {
            let group = self.subscriptions.get(*place as usize).and_then(|subscription| subscription.group);
            if let Some(local) = group.and_then(|group| self.groups.get(&group)) {
                local.load.fetch_min(waiting, Relaxed);
            }
        }
    }
}
