//! A shard's topics: their last values, in the order in which they were last published.
//!
//! All topics stand in one list by position. A snapshot is a cursor *in* that list: a topic that is published
//! meanwhile moves to the end, behind every cursor, and so comes once more, at its newest. Publishing costs a
//! look-up and a move, however many snapshots run, and a snapshot keeps nothing but its cursor.

use std::sync::Arc;

use hashbrown::HashTable;
use murre_protocol::Position;
use slab::Slab;
use smallvec::SmallVec;

use super::{
    freshness::Watch,
    publishers::{Earlier, Publisher},
    value::{NewValue, Value},
};
use crate::{
    ids::{GroupId, SessionAddress},
    log::RuleId,
};

/// A topic's place in its table, which another one may have once it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicSlot(usize);

/// A snapshot's place in the list.
#[derive(Debug)]
pub struct Cursor(usize);

/// A topic with its last value.
#[derive(Debug)]
pub struct Topic {
    /// The name.
    pub name: Box<str>,
    /// The last value.
    pub value: Value,
    /// Who wants it, as far as known.
    pub route: Route,
    /// The keep rule that holds for it.
    pub rule: Option<RuleId>,
    /// How it stands, where its silence is watched over.
    pub watch: Option<Box<Watch>>,
    /// Who has published the last value, as far as it was a client of this process.
    publisher: Option<SessionAddress>,
    hash: u64,
    /// Whether it stands in the list of deleted ones, once.
    listed: bool,
}

/// Who wants a topic, as of a generation of the interest index.
#[derive(Debug, Default)]
pub struct Route {
    /// The generation; another one voids the rest.
    pub generation: u64,
    /// The hubs that want it, as a set of workers.
    pub hubs: u64,
    /// The groups that share it.
    pub groups: SmallVec<[GroupId; 1]>,
    /// The subscriptions of kept sessions that want it, by their places; none where there are none.
    pub kept: Option<Arc<[u32]>>,
}

#[derive(Debug)]
struct Node {
    previous: usize,
    next: usize,
    /// None for a cursor and for the list's end.
    topic: Option<Box<Topic>>,
}

/// The node between the last topic and the first.
const END: usize = 0;

/// The topics of a shard.
#[derive(Debug)]
pub struct TopicTable {
    nodes: Slab<Node>,
    by_name: HashTable<usize>,
    cursors: usize,
    /// Deleted topics that wait for the running snapshots.
    gone: Vec<TopicSlot>,
    /// Bytes of names and payloads.
    bytes: usize,
    forgotten: Forgotten,
    /// Who has published to topics before their last publishers.
    earlier: Earlier,
}

/// The offsets of the last messages of topics without a keep rule that are no longer in the table.
#[derive(Debug, Clone, Copy, Default)]
struct Forgotten {
    usual: u64,
    /// Of topics that begin with `$`.
    own: u64,
}

impl Default for TopicTable {
    fn default() -> Self {
        Self::new()
    }
}

impl TopicTable {
    /// A table without topics.
    pub fn new() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node { previous: END, next: END, topic: None });
        let (by_name, forgotten) = (HashTable::new(), Forgotten::default());
        let (gone, earlier) = (Vec::new(), Earlier::default());
        Self { nodes, by_name, cursors: 0, gone, bytes: 0, forgotten, earlier }
    }

    /// How many topics.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Bytes of names and payloads.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Finds a topic.
    #[inline]
    pub fn find(&self, hash: u64, name: &str) -> Option<TopicSlot> {
        let same = |slot: &usize| {
            self.nodes
                .get(*slot)
                .and_then(|node| node.topic.as_ref())
                .is_some_and(|t| t.hash == hash && *t.name == *name)
        };
        // a device sends its readings in runs, so the topic at the list's end is the likeliest
        let last = self.nodes.get(END).map_or(END, |end| end.previous);
        if same(&last) {
            return Some(TopicSlot(last));
        }
        self.by_name.find(hash, same).copied().map(TopicSlot)
    }

    /// Adds a topic that isn't there, without a value yet, at the end of the list.
    pub fn add(&mut self, hash: u64, name: &str, rule: Option<RuleId>) -> TopicSlot {
        let topic = Topic {
            name: name.into(),
            value: Value::default(),
            route: Route::default(),
            rule,
            watch: None,
            publisher: None,
            hash,
            listed: false,
        };
        self.bytes += name.len();
        let slot = self.nodes.insert(Node { previous: END, next: END, topic: Some(Box::new(topic)) });
        self.link_before(slot, END);
        let nodes = &self.nodes;
        let hash_of =
            |slot: &usize| nodes.get(*slot).and_then(|node| node.topic.as_ref()).map_or(0, |t| t.hash);
        self.by_name.insert_unique(hash, slot, hash_of);
        TopicSlot(slot)
    }

    /// A topic.
    #[inline]
    pub fn topic(&self, slot: TopicSlot) -> Option<&Topic> {
        self.nodes.get(slot.0)?.topic.as_deref()
    }

    /// The topic of this name.
    pub fn named(&self, hash: u64, name: &str) -> Option<&Topic> {
        self.topic(self.find(hash, name)?)
    }

    /// A topic whose route may be renewed.
    #[inline]
    pub fn topic_mut(&mut self, slot: TopicSlot) -> Option<&mut Topic> {
        self.nodes.get_mut(slot.0)?.topic.as_deref_mut()
    }

    /// All topics.
    pub fn all(&self) -> impl Iterator<Item = (TopicSlot, &Topic)> {
        let topics = self.nodes.iter().filter_map(|(at, node)| Some((at, node.topic.as_deref()?)));
        topics.map(|(at, topic)| (TopicSlot(at), topic))
    }

    /// Gives a topic a new value and moves it to the end of the list.
    #[inline]
    pub fn store(&mut self, slot: TopicSlot, value: NewValue<'_>) {
        if self.nodes.get(END).is_some_and(|end| end.previous != slot.0) {
            self.unlink(slot.0);
            self.link_before(slot.0, END);
        }
        let Some(topic) = self.nodes.get_mut(slot.0).and_then(|node| node.topic.as_deref_mut()) else {
            return;
        };
        let last = &mut topic.value;
        // no snapshot can have shown a topic that is new
        let never_shown = last.position == Position::NONE;
        self.bytes = self.bytes + value.bytes() - last.bytes();
        if topic.publisher != value.publisher {
            let before = std::mem::replace(&mut topic.publisher, value.publisher);
            self.earlier.note(slot.0, before.map(|session| (session, last.time)), value.publisher);
        }
        last.payload.clear();
        last.payload.extend_from_slice(value.payload);
        last.format = value.format;
        last.time = value.time;
        last.position = value.position;
        last.options = value.options;
        last.kept = value.kept;
        last.logged = value.logged;
        if !value.kept {
            if self.cursors == 0 || never_shown {
                self.remove(slot);
            } else if !std::mem::replace(&mut topic.listed, true) {
                self.gone.push(slot);
            }
        }
    }

    /// Takes a topic out.
    fn remove(&mut self, slot: TopicSlot) {
        self.unlink(slot.0);
        let Some(topic) = self.nodes.try_remove(slot.0).and_then(|node| node.topic) else { return };
        self.bytes -= topic.name.len() + topic.value.bytes();
        self.earlier.forget(slot.0);
        if topic.rule.is_none() {
            let own = topic.name.starts_with('$');
            let last = if own { &mut self.forgotten.own } else { &mut self.forgotten.usual };
            *last = (*last).max(topic.value.position.offset());
        }
        if let Ok(entry) = self.by_name.find_entry(topic.hash, |at| *at == slot.0) {
            entry.remove();
        }
    }

    /// Who has published to a topic, as far as it is remembered, the last one first.
    pub fn publishers(&self, hash: u64, name: &str) -> Vec<Publisher> {
        let Some(slot) = self.find(hash, name) else { return Vec::new() };
        let Some(topic) = self.topic(slot) else { return Vec::new() };
        let last = topic.publisher.map(|session| Publisher { session, last: topic.value.time });
        last.into_iter().chain(self.earlier.of(slot.0)).collect()
    }

    /// Whether a topic without a keep rule that `wants` may have had messages past `offset`, of which no log knows.
    /// Looks at `topics_max` topics at most, and says yes where that does not do.
    pub fn has_unkept(&self, offset: u64, topics_max: usize, wants: &UnkeptWanted<'_>) -> bool {
        let Forgotten { usual, own } = self.forgotten;
        if (wants.usual && usual > offset) || (wants.own && own > offset) {
            return true;
        }
        let mut at = self.nodes.get(END).map_or(END, |end| end.previous);
        for _ in 0..topics_max {
            let Some(node) = self.nodes.get(at).filter(|_| at != END) else { return false };
            if let Some(topic) = &node.topic {
                if topic.value.position.offset() <= offset {
                    return false;
                }
                if topic.rule.is_none() && (wants.matches)(&topic.name) {
                    return true;
                }
            }
            at = node.previous;
        }
        true
    }

    /// Begins a snapshot in front of the first topic.
    pub fn open_cursor(&mut self) -> Cursor {
        let at = self.nodes.insert(Node { previous: END, next: END, topic: None });
        let first = self.nodes.get(END).map_or(END, |end| end.next);
        self.link_before(at, first);
        self.cursors += 1;
        Cursor(at)
    }

    /// Ends a snapshot.
    pub fn close_cursor(&mut self, cursor: Cursor) {
        self.unlink(cursor.0);
        self.nodes.try_remove(cursor.0);
        self.cursors -= 1;
        if self.cursors == 0 {
            for slot in std::mem::take(&mut self.gone) {
                match self.topic_mut(slot) {
                    Some(topic) if topic.value.kept => topic.listed = false,
                    _ => self.remove(slot),
                }
            }
        }
    }

    /// Walks on from `cursor` over at most `nodes_max` nodes as long as `visit` says so; the topic at which it
    /// says no comes again. True when the end was reached.
    pub fn advance(
        &mut self,
        cursor: &Cursor,
        nodes_max: usize,
        mut visit: impl FnMut(&Topic) -> bool,
    ) -> bool {
        let mut at = self.nodes.get(cursor.0).map_or(END, |node| node.next);
        for _ in 0..nodes_max {
            if at == END {
                break;
            }
            let Some(node) = self.nodes.get(at) else { break };
            if node.topic.as_ref().is_some_and(|topic| !visit(topic)) {
                break;
            }
            at = node.next;
        }
        if at != cursor.0 {
            self.unlink(cursor.0);
            self.link_before(cursor.0, at);
        }
        at == END
    }

    #[inline]
    fn unlink(&mut self, slot: usize) {
        let Some((previous, next)) = self.nodes.get(slot).map(|node| (node.previous, node.next)) else {
            return;
        };
        if let Some(node) = self.nodes.get_mut(previous) {
            node.next = next;
        }
        if let Some(node) = self.nodes.get_mut(next) {
            node.previous = previous;
        }
    }

    #[inline]
    fn link_before(&mut self, slot: usize, next: usize) {
        let Some(previous) = self.nodes.get(next).map(|node| node.previous) else { return };
        if let Some(node) = self.nodes.get_mut(slot) {
            node.previous = previous;
            node.next = next;
        }
        if let Some(node) = self.nodes.get_mut(previous) {
            node.next = slot;
        }
        if let Some(node) = self.nodes.get_mut(next) {
            node.previous = slot;
        }
    }
}

/// Which topics [`TopicTable::has_unkept`] looks for.
pub struct UnkeptWanted<'a> {
    /// Whether a name is one of them.
    pub matches: &'a dyn Fn(&str) -> bool,
    /// Whether topics that no longer have an entry may be, of those that begin with `$`.
    pub own: bool,
    /// The same, of all others.
    pub usual: bool,
}

#[cfg(test)]
mod tests {
    use murre_protocol::{Format, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn store(table: &mut TopicTable, name: &str, offset: u64, kept: bool) {
        let hash = name.len() as u64;
        let slot = table.find(hash, name).unwrap_or_else(|| table.add(hash, name, None));
        let position = Position::new(offset, 0);
        let time = Timestamp::default();
        table.store(
            slot,
            NewValue {
                format: Format::Raw,
                payload: b"x",
                time,
                position,
                options: None,
                kept,
                logged: false,
                publisher: None,
            },
        );
    }

    fn rest(table: &mut TopicTable, cursor: &Cursor) -> Vec<(String, u64)> {
        let mut seen = Vec::new();
        while !table.advance(cursor, 2, |topic| {
            seen.push((topic.name.to_string(), topic.value.position.offset()));
            true
        }) {}
        seen
    }

    #[test]
    fn a_topic_published_during_a_snapshot_comes_at_its_newest() {
        let mut table = TopicTable::new();
        for (offset, name) in ["a", "bb", "ccc"].into_iter().enumerate() {
            store(&mut table, name, offset as u64, true);
        }
        let cursor = table.open_cursor();
        table.advance(&cursor, 1, |_| true);
        store(&mut table, "bb", 9, true);
        assert_eq!(rest(&mut table, &cursor), [("ccc".into(), 2), ("bb".into(), 9)]);
        table.close_cursor(cursor);
    }

    #[test]
    fn a_deleted_topic_stays_until_the_last_snapshot_has_ended() {
        let mut table = TopicTable::new();
        store(&mut table, "a", 1, true);
        let cursor = table.open_cursor();
        store(&mut table, "a", 2, false);
        assert_eq!(rest(&mut table, &cursor), [("a".into(), 2)]);
        table.close_cursor(cursor);
        assert!(table.is_empty());
        assert_eq!(table.bytes(), 0);
        store(&mut table, "a", 3, false);
        assert!(table.is_empty(), "with no snapshot running it goes at once");
    }

    proptest! {
        #[test]
        fn every_snapshot_sees_rising_positions_and_every_topic_at_its_newest(
            steps in prop::collection::vec((0usize..6, any::<bool>(), 0u8..4), 1..120),
        ) {
            let names = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"];
            let mut table = TopicTable::new();
            let mut newest = std::collections::BTreeMap::new();
            let mut running: Vec<(Cursor, Vec<(String, u64)>)> = Vec::new();
            for (offset, (topic, kept, action)) in (1u64..).zip(steps) {
                store(&mut table, names[topic], offset, kept);
                newest.insert(names[topic].to_string(), (offset, kept));
                match action {
                    0 if running.len() < 3 => running.push((table.open_cursor(), Vec::new())),
                    1 => for (cursor, seen) in &mut running {
                        table.advance(cursor, 1, |t| { seen.push((t.name.to_string(), t.value.position.offset())); true });
                    },
                    _ => {}
                }
            }
            for (cursor, mut seen) in running {
                seen.extend(rest(&mut table, &cursor));
                prop_assert!(seen.windows(2).all(|pair| pair[0].1 < pair[1].1), "positions rise: {:?}", seen);
                for (name, (offset, kept)) in &newest {
                    let last = seen.iter().rev().find(|(n, _)| n == name).map(|(_, at)| *at);
                    prop_assert!(last == Some(*offset) || (!kept && last.is_none()), "{} is at its newest", name);
                }
                table.close_cursor(cursor);
            }
            let kept = newest.values().filter(|(_, kept)| *kept).count();
            prop_assert_eq!(table.len(), kept);
        }
    }
}
