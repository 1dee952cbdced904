//! Who wants a topic, found once and remembered with it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Interest;
use crate::{
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
