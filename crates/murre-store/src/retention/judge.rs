//! What is kept and what isn't, and why. Without any I/O.

use murre_core::log::{KeepRule, KeepRules, Lost, RuleId};
use murre_protocol::Timestamp;

use crate::format::{RecordRef, SegmentInfo, SegmentTopic, TopicTally};

/// What is known of a record's topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// What is counted of it.
    pub(super) tally: TopicTally,
    /// The rule that holds for it.
    pub(super) rule: Option<RuleId>,
    /// Kept sessions need its records past this offset.
    pub(super) floor: u64,
}

/// By what a segment's records are judged.
#[derive(Debug, Clone, Default)]
pub(super) struct Judge {
    /// The time.
    pub(super) now: Timestamp,
    /// Rules whose bound of bytes is used up by newer segments.
    pub(super) used_up: Vec<RuleId>,
    /// Whether the segment has to go since the store is full.
    pub(super) is_over_limit: bool,
}

impl Judge {
    /// Why a record isn't kept; none where it is. A topic that isn't known has nothing that is kept.
    pub(super) fn verdict(
        &self,
        record: &RecordRef<'_>,
        facts: Option<&Facts>,
        rules: &KeepRules,
    ) -> Option<Lost> {
        if record.is_expired(self.now) {
            return Some(Lost::Expired);
        }
        let Some(facts) = facts else { return Some(Lost::Kept) };
        if record.offset == facts.tally.retained {
            return None;
        }
        if self.is_over_limit {
            return Some(Lost::Limit);
        }
        if record.offset > facts.floor {
            return None;
        }
        let Some((id, rule)) = rule_of(facts, rules) else { return Some(Lost::Kept) };
        if self.used_up.contains(&id) || record.ordinal <= last_dead(&facts.tally, rule) {
            return Some(Lost::Kept);
        }
        self.is_too_old(record.time, rule).then_some(Lost::Expired)
    }

    /// How many of a topic's records in a segment are kept at most, and why the others aren't. As far as the
    /// segment's summary tells: never less than there are.
    pub(super) fn kept_of(
        &self,
        topic: &SegmentTopic,
        segment: &SegmentInfo,
        facts: Option<&Facts>,
        rules: &KeepRules,
    ) -> (u64, Lost) {
        if topic.expires.is_some_and(|expires| expires <= self.now) {
            return (0, Lost::Expired);
        }
        let Some(facts) = facts else { return (0, Lost::Kept) };
        let retained = facts.tally.retained;
        let is_retained = retained > 0 && (segment.first..=segment.last).contains(&retained);
        let with_retained = |kept: u64| if is_retained { kept.max(1) } else { kept };
        if self.is_over_limit {
            return (with_retained(0), Lost::Limit);
        }
        if topic.last_offset > facts.floor {
            return (topic.records, Lost::Kept);
        }
        let Some((id, rule)) = rule_of(facts, rules) else { return (with_retained(0), Lost::Kept) };
        if self.used_up.contains(&id) {
            return (with_retained(0), Lost::Kept);
        }
        if self.is_too_old(segment.time_max, rule) {
            return (with_retained(0), Lost::Expired);
        }
        let by_last = topic.last_ordinal.saturating_sub(last_dead(&facts.tally, rule));
        (with_retained(by_last.min(topic.records)), Lost::Kept)
    }

    fn is_too_old(&self, time: Timestamp, rule: &KeepRule) -> bool {
        let age = rule.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        age.is_some_and(|age| time.millis().saturating_add(age) < self.now.millis())
    }
}

fn rule_of<'a>(facts: &Facts, rules: &'a KeepRules) -> Option<(RuleId, &'a KeepRule)> {
    let id = facts.rule?;
    Some((id, rules.rule(id)?))
}

/// The ordinal of the last record that is too many for `last`.
fn last_dead(tally: &TopicTally, rule: &KeepRule) -> u64 {
    rule.last.map_or(0, |last| tally.count.saturating_sub(last))
}
