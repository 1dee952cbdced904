//! What kept sessions still need of the log: for each subscription that owes acknowledgements, the topics of its filter
//! past its cursor.

use hashbrown::HashMap;
use murre_protocol::TopicFilter;
use slab::Slab;
use smallvec::SmallVec;

use crate::{
    ids::{KeptId, WorkerId},
    index::FilterIndex,
};

/// Changes of what the sessions need of one worker's shards.
#[derive(Debug, Clone, Default)]
pub struct NeedChanges {
    /// Whether all that the worker said before is void.
    pub afresh: bool,
    /// What has changed since.
    pub changes: Vec<NeedChange>,
}

/// A change of what a subscription needs of one shard.
#[derive(Debug, Clone)]
pub struct NeedChange {
    /// Which subscription.
    pub id: KeptId,
    /// Which topics; the same as long as it needs anything.
    pub filter: TopicFilter<'static>,
    /// Which shard.
    pub shard: u8,
    /// It needs what lies past this offset; none: nothing any more.
    pub floor: Option<u64>,
}

/// What all sessions need.
#[derive(Debug, Default)]
pub struct Needs {
    index: FilterIndex<u32>,
    needs: Slab<Need>,
    by_id: HashMap<(WorkerId, KeptId), u32>,
}

#[derive(Debug)]
struct Need {
    filter: TopicFilter<'static>,
    /// By shard, of those of which it needs something.
    floors: SmallVec<[(u8, u64); 2]>,
}

impl Needs {
    fn is_empty(&self) -> bool {
        self.needs.is_empty()
    }

    /// Takes in what a worker says.
    pub fn apply(&mut self, worker: WorkerId, changes: &NeedChanges) {
        if changes.afresh {
            let of_worker = self.by_id.extract_if(|(of, _), _| *of == worker);
            let places: Vec<u32> = of_worker.map(|(_, place)| place).collect();
            places.into_iter().for_each(|place| self.remove(place));
        }
        for change in &changes.changes {
            self.change(worker, change);
        }
    }

    fn change(&mut self, worker: WorkerId, change: &NeedChange) {
        let key = (worker, change.id);
        let place = match self.by_id.get(&key) {
            Some(place) => *place,
            None if change.floor.is_none() => return,
            None => {
                let need = Need { filter: change.filter.clone(), floors: SmallVec::new() };
                let place = self.needs.insert(need) as u32;
                self.index.insert(&change.filter, place);
                self.by_id.insert(key, place);
                place
            }
        };
        let Some(need) = self.needs.get_mut(place as usize) else { return };
        need.floors.retain(|(shard, _)| *shard != change.shard);
        need.floors.extend(change.floor.map(|floor| (change.shard, floor)));
        if need.floors.is_empty() {
            self.by_id.remove(&key);
            self.remove(place);
        }
    }

    fn remove(&mut self, place: u32) {
        if let Some(need) = self.needs.try_remove(place as usize) {
            self.index.remove(&need.filter, &place);
        }
    }

    /// The offset past which a topic's records of a shard are needed; `u64::MAX` where none is.
    pub fn floor(&self, shard: u8, topic: &str) -> u64 {
        let mut floor = u64::MAX;
        if self.is_empty() {
            return floor;
        }
        self.index.for_each_match(topic, |place| {
            let floors = self.needs.get(*place as usize).map(|need| need.floors.as_slice());
            for (_, of_shard) in floors.unwrap_or_default().iter().filter(|(of, _)| *of == shard) {
                floor = floor.min(*of_shard);
            }
        });
        floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::KeptSessionId;

    const ONE: WorkerId = WorkerId(0);

    fn change(number: u64, filter: &str, shard: u8, floor: Option<u64>) -> NeedChanges {
        let session = KeptSessionId { shard: 0, number };
        let filter = TopicFilter::parse(filter).unwrap().into_owned();
        let id = KeptId { session, sub: 1, number: 1 };
        NeedChanges { afresh: false, changes: vec![NeedChange { id, filter, shard, floor }] }
    }

    #[test]
    fn the_subscription_furthest_back_holds_for_its_topics_alone() {
        let mut needs = Needs::default();
        needs.apply(ONE, &change(1, "a/+", 0, Some(10)));
        needs.apply(ONE, &change(2, "a/b", 0, Some(5)));
        let floors =
            [(0, "a/b"), (0, "a/c"), (0, "x"), (1, "a/b")].map(|(shard, topic)| needs.floor(shard, topic));
        assert_eq!(floors, [5, 10, u64::MAX, u64::MAX]);
    }

    #[test]
    fn what_is_needed_no_more_is_forgotten() {
        let mut needs = Needs::default();
        needs.apply(ONE, &change(1, "a", 0, Some(10)));
        needs.apply(ONE, &change(1, "a", 1, Some(10)));
        needs.apply(ONE, &change(1, "a", 0, None));
        assert_eq!([needs.floor(0, "a"), needs.floor(1, "a")], [u64::MAX, 10]);
        needs.apply(WorkerId(1), &NeedChanges { afresh: true, ..NeedChanges::default() });
        assert!(!needs.is_empty());
        needs.apply(ONE, &NeedChanges { afresh: true, ..NeedChanges::default() });
        assert!(needs.is_empty() && needs.by_id.is_empty() && needs.index.is_empty());
    }
}
