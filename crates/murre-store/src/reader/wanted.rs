//! Which records a read wants: those of matching topics that the keep rules hold and that haven't expired.

use hashbrown::HashMap;
use murre_core::log::{KeepRules, RuleId};
use murre_protocol::{Timestamp, TopicFilter};

use crate::{
    format::{RecordRef, TopicId},
    shard::{Topic, Walk},
    shared::Shared,
};

/// A read of so many topics or fewer goes by their index; one of more looks at everything.
pub(super) const BY_INDEX_MAX: usize = 64;
/// A read of more than one in so many records of a shard looks at everything, unless that is only a few records.
const SCAN_SHARE: u64 = 8;
const SCAN_RECORDS: u64 = 1024;
/// Topics that are looked at under one lock.
const WALK: usize = 512;
/// A scan remembers so many topics.
const REMEMBERED: usize = 1 << 16;

/// What a read knows of the topics that it wants.
#[derive(Debug)]
pub(super) struct Wanted {
    filter: TopicFilter<'static>,
    /// The topics to read by their index; none where there are too many.
    pub(super) topics: Option<Vec<TopicId>>,
    /// How many records these and others that were found have.
    held: u64,
    /// How far the shard's list of topics was looked through for `topics`.
    walk: Walk,
    /// By topic, as far as it was needed. Where there's no entry it is made.
    known: HashMap<TopicId, Option<Known>>,
    /// Up to the offset, only records with an ordinal past the topic's are wanted, and from this time on.
    history: Option<History>,
    /// Whether records are wanted that are too old for their rule.
    any_age: bool,
}

/// What is wanted of a topic.
#[derive(Debug, Clone, Copy)]
struct Known {
    age_ms: Option<u64>,
}

/// What holds for records that were there when the read began.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The last of them.
    pub(super) end: u64,
    /// The time they begin with.
    pub(super) since: Timestamp,
    /// Where not all of a topic's records are wanted: the ordinal of the last that isn't.
    pub(super) floors: HashMap<TopicId, u64>,
}

impl Wanted {
    pub(super) fn new(filter: TopicFilter<'static>, shared: &Shared) -> Self {
        let topics = filter.is_exact().then(|| {
            let hash = shared.placement.topic_hash(filter.as_str());
            vec![TopicId::new(hash, filter.as_str().as_bytes())]
        });
        let topics = Some(topics.unwrap_or_default());
        Self {
            filter,
            topics,
            held: 0,
            walk: Walk::default(),
            known: HashMap::new(),
            history: None,
            any_age: false,
        }
    }

    /// Whether it wants nothing but durable topics.
    pub(super) fn is_durable(&self, rules: &KeepRules) -> bool {
        rules.are_durable(&self.filter)
    }

    /// What holds for records that were there when the read began.
    pub(super) fn set_history(&mut self, history: History) {
        self.history = Some(history);
    }

    /// Records are wanted however old they are, as long as they aren't expired.
    pub(super) fn set_any_age(&mut self) {
        self.any_age = true;
    }

    /// Forgets what holds for history, once it was read.
    pub(super) fn reached(&mut self, offset: u64) {
        if self.history.as_ref().is_some_and(|history| offset >= history.end) {
            self.history = None;
        }
    }

    /// Looks through topics that came since it was last called, and shows those that match.
    pub(super) fn find_topics(&mut self, shared: &Shared, number: u8, mut show: impl FnMut(&Topic)) {
        let Some(shard) = shared.shard(number) else { return };
        if self.filter.is_exact() {
            let shard = shard.lock();
            let topics = self.topics.iter().flatten().filter_map(|id| shard.topics.get(*id));
            for topic in topics {
                self.held = topic.tally.held;
                show(topic);
            }
            return;
        }
        let (mut walk, filter) = (self.walk, &self.filter);
        let (wanted, held) = (&mut self.topics, &mut self.held);
        loop {
            let more = shard.lock().topics.walk(&mut walk, WALK, |topic| {
                if !filter.matches_text(&topic.name) {
                    return;
                }
                show(topic);
                *held += topic.tally.held;
                if let Some(topics) = wanted.as_mut().filter(|topics| !topics.contains(&topic.id)) {
                    topics.push(topic.id);
                }
                if wanted.as_ref().is_some_and(|topics| topics.len() > BY_INDEX_MAX) {
                    *wanted = None;
                }
            });
            if !more {
                break;
            }
        }
        self.walk = walk;
    }

    /// Looks at everything, where what is wanted is a good part of the shard's records anyway.
    pub(super) fn choose_way(&mut self, records: u64) {
        if self.held > SCAN_RECORDS && self.held.saturating_mul(SCAN_SHARE) > records {
            self.topics = None;
        }
    }

    /// Whether a topic's record with this ordinal and offset can't be wanted, as far as the index tells.
    pub(super) fn is_before(&self, topic: TopicId, offset: u64, ordinal: u64) -> bool {
        self.history.as_ref().is_some_and(|history| {
            offset <= history.end && history.floors.get(&topic).is_some_and(|floor| ordinal <= *floor)
        })
    }

    /// Whether a record is wanted, or why it isn't.
    pub(super) fn wants(&mut self, record: &RecordRef<'_>, shared: &Shared, now: Timestamp) -> Wants {
        let id = record.topic_id();
        let known = match self.known.get(&id) {
            Some(known) => *known,
            None => self.look_at(id, record, shared.rules()),
        };
        let Some(known) = known else { return Wants::No };
        if let Some(history) = self.history.as_ref().filter(|history| record.offset <= history.end) {
            let is_before = history.floors.get(&id).is_some_and(|floor| record.ordinal <= *floor);
            if is_before || record.time < history.since {
                return Wants::No;
            }
        }
        let oldest = known.age_ms.filter(|_| !self.any_age).map(|age| now.millis().saturating_sub(age));
        if record.is_expired(now) || oldest.is_some_and(|oldest| record.time.millis() < oldest) {
            return Wants::Expired;
        }
        Wants::Yes
    }

    /// The whole name is compared, whatever the topic's id: nobody is sent what he didn't ask for.
    fn look_at(&mut self, id: TopicId, record: &RecordRef<'_>, rules: &KeepRules) -> Option<Known> {
        let name = record.topic().filter(|name| self.filter.matches_text(name));
        let known = name.map(|name| Known { age_ms: age_ms(rules, rules.of_text(name)) });
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(id, known);
        known
    }
}

/// What [`Wanted::wants`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// It is wanted.
    Yes,
    /// It isn't.
    No,
    /// It would be, if it hadn't expired or become too old.
    Expired,
}

fn age_ms(rules: &KeepRules, rule: Option<RuleId>) -> Option<u64> {
    let age = rules.rule(rule?)?.age?;
    Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
