//! A hub: the sessions of one worker, what they subscribe to, and the delivery of messages to them.
//!
//! It never waits and does no I/O. Methods are of five kinds:
//! - what shells report: [`Hub::open`], [`Hub::receive`], [`Hub::heard`], [`Hub::fail`], [`Hub::closed`];
//! - how shells send: [`Hub::attend`], [`Hub::take`], [`Hub::sent`], [`Hub::status`];
//! - what engines tell: [`Hub::handle`], [`Hub::deliver`];
//! - time and the end: [`Hub::next_due`], [`Hub::tick`], [`Hub::shut_down`];
//! - what those who run the broker ask: [`Hub::report`], [`Listing`], [`Hub::expel`], [`Hub::count_slow`].
//!
//! | file | has |
//! |---|---|
//! | `packets` | what each packet of a client does |
//! | `wish` | what a SUBSCRIBE asks for, read and checked |
//! | `subscribing` | a subscription's way from SUBSCRIBE to its end |
//! | `catching_up` | snapshots and CAUGHT_UP |
//! | `delivery` | messages into outboxes |
//! | `run` | messages of one topic, written once for many subscribers |
//! | `sending` | how shells send, and what goes on when there is room again |
//! | `degrade` | a lower rate for clients that read too slowly |
//! | `slow` | what happens when an outbox is full |
//! | `slot` | a session with its outbox and what it counts |
//! | `views` | subscriptions with a view: evaluated once for all who share it |
//! | `kept_views` | views of subscriptions that are kept over disconnects |
//! | `troubles` | what views could not do, told to those who asked for it |
//! | `routes` | topic → receivers, remembered |
//! | `shares` | groups with members here |
//! | `ending` | disconnects, takeovers, time-outs, shutdown |
//! | `kept` | subscriptions that are kept over disconnects |
//! | `holdings` | what a hub holds, in numbers |
//! | `report`, `listing` | what is known of clients and their subscriptions |

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use hashbrown::HashMap;
use murre_protocol::{Codec, packet::BrokerPacket};
use slab::Slab;

use crate::{
    batch::PublishBatch,
    counters::Counters,
    engine::{EngineInput, HubInput, Outputs},
    ids::{GroupId, SessionAddress, SessionKey, WorkerId},
    index::FilterIndex,
    limits::Limits,
    now::{Now, Tick},
    outbox::Pool,
    placement::Placement,
    session::{Close, Phase, Session, SessionKind, Subscription},
};

mod catching_up;
mod degrade;
mod delivery;
mod ending;
mod holdings;
mod kept;
mod kept_views;
mod listing;
mod packets;
mod report;
mod routes;
mod run;
mod sending;
mod shares;
mod slot;
mod slow;
mod subscribing;
mod troubles;
mod views;
mod wish;

pub use holdings::Holdings;
pub use listing::{ClientPage, ListPlace, ListQuery, Listing};
pub use report::{ClientReport, Party, SubscriptionReport, stream_of};
pub use slot::{Peer, Traffic};

use slot::{Slot, alarm, wake};

/// What the broker says of itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Names the run of positions.
    pub epoch: String,
    /// Name and version.
    pub server: String,
    /// For the client ids that the broker gives.
    pub seed: u64,
    /// Whether a store is there, so that what is acknowledged outlives the process.
    pub durable: bool,
}

/// What makes a hub.
#[derive(Debug, Clone)]
pub struct HubSetup {
    /// Its worker.
    pub worker: WorkerId,
    /// Where topics go.
    pub placement: Placement,
    /// Its bounds.
    pub limits: Arc<Limits>,
    /// What it says of itself.
    pub identity: Arc<Identity>,
    /// Where it counts.
    pub counters: Arc<Counters>,
}

/// The kind of a WebSocket message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8: packets in JSON.
    Text,
    /// Packets in MessagePack.
    Binary,
}

/// How a connection ended, as its shell saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// The client said so: by DISCONNECT, or a close with 1000 or 1001.
    Said,
    /// It just ended.
    Lost,
}

/// What a shell has to know of its session.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Whether more is to be read.
    pub wants_read: bool,
    /// Whether the connection is to be closed once all is sent.
    pub close: Option<Close>,
}

/// The sessions of one worker.
pub struct Hub {
    worker: WorkerId,
    placement: Placement,
    limits: Arc<Limits>,
    identity: Arc<Identity>,
    counters: Arc<Counters>,
    sessions: Slab<Slot>,
    serial: u32,
    subscriptions: Slab<Subscription>,
    /// Subscriptions of their own, by filter; members of groups are not in it.
    index: FilterIndex<u32>,
    filters: HashMap<Box<str>, subscribing::Wanted>,
    groups: HashMap<GroupId, shares::LocalGroup>,
    /// Filters and groups whose interest is not in force yet, by the number that the engine hands back.
    announced: HashMap<u64, subscribing::Announcement>,
    /// Subscriptions that are being caught up, by the snapshot's number.
    snapshots: HashMap<u64, u32>,
    numbers: u64,
    routes: routes::Routes,
    pool: Pool,
    publishing: Vec<Publishing>,
    /// The worker that the last publish went to.
    recent: WorkerId,
    /// Batches whose memory is used again: a large buffer that is freed and grown again costs page faults.
    #[expect(clippy::vec_box, reason = "they travel in their boxes, so the boxes are kept too")]
    spare_batches: Vec<Box<PublishBatch>>,
    timers: BinaryHeap<Reverse<(Tick, SessionKey)>>,
    /// Sessions that are to be disconnected for reading too slowly, once the batch is through.
    slow: Vec<SessionKey>,
    /// Sessions that may be slow, each once.
    watched: Vec<SessionKey>,
    /// Receivers of the message at hand that need more than a copy.
    special: Vec<routes::Receiver>,
    /// Views at work.
    views: views::Views,
    /// Subscriptions at a lower rate.
    degrading: degrade::Degrading,
    /// Kept subscriptions whose views have swallowed something.
    settling: kept_views::Settling,
    /// Views that want the messages at hand.
    viewing: Vec<u32>,
    /// Memory that a run of messages is written into.
    scratch: Vec<u8>,
    /// Bytes of messages that were put into outboxes since the shells last sent.
    fresh_bytes: usize,
    /// Whether an outbox has come to a level since then at which its socket is worth another try.
    crowded: bool,
    /// Bytes of publishes on their way to this worker's own shards.
    handed_bytes: usize,
    /// The newest batch of each worker's log that is through.
    committed: Vec<u64>,
    /// Subscriptions with messages that wait for a batch.
    gated: Vec<u32>,
    /// Workers whose log has so much on its way that publishers wait, as a set.
    pressed: u64,
    /// Subscriptions of kept sessions whose acknowledgements are to be told at the end of the turn.
    acknowledged: Vec<u32>,
    /// Those that have left messages out, which are to be read back.
    behind: Vec<u32>,
    /// When the last input came; for what goes on because there is room again, where nobody tells the time.
    now: Now,
    shutting_down: bool,
}

/// Publishes on their way to one worker's shards.
#[derive(Default)]
struct Publishing {
    batch: Box<PublishBatch>,
    credits: Vec<(SessionAddress, usize)>,
}

/// Spare blocks that a worker keeps: 32 MiB.
const POOL_BLOCKS: usize = 2048;
/// Bytes of publishes after which they are handed on although the turn of the event loop is not over.
/// Well below the bound of outboxes: a batch's messages reach a subscriber all at once.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// Spare batches of publishes that a worker keeps.
const SPARE_BATCHES_MAX: usize = 16;
/// How far the answers to a client's own packets may fill its outbox past the limit before it is read no further.
const ANSWERS_SLACK: usize = 64 * 1024;

/// A session could not be opened: there are as many as there may be, or the broker is going away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker takes no more connections now")]
pub struct Refused;

impl Hub {
    /// A hub without sessions.
    pub fn new(setup: HubSetup) -> Self {
        let HubSetup { worker, placement, limits, identity, counters } = setup;
        Self {
            worker,
            placement,
            limits,
            identity,
            counters,
            sessions: Slab::new(),
            serial: 0,
            subscriptions: Slab::new(),
            index: FilterIndex::new(),
            filters: HashMap::new(),
            groups: HashMap::new(),
            announced: HashMap::new(),
            snapshots: HashMap::new(),
            numbers: 0,
            routes: routes::Routes::default(),
            pool: Pool::new(POOL_BLOCKS),
            publishing: placement.all_workers().map(|_| Publishing::default()).collect(),
            recent: worker,
            spare_batches: Vec::new(),
            timers: BinaryHeap::new(),
            slow: Vec::new(),
            watched: Vec::new(),
            special: Vec::new(),
            views: views::Views::new(worker),
            degrading: degrade::Degrading::new(worker),
            settling: kept_views::Settling::default(),
            viewing: Vec::new(),
            scratch: Vec::new(),
            fresh_bytes: 0,
            crowded: false,
            handed_bytes: 0,
            committed: placement.all_workers().map(|_| 0).collect(),
            gated: Vec::new(),
            acknowledged: Vec::new(),
            behind: Vec::new(),
            pressed: 0,
            now: Now::default(),
            shutting_down: false,
        }
    }

    /// A connection was made. `codec` is known where the client offered a subprotocol, `peer` where there is a socket.
    ///
    /// # Errors
    /// There are as many sessions as there may be, or the broker is shutting down.
    pub fn open(
        &mut self,
        now: Now,
        kind: SessionKind,
        codec: Option<Codec>,
        peer: Option<Peer>,
    ) -> Result<SessionKey, Refused> {
        if self.shutting_down || self.sessions.len() >= self.limits.sessions_max {
            self.counters.sessions_refused.add(1);
            return Err(Refused);
        }
        self.serial = self.serial.wrapping_add(1);
        let entry = self.sessions.vacant_entry();
        let key = SessionKey { slot: entry.key() as u32, serial: self.serial };
        let (session, pace) = (Session::new(kind, codec, now.tick), degrade::Pace::new(&self.limits));
        entry.insert(Slot::new(key, session, pace, peer, now.wall));
        if kind == SessionKind::Client {
            self.schedule(key, now.tick + self.limits.hello_timeout);
        }
        self.counters.sessions.add(1);
        self.counters.sessions_opened.add(1);
        Ok(key)
    }

    /// A request to open a session was refused before there was one.
    pub fn handshake_refused(&self) {
        self.counters.handshakes_refused.add(1);
    }

    /// The shell takes new connections again only in its next turn.
    pub fn accepts_put_off(&self) {
        self.counters.accepts_put_off.add(1);
    }

    /// A WebSocket message came.
    pub fn receive(&mut self, now: Now, key: SessionKey, kind: MessageKind, bytes: &[u8], out: &mut Outputs) {
        self.now = now;
        self.counters.received_bytes.add(bytes.len() as u64);
        let Some(slot) = self.slot_mut(key) else { return };
        let session = &mut slot.session;
        if session.is_closing() {
            return;
        }
        let spoken = match kind {
            MessageKind::Text => Codec::Json,
            MessageKind::Binary => Codec::MessagePack,
        };
        match session.codec {
            Some(codec) if codec != spoken => {
                let wanted = if codec == Codec::Json { "text" } else { "binary" };
                let close =
                    Close { code: 1003, reason: format!("this subprotocol has {wanted} messages only") };
                self.counters.malformed.add(1);
                self.end(now, key, "unsupported data", Farewell::Lost, close, out);
                return;
            }
            Some(_) => {}
            None => {
                session.codec = Some(spoken);
                slot.outbox.set_codec(spoken);
            }
        }
        slot.tally.received.bytes += bytes.len() as u64;
        let session = &mut slot.session;
        if session.phase != Phase::New {
            session.hear(now.tick);
        }
        if session.phase == Phase::Connecting || !session.backlog.is_empty() {
            session.backlog.extend_from_slice(bytes);
            return;
        }
        self.packets(now, key, spoken, bytes, out);
    }

    /// A WebSocket ping came.
    pub fn heard(&mut self, now: Now, key: SessionKey) {
        if let Some(slot) = self.slot_mut(key)
            && slot.session.phase != Phase::New
        {
            slot.session.hear(now.tick);
        }
    }

    /// Something that the engine tells.
    pub fn handle(&mut self, now: Now, input: HubInput, out: &mut Outputs) {
        match input {
            HubInput::Messages(shared) => self.take_shared(now, &shared, out),
            HubInput::Published(answers) => self.published(answers, out),
            HubInput::Interested { serial, .. } => self.interested(now, serial, out),
            HubInput::Positions { from, id, positions } => self.positions(from, id, positions, out),
            HubInput::Slice(slice) => self.slice(now, slice, out),
            HubInput::Welcome(key, welcome) => self.welcome(now, key, welcome, out),
            HubInput::Kept(key, answer) => self.kept_answer(now, key, answer, out),
            HubInput::LetGo(key) => self.let_go(now, key, out),
            HubInput::Credit(credits) => self.credit(credits, out),
            HubInput::Charge(charges) => self.charge(charges),
            HubInput::Pressed { from, pressed } => self.press(from, pressed, out),
            HubInput::Committed { from, gate } => self.committed(from, gate, out),
            HubInput::Judged { from, id, lost } => self.judged(from, id, lost, out),
        }
    }

    /// Publishes that wait for this worker's own shards; empty where there are none.
    pub fn take_own_publishes(&mut self) -> Box<PublishBatch> {
        let next = self.spare_batches.pop().unwrap_or_default();
        match self.publishing.get_mut(self.worker.index()) {
            Some(own) => std::mem::replace(&mut own.batch, next),
            None => next,
        }
    }

    /// Gives the batch back, to use its memory again.
    pub fn give_back(&mut self, mut batch: Box<PublishBatch>) {
        if self.spare_batches.len() < SPARE_BATCHES_MAX {
            batch.clear();
            self.spare_batches.push(batch);
        }
    }

    /// Hands on the publishes that wait for other workers' shards.
    pub fn flush(&mut self, out: &mut Outputs) {
        self.tell_acknowledged(out);
        let me = self.worker;
        for worker in self.placement.all_workers().filter(|worker| *worker != me) {
            self.flush_to(worker, out);
        }
    }

    fn flush_to(&mut self, worker: WorkerId, out: &mut Outputs) {
        let Some(waiting) = self.publishing.get_mut(worker.index()).filter(|p| !p.batch.is_empty()) else {
            return;
        };
        let next = self.spare_batches.pop().unwrap_or_default();
        let batch = std::mem::replace(&mut waiting.batch, next);
        let credits = std::mem::take(&mut waiting.credits);
        if worker == self.worker {
            self.handed_bytes += batch.len();
        }
        out.engine(worker, EngineInput::Publish { origin: self.worker, batch, credits });
    }

    /// Asks an engine part for something, behind the publishes that came before.
    fn ask(&mut self, worker: WorkerId, input: EngineInput, out: &mut Outputs) {
        self.flush_to(worker, out);
        out.engine(worker, input);
    }

    fn ask_all(&mut self, out: &mut Outputs, mut input: impl FnMut() -> EngineInput) {
        for worker in self.placement.all_workers() {
            self.ask(worker, input(), out);
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn slot(&self, key: SessionKey) -> Option<&Slot> {
        self.sessions.get(key.slot as usize).filter(|slot| slot.key == key)
    }

    fn slot_mut(&mut self, key: SessionKey) -> Option<&mut Slot> {
        self.sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key)
    }

    fn address(&self, key: SessionKey) -> SessionAddress {
        SessionAddress { worker: self.worker, key }
    }

    /// Puts a packet into a session's outbox.
    fn send(&mut self, key: SessionKey, packet: &BrokerPacket<'_>, out: &mut Outputs) {
        if let Some(slot) = self.sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) {
            slot.outbox.packet(&mut self.pool, packet);
            wake(slot, out);
        }
    }

    fn credit(&mut self, credits: Vec<(SessionKey, usize)>, out: &mut Outputs) {
        for (key, bytes) in credits {
            if let Some(slot) = self.slot_mut(key) {
                slot.session.under_way = slot.session.under_way.saturating_sub(bytes);
                if slot.session.paused {
                    alarm(slot, out);
                }
            }
        }
    }

    fn charge(&mut self, charges: Vec<(SessionKey, usize)>) {
        for (key, bytes) in charges {
            if let Some(slot) = self.slot_mut(key) {
                slot.session.under_way += bytes;
            }
        }
    }

    fn press(&mut self, from: WorkerId, pressed: bool, out: &mut Outputs) {
        if pressed {
            self.pressed |= from.bit();
            return;
        }
        self.pressed &= !from.bit();
        for (_, slot) in self.sessions.iter_mut().filter(|(_, slot)| slot.session.paused) {
            alarm(slot, out);
        }
    }

    /// The encoding of a session's packets.
    pub fn codec(&self, key: SessionKey) -> Codec {
        self.slot(key).map_or(Codec::MessagePack, |slot| slot.outbox.codec())
    }
}
