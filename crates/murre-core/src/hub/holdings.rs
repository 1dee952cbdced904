//! What a hub holds, in numbers: for those who watch that it holds nothing for long.

use super::Hub;
use crate::ids::SessionKey;

/// What a hub holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Sessions.
    pub sessions: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Subscriptions in the index.
    pub indexed: usize,
    /// Filters that are wanted.
    pub filters: usize,
    /// Groups that have members here.
    pub groups: usize,
    /// Interests that are not in force yet.
    pub announced: usize,
    /// Subscriptions that are being caught up.
    pub catching_up: usize,
    /// Views at work.
    pub views: usize,
}

impl Hub {
    /// What it holds.
    pub fn holdings(&self) -> Holdings {
        Holdings {
            sessions: self.sessions.len(),
            subscriptions: self.subscriptions.len(),
            indexed: self.index.len(),
            filters: self.filters.len(),
            groups: self.groups.len(),
            announced: self.announced.len(),
            catching_up: self.snapshots.len(),
            views: self.views.len(),
        }
    }

    /// Bytes that wait for a session.
    pub fn waiting(&self, key: SessionKey) -> usize {
        self.slot(key).map_or(0, |slot| slot.outbox.len())
    }
}
