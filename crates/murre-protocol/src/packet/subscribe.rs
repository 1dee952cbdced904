//! The packets about subscriptions.

use std::borrow::Cow;

use super::ViewOptions;
use crate::{Code, DecodeError, Position, Timestamp};

/// SUBSCRIBE.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe<'a> {
    /// The client's number for the subscription.
    pub sub: u64,
    /// Which topics; `$share/<group>/<filter>` for a shared one.
    pub filter: Cow<'a, str>,
    /// How.
    pub options: SubscribeOptions<'a>,
}

/// SUBSCRIBE's options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscribeOptions<'a> {
    /// Where to begin; absent: the last values, or on a change: no replay.
    pub from: Option<From<'a>>,
    /// Every message is acknowledged.
    pub ack: Option<bool>,
    /// What happens when the client reads too slowly.
    pub on_slow: Option<OnSlow>,
    /// What the broker is to do with messages before it sends them; absent: nothing.
    pub view: Option<Box<ViewOptions<'a>>>,
    /// The first option of the right type whose value is none of the known ones: the packet is well formed, and
    /// gets its own answer (4422).
    pub invalid: Option<Box<DecodeError>>,
}

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq)]
pub enum From<'a> {
    /// The last value of every matching topic, then live.
    Last,
    /// Live at once.
    Live,
    /// The last `n` messages of every matching topic.
    LastN(u64),
    /// What was published since then.
    Since(Timestamp),
    /// What came after these positions.
    After {
        /// One for each shard.
        positions: Vec<Position>,
        /// The epoch that the positions belong to.
        epoch: Cow<'a, str>,
    },
}

/// A subscription's rule for a client that reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnSlow {
    /// The oldest waiting messages go.
    #[default]
    DropOldest,
    /// Of each topic only the newest waiting message stays.
    Conflate,
    /// The client is disconnected.
    Disconnect,
}

impl OnSlow {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DropOldest => "drop_oldest",
            Self::Conflate => "conflate",
            Self::Disconnect => "disconnect",
        }
    }

    /// From the word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::DropOldest, Self::Conflate, Self::Disconnect].into_iter().find(|rule| rule.word() == word)
    }
}

/// SUBSCRIBED.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subscribed<'a> {
    /// The client's number for the subscription.
    pub sub: u64,
    /// 0: granted.
    pub code: Code,
    /// Why it was refused.
    pub reason: Option<Cow<'a, str>>,
    /// The rule that refused it.
    pub rule: Option<Cow<'a, str>>,
    /// The view in force, where there is one.
    pub view: Option<Box<ViewOptions<'a>>>,
    /// On `from: {"last": n}`: how many messages of each topic, where a limit made it fewer.
    pub last: Option<u64>,
    /// On `after`: whether nothing is missing.
    pub recovered: Option<bool>,
    /// On `after`, when something is missing: why.
    pub lost: Option<Cow<'a, str>>,
}

/// CAUGHT_UP.
#[derive(Debug, Clone, PartialEq)]
pub struct CaughtUp<'a> {
    /// The client's number for the subscription.
    pub sub: u64,
    /// Where the subscription stands: a position for each shard.
    pub positions: Cow<'a, [Position]>,
    /// How many messages the snapshot or replay had.
    pub count: u64,
}
