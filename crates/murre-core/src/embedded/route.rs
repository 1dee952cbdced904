//! Who wants a topic, found once and remembered with it; and who else gets what a member of a group has left.

use std::sync::Arc;

use murre_protocol::packet::Message;
use smallvec::SmallVec;

use super::{Embedded, Interest};
use crate::{
    batch::{MessageBatch, Share},
    engine::{Engine, Outputs},
    ids::GroupId,
    index::FilterIndex,
    log::RuleId,
    shard::{Shard, TopicSlot},
};

/// Who wants a topic: as the topic remembers it, or looked up anew where the interests have changed since.
#[inline]
pub(super) fn route(
    shard: &mut Shard,
    slot: TopicSlot,
    topic: &str,
    interest: &FilterIndex<Interest>,
    generation: u64,
) -> (Wanted, Option<RuleId>) {
    let Some(known) = shard.topics.topic_mut(slot) else { return (Wanted::default(), None) };
    let route = &mut known.route;
    if route.generation != generation {
        route.generation = generation;
        route.hubs = 0;
        route.groups.clear();
        let mut kept: SmallVec<[u32; 4]> = SmallVec::new();
        interest.for_each_match(topic, |who| match who {
            Interest::Hub(hub) => route.hubs |= hub.bit(),
            Interest::Group(group) => route.groups.push(*group),
            Interest::Kept(place) => kept.push(*place),
        });
        route.kept = (!kept.is_empty()).then(|| kept.as_slice().into());
    }
    let groups = if route.groups.is_empty() { SmallVec::new() } else { route.groups.clone() };
    (Wanted { hubs: route.hubs, groups, kept: route.kept.clone() }, known.rule)
}

/// Who wants a topic.
#[derive(Default)]
pub(super) struct Wanted {
    /// The hubs that do, as a set of workers.
    pub(super) hubs: u64,
    /// The groups that share it.
    pub(super) groups: SmallVec<[GroupId; 1]>,
    /// Subscriptions of kept sessions.
    pub(super) kept: Option<Arc<[u32]>>,
}

impl Embedded {
    /// Gives messages that a member of a group has left to other members, if there are any.
    pub(super) fn reshare(&mut self, group: GroupId, left: &MessageBatch, out: &mut Outputs) {
        let mut messages = self.batch();
        for entry in left.entries() {
            let Some((hub, acknowledged)) = self.groups.choose(group) else { break };
            let place = self.place(entry.position.shard());
            let Some(position) = self.shards.get_mut(place).and_then(Shard::next_position) else { continue };
            let at = messages.push(entry.hash, 0, Message { position, ..left.message(entry) });
            messages.shares.push(Share { entry: at, hub, group, acknowledged });
        }
        self.close_batch(&mut messages, out);
        self.spread(messages, out);
    }
}
