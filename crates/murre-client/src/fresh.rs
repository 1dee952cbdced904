//! Topics that fall silent, and return.

use murre_protocol::Timestamp;
use serde::Deserialize;

use crate::message::Message;

/// Where the broker tells of silent topics; the topic is the rest.
const TOPIC_PREFIX: &str = "$murre/fresh/";

/// That a topic fell silent or returned: from [`Message::freshness`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freshness {
    /// The topic.
    pub topic: String,
    /// Whether it is silent.
    pub state: FreshnessState,
    /// When it was heard last, by the broker's clock.
    pub last: Timestamp,
}

/// Whether a topic is silent for longer than was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FreshnessState {
    /// It is.
    Stale,
    /// It was, and is heard again.
    Fresh,
}

#[derive(Deserialize)]
struct Payload {
    state: FreshnessState,
    last: u64,
}

impl Freshness {
    /// From a message on `$murre/fresh/<topic>`; none from any other.
    pub(crate) fn from_message(message: &Message) -> Option<Self> {
        let topic = message.topic().strip_prefix(TOPIC_PREFIX)?;
        let Payload { state, last } = message.decode().ok()?;
        Some(Self { topic: topic.to_owned(), state, last: Timestamp::from_millis(last) })
    }
}
