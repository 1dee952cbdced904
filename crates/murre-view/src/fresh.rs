//! Freshness: a topic that was heard and falls silent is told of, and again when it returns.

use murre_protocol::topic::{TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX};

/// How long a topic may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh {
    expected_ms: u64,
}

/// What is remembered of a topic.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    last_ms: Option<u64>,
    is_stale: bool,
}

/// Under what topics are told of.
pub const PREFIX: &str = "$murre/fresh/";

impl Fresh {
    /// Topics are told of that are silent for longer than so many milliseconds.
    pub(crate) fn new(expected_ms: u64) -> Self {
        Self { expected_ms }
    }

    /// A reading came; true where it ended a silence that was told of.
    pub(crate) fn hear(self, heard: &mut Heard, time_ms: u64) -> bool {
        heard.last_ms = heard.last_ms.max(Some(time_ms));
        std::mem::take(&mut heard.is_stale)
    }

    /// When the topic was last heard, if it has been silent for too long since, and that was not told.
    pub(crate) fn falls_stale(self, heard: &mut Heard, now_ms: u64) -> Option<u64> {
        self.due_ms(heard).filter(|due| *due <= now_ms)?;
        heard.is_stale = true;
        heard.last_ms
    }

    /// When the topic will have been silent for too long.
    pub(crate) fn due_ms(self, heard: &Heard) -> Option<u64> {
        heard.last_ms.filter(|_| !heard.is_stale).map(|last| last.saturating_add(self.expected_ms))
    }
}

/// Where a topic is told of; none where that would be no valid topic, or the topic is the broker's own.
pub fn topic_of(topic: &str) -> Option<String> {
    let levels = topic.split('/').count() + 2;
    let is_valid = topic.len() + PREFIX.len() <= TOPIC_BYTES_MAX && levels <= TOPIC_LEVELS_MAX;
    (is_valid && !topic.starts_with('$')).then(|| format!("{PREFIX}{topic}"))
}

/// What is told of it, in JSON: whether it is stale, and when it was heard last, in Unix milliseconds.
pub fn payload(is_stale: bool, last_ms: u64) -> String {
    let state = if is_stale { "stale" } else { "fresh" };
    format!(r#"{{"state":"{state}","last":{last_ms}}}"#)
}

/// Whether a [`payload`] tells of a topic that is stale.
pub fn says_stale(payload: &[u8]) -> bool {
    payload.starts_with(br#"{"state":"stale""#)
}
