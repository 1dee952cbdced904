//! What the broker tells that no other packet says.

use std::borrow::Cow;

use crate::Code;

/// What a NOTICE is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Messages were left out because the client read too slowly.
    Dropped,
    /// The client gets less than it asked for.
    Degraded,
    /// A limit holds something back.
    Limited,
    /// A packet was refused that has no answer of its own.
    Refused,
    /// Something expired.
    Expired,
    /// The broker is going away.
    Shutdown,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Dropped, Self::Degraded, Self::Limited, Self::Refused, Self::Expired, Self::Shutdown];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Degraded => "degraded",
            Self::Limited => "limited",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Shutdown => "shutdown",
        }
    }

    /// From the word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// NOTICE's info.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice<'a> {
    /// What it is about.
    pub kind: NoticeKind,
    /// The subscription that it concerns.
    pub sub: Option<u64>,
    /// How many messages.
    pub count: Option<u64>,
    /// How many by topic.
    pub topics: Vec<(Cow<'a, str>, u64)>,
    /// Why, for people.
    pub reason: Cow<'a, str>,
    /// The code of a refusal.
    pub code: Option<Code>,
}
