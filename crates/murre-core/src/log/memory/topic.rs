//! One topic's records, in order.

use std::collections::VecDeque;

use murre_protocol::Timestamp;

use crate::log::{Lost, RuleId};

/// The last record that went, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone {
    pub offset: u64,
    pub why: Lost,
}

impl Gone {
    /// The later of two.
    pub(super) fn later(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(a), Some(b)) => Some(if b.offset >= a.offset { b } else { a }),
            (one, other) => one.or(other),
        }
    }
}

/// One topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub name: Box<str>,
    pub hash: u64,
    pub rule: Option<RuleId>,
    /// Its newest record with `retain`, unless that was ended or is no longer there.
    pub retained: Option<u64>,
    pub gone: Option<Gone>,
    /// The greatest offset it ever had.
    pub newest: u64,
    /// When that one is of no use any more.
    newest_expires: Option<Timestamp>,
    /// How many records it ever had: the ordinal of the newest.
    count: u64,
    /// In order. Records that went from the middle stand here, marked, until they are half of it.
    entries: VecDeque<Entry>,
    live: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    /// Counts the topic's records from 1, whatever became of them.
    ordinal: u64,
    live: bool,
}

/// Marked entries that may stand in any topic before it is cleaned up.
const MARKED_MAX: usize = 16;

impl Topic {
    pub(super) fn new(name: &str, hash: u64, rule: Option<RuleId>) -> Self {
        Self {
            name: name.into(),
            hash,
            rule,
            retained: None,
            gone: None,
            newest: 0,
            newest_expires: None,
            count: 0,
            entries: VecDeque::new(),
            live: 0,
        }
    }

    /// Whether none of its records is there.
    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    pub(super) fn push(&mut self, offset: u64, expires: Option<Timestamp>) {
        self.count += 1;
        self.newest = offset;
        self.newest_expires = expires;
        self.live += 1;
        self.entries.push_back(Entry { offset, ordinal: self.count, live: true });
    }

    pub(super) fn remove(&mut self, offset: u64) {
        let Ok(at) = self.entries.binary_search_by_key(&offset, |entry| entry.offset) else { return };
        let Some(entry) = self.entries.get_mut(at).filter(|entry| entry.live) else { return };
        entry.live = false;
        self.live -= 1;
        while self.entries.front().is_some_and(|entry| !entry.live) {
            self.entries.pop_front();
        }
        if self.entries.len() > 2 * self.live + MARKED_MAX {
            self.entries.retain(|entry| entry.live);
        }
    }

    /// Whether its newest record is expired, be it there or not.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.newest_expires.is_some_and(|at| at <= now)
    }

    /// A record is missing, or given to nobody any more.
    pub(super) fn note_gone(&mut self, gone: Gone) {
        self.gone = Gone::later(self.gone, Some(gone));
    }

    /// The record that has just become the one before the newest `n`, if it is there.
    pub(super) fn fallen_out_of(&self, n: u64) -> Option<u64> {
        let ordinal = self.count.checked_sub(n)?;
        let at = self.entries.binary_search_by_key(&ordinal, |entry| entry.ordinal).ok()?;
        self.entries.get(at).filter(|entry| entry.live).map(|entry| entry.offset)
    }

    /// Where the newest `n` records begin that it ever had; past the newest one, where none of them is there.
    pub(super) fn newest_from(&self, n: u64) -> u64 {
        let before = self.count.saturating_sub(n);
        let at = self.entries.partition_point(|entry| entry.ordinal <= before);
        self.entries.get(at).map_or(self.newest + 1, |entry| entry.offset)
    }

    /// The first entry at or past `offset`, for [`next`](Self::next).
    pub(super) fn seek(&self, offset: u64) -> usize {
        self.entries.partition_point(|entry| entry.offset < offset)
    }

    /// The first record that is there, from the entry `at`: its offset, and the entry behind it.
    pub(super) fn next(&self, mut at: usize) -> Option<(u64, usize)> {
        loop {
            let entry = self.entries.get(at)?;
            at += 1;
            if entry.live {
                return Some((entry.offset, at));
            }
        }
    }
}
