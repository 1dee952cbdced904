//! What a hub knows of its clients and their subscriptions, for those who run the broker.
//!
//! Each answer is bounded; what concerns all sessions is gathered in slices, by [`Listing`](super::Listing).

use core::net::SocketAddr;
use std::borrow::Cow;

use murre_protocol::{Code, Codec, Timestamp, TopicFilter, TopicName, packet::ViewOptions};

use super::{Hub, Traffic, slot::Slot};
use crate::{
    engine::Outputs,
    ids::{GroupId, SessionKey, WorkerId},
    now::Now,
    session::{SessionKind, Subscription},
};

/// A client that is connected.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientReport {
    /// Its client id. A stream over HTTP has none, and is shown as `events+` with numbers.
    pub name: String,
    /// Where it comes from.
    pub address: Option<SocketAddr>,
    /// How it speaks with the broker.
    pub kind: SessionKind,
    /// The encoding of its packets.
    pub codec: Codec,
    /// When it connected.
    pub connected: Timestamp,
    /// Its keep-alive in seconds; 0: none.
    pub keep_alive: u64,
    /// Whether its session is kept over disconnects.
    pub durable: bool,
    /// Whether it reads too slowly: its outbox is more than half full, or it lost something in the last 10 seconds.
    pub slow: bool,
    /// Publishes that came from it, and bytes of all packets.
    pub received: Traffic,
    /// Messages that were put into its outbox, and bytes of all packets that its socket took.
    pub delivered: Traffic,
    /// Bytes that wait for it.
    pub outbox_bytes: usize,
    /// Messages that it did not get.
    pub dropped: u64,
    /// Messages that a lower rate has left out for newer ones of their topics.
    pub conflated: u64,
    /// How many subscriptions it has.
    pub subscriptions: usize,
}

/// A subscription of a client that is connected.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionReport {
    /// The client's number.
    pub sub: u64,
    /// Which topics.
    pub filter: TopicFilter<'static>,
    /// The group that it is a member of.
    pub group: Option<Box<str>>,
    /// Whether messages are acknowledged.
    pub ack: bool,
    /// The view that they go through.
    pub view: Option<ViewOptions<'static>>,
    /// Messages that were left out since it began.
    pub dropped: u64,
}

/// A client that a topic's messages go to, or come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Party {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub address: Option<SocketAddr>,
}

/// What stands before and between the numbers in the names of streams over HTTP. No client id has it.
const STREAM: (&str, char) = ("events+", '-');

impl Hub {
    /// A client.
    pub fn report(&self, now: Now, key: SessionKey) -> Option<ClientReport> {
        let slot = self.slot(key)?;
        let name = slot.name(self.worker)?.into_owned();
        Some(self.report_slot(now, slot, name))
    }

    pub(super) fn report_slot(&self, now: Now, slot: &Slot, name: String) -> ClientReport {
        let Slot { session, outbox, tally, .. } = slot;
        let losses = tally.losses.as_deref().copied().unwrap_or_default();
        ClientReport {
            name,
            address: slot.peer.map(SocketAddr::from),
            kind: session.kind,
            codec: outbox.codec(),
            connected: slot.opened,
            keep_alive: session.silence_max / 1500,
            durable: session.expiry > 0,
            slow: slot.is_slow(now.tick, self.limits.outbox_max),
            received: tally.received,
            delivered: Traffic { messages: outbox.messages_in_all(), bytes: outbox.sent_bytes() },
            outbox_bytes: outbox.len(),
            dropped: losses.dropped,
            conflated: losses.conflated,
            subscriptions: session.subscriptions.len(),
        }
    }

    /// The first `max` subscriptions of a client, in the order of its numbers.
    pub fn report_subscriptions(&self, key: SessionKey, max: usize) -> Vec<SubscriptionReport> {
        let places = self.slot(key).into_iter().flat_map(|slot| &slot.session.subscriptions);
        let subscriptions = places.filter_map(|(_, place)| self.subscriptions.get(*place as usize));
        subscriptions.take(max).map(|subscription| self.report_subscription(subscription)).collect()
    }

    fn report_subscription(&self, subscription: &Subscription) -> SubscriptionReport {
        let group = subscription.group.and_then(|group| self.groups.get(&group));
        SubscriptionReport {
            sub: subscription.sub,
            filter: subscription.filter.clone(),
            group: group.map(|group| group.name.clone()),
            ack: subscription.ack.is_some(),
            view: subscription.view.as_ref().map(|view| view.options.clone()),
            dropped: subscription.dropped_in_all,
        }
    }

    /// The clients whose subscriptions match a topic, as one of their own or as members of `groups`; `max` at most.
    pub fn report_subscribers(
        &self,
        topic: &TopicName<'_>,
        groups: &[GroupId],
        max: usize,
    ) -> Vec<(Party, SubscriptionReport)> {
        let mut places = Vec::new();
        let mut add = |place: &u32| {
            if places.len() < max {
                places.push(*place);
            }
        };
        self.index.for_each_match(topic.as_str(), &mut add);
        let groups = groups.iter().filter_map(|group| self.groups.get(group));
        groups.flat_map(|group| &group.members).for_each(add);
        let subscriptions = places.iter().filter_map(|place| self.subscriptions.get(*place as usize));
        let of_a_client = |subscription: &Subscription| {
            let slot = self.sessions.get(subscription.session as usize)?;
            Some((slot.party(self.worker)?, self.report_subscription(subscription)))
        };
        subscriptions.filter_map(of_a_client).collect()
    }

    /// Who a session is, if it is a client.
    pub fn report_party(&self, key: SessionKey) -> Option<Party> {
        self.slot(key)?.party(self.worker)
    }

    /// Ends a client's connection since somebody who runs the broker wants it so. False where it is none, or ends
    /// already.
    pub fn expel(&mut self, now: Now, key: SessionKey, reason: String, out: &mut Outputs) -> bool {
        let Self { sessions, pool, limits, worker, .. } = self;
        let slot = sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key);
        let Some(slot) = slot.filter(|slot| slot.name(*worker).is_some()) else { return false };
        if slot.is_slow(now.tick, limits.outbox_max) {
            // what waits would only keep the farewell from being heard
            slot.outbox.clear(pool);
        }
        self.now = now;
        self.disconnect(now, key, Code::NOT_AUTHORISED, reason, out);
        true
    }
}

impl Slot {
    /// What a client is shown as; none for what is no client, not yet or no more.
    pub(super) fn name(&self, worker: WorkerId) -> Option<Cow<'_, str>> {
        if !self.session.is_open() {
            return None;
        }
        match self.session.kind {
            SessionKind::Client => self.session.client.as_ref().map(|client| client.as_str().into()),
            SessionKind::Events => Some(stream_name(worker, self.key).into()),
            SessionKind::Local => None,
        }
    }

    fn party(&self, worker: WorkerId) -> Option<Party> {
        let name = self.name(worker)?.into_owned();
        Some(Party { name, address: self.peer.map(SocketAddr::from) })
    }
}

fn stream_name(worker: WorkerId, key: SessionKey) -> String {
    let (prefix, between) = STREAM;
    format!("{prefix}{}{between}{}{between}{}", worker.0, key.slot, key.serial)
}

/// The session of a stream over HTTP, by the name that it is shown as.
pub fn stream_of(name: &str) -> Option<(WorkerId, SessionKey)> {
    let (prefix, between) = STREAM;
    let mut numbers = name.strip_prefix(prefix)?.split(between);
    let worker = numbers.next()?.parse().ok()?;
    let (slot, serial) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    numbers.next().is_none().then_some((WorkerId(worker), SessionKey { slot, serial }))
}
