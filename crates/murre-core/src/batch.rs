//! What crosses between parts: publishes on their way to the shards, messages on their way to the hubs.
//!
//! Both are flat: one buffer of bytes and a list of entries that point into it, so that a message costs two
//! copies and no allocation.

use std::{borrow::Cow, ops::Range};

use murre_protocol::{
    ClientId, Codec, Format, Position, Timestamp,
    codec::HasOptions,
    packet::{BrokerPacket, Message, MessageOptions, PublishOptions},
};

use crate::ids::{GroupId, SessionAddress, SessionKey, WorkerId};

/// A place in a batch's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// Appends `part` and says where it stands. Batches are cut at a few MiB, so 32 bits do.
pub(crate) fn append(bytes: &mut Vec<u8>, part: &[u8]) -> Span {
    let start = bytes.len() as u32;
    bytes.extend_from_slice(part);
    Span { start, len: part.len() as u32 }
}

/// Puts something aside that few entries have, and says where it stands.
fn keep<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    list.len() as u32 - 1
}

/// Publishes of one worker's sessions for the shards of one worker, in the order in which they came.
#[derive(Debug, Default)]
pub struct PublishBatch {
    topics: String,
    payloads: Vec<u8>,
    entries: Vec<PublishEntry>,
    options: Vec<PublishOptions<'static>>,
    /// Bytes of topics and payloads, each publish with its own topic.
    bytes: usize,
    /// Client ids of publishes that have a sequence number.
    senders: Vec<ClientId>,
}

/// One publish.
#[derive(Debug, Clone, Copy)]
pub struct PublishEntry {
    /// The topic's hash.
    pub hash: u64,
    /// The publisher's number for the answer; 0: none is wanted.
    pub id: u64,
    /// The publisher; none for what the broker itself publishes.
    pub session: Option<SessionKey>,
    /// How the payload is to be read.
    pub format: Format,
    /// Whether the publish before is to the same topic, as far as known.
    pub again: bool,
    topic: Span,
    payload: Span,
    options: Option<u32>,
    sender: Option<u32>,
}

impl PublishBatch {
    /// Appends a publish whose topic is valid.
    pub fn push(&mut self, hash: u64, origin: Origin, topic: &str, content: Content<'_>) {
        let span = Span { start: self.topics.len() as u32, len: topic.len() as u32 };
        self.topics.push_str(topic);
        self.append(hash, origin, (span, false), content);
    }

    /// Appends a publish to the topic of the one before.
    #[inline]
    pub fn push_again(&mut self, origin: Origin, content: Content<'_>) {
        if let Some(last) = self.entries.last() {
            self.append(last.hash, origin, (last.topic, true), content);
        }
    }

    #[inline]
    fn append(&mut self, hash: u64, origin: Origin, (topic, again): (Span, bool), content: Content<'_>) {
        let options = content.options.map(|options| keep(&mut self.options, options));
        let payload = append(&mut self.payloads, content.payload);
        self.bytes += topic.len as usize + content.payload.len();
        let (Origin { session, id }, format) = (origin, content.format);
        self.entries.push(PublishEntry {
            hash,
            id,
            session,
            format,
            again,
            topic,
            payload,
            options,
            sender: None,
        });
    }

    /// Whether the last publish was to `topic`.
    #[inline]
    pub fn ends_with(&self, topic: &str) -> bool {
        self.entries.last().is_some_and(|last| self.topic(last) == topic)
    }

    /// Says whose sequence number the publish has that was appended last.
    pub fn set_sender(&mut self, client: ClientId) {
        if let Some(entry) = self.entries.last_mut() {
            entry.sender = Some(keep(&mut self.senders, client));
        }
    }

    /// Whose sequence number an entry has, and the number; none where it has none.
    pub fn sequence(&self, entry: &PublishEntry) -> Option<(&ClientId, u64)> {
        let client = self.senders.get(entry.sender? as usize)?;
        Some((client, self.options(entry)?.sequence?))
    }

    /// Bytes of topics and payloads, each publish with its own topic.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The publishes in order.
    pub fn entries(&self) -> &[PublishEntry] {
        &self.entries
    }

    /// An entry's topic.
    pub fn topic(&self, entry: &PublishEntry) -> &str {
        self.topics.get(entry.topic.range()).unwrap_or_default()
    }

    /// An entry's payload.
    pub fn payload(&self, entry: &PublishEntry) -> &[u8] {
        self.payloads.get(entry.payload.range()).unwrap_or_default()
    }

    /// An entry's options.
    pub fn options(&self, entry: &PublishEntry) -> Option<&PublishOptions<'static>> {
        self.options.get(entry.options? as usize)
    }

    /// Empties it; its memory stays for the next use, up to a bound.
    pub fn clear(&mut self) {
        self.topics.clear();
        self.topics.shrink_to(SPARE_BYTES_MAX);
        self.payloads.clear();
        self.payloads.shrink_to(SPARE_BYTES_MAX);
        self.entries.clear();
        self.options.clear();
        self.bytes = 0;
        self.senders.clear();
    }
}

/// Spare batches keep no larger buffers than this.
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// Who published, and how it is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The publisher; none for the broker itself.
    pub session: Option<SessionKey>,
    /// The publisher's number for the answer; 0: none is wanted.
    pub id: u64,
}

/// What is published.
#[derive(Debug)]
pub struct Content<'a> {
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: &'a [u8],
    /// What is rarely there.
    pub options: Option<PublishOptions<'static>>,
}

/// Messages of one worker's shards, with their places in the order, for all hubs.
#[derive(Debug)]
pub struct MessageBatch {
    /// The worker whose shards made it.
    pub from: WorkerId,
    bytes: Vec<u8>,
    entries: Vec<MessageEntry>,
    options: Vec<MessageOptions<'static>>,
    /// Who gets which message as a member of a group, in the order of the messages.
    pub shares: Vec<Share>,
    /// Whose publishes these are, and how many bytes; given back when the last hub has taken the batch.
    pub credits: Vec<(SessionAddress, usize)>,
    /// The number of the newest batch on its way into the log when these were taken, 0 where none was: subscriptions
    /// with `ack` get them once it is through.
    pub gate: u64,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct MessageEntry {
    /// The topic's hash.
    pub hash: u64,
    /// The hubs that have subscribers, as a set of workers.
    pub hubs: u64,
    /// Where it stands.
    pub position: Position,
    /// When the broker took it.
    pub time: Timestamp,
    /// How the payload is to be read.
    pub format: Format,
    /// Whether it is a kept value of a snapshot.
    pub retain: bool,
    /// How the head before the tail has to be written.
    pub has_options: HasOptions,
    tail: Span,
    topic: Span,
    payload: Span,
    options: Option<u32>,
}

/// A message for one member of a group.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Which message, by its place in the batch.
    pub entry: u32,
    /// Whose member gets it.
    pub hub: WorkerId,
    /// Which group.
    pub group: GroupId,
    /// Whether it may not get lost: it goes to another hub where this one's members have gone.
    pub acknowledged: bool,
}

impl MessageBatch {
    /// An empty batch of `from`'s shards.
    pub fn new(from: WorkerId) -> Self {
        Self {
            from,
            bytes: Vec::new(),
            entries: Vec::new(),
            options: Vec::new(),
            shares: Vec::new(),
            credits: Vec::new(),
            gate: 0,
        }
    }

    /// Appends a message, written in MessagePack, for `hubs`.
    pub fn push(&mut self, hash: u64, hubs: u64, message: Message<'_>) -> u32 {
        let start = self.bytes.len();
        let has_options = Codec::MessagePack.message_tail(&message, &mut self.bytes);
        let tail = Span { start: start as u32, len: (self.bytes.len() - start) as u32 };
        let topic_len = message.topic.len();
        let topic_at = start + string_header(topic_len);
        let payload_at = topic_at + topic_len + 1 + bin_header(message.payload.len());
        let retain = message.options.as_ref().is_some_and(|options| options.retain);
        let options = message.options.map(|options| keep(&mut self.options, options.into_owned()));
        self.entries.push(MessageEntry {
            hash,
            hubs,
            position: message.position,
            time: message.time,
            format: message.format,
            retain,
            has_options,
            tail,
            topic: Span { start: topic_at as u32, len: topic_len as u32 },
            payload: Span { start: payload_at as u32, len: message.payload.len() as u32 },
            options,
        });
        self.entries.len() as u32 - 1
    }

    /// Appends a message that was written before; false where `tail` is no message's tail.
    pub fn push_encoded(&mut self, hash: u64, hubs: u64, has_options: HasOptions, tail: &[u8]) -> bool {
        let Some(peek) = Codec::peek_tail(tail) else { return false };
        let options = if has_options.0 { tail_options(tail) } else { None };
        let start = self.bytes.len() as u32;
        let place = |part: &[u8]| Span {
            start: start + (part.as_ptr() as usize - tail.as_ptr() as usize) as u32,
            len: part.len() as u32,
        };
        let (topic, payload) = (place(peek.topic), place(peek.payload));
        self.bytes.extend_from_slice(tail);
        let options = options.map(|options| keep(&mut self.options, options));
        self.entries.push(MessageEntry {
            hash,
            hubs,
            position: peek.position,
            time: peek.time,
            format: peek.format,
            retain: false,
            has_options,
            tail: Span { start, len: tail.len() as u32 },
            topic,
            payload,
            options,
        });
        true
    }

    /// Bytes of encoded messages.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The messages in order.
    pub fn entries(&self) -> &[MessageEntry] {
        &self.entries
    }

    /// A message's encoded tail, as MessagePack.
    #[inline]
    pub fn tail(&self, entry: &MessageEntry) -> &[u8] {
        self.bytes.get(entry.tail.range()).unwrap_or_default()
    }

    /// A message's topic, as its bytes of UTF-8.
    #[inline]
    pub fn topic_bytes(&self, entry: &MessageEntry) -> &[u8] {
        self.bytes.get(entry.topic.range()).unwrap_or_default()
    }

    /// A message's topic.
    pub fn topic(&self, entry: &MessageEntry) -> &str {
        std::str::from_utf8(self.topic_bytes(entry)).unwrap_or_default()
    }

    /// The message as a packet's content, borrowed; its options are cloned.
    pub fn message(&self, entry: &MessageEntry) -> Message<'_> {
        Message {
            topic: Cow::Borrowed(self.topic(entry)),
            format: entry.format,
            payload: Cow::Borrowed(self.bytes.get(entry.payload.range()).unwrap_or_default()),
            time: entry.time,
            position: entry.position,
            options: entry.options.and_then(|at| self.options.get(at as usize)).map(|o| Box::new(o.clone())),
        }
    }

    /// Empties it; its memory stays for the next use, up to a bound.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES_MAX);
        self.entries.clear();
        self.options.clear();
        self.shares.clear();
        self.credits.clear();
        self.gate = 0;
    }
}

/// The options at the end of a message's tail.
fn tail_options(tail: &[u8]) -> Option<MessageOptions<'static>> {
    let mut packet = Vec::with_capacity(tail.len() + 16);
    Codec::MessagePack.message_head(0, HasOptions(true), &mut packet);
    packet.extend_from_slice(tail);
    match Codec::MessagePack.broker_packet(&packet, usize::MAX) {
        Ok(Some((BrokerPacket::Message { message, .. }, _))) => {
            message.options.map(|options| options.into_owned())
        }
        _ => None,
    }
}

/// Bytes of a MessagePack string's header.
fn string_header(len: usize) -> usize {
    match len {
        0..32 => 1,
        32..256 => 2,
        256..65_536 => 3,
        _ => 5,
    }
}

/// Bytes of a MessagePack bin's header.
fn bin_header(len: usize) -> usize {
    match len {
        0..256 => 2,
        256..65_536 => 3,
        _ => 5,
    }
}

/// The options of a publish, owning their text.
pub fn owned_publish_options(options: PublishOptions<'_>) -> PublishOptions<'static> {
    PublishOptions {
        retain: options.retain,
        expiry: options.expiry,
        time: options.time,
        sequence: options.sequence,
        reply_to: options.reply_to.map(own_text),
        correlation: options.correlation.map(|bytes| Cow::Owned(bytes.into_owned())),
        properties: options.properties.into_iter().map(|(k, v)| (own_text(k), own_text(v))).collect(),
    }
}

fn own_text(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_to_one_topic_after_another_hold_its_name_once() {
        let mut batch = PublishBatch::default();
        let content = || Content { format: Format::Raw, payload: b"x", options: None };
        let origin = Origin { session: None, id: 0 };
        batch.push(1, origin, "site/a", content());
        assert!(batch.ends_with("site/a") && !batch.ends_with("site/b"));
        batch.push_again(origin, content());
        batch.push(2, origin, "site/b", content());

        let read: Vec<_> = batch.entries().iter().map(|entry| (entry.hash, batch.topic(entry))).collect();
        assert_eq!(read, [(1, "site/a"), (1, "site/a"), (2, "site/b")]);
        assert_eq!(batch.len(), "site/axsite/axsite/bx".len(), "each counts, so that a batch ends");
    }

    #[test]
    fn a_message_of_a_batch_is_what_its_tail_says() {
        for (topic_len, payload_len) in [(1, 0), (31, 255), (32, 256), (255, 70_000), (300, 65_535)] {
            let topic = "t".repeat(topic_len);
            let payload = vec![7; payload_len];
            let options = MessageOptions { retain: true, expiry: Some(3), ..Default::default() };
            let message = Message {
                topic: topic.as_str().into(),
                format: Format::Raw,
                payload: payload.as_slice().into(),
                time: Timestamp::from_millis(5),
                position: Position::new(9, 3),
                options: Some(Box::new(options)),
            };
            let mut batch = MessageBatch::new(WorkerId(0));
            batch.push(1, 1, message.clone());
            let entry = batch.entries()[0];
            assert_eq!(batch.message(&entry), message);

            let mut packet = Vec::new();
            Codec::MessagePack.message_head(7, entry.has_options, &mut packet);
            packet.extend_from_slice(batch.tail(&entry));
            let (read, rest) = Codec::MessagePack.broker_packet(&packet, usize::MAX).unwrap().unwrap();
            assert_eq!(read, BrokerPacket::Message { sub: 7, message });
            assert!(rest.is_empty());

            let mut copy = MessageBatch::new(WorkerId(0));
            assert!(copy.push_encoded(1, 1, entry.has_options, batch.tail(&entry)));
            let copied = copy.entries()[0];
            assert_eq!(
                (copy.message(&copied), copy.tail(&copied)),
                (batch.message(&entry), batch.tail(&entry))
            );
        }
    }
}
