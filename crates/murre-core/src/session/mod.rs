//! One client's state, from its first bytes to its end.
//!
//! Plain data with the rules that concern one client alone; the hub, which holds the sessions of its worker,
//! does what reaches beyond.

use std::sync::Arc;

use murre_protocol::{
    ClientId, Code, Codec, Position, Timestamp, TopicFilter,
    packet::{OnSlow, ViewOptions},
};
use murre_view::{Plan, View};

pub use ack::{AckWindow, Gate, Left, Offer};
pub use degraded::Degraded;
pub use keeping::{Change, Keeping};
pub use left_out::LeftOut;

use crate::{
    engine::{Begin, HistoryFrom},
    ids::{GroupId, SnapshotId},
    log::Lost,
    now::Tick,
    shard::Will,
};

mod ack;
mod degraded;
mod keeping;
mod left_out;

/// A client's session.
#[derive(Debug)]
pub struct Session {
    /// How far it is.
    pub phase: Phase,
    /// What speaks with the broker here.
    pub kind: SessionKind,
    /// None until the subprotocol or the first message has decided.
    pub codec: Option<Codec>,
    /// Known from CONNECT on.
    pub client: Option<ClientId>,
    /// Seconds without a sign of life are counted from here.
    pub last_heard: Tick,
    /// Milliseconds without a sign of life after which the session ends; 0: never.
    pub silence_max: u64,
    /// Seconds that it is kept after a disconnect; 0: it isn't.
    pub expiry: u64,
    /// What is published when the connection ends without a farewell.
    pub will: Option<Box<Will>>,
    /// Subscriptions by the client's number, in order, with their places in the hub's table.
    pub subscriptions: Vec<(u64, u32)>,
    /// What came and can't be handled before the broker has answered CONNECT.
    pub backlog: Vec<u8>,
    /// Subscriptions whose SUBSCRIBED is due. A publish waits for them, so that a client's packets take effect in
    /// their order.
    pub announcing: usize,
    /// Bytes of publishes under way to other workers.
    pub under_way: usize,
    /// Subscriptions that wait for their turn to be sent a snapshot.
    pub snapshots_waiting: Vec<u32>,
    /// The snapshot that is being sent.
    pub snapshot: Option<SnapshotId>,
    /// Whether the shell was told not to read.
    pub paused: bool,
    /// Whether it was not read for a while since it was last heard.
    pub unread: bool,
    /// When the session is to be looked after next; another entry of the hub's timers for it is void.
    pub timer: Tick,
}

/// How far a session is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// CONNECT has not come.
    New,
    /// The client id is being claimed.
    Connecting,
    /// All packets are welcome.
    Open,
    /// Nothing more is read; what waits is sent, then the connection is closed.
    Closing(Close),
}

/// How a connection is to be closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Close {
    /// The WebSocket close code.
    pub code: u16,
    /// Why, for people.
    pub reason: String,
}

impl Close {
    /// A close with the protocol's own code.
    pub fn with(code: Code, reason: impl Into<String>) -> Self {
        // 0 is the protocol's normal end, 1000 WebSocket's
        let number = if code.is_ok() { 1000 } else { code.number() };
        Self { code: number, reason: reason.into() }
    }
}

/// What speaks with the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A client over the network: says CONNECT, has a client id, is present.
    Client,
    /// A part of this process: open at once, without a client id.
    Local,
    /// A stream over HTTP: the same, and shown among the clients.
    Events,
}

/// A subscription, in its hub's table.
#[derive(Debug)]
pub struct Subscription {
    /// Whose: the session's place.
    pub session: u32,
    /// The client's number.
    pub sub: u64,
    /// Which topics.
    pub filter: TopicFilter<'static>,
    /// The group that it is a member of.
    pub group: Option<GroupId>,
    /// The rule for a client that reads too slowly.
    pub on_slow: OnSlow,
    /// The acknowledgements that it waits for, if it does.
    pub ack: Option<Box<AckWindow>>,
    /// Where it stands, if it is kept over disconnects.
    pub keeping: Option<Box<Keeping>>,
    /// The shards from which messages are delivered; the others are still being caught up with.
    pub live: u64,
    /// What stands between SUBSCRIBE and live.
    pub stage: Stage,
    /// What is done with its messages before they are sent.
    pub view: Option<Box<Viewed>>,
    /// Messages left out and not told yet.
    pub dropped: LeftOut,
    /// Messages left out since it began.
    pub dropped_in_all: u64,
    /// What holds it to a lower rate, while its client reads too slowly.
    pub degraded: Option<Box<Degraded>>,
    /// The place in the outbox up to which there may be history, which no rule for slow clients leaves out.
    pub history_end: u64,
}

impl Subscription {
    /// Whether it may get a lower rate: not before it is live, nor where messages are acknowledged, shared out among a
    /// group, or patches.
    pub fn may_be_degraded(&self) -> bool {
        let is_live = matches!(self.stage, Stage::Live);
        is_live && self.ack.is_none() && self.group.is_none() && !self.is_patched()
    }

    /// Whether there is a rate below the one that it gets.
    pub fn can_step_down(&self) -> bool {
        self.may_be_degraded() && self.degraded.as_ref().is_none_or(|degraded| !degraded.is_lowest())
    }

    /// Whether its messages may be patches, none of which can be left out for the next.
    pub fn is_patched(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.options.patch)
    }
}

/// A subscription's view.
#[derive(Debug)]
pub struct Viewed {
    /// As it was asked for.
    pub options: ViewOptions<'static>,
    /// The same, compiled.
    pub plan: Arc<Plan>,
    /// The view at work, in the hub's table; none before the subscription begins.
    pub at_work: Option<u32>,
    /// The view that the snapshot goes through, where the one at work is shared with others.
    pub of_snapshot: Option<View>,
}

/// What stands between SUBSCRIBE and live.
#[derive(Debug)]
pub enum Stage {
    /// The engine is being told of the interest; SUBSCRIBED is due.
    Announced {
        /// Where it begins.
        replay: Replay,
        /// How many SUBSCRIBE of this number wait for their answer.
        answers: u32,
    },
    /// CAUGHT_UP is due.
    CatchingUp(Box<CatchUp>),
    /// Messages come as they are published.
    Live,
}

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Replay {
    /// With the last value of each topic.
    Last,
    /// With what is published from now on.
    Live,
    /// With the newest messages of each topic.
    LastN {
        /// How many.
        last: u64,
        /// Whether a limit made it fewer than were asked for.
        revised: bool,
    },
    /// With what was published since then.
    Since(Timestamp),
    /// With what came after these positions.
    After {
        /// By shard.
        positions: Arc<[Position]>,
        /// Why it is known already that messages are missing.
        lost: Option<Lost>,
    },
    /// With what its session has kept for it behind these positions, by shard.
    Kept(Arc<[Position]>),
}

impl Replay {
    /// What the engine is asked for; none for "live".
    pub fn begin(&self) -> Option<Begin> {
        match self {
            Self::Live => None,
            Self::Last => Some(Begin::Last),
            Self::LastN { last, .. } => Some(Begin::History(HistoryFrom::LastN(*last))),
            Self::Since(time) => Some(Begin::History(HistoryFrom::Since(*time))),
            Self::After { positions, .. } => Some(Begin::History(HistoryFrom::After(positions.clone()))),
            Self::Kept(positions) => Some(Begin::History(HistoryFrom::Kept(positions.clone()))),
        }
    }

    /// Whether all shards are asked at once.
    pub fn is_opened_at_once(&self) -> bool {
        matches!(self, Self::After { .. } | Self::Kept(_))
    }

    /// Whether it is of the log.
    pub fn is_history(&self) -> bool {
        !matches!(self, Self::Live | Self::Last)
    }
}

/// A subscription on its way to live.
#[derive(Debug)]
pub struct CatchUp {
    /// The number that slices and positions carry.
    pub id: SnapshotId,
    /// With which values.
    pub replay: Replay,
    /// Messages sent so far.
    pub count: u64,
    /// Where live begins, for the shards that are through.
    pub positions: Vec<Position>,
    /// Workers whose shards are not through.
    pub workers_left: u64,
    /// What may be asked of the first of them when there is room.
    pub next: NextStep,
    /// What is not known yet of a history after positions.
    pub judging: Option<Judging>,
}

/// A history after positions, before it is known whether something is missing.
#[derive(Debug)]
pub struct Judging {
    /// Workers whose shards have not said.
    pub workers_left: u64,
    /// Why something is missing, as far as known.
    pub lost: Option<Lost>,
    /// SUBSCRIBED that are due once it is known.
    pub answers: u32,
}

/// What the next step of a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// A slice was asked for and has not come.
    Awaited,
    /// The next worker's shards are to be opened.
    Open,
    /// The next slice is to be asked for.
    Next,
}

impl Session {
    /// A session that has just begun.
    pub fn new(kind: SessionKind, codec: Option<Codec>, now: Tick) -> Self {
        Self {
            phase: if kind == SessionKind::Client { Phase::New } else { Phase::Open },
            kind,
            codec,
            client: None,
            last_heard: now,
            silence_max: 0,
            expiry: 0,
            will: None,
            subscriptions: Vec::new(),
            backlog: Vec::new(),
            announcing: 0,
            under_way: 0,
            snapshots_waiting: Vec::new(),
            snapshot: None,
            paused: false,
            unread: false,
            timer: Tick(u64::MAX),
        }
    }

    /// The place of subscription `sub` in the hub's table.
    pub fn subscription(&self, sub: u64) -> Option<u32> {
        let at = self.subscriptions.binary_search_by_key(&sub, |(number, _)| *number).ok()?;
        self.subscriptions.get(at).map(|(_, place)| *place)
    }

    /// Notes a subscription's place.
    pub fn add_subscription(&mut self, sub: u64, place: u32) {
        let at = self.subscriptions.partition_point(|(number, _)| *number < sub);
        self.subscriptions.insert(at, (sub, place));
    }

    /// Forgets a subscription; gives its place.
    pub fn remove_subscription(&mut self, sub: u64) -> Option<u32> {
        let at = self.subscriptions.binary_search_by_key(&sub, |(number, _)| *number).ok()?;
        Some(self.subscriptions.remove(at).1)
    }

    /// The client gave a sign of life.
    pub fn hear(&mut self, now: Tick) {
        self.last_heard = now;
        self.unread = false;
    }

    /// Whether packets are handled as they come.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the session is on its way out.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }
}

/// The keep-alive that is granted, in seconds.
///
/// A client that asks for none in particular gets `default`; one that asks for more than `max` gets `max`.
pub fn granted_keep_alive(asked: Option<u64>, default: u64, max: u64) -> u64 {
    match asked {
        None => default,
        Some(0) => 0,
        Some(seconds) => seconds.min(max),
    }
}
