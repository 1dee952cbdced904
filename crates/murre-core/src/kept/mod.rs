//! Sessions that are kept over disconnects: what each holds, wherever its client is.
//!
//! The record of a client id has the session ([`KeptSession`]); the shards that messages come to log what it wants and
//! say what it owes ([`crate::embedded`]); the hub that the client is connected to delivers ([`crate::hub`]).
//!
//! | file | has |
//! |---|---|
//! | `state` | how a session stands in the log, and how it is read back |

use std::{collections::BTreeMap, sync::Arc};

use murre_protocol::{Position, Timestamp, TopicFilter, packet::ViewOptions};

use crate::{
    ids::{KeptId, KeptSessionId, WorkerId},
    log::LogRefusal,
};

pub use state::{Change, Restored, RestoredSession};

mod state;

/// A session that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptSession {
    /// Its number.
    pub id: KeptSessionId,
    /// Seconds that it is kept after a disconnect.
    pub expiry: u64,
    /// When it was disconnected, by the calendar; none while its client is there.
    pub ended: Option<Timestamp>,
    /// By the client's number.
    pub subscriptions: BTreeMap<u64, KeptSubscription>,
    /// Counts what it has subscribed to.
    pub numbers: u64,
    /// All that it has not acknowledged.
    pub debt: Debt,
    /// Of which subscription a shard has been told to let the oldest messages go.
    pub cutting: Option<KeptId>,
}

/// A subscription of a kept session.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptSubscription {
    /// Counts what the session has subscribed to.
    pub number: u64,
    /// Which topics.
    pub filter: TopicFilter<'static>,
    /// What it begins with, until that is acknowledged.
    pub begins: Begins,
    /// By shard.
    pub shards: Vec<ShardState>,
    /// Messages that had to make room, as far as it isn't sure that the client has been told.
    pub limited: u64,
    /// What is done with its messages before they are sent.
    pub view: Option<Arc<ViewOptions<'static>>>,
    /// How far it is on its way into the log.
    pub stage: KeptStage,
}

/// What a subscription begins with, beside what is published from then on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Begins {
    /// With nothing.
    #[default]
    Live,
    /// With the last value of each topic.
    Last,
    /// With the newest messages of each topic.
    LastN(u64),
    /// With what was published since then.
    Since(Timestamp),
}

/// How far a subscription is in one shard.
///
/// There are two parts: what it began with, up to where its session began to keep messages for it; and what came behind
/// that. Each is acknowledged from its front.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// All that is kept for it up to this offset was acknowledged.
    pub kept: u64,
    /// The same of what it began with: `kept` where that is through, less before.
    pub begun: u64,
}

impl Cursor {
    /// A cursor behind everything up to `offset`.
    pub fn at(offset: u64) -> Self {
        Self { kept: offset, begun: offset }
    }

    /// Everything up to `offset` was acknowledged.
    pub fn pass(&mut self, offset: u64) {
        self.kept = self.kept.max(offset);
        self.begun = self.begun.max(offset);
    }

    /// Whether all that it began with was acknowledged.
    pub fn is_begun(self) -> bool {
        self.begun == self.kept
    }

    /// Whether the message at `offset` was not acknowledged.
    pub fn wants(self, offset: u64) -> bool {
        offset > self.begun
    }
}

/// How far a kept subscription is on its way into the log.
#[derive(Debug, Clone, PartialEq)]
pub enum KeptStage {
    /// Not all shards have it in force.
    Announced {
        /// Which have not, as a set of workers.
        left: u64,
        /// The number that the hub gave.
        serial: u64,
        /// Where it begins, if it does so behind positions, by shard.
        after: Option<Arc<[Position]>>,
    },
    /// It is being written.
    Writing,
    /// It is in the log.
    Kept,
}

/// Where a subscription stands in one shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardState {
    /// How much was acknowledged.
    pub cursor: Cursor,
    /// What lies behind.
    pub debt: Debt,
}

/// Messages that wait for acknowledgements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debt {
    /// How many.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Debt {
    /// Takes more on.
    pub fn add(&mut self, more: Self) {
        self.messages += more.messages;
        self.bytes += more.bytes;
    }

    /// Is rid of some.
    pub fn sub(&mut self, less: Self) {
        self.messages = self.messages.saturating_sub(less.messages);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }

    /// Whether it is more than that in either.
    pub fn is_past(self, max: Self) -> bool {
        self.messages > max.messages || self.bytes > max.bytes
    }

    /// One part of so many.
    pub fn part(self, parts: u64) -> Self {
        Self { messages: self.messages / parts, bytes: self.bytes / parts }
    }
}

impl KeptSession {
    /// A session without subscriptions.
    pub fn new(id: KeptSessionId, expiry: u64) -> Self {
        let (subscriptions, debt) = (BTreeMap::new(), Debt::default());
        Self { id, expiry, ended: None, subscriptions, numbers: 0, debt, cutting: None }
    }

    /// The id of one of its subscriptions.
    pub fn kept_id(&self, sub: u64, subscription: &KeptSubscription) -> KeptId {
        KeptId { session: self.id, sub, number: subscription.number }
    }

    /// The subscription of that id, if it is still there.
    pub fn of_id(&mut self, id: KeptId) -> Option<&mut KeptSubscription> {
        self.subscriptions.get_mut(&id.sub).filter(|subscription| subscription.number == id.number)
    }
}

impl KeptSubscription {
    /// Where it stands, by shard.
    pub fn cursors(&self) -> Arc<[Cursor]> {
        self.shards.iter().map(|state| state.cursor).collect()
    }
}

/// What a hub asks of the record of a client that is connected to it.
#[derive(Debug, Clone, PartialEq)]
pub enum KeptRequest {
    /// A subscription with `ack` is to be kept. Answered by [`KeptAnswer::Kept`] or [`KeptAnswer::Refused`].
    Subscribe {
        /// The client's number.
        sub: u64,
        /// Which topics.
        filter: TopicFilter<'static>,
        /// What it begins with.
        begins: Begins,
        /// Where, if behind positions, by shard.
        after: Option<Arc<[Position]>>,
        /// What is done with its messages before they are sent.
        view: Option<Arc<ViewOptions<'static>>>,
        /// Handed back with the answer.
        serial: u64,
    },
    /// One has another view. Answered by [`KeptAnswer::Changed`] or [`KeptAnswer::NotChanged`].
    Change {
        /// The client's number.
        sub: u64,
        /// What is done with its messages before they are sent.
        view: Option<Arc<ViewOptions<'static>>>,
    },
    /// One is to be kept no more. Answered by [`KeptAnswer::Gone`].
    Unsubscribe {
        /// The client's number.
        sub: u64,
    },
    /// Messages were acknowledged.
    Acknowledge(Vec<Acknowledged>),
}

/// What was acknowledged of one subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Acknowledged {
    /// The client's number.
    pub sub: u64,
    /// Everything up to the positions was, each of its shard.
    pub positions: Vec<Position>,
    /// Of so many messages that made room the client has been told before, for sure.
    pub told: u64,
}

/// What the record of a client tells the hub that it is connected to.
#[derive(Debug, Clone, PartialEq)]
pub enum KeptAnswer {
    /// A subscription is in the log.
    Kept {
        /// The client's number.
        sub: u64,
        /// The number that the hub gave.
        serial: u64,
        /// Where it stands, by shard.
        cursors: Arc<[Cursor]>,
    },
    /// It could not be written.
    Refused {
        /// The client's number.
        sub: u64,
        /// The number that the hub gave.
        serial: u64,
        /// Why.
        why: LogRefusal,
    },
    /// Its other view is in the log.
    Changed {
        /// The client's number.
        sub: u64,
        /// The view that it had.
        before: Option<Arc<ViewOptions<'static>>>,
    },
    /// Its other view could not be written.
    NotChanged {
        /// The client's number.
        sub: u64,
        /// Why.
        why: LogRefusal,
    },
    /// It is in the log no more.
    Gone {
        /// The client's number.
        sub: u64,
    },
    /// Messages up to the position had to make room.
    Limited {
        /// The client's number.
        sub: u64,
        /// Where the rest begins.
        position: Position,
        /// How many.
        messages: u64,
    },
}

/// What the record of a client asks of the shards.
#[derive(Debug, Clone, PartialEq)]
pub enum KeepInput {
    /// Keep what matches from now on. Answered by [`KeepReport::Begun`].
    Begin(KeptId, TopicFilter<'static>),
    /// Keep nothing more for these.
    End(Vec<KeptId>),
    /// Everything up to the positions was acknowledged, or has to make room.
    Acknowledged(KeptId, Vec<Position>),
    /// Which messages of one shard are the oldest, at least so many? Answered by [`KeepReport::Cut`].
    Cut(KeptId, u8, Debt),
}

/// What the shards of one worker tell the record of a client.
#[derive(Debug)]
pub enum KeepReport {
    /// What matches is kept behind these positions of the worker's shards.
    Begun(KeptId, WorkerId, Vec<Position>),
    /// How much waits, where it has changed much.
    Debts(Vec<(KeptId, u8, Debt)>),
    /// The oldest messages lie up to the position, so many; the rest is left.
    Cut {
        /// Whose.
        id: KeptId,
        /// Up to there.
        position: Position,
        /// How many.
        messages: u64,
        /// What is left in the shard.
        left: Debt,
    },
}

/// What a hub is told of the session that a client comes back to.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    /// Seconds that the session is kept after a disconnect; 0: it isn't.
    pub expiry: u64,
    /// What was kept; none where the session is new.
    pub present: Option<Vec<Returning>>,
}

/// A subscription that goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Returning {
    /// The client's number.
    pub sub: u64,
    /// Which topics.
    pub filter: TopicFilter<'static>,
    /// What it began with.
    pub begins: Begins,
    /// Where it stands, by shard.
    pub cursors: Arc<[Cursor]>,
    /// Messages that had to make room.
    pub limited: u64,
    /// What is done with its messages before they are sent.
    pub view: Option<Arc<ViewOptions<'static>>>,
}
