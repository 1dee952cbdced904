//! A topic's last value.

use murre_protocol::{Format, Position, Timestamp, packet::MessageOptions};

use crate::ids::SessionAddress;

/// A topic's last value.
#[derive(Debug, Default)]
pub struct Value {
    /// How the payload is to be read.
    pub format: Format,
    /// The payload. Its memory is used again for the next value.
    pub payload: Vec<u8>,
    /// When the broker took it.
    pub time: Timestamp,
    /// Where it stands.
    pub position: Position,
    /// What is rarely there.
    pub options: Option<Box<MessageOptions<'static>>>,
    /// Whether it is a value to show. One that was deleted stands only as long as a snapshot runs that may have
    /// shown the topic already, and is owed the deletion.
    pub kept: bool,
    /// Whether the log has it.
    pub logged: bool,
}

impl Value {
    /// Bytes of the payload and of what the options carry.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len() + self.options.as_deref().map_or(0, options_bytes)
    }

    /// Whether it is of no use any more.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let expiry = self.options.as_ref().and_then(|options| options.expiry);
        expiry.is_some_and(|seconds| now >= self.time.plus_seconds(seconds))
    }
}

/// A value on its way into a table.
#[derive(Debug)]
pub struct NewValue<'a> {
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: &'a [u8],
    /// When the broker took it.
    pub time: Timestamp,
    /// Where it stands.
    pub position: Position,
    /// What is rarely there.
    pub options: Option<Box<MessageOptions<'static>>>,
    /// Whether it is a value to show; see [`Value::kept`].
    pub kept: bool,
    /// Whether the log has it.
    pub logged: bool,
    /// The client that it is of.
    pub publisher: Option<SessionAddress>,
}

impl NewValue<'_> {
    pub(super) fn bytes(&self) -> usize {
        self.payload.len() + self.options.as_deref().map_or(0, options_bytes)
    }
}

/// Bytes that a message's options carry.
fn options_bytes(options: &MessageOptions<'_>) -> usize {
    let properties: usize = options.properties.iter().map(|(key, value)| key.len() + value.len()).sum();
    let reply_to = options.reply_to.as_ref().map_or(0, |topic| topic.len());
    let correlation = options.correlation.as_ref().map_or(0, |bytes| bytes.len());
    size_of::<MessageOptions<'_>>() + properties + reply_to + correlation
}
