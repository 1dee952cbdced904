//! A shard: the one order of the topics that hash to it, their last values, and the records of the client ids
//! that hash to it.
//!
//! It never decodes a payload, and knows no session but by the address that answers go to.

use std::sync::Arc;

use murre_protocol::{
    Code, Position, Timestamp,
    packet::{MessageOptions, PublishOptions},
};

pub use clients::{ClientEvent, Clients, Directory, Ended, Will};
pub use topics::{Cursor, NewValue, Route, Topic, TopicSlot, TopicTable, Value};

use crate::limits::Limits;

mod clients;
mod topics;

/// The part of the engine for one shard's topics.
#[derive(Debug)]
pub struct Shard {
    number: u8,
    offset: u64,
    /// Its topics.
    pub topics: TopicTable,
    /// Its client records.
    pub clients: Clients,
    limits: Arc<Limits>,
}

/// A refusal of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `limits.topics_max`.
    Topics,
    /// `limits.kept_bytes_max`.
    Bytes,
}

impl Refusal {
    /// The code that answers it.
    pub fn code(self) -> Code {
        Code::QUOTA
    }

    /// The words that answer it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Topics => "the broker holds as many topics as it may (limits.topics_max)",
            Self::Bytes => "the broker holds as many bytes of last values as it may (limits.kept_bytes_max)",
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
    /// Shard `number`, empty.
    pub fn new(number: u8, limits: Arc<Limits>, directory: Directory) -> Self {
        Self { number, offset: 0, topics: TopicTable::new(), clients: Clients::new(directory), limits }
    }

    /// Its number: the low 8 bits of its positions.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Where the order stands: the position of the last message.
    pub fn position(&self) -> Position {
        Position::new(self.offset, self.number)
    }

    /// The topic's place, made if it isn't there and may be; so a message's route can be looked up with it.
    ///
    /// # Errors
    /// A bound on topics or bytes.
    #[inline]
    pub fn locate(&mut self, intake: &Intake<'_>) -> Result<TopicSlot, Refusal> {
        if let Some(slot) = self.topics.find(intake.hash, intake.topic) {
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
        Ok(self.topics.add(intake.hash, intake.topic))
    }

    /// Takes a message into the order, as its topic's last value.
    #[inline]
    pub fn take(&mut self, now: Timestamp, slot: TopicSlot, intake: &Intake<'_>) -> Position {
        self.offset += 1;
        let position = self.position();
        let options = intake.options.and_then(message_options).map(Box::new);
        let value = NewValue {
            format: intake.format,
            payload: intake.payload,
            time: now,
            position,
            options,
            kept: intake.kept,
        };
        self.topics.store(slot, value);
        position
    }
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
