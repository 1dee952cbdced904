//! Who is online.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use murre_protocol::Timestamp;
use serde::Deserialize;

use crate::{
    error::{DecodeError, SubscribeError},
    message::Message,
    subscription::Subscription,
};

/// Where the broker tells of clients; the client's id is the last level.
const TOPIC_PREFIX: &str = "$murre/clients/";

/// Whether a client is there, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// Whose.
    pub client_id: String,
    /// Whether it is there.
    pub state: PresenceState,
    /// When it came or went.
    pub since: Timestamp,
    /// Why it went, where the broker says so.
    pub reason: Option<String>,
}

/// Whether a client is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PresenceState {
    /// It has a connection.
    Online,
    /// It has none.
    Offline,
}

#[derive(Deserialize)]
struct Payload {
    state: PresenceState,
    since: u64,
    #[serde(default)]
    reason: Option<String>,
}

impl Presence {
    /// The filter for the presence of `client_id`, which may be `+`.
    pub(crate) fn filter(client_id: &str) -> String {
        format!("{TOPIC_PREFIX}{client_id}")
    }

    /// From a message on `$murre/clients/<client id>`.
    ///
    /// # Errors
    /// The payload is no presence.
    pub fn from_message(message: &Message) -> Result<Self, DecodeError> {
        let Payload { state, since, reason } = message.decode()?;
        let topic = message.topic();
        let client_id = topic.strip_prefix(TOPIC_PREFIX).unwrap_or(topic).to_owned();
        Ok(Self { client_id, state, since: Timestamp::from_millis(since), reason })
    }
}

/// The presence of one client or all: from [`Client::presence`](crate::Client::presence).
#[derive(Debug)]
#[must_use = "dropping the stream ends it"]
pub struct PresenceStream {
    subscription: Subscription,
}

impl PresenceStream {
    pub(crate) fn new(subscription: Subscription) -> Self {
        Self { subscription }
    }

    /// The next change; none when the subscription has ended. Cancellation safe.
    pub async fn next(&mut self) -> Option<Presence> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Waits until all that is known already has come. See [`Subscription::caught_up`].
    pub async fn caught_up(&self) -> bool {
        self.subscription.caught_up().await
    }

    /// Why the stream ended by itself. See [`Subscription::error`].
    pub fn error(&self) -> Option<&SubscribeError> {
        self.subscription.error()
    }

    /// Ends the subscription.
    pub async fn close(self) {
        self.subscription.close().await;
    }
}

impl Stream for PresenceStream {
    type Item = Presence;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Presence>> {
        loop {
            let Some(message) = ready!(Pin::new(&mut self.subscription).poll_next(context)) else {
                return Poll::Ready(None);
            };
            match Presence::from_message(&message) {
                Ok(presence) => return Poll::Ready(Some(presence)),
                Err(error) => tracing::warn!(%error, "a presence message was left out"),
            }
        }
    }
}
