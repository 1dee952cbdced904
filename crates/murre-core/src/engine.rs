//! The boundary between hubs and what orders, keeps and spreads messages.
//!
//! The embedded engine ([`crate::embedded`]) is shards in this process; the same boundary is where another
//! engine goes. Hubs and sessions are the same over each.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicUsize},
};

use murre_protocol::{ClientId, Code, Position, Timestamp, TopicFilter};

use crate::{
    batch::{MessageBatch, PublishBatch},
    groups::Members,
    ids::{GroupId, SessionAddress, SessionKey, SnapshotId, WorkerId},
    kept::{KeepInput, KeepReport, KeptAnswer, KeptRequest, Welcome},
    log::{LogCommand, LogEvent, Lost},
    now::{Now, Tick},
    shard::{Claim, Ended},
};

/// What orders, keeps and spreads messages.
///
/// What a hub may rely on:
/// - **Order**: from one engine part to one hub, inputs arrive in the order in which they were sent, and messages
///   of one shard in the order of their positions.
/// - **Interest**: every message that is taken after [`HubInput::Interested`] was sent reaches that hub.
/// - **Seam**: a snapshot's slice that ends a shard is sent at one point of that shard's order: all messages
///   before it are in the snapshot at their newest, all after it come live.
/// - **Answers**: a publish with an id is answered once, a claim of a client id is answered by
///   [`HubInput::Welcome`] or [`HubInput::LetGo`], a snapshot by slices until it is done or cancelled.
/// - It never waits, and never knows what a session is, only where its answers go.
pub trait Engine {
    /// Publishes of `origin`'s sessions. Gives back the messages for the hubs, for the caller to spread. `credits` are
    /// bytes by session, given back when all hubs have taken the messages.
    fn publish(
        &mut self,
        now: Now,
        origin: WorkerId,
        batch: &PublishBatch,
        credits: Vec<(SessionAddress, usize)>,
        out: &mut Outputs,
    ) -> MessageBatch;

    /// Sends messages to the hubs that want them.
    fn spread(&mut self, messages: MessageBatch, out: &mut Outputs);

    /// Anything else that hubs want.
    fn handle(&mut self, now: Now, input: EngineInput, out: &mut Outputs);

    /// When [`Self::tick`] wants to be called at the latest.
    fn next_due(&self) -> Option<Tick>;

    /// Does what time alone makes due.
    fn tick(&mut self, now: Now, out: &mut Outputs);

    /// Takes a batch back whose messages every hub has taken, to use its memory again.
    fn recycle(&mut self, batch: MessageBatch);
}

/// What a hub asks of the engine.
#[derive(Debug)]
pub enum EngineInput {
    /// Publishes of one hub's sessions.
    Publish {
        /// Whose.
        origin: WorkerId,
        /// What.
        batch: Box<PublishBatch>,
        /// Bytes by session, given back when all hubs have taken the messages.
        credits: Vec<(SessionAddress, usize)>,
    },
    /// A hub's first subscriber of a filter came, or its last one went.
    Interest {
        /// Which hub.
        hub: WorkerId,
        /// Which filter.
        filter: TopicFilter<'static>,
        /// Came (true) or went.
        wanted: bool,
        /// Handed back when it is in force.
        serial: u64,
    },
    /// A hub's members of a group changed.
    Group {
        /// Which hub.
        hub: WorkerId,
        /// Which group.
        group: GroupId,
        /// Its filter.
        filter: TopicFilter<'static>,
        /// Which members the hub has now.
        members: Members,
        /// Handed back when it is in force.
        serial: u64,
    },
    /// Messages of a group that a member was given and has not acknowledged: they go to other members, at positions of
    /// their own, so that these rise for each member.
    Reshare {
        /// Which group.
        group: GroupId,
        /// The messages, of this worker's shards.
        batch: Box<MessageBatch>,
    },
    /// Where do your shards stand?
    Positions(SnapshotId),
    /// The last values of all matching topics, or their history, in slices.
    Snapshot(SnapshotCommand),
    /// Something that the broker itself publishes, to a topic of this worker's shards.
    Own {
        /// Where to: a topic under `$murre`.
        topic: Box<str>,
        /// JSON.
        payload: Box<str>,
    },
    /// Something that the log answers.
    Log(LogEvent),
    /// A connection claims a client id.
    Connect {
        /// Which id.
        client: ClientId,
        /// For whom, and for how long its session is to be kept.
        claim: Claim,
    },
    /// A session that had claimed a client id ended.
    Ended {
        /// Which id.
        client: ClientId,
        /// How.
        ended: Ended,
    },
    /// A session that is kept over disconnects has something for its record.
    Kept {
        /// Whose.
        client: ClientId,
        /// Where the client is connected.
        session: SessionAddress,
        /// What.
        request: KeptRequest,
    },
    /// The record of a client has something for the shards that keep messages for it.
    Keep(KeepInput),
    /// These shards have something for the record.
    Report(KeepReport),
}

/// Steps of a snapshot; each `Open` and `Next` is answered by one slice.
#[derive(Debug)]
pub enum SnapshotCommand {
    /// Begin. A history after positions is answered by [`HubInput::Judged`] first, and by slices for each `Next`.
    Open(SnapshotId, TopicFilter<'static>, Begin),
    /// There is room for the next slice.
    Next(SnapshotId),
    /// Nobody wants it any more.
    Cancel(SnapshotId),
}

/// What a snapshot begins with.
#[derive(Debug, Clone, PartialEq)]
pub enum Begin {
    /// The last value of each topic.
    Last,
    /// What the log has.
    History(HistoryFrom),
}

/// Where a history begins.
#[derive(Debug, Clone, PartialEq)]
pub enum HistoryFrom {
    /// With the newest `n` messages of each topic.
    LastN(u64),
    /// With the first message that the broker took at or after this time.
    Since(Timestamp),
    /// Behind these positions, by shard.
    After(Arc<[Position]>),
    /// With what is kept for a session behind these positions, by shard.
    Kept(Arc<[Position]>),
}

/// What the engine tells a hub.
#[derive(Debug)]
pub enum HubInput {
    /// Messages for this hub, among others.
    Messages(Arc<SharedBatch>),
    /// Answers to publishes.
    Published(Vec<Answer>),
    /// An interest is in force with the shards of one worker.
    Interested {
        /// Whose shards.
        from: WorkerId,
        /// The number that the hub gave.
        serial: u64,
    },
    /// Where the shards of one worker stand.
    Positions {
        /// Whose shards.
        from: WorkerId,
        /// The number that the hub gave.
        id: SnapshotId,
        /// One for each shard.
        positions: Vec<Position>,
    },
    /// A part of a snapshot.
    Slice(Slice),
    /// The session has its client id, with what was kept for it.
    Welcome(SessionKey, Welcome),
    /// The record of a client with a kept session tells something.
    Kept(SessionKey, KeptAnswer),
    /// The session has to let go of its client id.
    LetGo(SessionKey),
    /// Bytes that are no longer under way.
    Credit(Vec<(SessionKey, usize)>),
    /// Bytes that are under way into the log, of sessions that publish to shards on their own worker.
    Charge(Vec<(SessionKey, usize)>),
    /// Whether so much is on its way into the log that sessions whose publishes are among it have to wait.
    Pressed {
        /// Whose log side says so.
        from: WorkerId,
        /// Whether.
        pressed: bool,
    },
    /// A batch of the log and all before it are through: messages that came with this gate, or a lower one, may go to
    /// subscriptions with `ack`.
    Committed {
        /// Whose.
        from: WorkerId,
        /// Its number.
        gate: u64,
    },
    /// What a history after positions lacks, as far as the shards of one worker know.
    Judged {
        /// Whose shards.
        from: WorkerId,
        /// Which.
        id: SnapshotId,
        /// Why messages are missing.
        lost: Option<Lost>,
    },
}

/// The answer to a publish.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The publisher.
    pub session: SessionKey,
    /// Its number for the publish; 0 on a refusal that only a NOTICE can tell.
    pub id: u64,
    /// 0: accepted.
    pub code: Code,
    /// Why not.
    pub reason: &'static str,
    /// Where the message stands.
    pub position: Position,
}

/// A part of a snapshot.
#[derive(Debug)]
pub struct Slice {
    /// Which snapshot.
    pub id: SnapshotId,
    /// The worker whose shards it is of.
    pub from: WorkerId,
    /// The values.
    pub values: MessageBatch,
    /// Shards that are through, with the point of their order where live begins.
    pub finished: Vec<Position>,
    /// Whether all of this worker's shards are through.
    pub done: bool,
    /// Whether what follows was all published after the snapshot began: it is sent as live messages are.
    pub overtaken: bool,
}

/// A batch that several hubs take; whoever is last gives the publishers their credit back.
#[derive(Debug)]
pub struct SharedBatch {
    /// The messages.
    pub batch: MessageBatch,
    /// Hubs that have not taken it yet.
    pub left: AtomicUsize,
}

/// An input of a worker's part.
#[derive(Debug)]
pub enum Input {
    /// For the hub.
    Hub(HubInput),
    /// For the engine.
    Engine(EngineInput),
}

/// What a part wants done, in order.
#[derive(Debug, Default)]
pub struct Outputs {
    /// For other parts, on whichever worker.
    pub sent: VecDeque<(WorkerId, Input)>,
    /// For this worker's own engine when the event loop has had a turn: work that would otherwise hold it up.
    pub later: VecDeque<EngineInput>,
    /// Sessions whose shell has something to do.
    pub woken: Vec<SessionKey>,
    /// For the log, in order.
    pub log: Vec<LogCommand>,
}

impl Outputs {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.later.is_empty() && self.woken.is_empty() && self.log.is_empty()
    }

    /// Sends to a worker's hub.
    pub fn hub(&mut self, worker: WorkerId, input: HubInput) {
        self.sent.push_back((worker, Input::Hub(input)));
    }

    /// Sends to a worker's engine part.
    pub fn engine(&mut self, worker: WorkerId, input: EngineInput) {
        self.sent.push_back((worker, Input::Engine(input)));
    }
}
