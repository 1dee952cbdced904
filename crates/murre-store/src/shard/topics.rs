//! The topics of a shard.
//!
//! They stand in a list in which nothing moves but when it is closed up, so that a walk over a million of them can be
//! done in pieces, without holding the lock meanwhile.

use hashbrown::HashMap;
use murre_core::log::{KeepRules, RuleId};

use crate::format::{TopicId, TopicTally};

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Which.
    pub(crate) id: TopicId,
    /// Its name.
    pub(crate) name: Box<str>,
    /// What is counted of it.
    pub(crate) tally: TopicTally,
    /// The rule that holds for it.
    pub(crate) rule: Option<RuleId>,
}

/// All topics of a shard.
#[derive(Debug, Default)]
pub(crate) struct TopicTable {
    by_id: HashMap<TopicId, u32>,
    list: Vec<Option<Topic>>,
    layout: u64,
}

/// How far a walk has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Walk {
    layout: u64,
    next: usize,
}

impl TopicTable {
    /// A topic.
    pub(crate) fn get(&self, id: TopicId) -> Option<&Topic> {
        self.list.get(*self.by_id.get(&id)? as usize)?.as_ref()
    }

    /// A topic, to change it.
    pub(crate) fn get_mut(&mut self, id: TopicId) -> Option<&mut Topic> {
        self.list.get_mut(*self.by_id.get(&id)? as usize)?.as_mut()
    }

    /// A topic, which is made if it is new.
    pub(crate) fn entry(&mut self, id: TopicId, name: &str, rules: &KeepRules) -> Option<&mut Topic> {
        let next = self.list.len() as u32;
        let place = *self.by_id.entry(id).or_insert(next);
        if place == next {
            let rule = rules.of_text(name);
            self.list.push(Some(Topic { id, name: name.into(), tally: TopicTally::default(), rule }));
        }
        self.list.get_mut(place as usize)?.as_mut()
    }

    /// Forgets a topic.
    pub(crate) fn remove(&mut self, id: TopicId) -> Option<Topic> {
        let place = self.by_id.remove(&id)?;
        let topic = self.list.get_mut(place as usize)?.take();
        if self.list.len() > 64 && self.by_id.len() < self.list.len() / 2 {
            self.close_up();
        }
        topic
    }

    fn close_up(&mut self) {
        self.list.retain(Option::is_some);
        for (place, topic) in self.list.iter().flatten().enumerate() {
            self.by_id.insert(topic.id, place as u32);
        }
        self.layout += 1;
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.list.iter().flatten()
    }

    /// Shows up to `limit` topics behind a walk's place; true while there are more. A walk begins anew, and shows
    /// topics again, where the list was closed up meanwhile.
    pub(crate) fn walk(&self, walk: &mut Walk, limit: usize, mut show: impl FnMut(&Topic)) -> bool {
        if walk.layout != self.layout {
            *walk = Walk { layout: self.layout, next: 0 };
        }
        let end = (walk.next + limit).min(self.list.len());
        self.list.get(walk.next..end).unwrap_or_default().iter().flatten().for_each(&mut show);
        walk.next = end;
        end < self.list.len()
    }
}
