//! Messages as a subscriber gets them.

use std::{sync::Weak, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use murre_protocol::{Format, Position, Timestamp, packet};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IntoDeserializer, value::StrDeserializer},
};

use crate::{error::DecodeError, fresh::Freshness, resume::Run, shared::Shared};

/// A message that was published to a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    topic: Box<str>,
    format: Format,
    payload: Bytes,
    time: Timestamp,
    position: Position,
    options: Option<Box<Options>>,
    acknowledger: Option<Acknowledger>,
}

/// Where a message is acknowledged: no part of its value, so that all are equal.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledger {
    pub(crate) shared: Weak<Shared>,
    pub(crate) sub: u64,
    pub(crate) run: Run,
}

impl PartialEq for Acknowledger {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Options {
    source_time: Option<Timestamp>,
    retained: bool,
    reply_to: Option<String>,
    correlation: Option<Bytes>,
    properties: Vec<(String, String)>,
    expiry: Option<u64>,
    patch: bool,
}

impl Message {
    /// From the wire. A payload that makes up much of its frame shares the frame's memory; a smaller one is copied,
    /// so that keeping it doesn't keep a frame of 256 KiB.
    pub(crate) fn from_wire(message: packet::Message<'_>, frame: &Bytes) -> Self {
        Self {
            topic: message.topic.as_ref().into(),
            format: message.format,
            payload: share_or_copy(&message.payload, frame),
            time: message.time,
            position: message.position,
            options: message.options.map(|options| Box::new(Options::from_wire(*options))),
            acknowledger: None,
        }
    }

    /// The message with a place where it is acknowledged.
    pub(crate) fn with(mut self, acknowledger: Acknowledger) -> Self {
        self.acknowledger = Some(acknowledger);
        self
    }

    /// Whether the payload is only what changed since the topic's message before.
    pub(crate) fn is_patch(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.patch)
    }

    /// The message with the value that a patch stands for.
    pub(crate) fn with_whole(mut self, payload: Bytes) -> Self {
        self.payload = payload;
        if let Some(options) = &mut self.options {
            options.patch = false;
        }
        self
    }

    /// Says that this message was handled, **and every earlier one of its subscription in the same shard**: an
    /// acknowledgement is cumulative. So handle messages in order, and acknowledge one when those before it are done
    /// too. Acknowledgements are put together, and sent as soon as the connection is free.
    ///
    /// Does nothing where the subscription isn't [acknowledged](crate::SubscribeBuilder::acknowledge), has ended, or
    /// had to begin anew since: the message comes again then.
    pub fn acknowledge(&self) {
        if let Some(Acknowledger { shared, sub, run }) = &self.acknowledger
            && let Some(shared) = shared.upgrade()
        {
            shared.acknowledge(*sub, *run, self.position);
        }
    }

    /// Where it was published.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The payload as it came.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// How the payload is to be read.
    pub fn format(&self) -> Format {
        self.format
    }

    /// When the broker took it.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// How old the value is at `now` by the broker's clock, which [`Client::broker_time`](crate::Client::broker_time) has.
    ///
    /// ```no_run
    /// # fn example(client: murre_client::Client, message: murre_client::Message) {
    /// println!("{} is {:?} old", message.topic(), message.age(client.broker_time()));
    /// # }
    /// ```
    pub fn age(&self, now: Timestamp) -> Duration {
        Duration::from_millis(now.millis().saturating_sub(self.time.millis()))
    }

    /// That a topic fell silent or returned, where this is a message of that, as a subscription with
    /// [`expect`](crate::SubscribeBuilder::expect) gets them.
    pub fn freshness(&self) -> Option<Freshness> {
        Freshness::from_message(self)
    }

    /// Where it stands in the broker's order.
    pub fn position(&self) -> Position {
        self.position
    }

    /// When the reading was taken, by the source's clock, where the source says so.
    pub fn source_time(&self) -> Option<Timestamp> {
        self.options.as_ref()?.source_time
    }

    /// Whether this is a kept value, sent because the subscription began, not because it was just published.
    pub fn is_retained(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.retained)
    }

    /// Where the sender wants an answer; see [`Client::reply`](crate::Client::reply).
    pub fn reply_to(&self) -> Option<&str> {
        self.options.as_ref()?.reply_to.as_deref()
    }

    /// What an answer has to hand back.
    pub fn correlation(&self) -> Option<&Bytes> {
        self.options.as_ref()?.correlation.as_ref()
    }

    /// The application's own properties, in the sender's order.
    pub fn properties(&self) -> &[(String, String)] {
        self.options.as_ref().map_or(&[], |options| &options.properties)
    }

    /// Seconds after which the message is of no use, where the sender says so.
    pub fn expiry_seconds(&self) -> Option<u64> {
        self.options.as_ref()?.expiry
    }

    /// Bytes that the message takes in a queue, roughly.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.topic.len() + self.payload.len()
    }

    /// The payload as a `T`, read by its format: JSON, MessagePack, or text. Text is taken as a string where `T` is
    /// one, else read as JSON (so `21.5` can be an `f64`).
    ///
    /// # Errors
    /// [`DecodeError::Payload`] where the payload doesn't fit `T` or its format; [`DecodeError::Raw`] for raw bytes.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        match self.format {
            Format::Json => serde_json::from_slice(&self.payload).map_err(|e| self.unreadable(&e)),
            Format::MessagePack => rmp_serde::from_slice(&self.payload).map_err(|e| self.unreadable(&e)),
            Format::Text => {
                let text = str::from_utf8(&self.payload).map_err(|e| self.unreadable(&e))?;
                let string: StrDeserializer<'_, serde_json::Error> = text.into_deserializer();
                T::deserialize(string)
                    .or_else(|e| serde_json::from_str(text).map_err(|_| self.unreadable(&e)))
            }
            Format::Raw => Err(DecodeError::Raw { topic: self.topic().to_owned() }),
        }
    }

    fn unreadable(&self, problem: &dyn std::fmt::Display) -> DecodeError {
        DecodeError::Payload { topic: self.topic().into(), format: self.format, problem: problem.to_string() }
    }

    /// The payload as a JSON value, for showing it: JSON and MessagePack by their values, text as a string. What has
    /// no such form (raw bytes, or a payload that isn't what its format says) becomes `{"base64": "…"}`.
    pub fn to_json(&self) -> serde_json::Value {
        let value = match self.format {
            Format::Json => serde_json::from_slice(&self.payload).ok(),
            Format::MessagePack => rmp_serde::from_slice::<AsJson>(&self.payload).ok().map(|value| value.0),
            Format::Text => str::from_utf8(&self.payload).ok().map(serde_json::Value::from),
            Format::Raw => None,
        };
        value.unwrap_or_else(|| base64_value(&self.payload))
    }
}

fn base64_value(bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({ "base64": BASE64.encode(bytes) })
}

impl Options {
    fn from_wire(options: packet::MessageOptions<'_>) -> Self {
        let properties = options.properties.into_iter();
        Self {
            source_time: options.time,
            retained: options.retain,
            reply_to: options.reply_to.map(Into::into),
            correlation: options.correlation.map(|bytes| bytes.into_owned().into()),
            properties: properties.map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
            expiry: options.expiry,
            patch: options.patch,
        }
    }
}

/// The share of its frame from which on a payload is worth keeping the whole frame for.
const SHARE_FROM: usize = 4;

fn share_or_copy(payload: &[u8], frame: &Bytes) -> Bytes {
    let inside = frame.as_ptr_range().contains(&payload.as_ptr());
    if inside && payload.len() * SHARE_FROM >= frame.len() {
        frame.slice_ref(payload)
    } else {
        Bytes::copy_from_slice(payload)
    }
}

/// A MessagePack value as JSON; bytes, which JSON doesn't have, as base64, and any scalar as a key.
struct AsJson(serde_json::Value);

impl<'de> Deserialize<'de> for AsJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AsJsonVisitor).map(Self)
    }
}

struct AsJsonVisitor;

impl<'de> serde::de::Visitor<'de> for AsJsonVisitor {
    type Value = serde_json::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a MessagePack value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Self::Value, E> {
        Ok(base64_value(value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(serde_json::Value::Null)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(serde_json::Value::Null)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut array = Vec::new();
        while let Some(AsJson(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((AsJson(key), AsJson(value))) = entries.next_entry()? {
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
