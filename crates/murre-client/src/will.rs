//! The will: what the broker publishes for a client that is gone without a farewell.

use std::time::Duration;

use bytes::Bytes;
use murre_protocol::{Format, TopicName, packet};
use serde::Serialize;

use crate::{
    error::{ConnectError, EncodeError},
    payload,
};

/// A message that the broker publishes when the connection ends without [`Client::close`](crate::Client::close),
/// unless the client is back within [`delay`](Will::delay).
///
/// ```
/// use murre_client::Will;
/// let will = Will::new("site/a/state").text("gone").retain(true);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    topic: String,
    format: Format,
    payload: Bytes,
    retain: bool,
    delay: Duration,
}

impl Will {
    /// A will for `topic`, with an empty payload, not retained, without delay.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            format: Format::Raw,
            payload: Bytes::new(),
            retain: false,
            delay: Duration::ZERO,
        }
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// Where `value` has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, EncodeError> {
        Ok(self.payload(Format::Json, payload::json(value)?))
    }

    /// The payload as MessagePack.
    ///
    /// # Errors
    /// Where `value` has no MessagePack form.
    pub fn msgpack<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, EncodeError> {
        Ok(self.payload(Format::MessagePack, payload::msgpack(value)?))
    }

    /// The payload as text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.payload(Format::Text, text.into())
    }

    /// The payload as raw bytes.
    #[must_use]
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.payload(Format::Raw, bytes)
    }

    /// The payload as it is, to be read as `format`.
    #[must_use]
    pub fn payload(mut self, format: Format, payload: impl Into<Bytes>) -> Self {
        (self.format, self.payload) = (format, payload.into());
        self
    }

    /// Whether the broker keeps it as the topic's retained value.
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// How long the client may be gone before the will is published; whole seconds, rounded up.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Checks the topic, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        match TopicName::parse(self.topic.as_str()) {
            Ok(_) => Ok(()),
            Err(source) => Err(ConnectError::WillTopic { topic: self.topic.clone(), source }),
        }
    }

    /// For the wire.
    pub(crate) fn to_wire(&self) -> packet::Will<'_> {
        packet::Will {
            topic: self.topic.as_str().into(),
            format: self.format,
            payload: self.payload.as_ref().into(),
            retain: self.retain,
            delay: seconds_rounded_up(self.delay),
        }
    }
}

/// Whole seconds, since the wire has no less; a fraction counts as one more.
pub(crate) fn seconds_rounded_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_never_shortened() {
        let will = Will::new("a").delay(Duration::from_millis(1500));
        assert_eq!(will.to_wire().delay, 2);
    }

    #[test]
    fn a_will_for_a_filter_is_refused_before_connecting() {
        let error = Will::new("site/+").check().unwrap_err();
        assert!(error.to_string().starts_with("the will's topic \"site/+\" is no topic"), "{error}");
    }
}
