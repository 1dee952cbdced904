//! Whether a client that resumes can have missed something of which no log knows.
//!
//! The log answers for what it has kept and dropped. Here is the rest: topics without a keep rule, and messages that
//! were under way when an earlier process died. In doubt something is missing. A message of a durable topic counts once
//! it is committed: before that it was acknowledged to nobody.

use murre_protocol::TopicFilter;

use crate::{
    log::{KeepRules, Lost},
    placement::Placement,
    shard::{Shard, Since, UnkeptWanted},
};

/// Topics that are looked at to say that nothing is missing.
const TOPICS_MAX: usize = 10_000;

/// Why messages of `shard` that match `filter` and came after `offset` may be missing beside what the log says.
pub(super) fn lost(
    shard: &Shard,
    placement: &Placement,
    rules: &KeepRules,
    filter: &TopicFilter<'_>,
    offset: u64,
) -> Option<Lost> {
    let covered = rules.all().iter().any(|rule| rule.filter.covers(filter));
    match shard.lost_since(offset) {
        Since::Crash => return Some(Lost::Crash),
        Since::CrashBeforeCommit if !rules.are_durable(filter) => return Some(Lost::Crash),
        Since::EarlierProcess if !covered => return Some(Lost::Kept),
        _ if covered => return None,
        _ => {}
    }
    let own = filter.as_str().starts_with('$');
    let missed = if filter.is_exact() {
        let hash = placement.topic_hash(filter.as_str());
        let topic = shard.topics.named(hash, filter.as_str());
        let newer = topic.is_some_and(|topic| topic.value.position.offset() > offset);
        let forgotten = UnkeptWanted { matches: &|_| false, own, usual: !own };
        newer || (topic.is_none() && shard.topics.has_unkept(offset, TOPICS_MAX, &forgotten))
    } else {
        let matches = |topic: &str| filter.matches_text(topic);
        shard.topics.has_unkept(offset, TOPICS_MAX, &UnkeptWanted { matches: &matches, own, usual: !own })
    };
    missed.then_some(Lost::Kept)
}
