//! Groups of shared subscriptions, as the engine sees them: which hub's member gets the next message.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::ids::{GroupId, WorkerId};

/// All groups that have members.
#[derive(Debug, Default)]
pub struct Groups(HashMap<GroupId, Group>);

#[derive(Debug, Default)]
struct Group {
    hubs: SmallVec<[Share; 2]>,
    turn: usize,
}

#[derive(Debug)]
struct Share {
    hub: WorkerId,
    members: Members,
}

/// The members of a group on one hub.
#[derive(Debug, Clone, Default)]
pub struct Members {
    /// How many.
    pub count: u32,
    /// Whether any of them has acknowledged or is to acknowledge messages.
    pub acknowledges: bool,
    /// The bytes that wait for the one with the least, kept true by the hub.
    pub load: Arc<AtomicUsize>,
}

impl Groups {
    /// Whether the group has members.
    pub fn has(&self, group: GroupId) -> bool {
        self.0.contains_key(&group)
    }

    /// What a hub has now.
    pub fn set(&mut self, group: GroupId, hub: WorkerId, members: Members) {
        let entry = self.0.entry(group).or_default();
        entry.hubs.retain(|share| share.hub != hub);
        if members.count > 0 {
            entry.hubs.push(Share { hub, members });
        }
        if entry.hubs.is_empty() {
            self.0.remove(&group);
        }
    }

    /// The hub whose member gets the next message, and whether members there acknowledge: where the least waits, ties
    /// in turn by members.
    pub fn choose(&mut self, group: GroupId) -> Option<(WorkerId, bool)> {
        let group = self.0.get_mut(&group)?;
        let load = |share: &Share| share.members.load.load(Relaxed);
        let least = group.hubs.iter().map(load).min()?;
        let tied = || group.hubs.iter().filter(|share| load(share) == least);
        let members = tied().map(|share| share.members.count as usize).sum::<usize>().max(1);
        let mut place = group.turn % members;
        let chosen = tied().find(|share| {
            let here = place < share.members.count as usize;
            place = place.saturating_sub(share.members.count as usize);
            here
        });
        let chosen = chosen.or(group.hubs.first()).map(|share| (share.hub, share.members.acknowledges));
        group.turn = group.turn.wrapping_add(1);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u32, bytes: usize) -> Members {
        Members { count, acknowledges: false, load: Arc::new(AtomicUsize::new(bytes)) }
    }

    #[test]
    fn ties_go_in_turn_by_members() {
        let (mut groups, group) = (Groups::default(), GroupId(1));
        groups.set(group, WorkerId(0), members(2, 0));
        groups.set(group, WorkerId(1), members(1, 0));
        let chosen: Vec<u8> = (0..6).filter_map(|_| groups.choose(group)).map(|(hub, _)| hub.0).collect();
        assert_eq!(chosen, [0, 0, 1, 0, 0, 1]);
    }

    #[test]
    fn the_hub_where_less_waits_is_chosen() {
        let (mut groups, group) = (Groups::default(), GroupId(1));
        groups.set(group, WorkerId(0), members(5, 100));
        groups.set(group, WorkerId(1), members(1, 10));
        assert!((0..4).all(|_| groups.choose(group) == Some((WorkerId(1), false))));
    }

    #[test]
    fn a_group_without_members_is_gone() {
        let (mut groups, group) = (Groups::default(), GroupId(1));
        groups.set(group, WorkerId(0), members(1, 0));
        groups.set(group, WorkerId(0), members(0, 0));
        assert!(!groups.has(group));
        assert_eq!(groups.choose(group), None);
    }
}
