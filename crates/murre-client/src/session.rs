//! The client's state over all its connections: what is to be sent, and what becomes of what comes.
//!
//! Pure: no socket and no clock. Methods are of three kinds: the application's ([`publish`](Session::publish),
//! [`subscribe`](Session::subscribe), …), the connection's ([`connected`](Session::connected),
//! [`take_frame`](Session::take_frame), [`frame_written`](Session::frame_written), [`receive`](Session::receive),
//! [`connection_lost`](Session::connection_lost)), and the end ([`end`](Session::end)).

use std::sync::Arc;

use bytes::Bytes;
use murre_protocol::{
    Code, Codec, Position,
    packet::{BrokerPacket, ClientPacket, Connected, Disconnect, Message as WireMessage, Notice, Published},
};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    buffer::Buffer,
    error::{ClientClosed, SubscribeError},
    event::Event,
    feed::Feed,
    message::Message,
    outgoing::{Outbound, Outgoing, Push},
    resume::Run,
    spool::{
        SEQUENCE_MAX,
        drain::{Drain, Results},
    },
    subscription_state::{Removal, Wanted},
    subscriptions::Subscriptions,
};

/// The most bytes that pending packets are joined to in one WebSocket message.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 10;

/// What became of a publish.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The broker has it.
    Accepted(Position),
    /// The broker refused it.
    Refused { code: Code, reason: String },
    /// It had to go for newer ones.
    Dropped,
    /// Larger than the broker takes.
    TooLarge { bytes: usize, max: usize },
    /// The client ended before.
    Closed(ClientClosed),
}

/// Resolves an acknowledged publish; unacknowledged ones have none.
pub(crate) type Ticket = Option<oneshot::Sender<Outcome>>;

/// Why a publish was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// No room by the buffer's rule; it is handed back for another try.
    Full(Outbound<Ticket>),
    /// Larger than the broker or the buffer takes.
    TooLarge { bytes: usize, max: usize },
    /// The client has ended or is ending.
    Closed(ClientClosed),
}

/// What the connection has to do after a packet.
#[derive(Debug)]
pub(crate) enum Received {
    /// Nothing.
    Nothing,
    /// To read no more until this feed has room.
    Pause(Arc<Feed>),
    /// To end.
    Disconnect {
        /// Why, as a code.
        code: Code,
        /// Why, in the broker's words.
        reason: String,
        /// Milliseconds before the next attempt.
        retry_after: Option<u64>,
    },
}

/// What the broker of this connection takes, in bytes.
#[derive(Debug, Clone, Copy)]
struct Limits {
    packet: usize,
    message: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    buffer_bytes: usize,
    outgoing: Outgoing<Ticket>,
    subscriptions: Subscriptions,
    spool: Option<Drain>,
    ping_due: bool,
    pong_due: bool,
    limits: Option<Limits>,
    client_id: Option<String>,
    last_publish: u64,
    closing: bool,
    ended: Option<ClientClosed>,
}

impl Session {
    /// `wants_session`: the broker is asked to keep acknowledged subscriptions over disconnects.
    pub(crate) fn new(buffer: Buffer, client_id: Option<String>, wants_session: bool) -> Self {
        Self {
            buffer_bytes: buffer.bytes,
            outgoing: Outgoing::new(buffer),
            subscriptions: Subscriptions::new(wants_session),
            spool: None,
            ping_due: false,
            pong_due: false,
            limits: None,
            client_id,
            last_publish: 0,
            closing: false,
            ended: None,
        }
    }

    /// As [`new`](Session::new), with a spool.
    pub(crate) fn with_spool(mut self, drain: Option<Drain>) -> Self {
        if drain.is_some() {
            // The numbers below are the spool's.
            self.last_publish = SEQUENCE_MAX;
        }
        self.spool = drain;
        self
    }

    /// What of the spool is on its way.
    pub(crate) fn spool(&mut self) -> Option<&mut Drain> {
        self.spool.as_mut()
    }

    /// What became of the spool's messages since the last time.
    pub(crate) fn spool_results(&mut self) -> Results {
        self.spool.as_mut().map(Drain::take_results).unwrap_or_default()
    }

    // The application's.

    /// A number for one more acknowledged publish.
    pub(crate) fn next_publish(&mut self) -> u64 {
        self.last_publish += 1;
        self.last_publish
    }

    /// Takes a publish; the number of others that had to go for it.
    pub(crate) fn publish(&mut self, outbound: Outbound<Ticket>) -> Result<u64, NotTaken> {
        if let Some(closed) = self.refuses() {
            return Err(NotTaken::Closed(closed));
        }
        let (bytes, packet_max) = (outbound.packet.len(), self.packet_max());
        if bytes > packet_max {
            return Err(NotTaken::TooLarge { bytes, max: packet_max });
        }
        match self.outgoing.push(outbound) {
            Push::Full(outbound) => Err(NotTaken::Full(outbound)),
            Push::TooLarge(_) => Err(NotTaken::TooLarge { bytes, max: self.buffer_bytes }),
            Push::Stored(dropped) => {
                let count = dropped.len() as u64;
                dropped.into_iter().for_each(|outbound| resolve(outbound.ticket, Outcome::Dropped));
                Ok(count)
            }
        }
    }

    /// Takes nothing new from now on.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Why nothing new is taken, where that is so.
    pub(crate) fn refuses(&self) -> Option<ClientClosed> {
        self.ended.clone().or_else(|| self.closing.then(ClientClosed::by_us))
    }

    fn packet_max(&self) -> usize {
        self.limits.map_or(usize::MAX, |limits| limits.packet)
    }

    /// Wants a subscription; its number.
    pub(crate) fn subscribe(&mut self, wanted: Wanted) -> Result<u64, SubscribeError> {
        match self.refuses() {
            Some(closed) => Err(closed.into()),
            None => self.subscriptions.add(wanted),
        }
    }

    /// Ends or leaves a subscription; `ended` resolves (or is dropped) when the broker knows.
    pub(crate) fn unsubscribe(&mut self, sub: u64, removal: Removal, ended: oneshot::Sender<()>) {
        self.subscriptions.remove(sub, removal, ended);
    }

    /// A message was handled, and all before it in its shard; whether the broker has to be told.
    pub(crate) fn acknowledge(&mut self, sub: u64, run: Run, position: Position) -> bool {
        self.subscriptions.acknowledge(sub, run, position)
    }

    /// The client's name, as far as known.
    pub(crate) fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Whether there is a connection that the broker has accepted.
    pub(crate) fn is_connected(&self) -> bool {
        self.limits.is_some()
    }

    /// Why the client ended.
    pub(crate) fn ended(&self) -> Option<&ClientClosed> {
        self.ended.as_ref()
    }

    /// How many publishes are not known to be through.
    pub(crate) fn pending(&self) -> usize {
        self.outgoing.pending() + self.spool.as_ref().map_or(0, Drain::pending)
    }

    /// As [`pending`](Session::pending), of those that are lost when this process ends.
    pub(crate) fn pending_in_memory(&self) -> usize {
        self.outgoing.pending()
    }

    // The connection's.

    /// There is a new connection. The client keeps a name that the broker gave, so that it is the same client when
    /// it comes back.
    pub(crate) fn connected(&mut self, info: &Connected<'_>) {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        // A broker that says nothing (0) sets no limit that we know of.
        let known = |bytes: usize| if bytes == 0 { usize::MAX } else { bytes };
        self.limits =
            Some(Limits { packet: known(bytes(info.max_packet)), message: known(bytes(info.max_message)) });
        self.subscriptions.connected(info);
        if !info.client_id.is_empty() {
            self.client_id = Some(info.client_id.clone().into_owned());
        }
    }

    /// A PING has to be sent.
    pub(crate) fn ping(&mut self) {
        self.ping_due = true;
    }

    /// What is to be sent next, as one WebSocket message; empty when there is nothing. Also how many publishes had
    /// to go because the broker doesn't take packets of their size.
    pub(crate) fn take_frame(&mut self, now: Instant) -> (Vec<u8>, u64) {
        let mut frame = Vec::new();
        let Some(limits) = self.limits else { return (frame, 0) };
        let frame_max = FRAME_BYTES_MAX.min(limits.message);
        if std::mem::take(&mut self.pong_due) {
            Codec::MessagePack.write_client(&ClientPacket::Pong, &mut frame);
        }
        if std::mem::take(&mut self.ping_due) {
            Codec::MessagePack.write_client(&ClientPacket::Ping, &mut frame);
        }
        self.subscriptions.take(&mut frame, frame_max, limits.packet);
        // A subscription is not overtaken by what is published after it.
        let mut too_large = Vec::new();
        if !self.subscriptions.has_packets() {
            too_large = self.outgoing.take(&mut frame, frame_max, limits.packet);
            if let Some(spool) = &mut self.spool {
                spool.take(&mut frame, frame_max, limits.packet, now);
            }
        }
        let count = too_large.len() as u64;
        for outbound in too_large {
            resolve(outbound.ticket, Outcome::TooLarge { bytes: outbound.packet.len(), max: limits.packet });
        }
        (frame, count)
    }

    /// The frame that was taken last is out.
    pub(crate) fn frame_written(&mut self) {
        self.outgoing.frame_written();
    }

    /// Whether the connection has to be made again, for the broker to send again what was let go here.
    pub(crate) fn wants_restart(&self) -> bool {
        self.subscriptions.wants_restart()
    }

    /// Whether nothing is left to send or to be answered.
    pub(crate) fn is_flushed(&self) -> bool {
        self.pending() == 0 && !self.subscriptions.has_packets()
    }

    /// A packet came in `frame`.
    pub(crate) fn receive(
        &mut self,
        packet: BrokerPacket<'_>,
        frame: &Bytes,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> Received {
        match packet {
            BrokerPacket::Message { sub, message } => return self.message(sub, message, frame),
            BrokerPacket::Published(published) => self.published(published, now),
            BrokerPacket::Subscribed(subscribed) => self.subscriptions.subscribed(&subscribed),
            BrokerPacket::Unsubscribed { sub, .. } => self.subscriptions.unsubscribed(sub),
            BrokerPacket::CaughtUp(caught_up) => self.subscriptions.caught_up(&caught_up),
            BrokerPacket::Notice(notice) => events.push(self.notice(*notice)),
            BrokerPacket::Ping => self.pong_due = true,
            BrokerPacket::Disconnect(Disconnect { code, reason, retry_after }) => {
                return Received::Disconnect { code, reason: reason.into_owned(), retry_after };
            }
            BrokerPacket::Pong | BrokerPacket::Auth | BrokerPacket::Connected(_) => {}
        }
        Received::Nothing
    }

    fn message(&mut self, sub: u64, message: WireMessage<'_>, frame: &Bytes) -> Received {
        let full = self.subscriptions.message(sub, || Message::from_wire(message, frame));
        full.map_or(Received::Nothing, Received::Pause)
    }

    fn published(&mut self, published: Published<'_>, now: Instant) {
        if let Some(spool) = self.spool.as_mut().filter(|_| published.id <= SEQUENCE_MAX) {
            let reason = published.reason.as_deref().unwrap_or_default();
            return spool.answered(published.id, published.code, published.position, reason, now);
        }
        let Some(outbound) = self.outgoing.answered(published.id) else { return };
        let outcome = if published.code.is_ok() {
            Outcome::Accepted(published.position)
        } else {
            let reason = published.reason.unwrap_or_default().into_owned();
            Outcome::Refused { code: published.code, reason }
        };
        resolve(outbound.ticket, outcome);
    }

    fn notice(&self, notice: Notice<'_>) -> Event {
        use murre_protocol::packet::NoticeKind;
        if let (NoticeKind::Dropped, Some(sub), Some(count)) = (notice.kind, notice.sub, notice.count)
            && let Some(feed) = self.subscriptions.feed(sub)
        {
            feed.dropped_by_broker(count);
        }
        Event::Notice {
            kind: notice.kind,
            filter: notice.sub.and_then(|sub| self.subscriptions.filter(sub)).map(str::to_owned),
            count: notice.count,
            reason: notice.reason.into_owned(),
            code: notice.code,
        }
    }

    /// The connection is gone; a new one will be told everything that matters again.
    pub(crate) fn connection_lost(&mut self) {
        self.limits = None;
        (self.ping_due, self.pong_due) = (false, false);
        self.outgoing.connection_lost();
        if let Some(spool) = &mut self.spool {
            spool.connection_lost();
        }
        self.subscriptions.connection_lost();
    }

    // The end.

    /// The client has ended; `by_us`: because the application closed it. Everything that waits is told.
    pub(crate) fn end(&mut self, closed: ClientClosed, by_us: bool) {
        if self.ended.is_some() {
            return;
        }
        self.connection_lost();
        for outbound in self.outgoing.drain() {
            resolve(outbound.ticket, Outcome::Closed(closed.clone()));
        }
        if let Some(spool) = &mut self.spool {
            spool.end(|| Outcome::Closed(closed.clone()));
        }
        self.subscriptions.end(&closed, by_us);
        self.ended = Some(closed);
    }
}

fn resolve(ticket: Ticket, outcome: Outcome) {
    if let Some(waiting) = ticket {
        // An error means that nobody waits any longer: the future was dropped.
        let _ = waiting.send(outcome);
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
