//! Which subscriptions there are, and what the broker has to be told about them.
//!
//! Pure. A subscription lives from [`add`](Subscriptions::add) to [`remove`](Subscriptions::remove) or a refusal,
//! over any number of connections: each new connection is told all of them again, but for those that the broker
//! kept with the session.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use murre_protocol::{
    Codec, Position,
    packet::{CaughtUp, ClientPacket, Connected, From, Subscribed},
};
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    acks::Acks,
    error::{ClientClosed, SubscribeError},
    feed::{Feed, Item},
    message::Message,
    orphans::{Orphan, Orphans},
    resume::Run,
    subscription_state::{Entry, Removal, Route, Wanted},
};

/// The most subscriptions that a client may have at a time.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 65_536;

/// From here on are the numbers of subscriptions that are part of the broker's session. They are made from the
/// filter, so that a process that starts again finds its own ones, in whatever order it asks for them.
const KEPT_FROM: u64 = 1 << 52;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    entries: HashMap<u64, Entry>,
    last_id: u64,
    acks: Acks,
    orphans: Orphans,
    /// Not asked for on this connection yet, in the order of their numbers.
    to_ask: BTreeSet<u64>,
    /// Asked for on this connection, and no longer wanted. Bounded, as each was written before.
    to_end: BTreeSet<u64>,
    ending: HashMap<u64, oneshot::Sender<()>>,
    epoch: Arc<str>,
    /// Whether the application wants a session.
    wants_session: bool,
    /// Whether the broker keeps one.
    has_session: bool,
    /// Granted subscriptions that are part of it.
    kept: BTreeSet<u64>,
    /// Those to be ended as soon as there is a connection.
    to_end_later: BTreeSet<u64>,
    /// Whether there may be subscriptions of an earlier process in the session.
    inherited: bool,
    was_connected: bool,
    restart_wanted: bool,
}

impl Subscriptions {
    pub(crate) fn new(wants_session: bool) -> Self {
        Self { wants_session, ..Self::default() }
    }

    /// Wants one more; its number.
    pub(crate) fn add(&mut self, wanted: Wanted) -> Result<u64, SubscribeError> {
        if self.entries.len() >= SUBSCRIPTIONS_MAX {
            return Err(SubscribeError::TooMany { filter: wanted.filter, max: SUBSCRIPTIONS_MAX });
        }
        let id = self.number(&wanted);
        match self.orphans.take(id) {
            None => {}
            Some(Orphan::LetGo) => self.restart_wanted = true,
            Some(Orphan::Held(items)) => items.into_iter().for_each(|item| {
                wanted.route.deliver(item);
            }),
        }
        self.entries.insert(id, Entry::new(wanted));
        self.to_ask.insert(id);
        Ok(id)
    }

    fn number(&mut self, wanted: &Wanted) -> u64 {
        if self.wants_session && wanted.is_acknowledged() {
            let mut id = KEPT_FROM | xxh3_64(wanted.filter.as_bytes()) >> 16;
            // The second of one filter, and so on.
            while self.entries.contains_key(&id) {
                id = KEPT_FROM | (id + 1) & (KEPT_FROM - 1);
            }
            return id;
        }
        self.last_id += 1;
        self.last_id
    }

    /// Wants one no longer. `ended` resolves when the broker knows, or at once where it never knew.
    pub(crate) fn remove(&mut self, id: u64, removal: Removal, ended: oneshot::Sender<()>) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.to_ask.remove(&id);
        entry.route.end(None);
        if removal == Removal::Leave && id >= KEPT_FROM && self.has_session {
            if entry.asked {
                self.orphans.let_go(id);
            }
            return;
        }
        self.acks.forget(id);
        let kept = self.kept.remove(&id);
        if entry.asked {
            self.to_end.insert(id);
            self.ending.insert(id, ended);
        } else if kept {
            self.to_end_later.insert(id);
        }
    }

    /// A message of subscription `id` in its run `run` was handled, and all before it; whether the broker has to be
    /// told.
    pub(crate) fn acknowledge(&mut self, id: u64, run: Run, position: Position) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        if !entry.is_acknowledged() || entry.run != run || position == Position::NONE {
            return false;
        }
        entry.acknowledge(position);
        self.acks.acknowledge(id, position)
    }

    /// Appends the packets that are due to `frame`, as long as it has less than `frame_max` bytes and they fit into
    /// `packet_max`.
    pub(crate) fn take(&mut self, frame: &mut Vec<u8>, frame_max: usize, packet_max: usize) {
        while frame.len() < frame_max {
            let Some(sub) = self.to_end.pop_first() else { break };
            Codec::MessagePack.write_client(&ClientPacket::Unsubscribe { sub }, frame);
        }
        self.take_subscribes(frame, frame_max, packet_max);
        if self.to_ask.is_empty() && frame.len() < frame_max {
            self.acks.take(frame, frame_max);
        }
    }

    fn take_subscribes(&mut self, frame: &mut Vec<u8>, frame_max: usize, packet_max: usize) {
        while let Some(&sub) = self.to_ask.first() {
            let goes_on = self.inherited && sub >= KEPT_FROM;
            let Some(entry) = self.entries.get_mut(&sub) else {
                self.to_ask.remove(&sub);
                continue;
            };
            let start = frame.len();
            let subscribe = entry.subscribe(sub, goes_on);
            let asked_after = matches!(subscribe.options.from, Some(From::After { .. }));
            Codec::MessagePack.write_client(&ClientPacket::Subscribe(Box::new(subscribe)), frame);
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
            (entry.asked, entry.asked_after) = (true, asked_after);
            self.to_ask.remove(&sub);
        }
    }

    /// Whether the broker has to be told something.
    pub(crate) fn has_packets(&self) -> bool {
        !self.to_end.is_empty() || !self.to_ask.is_empty() || self.acks.is_due()
    }

    /// Whether a new connection is needed, for the broker to send again what was let go here.
    pub(crate) fn wants_restart(&self) -> bool {
        self.restart_wanted
    }

    // What the broker says.

    /// There is a new connection.
    pub(crate) fn connected(&mut self, info: &Connected<'_>) {
        self.epoch = Arc::from(info.epoch.as_ref());
        self.has_session = info.session_expiry > 0;
        self.restart_wanted = false;
        self.orphans.clear();
        let first = !std::mem::replace(&mut self.was_connected, true);
        if info.session_present {
            self.inherited |= first;
            self.session_goes_on();
        } else {
            self.inherited = false;
            self.kept.clear();
            self.to_end_later.clear();
            self.acks.forget_all();
        }
    }

    fn session_goes_on(&mut self) {
        self.to_end.append(&mut self.to_end_later);
        for &id in &self.kept {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            // What was not taken yet comes again, as it was not acknowledged.
            if let Route::Feed(feed) = &entry.route {
                feed.inbox.clear();
            }
            (entry.asked, entry.granted) = (true, true);
            entry.answer(Ok(()));
            self.to_ask.remove(&id);
        }
        self.acks.repeat();
    }

    /// The broker granted or refused one. A refusal ends it.
    pub(crate) fn subscribed(&mut self, answer: &Subscribed<'_>) {
        if !answer.code.is_ok() {
            return self.fail(answer.sub, |filter| SubscribeError::Refused {
                filter,
                code: answer.code,
                reason: answer.reason.as_deref().unwrap_or_default().to_owned(),
                rule: answer.rule.as_deref().map(str::to_owned),
            });
        }
        let Some(entry) = self.entries.get_mut(&answer.sub) else { return };
        let run = entry.run;
        entry.grant(answer);
        if entry.run != run {
            // What comes again is acknowledged again.
            self.acks.forget(answer.sub);
        }
        if self.has_session && answer.sub >= KEPT_FROM {
            self.kept.insert(answer.sub);
        }
    }

    fn fail(&mut self, sub: u64, error: impl FnOnce(String) -> SubscribeError) {
        self.to_ask.remove(&sub);
        self.kept.remove(&sub);
        self.acks.forget(sub);
        let Some(mut entry) = self.entries.remove(&sub) else { return };
        let error = error(std::mem::take(&mut entry.filter));
        tracing::warn!(%error, "a subscription ended");
        entry.route.end(Some(error.clone()));
        entry.answer(Err(error));
    }

    /// The broker ended one as it was told to.
    pub(crate) fn unsubscribed(&mut self, sub: u64) {
        if let Some(waiting) = self.ending.remove(&sub) {
            let _ = waiting.send(());
        }
    }

    /// A message came; the feed whose reader has to take something before more is read.
    pub(crate) fn message(&mut self, sub: u64, message: impl FnOnce() -> Message) -> Option<Arc<Feed>> {
        let Some(entry) = self.entries.get_mut(&sub) else {
            if self.may_be_asked_for_later(sub) {
                self.orphans.hold(sub, Item::Message(0, message()));
            }
            return None;
        };
        entry.message(message()).map(Arc::clone)
    }

    /// All kept messages of one came.
    pub(crate) fn caught_up(&mut self, caught_up: &CaughtUp<'_>) {
        let CaughtUp { sub, positions, count } = caught_up;
        let mark = |run| Item::CaughtUp {
            run,
            positions: positions.to_vec(),
            epoch: Arc::clone(&self.epoch),
            count: *count,
        };
        if let Some(entry) = self.entries.get_mut(sub) {
            entry.caught_up(positions, &self.epoch);
            entry.route.deliver(mark(entry.run));
        } else if self.may_be_asked_for_later(*sub) {
            self.orphans.hold(*sub, mark(0));
        }
    }

    /// Whether `sub`, which has no place here, is part of the session and stays in it.
    fn may_be_asked_for_later(&self, sub: u64) -> bool {
        let ends = self.to_end.contains(&sub) || self.ending.contains_key(&sub);
        sub >= KEPT_FROM && self.wants_session && !ends
    }

    /// The feed of `sub`.
    pub(crate) fn feed(&self, sub: u64) -> Option<&Feed> {
        match self.entries.get(&sub).map(|entry| &entry.route) {
            Some(Route::Feed(feed)) => Some(feed),
            _ => None,
        }
    }

    /// The filter of `sub`.
    pub(crate) fn filter(&self, sub: u64) -> Option<&str> {
        self.entries.get(&sub).map(|entry| entry.filter.as_str())
    }

    /// The connection is gone, and what the broker knew of it but for the session.
    pub(crate) fn connection_lost(&mut self) {
        let unanswered = self.to_end.iter().chain(self.ending.keys()).copied();
        self.to_end_later.extend(unanswered.filter(|&id| id >= KEPT_FROM));
        self.to_end.clear();
        self.ending.clear();
        for (&id, entry) in &mut self.entries {
            entry.connection_lost();
            self.to_ask.insert(id);
        }
    }

    /// The client has ended: so do all subscriptions, with an error where `error` says so.
    pub(crate) fn end(&mut self, closed: &ClientClosed, by_us: bool) {
        self.connection_lost();
        self.to_ask.clear();
        self.acks.forget_all();
        self.orphans.clear();
        for (_, mut entry) in self.entries.drain() {
            entry.route.end((!by_us).then(|| closed.clone().into()));
            entry.answer(Err(closed.clone().into()));
        }
    }
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
