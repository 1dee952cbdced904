//! Which subscriptions there are, and what the broker has to be told about them.
//!
//! Pure. A subscription lives from [`add`](Subscriptions::add) to [`remove`](Subscriptions::remove) or a refusal,
//! over any number of connections: each new connection is told all of them again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use murre_protocol::{
    Codec,
    packet::{ClientPacket, Subscribe, SubscribeOptions, Subscribed},
};
use tokio::sync::oneshot;

use crate::{
    error::{ClientClosed, SubscribeError},
    feed::Feed,
    replies::Replies,
};

/// The most subscriptions that a client may have at a time.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 65_536;

/// Where a subscription's messages go.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// To a stream.
    Feed(Arc<Feed>),
    /// To the requests that wait for an answer.
    Replies(Arc<Replies>),
}

impl Route {
    fn end(&self, error: Option<SubscribeError>) {
        match self {
            Self::Feed(feed) => feed.end(error),
            Self::Replies(replies) => replies.end(),
        }
    }
}

/// Resolves a waiting `subscribe`.
pub(crate) type Answer = oneshot::Sender<Result<(), SubscribeError>>;

#[derive(Debug)]
struct Entry {
    filter: String,
    options: SubscribeOptions<'static>,
    route: Route,
    /// Whether SUBSCRIBE was sent on this connection.
    asked: bool,
    answer: Option<Answer>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    entries: HashMap<u64, Entry>,
    last_id: u64,
    /// Not asked for on this connection yet, in the order in which they were made.
    to_ask: BTreeSet<u64>,
    /// Asked for on this connection, and no longer wanted. Bounded, as each was written before.
    to_end: BTreeSet<u64>,
    ending: HashMap<u64, oneshot::Sender<()>>,
}

impl Subscriptions {
    /// Wants one more; its number.
    pub(crate) fn add(
        &mut self,
        filter: String,
        options: SubscribeOptions<'static>,
        route: Route,
        answer: Answer,
    ) -> Result<u64, SubscribeError> {
        if self.entries.len() >= SUBSCRIPTIONS_MAX {
            return Err(SubscribeError::TooMany { filter, max: SUBSCRIPTIONS_MAX });
        }
        self.last_id += 1;
        let entry = Entry { filter, options, route, asked: false, answer: Some(answer) };
        self.entries.insert(self.last_id, entry);
        self.to_ask.insert(self.last_id);
        Ok(self.last_id)
    }

    /// Wants one no longer. `ended` resolves when the broker knows, or at once where it never knew.
    pub(crate) fn remove(&mut self, id: u64, ended: oneshot::Sender<()>) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.to_ask.remove(&id);
        entry.route.end(None);
        if entry.asked {
            self.to_end.insert(id);
            self.ending.insert(id, ended);
        }
    }

    /// Appends the packets that are due to `frame`, as long as it has less than `frame_max` bytes and they fit into
    /// `packet_max`.
    pub(crate) fn take(&mut self, frame: &mut Vec<u8>, frame_max: usize, packet_max: usize) {
        while frame.len() < frame_max {
            let Some(sub) = self.to_end.pop_first() else { break };
            Codec::MessagePack.write_client(&ClientPacket::Unsubscribe { sub }, frame);
        }
        while let Some(&sub) = self.to_ask.first() {
            let Some(entry) = self.entries.get_mut(&sub) else {
                self.to_ask.remove(&sub);
                continue;
            };
            let start = frame.len();
            Codec::MessagePack.write_client(&subscribe(sub, entry), frame);
            let bytes = frame.len() - start;
            if bytes > packet_max {
                frame.truncate(start);
                self.fail(sub, |filter| too_large(filter, bytes, packet_max));
                continue;
            }
            if start > 0 && frame.len() > frame_max {
                frame.truncate(start);
                break;
            }
            entry.asked = true;
            self.to_ask.remove(&sub);
        }
    }

    /// The broker granted or refused one. A refusal ends it.
    pub(crate) fn subscribed(&mut self, answer: &Subscribed<'_>) {
        if !answer.code.is_ok() {
            self.fail(answer.sub, |filter| SubscribeError::Refused {
                filter,
                code: answer.code,
                reason: answer.reason.as_deref().unwrap_or_default().to_owned(),
                rule: answer.rule.as_deref().map(str::to_owned),
            });
        } else if let Some(waiting) = self.entries.get_mut(&answer.sub).and_then(|entry| entry.answer.take())
        {
            // Nobody waits where the future was dropped; its subscription is about to be removed.
            let _ = waiting.send(Ok(()));
        }
    }

    fn fail(&mut self, sub: u64, error: impl FnOnce(String) -> SubscribeError) {
        self.to_ask.remove(&sub);
        let Some(entry) = self.entries.remove(&sub) else { return };
        let error = error(entry.filter);
        tracing::warn!(%error, "a subscription ended");
        entry.route.end(Some(error.clone()));
        if let Some(waiting) = entry.answer {
            let _ = waiting.send(Err(error));
        }
    }

    /// The broker ended one as it was told to.
    pub(crate) fn unsubscribed(&mut self, sub: u64) {
        if let Some(waiting) = self.ending.remove(&sub) {
            let _ = waiting.send(());
        }
    }

    /// Where messages of `sub` go; nowhere when it isn't wanted any longer.
    pub(crate) fn route(&self, sub: u64) -> Option<&Route> {
        self.entries.get(&sub).map(|entry| &entry.route)
    }

    /// The filter of `sub`.
    pub(crate) fn filter(&self, sub: u64) -> Option<&str> {
        self.entries.get(&sub).map(|entry| entry.filter.as_str())
    }

    /// Whether the broker has to be told something.
    pub(crate) fn has_packets(&self) -> bool {
        !self.to_end.is_empty() || !self.to_ask.is_empty()
    }

    /// The connection is gone, and what the broker knew of it.
    pub(crate) fn connection_lost(&mut self) {
        self.to_end.clear();
        self.ending.clear();
        for (&id, entry) in &mut self.entries {
            entry.asked = false;
            self.to_ask.insert(id);
        }
    }

    /// The client has ended: so do all subscriptions, with an error where `error` says so.
    pub(crate) fn end(&mut self, closed: &ClientClosed, by_us: bool) {
        self.connection_lost();
        self.to_ask.clear();
        for (_, entry) in self.entries.drain() {
            entry.route.end((!by_us).then(|| closed.clone().into()));
            if let Some(waiting) = entry.answer {
                let _ = waiting.send(Err(closed.clone().into()));
            }
        }
    }
}

fn subscribe(sub: u64, entry: &Entry) -> ClientPacket<'_> {
    let options = entry.options.clone();
    ClientPacket::Subscribe(Box::new(Subscribe { sub, filter: entry.filter.as_str().into(), options }))
}

fn too_large(filter: String, bytes: usize, max: usize) -> SubscribeError {
    SubscribeError::Refused {
        filter,
        code: murre_protocol::Code::TOO_LARGE,
        reason: format!("SUBSCRIBE has {bytes} bytes, the broker takes {max}"),
        rule: None,
    }
}

#[cfg(test)]
#[path = "subscriptions_tests.rs"]
mod tests;
