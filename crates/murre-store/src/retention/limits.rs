//! Bounds of bytes over all shards: those of rules, and that of the store.

use hashbrown::HashMap;
use murre_core::log::{KeepRules, RuleId};
use murre_protocol::Timestamp;

/// A segment among those of all shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Weighed {
    /// Its shard.
    pub(super) shard: u8,
    /// Its name.
    pub(super) first: u64,
    /// How new it is.
    pub(super) time_max: Timestamp,
    /// Bytes by rule.
    pub(super) by_rule: Vec<(RuleId, u64)>,
}

/// For each closed segment, the rules whose bound is used up by newer ones. `open` has what is in open segments.
pub(super) fn used_up(
    mut segments: Vec<Weighed>,
    open: &HashMap<RuleId, u64>,
    rules: &KeepRules,
) -> HashMap<(u8, u64), Vec<RuleId>> {
    let mut sums = open.clone();
    segments.sort_by_key(|segment| std::cmp::Reverse(segment.time_max));
    let mut used_up = HashMap::new();
    for segment in segments {
        let mut of_segment = Vec::new();
        for (id, bytes) in segment.by_rule {
            let sum = sums.entry(id).or_default();
            let bound = rules.rule(id).and_then(|rule| rule.bytes);
            if bound.is_some_and(|bound| *sum >= bound) {
                of_segment.push(id);
            }
            *sum += bytes;
        }
        if !of_segment.is_empty() {
            used_up.insert((segment.shard, segment.first), of_segment);
        }
    }
    used_up
}

#[cfg(test)]
mod tests {
    use murre_core::log::KeepRule;
    use murre_protocol::TopicFilter;

    use super::*;

    #[test]
    fn the_oldest_segments_of_all_shards_are_beyond_a_rules_bytes() {
        let filter = TopicFilter::parse("#").unwrap();
        let rule = KeepRule { filter, last: None, age: None, bytes: Some(150), durable: true };
        let segment = |shard, first, time| Weighed {
            shard,
            first,
            time_max: Timestamp::from_millis(time),
            by_rule: vec![(RuleId(0), 100)],
        };
        let segments = vec![segment(0, 1, 10), segment(1, 1, 30), segment(0, 9, 20), segment(1, 5, 40)];
        let used_up = used_up(segments, &HashMap::new(), &KeepRules::new(vec![rule]));
        let mut beyond: Vec<_> = used_up.keys().copied().collect();
        beyond.sort_unstable();
        assert_eq!(beyond, [(0, 1), (0, 9)]);
    }
}
