//! Filters by level: which values wait for a topic.
//!
//! A tree with a node for each level of a filter. Matching a topic walks the topic's levels and visits only nodes
//! that can still match, so its cost grows with the levels and the matches, not with the filters.

use hashbrown::HashMap;
use murre_protocol::TopicFilter;
use slab::Slab;
use smallvec::SmallVec;

const ROOT: u32 = 0;

/// Values by filter. A value may stand under many filters and more than once under one.
#[derive(Debug)]
pub struct FilterIndex<V> {
    nodes: Slab<Node<V>>,
    filters: usize,
}

#[derive(Debug)]
struct Node<V> {
    literal: Children,
    /// The child for `+`.
    one: Option<u32>,
    /// What stands under `#` after this level.
    rest: SmallVec<[V; 1]>,
    /// What ends at this level.
    here: SmallVec<[V; 1]>,
}

impl<V> Node<V> {
    fn new() -> Self {
        Self { literal: Children::None, one: None, rest: SmallVec::new(), here: SmallVec::new() }
    }

    fn is_empty(&self) -> bool {
        matches!(self.literal, Children::None)
            && self.one.is_none()
            && self.rest.is_empty()
            && self.here.is_empty()
    }
}

/// A node's children for levels in so many words, by their places. Most nodes have one at most, for which a table
/// would take several times the memory of all the rest.
#[derive(Debug)]
enum Children {
    None,
    One(Box<str>, u32),
    Many(Box<HashMap<Box<str>, u32>>),
}

impl Children {
    #[inline]
    fn find(&self, level: &str) -> Option<u32> {
        match self {
            Self::None => None,
            Self::One(name, child) => (**name == *level).then_some(*child),
            Self::Many(children) => children.get(level).copied(),
        }
    }

    /// Adds a child for a level that has none.
    fn insert(&mut self, level: &str, child: u32) {
        *self = match std::mem::replace(self, Self::None) {
            Self::None => Self::One(level.into(), child),
            Self::One(name, other) => {
                Self::Many(Box::new(HashMap::from_iter([(name, other), (level.into(), child)])))
            }
            Self::Many(mut children) => {
                children.insert(level.into(), child);
                Self::Many(children)
            }
        }
    }

    /// Removes a level's child. A table stays one until it is empty, so that a level that comes and goes costs
    /// no table each time.
    fn remove(&mut self, level: &str) {
        let is_empty = match self {
            Self::None => true,
            Self::One(name, _) => **name == *level,
            Self::Many(children) => {
                children.remove(level);
                children.is_empty()
            }
        };
        if is_empty {
            *self = Self::None;
        }
    }
}

impl<V: PartialEq> Default for FilterIndex<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: PartialEq> FilterIndex<V> {
    /// An index without filters.
    pub fn new() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::new());
        Self { nodes, filters: 0 }
    }

    /// How many values stand in it.
    pub fn len(&self) -> usize {
        self.filters
    }

    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.filters == 0
    }

    /// Puts `value` under `filter`.
    pub fn insert(&mut self, filter: &TopicFilter<'_>, value: V) {
        let mut at = ROOT;
        for level in filter.levels() {
            if level == "#" {
                break;
            }
            at = self.child(at, level).unwrap_or_else(|| self.grow(at, level));
        }
        let node = &mut self.nodes[at as usize];
        if is_rest(filter) {
            node.rest.push(value)
        } else {
            node.here.push(value)
        }
        self.filters += 1;
    }

    /// Takes `value` away from under `filter`; says whether it was there.
    pub fn remove(&mut self, filter: &TopicFilter<'_>, value: &V) -> bool {
        let mut path: SmallVec<[(u32, &str); 8]> = SmallVec::new();
        let mut at = ROOT;
        for level in filter.levels().filter(|level| *level != "#") {
            let Some(child) = self.child(at, level) else { return false };
            path.push((at, level));
            at = child;
        }
        let node = &mut self.nodes[at as usize];
        let values = if is_rest(filter) { &mut node.rest } else { &mut node.here };
        let Some(found) = values.iter().position(|v| v == value) else { return false };
        values.swap_remove(found);
        self.filters -= 1;
        self.prune(at, &path);
        true
    }

    /// Calls `found` for each value whose filter matches `topic`.
    pub fn for_each_match<'v>(&'v self, topic: &str, mut found: impl FnMut(&'v V)) {
        let root = self.node(ROOT);
        let hidden = topic.starts_with('$');
        if !hidden {
            root.rest.iter().for_each(&mut found);
        }
        self.descend(root, Some(topic), hidden, &mut found);
    }

    fn descend<'v>(
        &'v self,
        node: &'v Node<V>,
        levels: Option<&str>,
        hidden: bool,
        found: &mut impl FnMut(&'v V),
    ) {
        let Some(levels) = levels else {
            node.here.iter().for_each(found);
            return;
        };
        let (level, below) = match levels.split_once('/') {
            Some((level, below)) => (level, Some(below)),
            None => (levels, None),
        };
        let one = if hidden { None } else { node.one };
        for child in [node.literal.find(level), one].into_iter().flatten() {
            let child = self.node(child);
            child.rest.iter().for_each(&mut *found);
            self.descend(child, below, false, found);
        }
    }

    #[inline]
    fn node(&self, at: u32) -> &Node<V> {
        &self.nodes[at as usize]
    }

    fn child(&self, at: u32, level: &str) -> Option<u32> {
        let node = self.node(at);
        if level == "+" { node.one } else { node.literal.find(level) }
    }

    fn grow(&mut self, at: u32, level: &str) -> u32 {
        // filters are bounded far below 2^32 levels in all
        let child = self.nodes.insert(Node::new()) as u32;
        let node = &mut self.nodes[at as usize];
        if level == "+" {
            node.one = Some(child);
        } else {
            node.literal.insert(level, child);
        }
        child
    }

    /// Takes out nodes that hold nothing any more, from `at` upwards along `path`.
    fn prune(&mut self, mut at: u32, path: &[(u32, &str)]) {
        for &(parent, level) in path.iter().rev() {
            if !self.node(at).is_empty() {
                return;
            }
            self.nodes.remove(at as usize);
            let node = &mut self.nodes[parent as usize];
            if level == "+" {
                node.one = None;
            } else {
                node.literal.remove(level);
            }
            at = parent;
        }
    }
}

fn is_rest(filter: &TopicFilter<'_>) -> bool {
    filter.as_str().ends_with('#')
}

#[cfg(test)]
mod tests {
    use murre_protocol::TopicName;
    use proptest::prelude::*;

    use super::*;

    fn found(index: &FilterIndex<usize>, topic: &str) -> Vec<usize> {
        let mut values = Vec::new();
        index.for_each_match(topic, |value| values.push(*value));
        values.sort_unstable();
        values
    }

    fn level() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("a"), Just("b"), Just(""), Just("$x")]
    }

    fn topic() -> impl Strategy<Value = String> {
        prop::collection::vec(level(), 1..5)
            .prop_map(|levels| levels.join("/"))
            .prop_filter("not empty", |t| !t.is_empty())
    }

    fn filter() -> impl Strategy<Value = String> {
        (prop::collection::vec(prop_oneof![level(), Just("+")], 0..5), any::<bool>())
            .prop_map(|(mut levels, rest)| {
                if rest {
                    levels.push("#");
                }
                levels.join("/")
            })
            .prop_filter("not empty", |f| !f.is_empty())
    }

    proptest! {
        #[test]
        fn the_index_finds_what_each_filter_alone_matches(
            filters in prop::collection::vec(filter(), 0..40),
            gone in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            topics in prop::collection::vec(topic(), 1..10),
        ) {
            let filters: Vec<_> = filters.iter().map(|f| TopicFilter::parse(f.as_str()).unwrap()).collect();
            let mut index = FilterIndex::new();
            let mut live = vec![true; filters.len()];
            for (value, filter) in filters.iter().enumerate() {
                index.insert(filter, value);
            }
            for which in gone.iter().filter(|_| !filters.is_empty()).map(|i| i.index(filters.len())) {
                prop_assert_eq!(index.remove(&filters[which], &which), live[which]);
                live[which] = false;
            }
            for topic in &topics {
                let name = TopicName::parse(topic.as_str()).unwrap();
                let naive: Vec<usize> =
                    (0..filters.len()).filter(|&i| live[i] && filters[i].matches(&name)).collect();
                prop_assert_eq!(found(&index, topic), naive, "topic {}", topic);
            }
            for (value, filter) in filters.iter().enumerate() {
                index.remove(filter, &value);
            }
            prop_assert_eq!(index.nodes.len(), 1, "only the root is left");
            prop_assert!(index.is_empty());
        }
    }

    #[test]
    fn a_value_may_stand_twice_and_leaves_once() {
        let filter = TopicFilter::parse("a/+").unwrap();
        let mut index = FilterIndex::new();
        index.insert(&filter, 1);
        index.insert(&filter, 1);
        assert!(index.remove(&filter, &1));
        assert_eq!(found(&index, "a/b"), [1]);
    }
}
