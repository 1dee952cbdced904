//! Filters by level: which values wait for a topic.
//!
//! A tree with a node for each level of a filter. Matching a topic walks the topic's levels and visits only nodes
//! that can still match, so its cost grows with the levels and the matches, not with the filters.

use hashbrown::HashMap;
use murre_protocol::TopicFilter;
use slab::Slab;
use smallvec::SmallVec;

const ROOT: usize = 0;

/// Values by filter. A value may stand under many filters and more than once under one.
#[derive(Debug)]
pub struct FilterIndex<V> {
    nodes: Slab<Node<V>>,
    filters: usize,
}

#[derive(Debug)]
struct Node<V> {
    literal: HashMap<Box<str>, usize>,
    /// The child for `+`.
    one: Option<usize>,
    /// What stands under `#` after this level.
    rest: SmallVec<[V; 1]>,
    /// What ends at this level.
    here: SmallVec<[V; 1]>,
}

impl<V> Node<V> {
    fn new() -> Self {
        Self { literal: HashMap::new(), one: None, rest: SmallVec::new(), here: SmallVec::new() }
    }

    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.one.is_none() && self.rest.is_empty() && self.here.is_empty()
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
        let node = &mut self.nodes[at];
        if is_rest(filter) {
            node.rest.push(value)
        } else {
            node.here.push(value)
        }
        self.filters += 1;
    }

    /// Takes `value` away from under `filter`; says whether it was there.
    pub fn remove(&mut self, filter: &TopicFilter<'_>, value: &V) -> bool {
        let mut path: SmallVec<[(usize, &str); 8]> = SmallVec::new();
        let mut at = ROOT;
        for level in filter.levels().filter(|level| *level != "#") {
            let Some(child) = self.child(at, level) else { return false };
            path.push((at, level));
            at = child;
        }
        let node = &mut self.nodes[at];
        let values = if is_rest(filter) { &mut node.rest } else { &mut node.here };
        let Some(found) = values.iter().position(|v| v == value) else { return false };
        values.swap_remove(found);
        self.filters -= 1;
        self.prune(at, &path);
        true
    }

    /// Calls `found` for each value whose filter matches `topic`.
    pub fn for_each_match<'v>(&'v self, topic: &str, mut found: impl FnMut(&'v V)) {
        let root = &self.nodes[ROOT];
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
        for child in [node.literal.get(level).copied(), one].into_iter().flatten() {
            let child = &self.nodes[child];
            child.rest.iter().for_each(&mut *found);
            self.descend(child, below, false, found);
        }
    }

    fn child(&self, at: usize, level: &str) -> Option<usize> {
        let node = &self.nodes[at];
        if level == "+" { node.one } else { node.literal.get(level).copied() }
    }

    fn grow(&mut self, at: usize, level: &str) -> usize {
        let child = self.nodes.insert(Node::new());
        let node = &mut self.nodes[at];
        if level == "+" {
            node.one = Some(child);
        } else {
            node.literal.insert(level.into(), child);
        }
        child
    }

    /// Takes out nodes that hold nothing any more, from `at` upwards along `path`.
    fn prune(&mut self, mut at: usize, path: &[(usize, &str)]) {
        for &(parent, level) in path.iter().rev() {
            if !self.nodes[at].is_empty() {
                return;
            }
            self.nodes.remove(at);
            let node = &mut self.nodes[parent];
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
