//! A list of a hub's clients, page by page: the slow ones first, then by name.
//!
//! Gathering it looks at every session, so it is done in slices, between which the event loop has its turn. It holds no
//! more than a page.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::{Hub, report::ClientReport, slot::Slot};
use crate::now::Now;

/// A client's place in the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListPlace {
    /// Whether it reads fast enough: those that don't come first.
    pub is_fast: bool,
    /// Its name.
    pub name: String,
}

impl ListPlace {
    /// The place of a client.
    pub fn of(report: &ClientReport) -> Self {
        Self { is_fast: !report.slow, name: report.name.clone() }
    }
}

/// Which clients are wanted.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Those behind this place.
    pub after: Option<ListPlace>,
    /// Those whose name or address has this text in it, in whatever case.
    pub search: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A page of the list while it is gathered: [`Listing::look`] until it says that it is through, then
/// [`Listing::finish`].
#[derive(Debug)]
pub struct Listing {
    query: ListQuery,
    /// The next session's place in the hub's table.
    next: usize,
    /// The first of the page; the last of them on top.
    first: BinaryHeap<Listed>,
    total: usize,
    behind: usize,
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientPage {
    /// Clients that were searched for, on whatever page.
    pub total: usize,
    /// Those of them that come behind the place that was asked for, these included.
    pub behind: usize,
    /// The clients, in order.
    pub clients: Vec<ClientReport>,
}

/// A client by its place.
#[derive(Debug)]
struct Listed(ListPlace, ClientReport);

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Listed {}

impl PartialOrd for Listed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Listed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// Places of the hub's table that are looked at in one slice: a fraction of a millisecond.
const SLICE: usize = 1000;

impl Listing {
    /// A page that nothing was gathered for.
    pub fn new(query: ListQuery) -> Self {
        Self { query, next: 0, first: BinaryHeap::new(), total: 0, behind: 0 }
    }

    /// Looks at some more sessions of a hub, which has to be the same each time. True when all were looked at.
    pub fn look(&mut self, hub: &Hub, now: Now) -> bool {
        let end = hub.sessions.capacity().min(self.next + SLICE);
        for at in self.next..end {
            if let Some(slot) = hub.sessions.get(at) {
                self.add(hub, now, slot);
            }
        }
        self.next = end;
        end >= hub.sessions.capacity()
    }

    fn add(&mut self, hub: &Hub, now: Now, slot: &Slot) {
        let Some(name) = slot.name(hub.worker) else { return };
        if !self.is_searched(slot, &name) {
            return;
        }
        self.total += 1;
        let is_fast = !slot.is_slow(now.tick, hub.limits.outbox_max);
        let place = (is_fast, &*name);
        if self.query.after.as_ref().is_some_and(|after| place <= (after.is_fast, &after.name)) {
            return;
        }
        self.behind += 1;
        let is_full = self.first.len() >= self.query.limit;
        let last = self.first.peek().map(|Listed(last, _)| (last.is_fast, last.name.as_str()));
        if is_full && last.is_none_or(|last| place >= last) {
            return;
        }
        if is_full {
            self.first.pop();
        }
        let name = name.into_owned();
        let place = ListPlace { is_fast, name: name.clone() };
        self.first.push(Listed(place, hub.report_slot(now, slot, name)));
    }

    fn is_searched(&self, slot: &Slot, name: &str) -> bool {
        let Some(search) = &self.query.search else { return true };
        has(name, search) || slot.peer.is_some_and(|peer| has(&peer.to_string(), search))
    }

    /// The page.
    pub fn finish(self) -> ClientPage {
        let clients = self.first.into_sorted_vec().into_iter().map(|Listed(_, report)| report);
        ClientPage { total: self.total, behind: self.behind, clients: clients.collect() }
    }
}

impl ClientPage {
    /// One page of those of several hubs, which were asked for the same.
    pub fn merge(pages: impl IntoIterator<Item = Self>, limit: usize) -> Self {
        let mut merged = Self { total: 0, behind: 0, clients: Vec::new() };
        for page in pages {
            merged.total += page.total;
            merged.behind += page.behind;
            merged.clients.extend(page.clients);
        }
        merged.clients.sort_by_cached_key(ListPlace::of);
        merged.clients.truncate(limit);
        merged
    }

    /// The place of the last one, where others come behind it.
    pub fn next(&self) -> Option<ListPlace> {
        let last = self.clients.last().filter(|_| self.behind > self.clients.len())?;
        Some(ListPlace::of(last))
    }
}

/// Whether a text has another in it, letters of ASCII in whatever case.
fn has(text: &str, part: &str) -> bool {
    part.is_empty()
        || text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}
