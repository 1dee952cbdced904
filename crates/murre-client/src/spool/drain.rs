//! What of the spool is being sent: a bounded window of messages, in order, at a limited rate.
//!
//! Pure: the time is an argument. The worker [`feed`](Drain::feed)s it from disk and takes out of it what is done
//! with ([`take_results`](Drain::take_results)); the connection [`take`](Drain::take)s what is to be sent and brings the
//! [`answered`](Drain::answered).
//!
//! A message that has no answer is sent again with its sequence, which tells the broker what it has already. So is one
//! that was refused for a while, also behind later ones that were accepted: the broker knows which it refused.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use murre_protocol::{Code, Codec, Position, packet::ClientPacket};
use tokio::{sync::oneshot, time::Instant};

use crate::{backoff::Backoff, session::Outcome};

/// Messages that are fetched from disk ahead.
const MESSAGES_MAX: usize = 256;
/// Bytes of packets that are fetched from disk before more are, when fewer are there.
const BYTES_MAX: usize = 1 << 20;
/// How much of a rate's time may be used at once, so that a connection that was busy catches up.
const BURST: Duration = Duration::from_millis(100);
/// How long the spool holds still after a refusal that will pass.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(60) };

/// A message on its way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    /// The whole packet.
    pub(crate) packet: Vec<u8>,
    /// Since it was sent.
    refused: bool,
}

/// A message that the broker refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) sequence: u64,
    pub(crate) topic: String,
    pub(crate) code: Code,
    pub(crate) reason: String,
}

/// What the worker has to do.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Done with: accepted, or refused for good.
    pub(crate) done: Vec<u64>,
    pub(crate) refusals: Vec<Refusal>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Drain {
    rate: Option<f64>,
    /// Messages that are on their way at most.
    in_flight: usize,
    /// In the order of their sequences; the first `sent` of them were sent on this connection.
    window: VecDeque<Entry>,
    window_bytes: usize,
    sent: usize,
    tickets: Tickets,
    results: Results,
    /// A refusal that will pass came, so that no more is sent until all that was sent is answered.
    holding: bool,
    failures: u32,
    /// No earlier than this may the next be sent.
    next_at: Option<Instant>,
    /// Messages in the spool that are not done with, as the worker knows it.
    backlog: u64,
}

impl Drain {
    /// At most `rate` messages a second (none: no limit), and `in_flight` that are not answered.
    pub(crate) fn new(rate: Option<f64>, in_flight: usize, backlog: u64) -> Self {
        Self {
            rate,
            in_flight,
            window: VecDeque::new(),
            window_bytes: 0,
            sent: 0,
            tickets: Tickets::default(),
            results: Results::default(),
            holding: false,
            failures: 0,
            next_at: None,
            backlog,
        }
    }

    // The worker's.

    /// A message was taken into the spool; who waits for the broker's answer.
    pub(crate) fn expect(&mut self, sequence: u64, ticket: oneshot::Sender<Outcome>) {
        self.tickets.insert(sequence, ticket);
    }

    /// A message had to go for newer ones.
    pub(crate) fn dropped(&mut self, sequence: u64) {
        self.tickets.resolve(sequence, Outcome::Dropped);
    }

    /// The disk no longer has these: those that were not sent on this connection go too, and are given back.
    pub(crate) fn drop_unsent(&mut self, sequences: &[u64]) -> Vec<u64> {
        let mut dropped = Vec::new();
        for &sequence in sequences {
            let found = self.window.binary_search_by_key(&sequence, |entry| entry.sequence);
            if let Ok(at) = found
                && at >= self.sent
            {
                self.remove(at);
                dropped.push(sequence);
            }
        }
        dropped
    }

    /// How many messages, and bytes of them, are to be fetched from disk.
    pub(crate) fn room(&self) -> (usize, usize) {
        let bytes = BYTES_MAX.saturating_sub(self.window_bytes);
        (MESSAGES_MAX.saturating_sub(self.window.len()), bytes)
    }

    /// Messages come from disk, in order.
    pub(crate) fn feed(&mut self, messages: impl IntoIterator<Item = (u64, Vec<u8>)>) {
        for (sequence, packet) in messages {
            self.window_bytes += packet.len();
            self.window.push_back(Entry { sequence, packet, refused: false });
        }
    }

    /// So many messages in the spool are not done with.
    pub(crate) fn set_backlog(&mut self, backlog: u64) {
        self.backlog = backlog;
    }

    /// What became of messages since the last time.
    pub(crate) fn take_results(&mut self) -> Results {
        std::mem::take(&mut self.results)
    }

    /// Whether the worker has something to do.
    pub(crate) fn has_results(&self) -> bool {
        !self.results.done.is_empty()
    }

    // The connection's.

    /// Appends what may be sent now to `frame`, up to `frame_max` bytes of it, but always one packet to an empty frame.
    pub(crate) fn take(&mut self, frame: &mut Vec<u8>, frame_max: usize, packet_max: usize, now: Instant) {
        while !self.holding
            && self.sent < self.in_flight
            && self.next_at.is_none_or(|at| at <= now)
            && let Some(next) = self.window.get(self.sent)
        {
            let bytes = next.packet.len();
            if bytes > packet_max {
                let reason = format!("the packet has {bytes} bytes, the broker takes {packet_max}");
                self.refuse_for_good(self.sent, Code::TOO_LARGE, reason);
                continue;
            }
            if !frame.is_empty() && frame.len() + bytes > frame_max {
                break;
            }
            frame.extend_from_slice(&next.packet);
            self.sent += 1;
            if let Some(rate) = self.rate {
                let earliest = now.checked_sub(BURST).unwrap_or(now);
                let from = self.next_at.map_or(earliest, |at| at.max(earliest));
                self.next_at = Some(from + Duration::from_secs_f64(1.0 / rate));
            }
        }
    }

    /// When there is something to send again that can't be sent now.
    pub(crate) fn due(&self) -> Option<Instant> {
        let waits = self.holding || self.sent >= self.window.len().min(self.in_flight);
        if waits { None } else { self.next_at }
    }

    /// The broker answered the message `sequence`.
    pub(crate) fn answered(
        &mut self,
        sequence: u64,
        code: Code,
        position: Position,
        reason: &str,
        now: Instant,
    ) {
        let Ok(at) = self.window.binary_search_by_key(&sequence, |entry| entry.sequence) else { return };
        if code.is_ok() {
            self.remove(at);
            self.results.done.push(sequence);
            self.tickets.resolve(sequence, Outcome::Accepted(position));
            if !self.holding {
                self.failures = 0;
            }
        } else if is_for_good(code) {
            self.refuse_for_good(at, code, reason.to_owned());
        } else {
            tracing::warn!(%code, reason, "the broker can't take messages of the spool now");
            self.holding = true;
            if let Some(entry) = self.window.get_mut(at) {
                entry.refused = true;
            }
        }
        if self.holding && self.window.iter().take(self.sent).all(|entry| entry.refused) {
            self.settle();
            self.next_at = Some(now + BACKOFF.delay(self.failures, fastrand::f64(), Some(BACKOFF.min)));
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// The connection is gone; what has no answer is sent again on the next.
    pub(crate) fn connection_lost(&mut self) {
        self.settle();
    }

    /// Takes nothing for sent any longer.
    fn settle(&mut self) {
        (self.holding, self.sent) = (false, 0);
        self.window.iter_mut().for_each(|entry| entry.refused = false);
    }

    fn remove(&mut self, at: usize) -> Option<Entry> {
        let entry = self.window.remove(at)?;
        self.window_bytes -= entry.packet.len();
        self.sent -= usize::from(at < self.sent);
        Some(entry)
    }

    fn refuse_for_good(&mut self, at: usize, code: Code, reason: String) {
        let Some(entry) = self.remove(at) else { return };
        let topic = topic(&entry.packet);
        tracing::warn!(topic, %code, reason, "the broker refused a message of the spool for good");
        self.results.done.push(entry.sequence);
        self.results.refusals.push(Refusal { sequence: entry.sequence, topic, code, reason: reason.clone() });
        self.tickets.resolve(entry.sequence, Outcome::Refused { code, reason });
    }

    /// Messages that are not done with.
    pub(crate) fn pending(&self) -> usize {
        usize::try_from(self.backlog).unwrap_or(usize::MAX).max(self.window.len())
    }

    /// The client ends; what is in the spool stays there.
    pub(crate) fn end(&mut self, outcome: impl Fn() -> Outcome) {
        for (_, ticket) in self.tickets.waiting.drain() {
            let _ = ticket.send(outcome());
        }
    }
}

/// Whether sending it again could never help.
fn is_for_good(code: Code) -> bool {
    matches!(
        code,
        Code::MALFORMED
            | Code::NOT_AUTHORISED
            | Code::NOT_FOUND
            | Code::TOO_LARGE
            | Code::INVALID
            | Code::NOT_SUPPORTED
    )
}

/// Where a packet was to go.
fn topic(packet: &[u8]) -> String {
    match Codec::MessagePack.client_packet(packet, usize::MAX) {
        Ok(Some((ClientPacket::Publish(publish), _))) => publish.topic.into_owned(),
        _ => String::new(),
    }
}

/// Who waits for the broker's answers. Those who went away are cleared out now and then, so that there are never more
/// than twice as many as wait.
#[derive(Debug, Default)]
struct Tickets {
    waiting: HashMap<u64, oneshot::Sender<Outcome>>,
    cleared: usize,
}

impl Tickets {
    const CLEAR_FROM: usize = 1024;

    fn insert(&mut self, sequence: u64, ticket: oneshot::Sender<Outcome>) {
        if self.waiting.len() >= Self::CLEAR_FROM.max(2 * self.cleared) {
            self.waiting.retain(|_, ticket| !ticket.is_closed());
            self.cleared = self.waiting.len();
        }
        self.waiting.insert(sequence, ticket);
    }

    fn resolve(&mut self, sequence: u64, outcome: Outcome) {
        if let Some(ticket) = self.waiting.remove(&sequence) {
            // An error means that nobody waits any longer: the future was dropped.
            let _ = ticket.send(outcome);
        }
    }
}

#[cfg(test)]
#[path = "drain_tests.rs"]
mod tests;
