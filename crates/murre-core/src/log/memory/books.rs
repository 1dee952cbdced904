//! What all shards hold together, as far as a rule or the bound of bytes wants to know.

use std::{collections::BTreeSet, sync::Arc};

use murre_protocol::Timestamp;

use super::shard::Stored;
use crate::log::{KeepRule, KeepRules, Needs, RuleId};

/// What a record costs beside its tail: its entries in the shard's and the topic's order, and the allocator's share.
const RECORD_BYTES: u64 = 128;

/// A record among those of all shards. The oldest is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub time: Timestamp,
    pub shard: u8,
    pub offset: u64,
}

/// Counts over all shards.
#[derive(Debug)]
pub(super) struct Books {
    rules: Arc<KeepRules>,
    of_rules: Vec<RuleBook>,
    bytes_max: u64,
    /// What kept sessions need.
    pub needs: Needs,
    /// Records in all.
    pub records: usize,
    /// Bytes of their tails.
    pub bytes: u64,
}

/// What is known of one rule's records.
#[derive(Debug, Default)]
struct RuleBook {
    /// What the rule holds, where it has a bound by bytes.
    held: BTreeSet<Place>,
    /// Bytes of their tails.
    bytes: u64,
    /// What is there and not too old yet, where the rule has a bound by age.
    young: BTreeSet<Place>,
}

impl Books {
    pub(super) fn new(rules: Arc<KeepRules>, bytes_max: u64) -> Self {
        let of_rules = rules.all().iter().map(|_| RuleBook::default()).collect();
        Self { rules, of_rules, bytes_max, needs: Needs::default(), records: 0, bytes: 0 }
    }

    /// The rule that holds for a topic.
    pub(super) fn rule_of(&self, topic: &str) -> Option<RuleId> {
        self.rules.of_text(topic)
    }

    /// How many of the newest messages of a topic the rule holds.
    pub(super) fn last(&self, rule: RuleId) -> Option<u64> {
        self.rules.rule(rule)?.last
    }

    /// Whether a rule holds a message of that time no longer.
    pub(super) fn is_aged(&self, rule: Option<RuleId>, time: Timestamp, now: Timestamp) -> bool {
        rule.and_then(|rule| self.rules.rule(rule)).is_some_and(|rule| is_aged(rule, time, now))
    }

    /// A record of a rule's topics is there, and the rule holds it.
    pub(super) fn hold(&mut self, rule: RuleId, place: Place, record: &Stored) {
        let Some(bounds) = self.rules.rule(rule) else { return };
        let Some(book) = self.of_rules.get_mut(usize::from(rule.0)) else { return };
        if bounds.age.is_some() {
            book.young.insert(place);
        }
        if bounds.bytes.is_some() {
            book.held.insert(place);
            book.bytes += record.tail.len() as u64;
        }
    }

    /// A rule holds a record no longer.
    pub(super) fn release(&mut self, rule: RuleId, place: Place, record: &Stored) {
        let Some(book) = self.of_rules.get_mut(usize::from(rule.0)) else { return };
        if book.held.remove(&place) {
            book.bytes -= record.tail.len() as u64;
        }
    }

    /// A record is not there any more.
    pub(super) fn remove(&mut self, rule: RuleId, place: Place, record: &Stored) {
        self.release(rule, place, record);
        if let Some(book) = self.of_rules.get_mut(usize::from(rule.0)) {
            book.young.remove(&place);
        }
    }

    /// A record that has become too old for its rule; each one once.
    pub(super) fn pop_aged(&mut self, now: Timestamp) -> Option<Place> {
        self.rules.all().iter().zip(&mut self.of_rules).find_map(|(rule, book)| {
            book.young.first().filter(|oldest| is_aged(rule, oldest.time, now))?;
            book.young.pop_first()
        })
    }

    /// The oldest record of a rule that holds more bytes than it may.
    pub(super) fn past_rule_bytes(&self, rule: RuleId) -> Option<Place> {
        let bytes_max = self.rules.rule(rule)?.bytes?;
        let book = self.of_rules.get(usize::from(rule.0))?;
        book.held.first().copied().filter(|_| book.bytes > bytes_max)
    }

    /// Whether all shards together hold more than they may.
    pub(super) fn is_past_bytes_max(&self) -> bool {
        self.bytes + self.records as u64 * RECORD_BYTES > self.bytes_max
    }

    /// Entries beside the records that stand for one.
    #[cfg(test)]
    pub(super) fn listed(&self) -> usize {
        self.of_rules.iter().map(|book| book.held.len().max(book.young.len())).sum()
    }
}

fn is_aged(rule: &KeepRule, time: Timestamp, now: Timestamp) -> bool {
    rule.age.is_some_and(|age| {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        time.millis().saturating_add(age) <= now.millis()
    })
}
