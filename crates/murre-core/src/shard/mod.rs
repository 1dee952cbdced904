//! A shard: the one order of the topics that hash to it, their last values, and the records of the client ids
//! that hash to it.
//!
//! It never decodes a payload, and knows no session but by the address that answers go to.

use std::sync::Arc;

use murre_protocol::{
    Code, Position,
    packet::{MessageOptions, PublishOptions},
};

pub use clients::{Claim, ClientEvent, Clients, Directory, Ended, Will};
pub use freshness::{Freshness, News};
pub use publishers::Publisher;
pub use sequences::{Seen, SequenceChange, Sequences};
pub use topics::{Cursor, Route, Topic, TopicSlot, TopicTable, UnkeptWanted};
pub use value::{NewValue, Value};

use crate::{
    batch::MessageBatch,
    expect::ExpectRules,
    ids::SessionAddress,
    limits::Limits,
    log::{KeepRules, ShardStart},
    now::{Now, Tick},
};

mod clients;
mod freshness;
mod publishers;
mod sequences;
mod sessions;
mod topics;
mod value;

/// The part of the engine for one shard's topics.
#[derive(Debug)]
pub struct Shard {
    number: u8,
    offset: u64,
    offsets: Offsets,
    rules: Arc<KeepRules>,
    /// Its topics.
    pub topics: TopicTable,
    /// Its client records.
    pub clients: Clients,
    /// The sequence numbers of its clients' readings.
    pub sequences: Sequences,
    /// Those of its topics that are expected to be heard.
    pub freshness: Freshness,
    limits: Arc<Limits>,
}

/// What is configured for topics.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What is kept of them.
    pub keep: Arc<KeepRules>,
    /// How often they are expected to be heard.
    pub expect: Arc<ExpectRules>,
}

/// Offsets that may be used.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    /// Where this process began.
    began: u64,
    /// Behind this, messages before `began` may have been lost with the process before.
    intact: u64,
    /// But nothing that was committed of topics whose rule is durable.
    committed_stays: bool,
    /// The first one that is not reserved.
    reserved: u64,
    /// The first one that was not asked for.
    asked: u64,
}

/// Offsets that are reserved at a time. The next block is asked for when half of one is used: at a million messages
/// a second to one shard, half a minute before it is needed.
const RESERVE: u64 = 1 << 26;

/// A refusal of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `limits.topics_max`.
    Topics,
    /// `limits.kept_bytes_max`.
    Bytes,
    /// `limits.sequences_max`.
    Sequences,
    /// The store could not reserve offsets in time.
    Offsets,
}

impl Refusal {
    /// The code that answers it.
    pub fn code(self) -> Code {
        match self {
            Self::Topics | Self::Bytes | Self::Sequences => Code::QUOTA,
            Self::Offsets => Code::BROKER_ERROR,
        }
    }

    /// The words that answer it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Topics => "the broker holds as many topics as it may (limits.topics_max)",
            Self::Bytes => "the broker holds as many bytes of last values as it may (limits.kept_bytes_max)",
            Self::Sequences => {
                "PUBLISH.options.sequence: the broker knows the numbers of as many clients as it may \
                 (limits.sequences_max)"
            }
            Self::Offsets => "the store could not reserve positions in time; the broker's log has the error",
        }
    }
}

/// What is taken into the order.
#[derive(Debug)]
pub struct Intake<'a> {
    /// The topic's hash.
    pub hash: u64,
    /// The topic.
    pub topic: &'a str,
    /// How the payload is to be read.
    pub format: murre_protocol::Format,
    /// The payload.
    pub payload: &'a [u8],
    /// What is rarely there.
    pub options: Option<&'a PublishOptions<'static>>,
    /// Whether it becomes the topic's last value, or ends it.
    pub kept: bool,
}

/// When a message is taken, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub struct Taking {
    /// The time.
    pub now: Now,
    /// Whether the log gets it.
    pub logged: bool,
    /// The client that it is of.
    pub publisher: Option<SessionAddress>,
}

impl Intake<'_> {
    /// Bytes that come from the client, without the topic.
    fn bytes(&self) -> usize {
        let options = self.options.map_or(0, |options| {
            let properties: usize =
                options.properties.iter().map(|(key, value)| key.len() + value.len()).sum();
            let reply_to = options.reply_to.as_ref().map_or(0, |topic| topic.len());
            let correlation = options.correlation.as_ref().map_or(0, |bytes| bytes.len());
            properties + reply_to + correlation
        });
        self.payload.len() + options
    }
}

impl Shard {
    /// Shard `number` as a log in memory leaves it: empty.
    pub fn new(number: u8, limits: Arc<Limits>, directory: Directory, rules: Rules) -> Self {
        let Rules { keep: rules, expect } = rules;
        let offsets =
            Offsets { began: 0, intact: 0, committed_stays: true, reserved: u64::MAX, asked: u64::MAX };
        let sequences = Sequences::new(limits.sequences_max);
        let (topics, clients) = (TopicTable::new(), Clients::new(number, limits.clone(), directory));
        let freshness = Freshness::new(expect);
        Self { number, offset: 0, offsets, rules, topics, clients, sequences, freshness, limits }
    }

    /// Goes on where the log stood.
    pub fn restore(&mut self, hash: impl Fn(&str) -> u64, start: &ShardStart) {
        self.offset = start.used;
        self.offsets = Offsets {
            began: start.used,
            intact: start.intact,
            committed_stays: start.committed_stays,
            reserved: start.reserved,
            asked: start.reserved,
        };
        for batch in &start.values {
            self.restore_values(&hash, batch);
        }
    }

    fn restore_values(&mut self, hash: impl Fn(&str) -> u64, batch: &MessageBatch) {
        for entry in batch.entries() {
            let message = batch.message(entry);
            let hash = hash(&message.topic);
            let known = self.topics.find(hash, &message.topic);
            let slot = known.unwrap_or_else(|| self.add(hash, &message.topic));
            self.topics.store(
                slot,
                NewValue {
                    format: message.format,
                    payload: &message.payload,
                    time: message.time,
                    position: message.position,
                    options: message.options.map(|options| Box::new(options.into_owned())),
                    kept: true,
                    logged: true,
                    publisher: None,
                },
            );
        }
    }

    /// Why messages behind `offset` that no rule speaks of may be missing, as far as the offset itself tells.
    pub fn lost_since(&self, offset: u64) -> Since {
        let Offsets { began, intact, committed_stays, .. } = self.offsets;
        match offset {
            _ if offset >= began => Since::ThisProcess,
            _ if intact < began && committed_stays => Since::CrashBeforeCommit,
            _ if intact < began => Since::Crash,
            _ => Since::EarlierProcess,
        }
    }

    /// The end of the offsets to be asked for, when it is time to.
    pub fn wants_offsets(&mut self) -> Option<u64> {
        let Offsets { reserved, asked, .. } = self.offsets;
        if asked > reserved || self.offset.saturating_add(RESERVE / 2) < reserved {
            return None;
        }
        self.offsets.asked = reserved + RESERVE;
        Some(self.offsets.asked)
    }

    /// Offsets below `end` may be used.
    pub fn reserved(&mut self, end: u64) {
        self.offsets.reserved = self.offsets.reserved.max(end);
        self.offsets.asked = self.offsets.asked.max(end);
    }

    /// Its number: the low 8 bits of its positions.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Where the order stands: the position of the last message.
    pub fn position(&self) -> Position {
        Position::new(self.offset, self.number)
    }

    /// A place in the order that no publish takes; none where the offsets that may be used are.
    pub fn next_position(&mut self) -> Option<Position> {
        if self.offset + 1 >= self.offsets.reserved {
            return None;
        }
        self.offset += 1;
        Some(self.position())
    }

    /// The topic's place, made if it isn't there and may be; so a message's route can be looked up with it. `known` is
    /// the place where the caller has just put a value of the same topic.
    ///
    /// # Errors
    /// A bound on topics or bytes.
    #[inline]
    pub fn locate(&mut self, intake: &Intake<'_>, known: Option<TopicSlot>) -> Result<TopicSlot, Refusal> {
        if self.offset + 1 >= self.offsets.reserved {
            return Err(Refusal::Offsets);
        }
        if let Some(slot) = known.or_else(|| self.topics.find(intake.hash, intake.topic)) {
            if intake.kept && self.topics.bytes() + intake.bytes() > self.limits.kept_bytes_max {
                return Err(Refusal::Bytes);
            }
            return Ok(slot);
        }
        // what ends a topic leaves nothing behind, so it may always come
        if intake.kept {
            if self.topics.len() >= self.limits.topics_max {
                return Err(Refusal::Topics);
            }
            if self.topics.bytes() + intake.topic.len() + intake.bytes() > self.limits.kept_bytes_max {
                return Err(Refusal::Bytes);
            }
        }
        Ok(self.add(intake.hash, intake.topic))
    }

    fn add(&mut self, hash: u64, topic: &str) -> TopicSlot {
        let rule = if self.rules.is_empty() { None } else { self.rules.of_text(topic) };
        let slot = self.topics.add(hash, topic, rule);
        if !self.freshness.is_off() {
            self.watch(slot, hash);
        }
        slot
    }

    /// Watches over a topic's silence from now on, if there is a rule for it.
    fn watch(&mut self, slot: TopicSlot, hash: u64) {
        let Self { topics, freshness, .. } = self;
        let Some(topic) = topics.topic(slot) else { return };
        let told = murre_view::fresh::topic_of(&topic.name).and_then(|told| topics.named(hash, &told));
        let told = told.filter(|told| told.value.kept).map(|told| &*told.value.payload);
        let watch = freshness.watch(&topic.name, told);
        if let Some(topic) = topics.topic_mut(slot) {
            freshness.put(topic, watch);
        }
    }

    /// Watches over the topics of an earlier process, which have all of their time from now on.
    pub fn resume_watching(&mut self, now: Now, hash: impl Fn(&str) -> u64) {
        if self.freshness.is_off() {
            return;
        }
        let known: Vec<_> = self.topics.all().map(|(slot, topic)| (slot, hash(&topic.name))).collect();
        for (slot, hash) in known {
            // what is told of it may have been restored after it
            self.watch(slot, hash);
            if let Some(topic) = self.topics.topic_mut(slot) {
                self.freshness.resume(now, slot, topic);
            }
        }
    }

    /// Looks which topics fell stale until now.
    pub fn tick_freshness(&mut self, now: Tick) {
        self.freshness.tick(now, &mut self.topics);
    }

    /// Takes a message into the order, as its topic's last value.
    #[inline]
    pub fn take(&mut self, taking: Taking, slot: TopicSlot, intake: &Intake<'_>) -> Position {
        self.offset += 1;
        let position = self.position();
        if !self.freshness.is_off() {
            self.hear(taking.now, slot, intake.kept);
        }
        let options = intake.options.and_then(message_options).map(Box::new);
        let value = NewValue {
            format: intake.format,
            payload: intake.payload,
            time: taking.now.wall,
            position,
            options,
            kept: intake.kept,
            logged: taking.logged,
            publisher: taking.publisher,
        };
        self.topics.store(slot, value);
        position
    }

    fn hear(&mut self, now: Now, slot: TopicSlot, kept: bool) {
        let Some(topic) = self.topics.topic_mut(slot).filter(|topic| topic.watch.is_some()) else { return };
        self.freshness.hear(now, slot, topic, kept);
        self.freshness.sweep(&self.topics);
    }
}

/// How far back a place in the order lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This process has taken all that came since.
    ThisProcess,
    /// An earlier process has taken some of it, and ended in order.
    EarlierProcess,
    /// An earlier process has taken some of it, and died. What it had committed of durable topics is there.
    CrashBeforeCommit,
    /// An earlier process has taken some of it, and died.
    Crash,
}

/// What of a publish's options its subscribers get; none where nothing is left.
pub fn message_options(options: &PublishOptions<'static>) -> Option<MessageOptions<'static>> {
    let given = MessageOptions {
        time: options.time,
        retain: false,
        patch: false,
        reply_to: options.reply_to.clone(),
        correlation: options.correlation.clone(),
        properties: options.properties.clone(),
        expiry: options.expiry,
    };
    (given != MessageOptions::default()).then_some(given)
}
