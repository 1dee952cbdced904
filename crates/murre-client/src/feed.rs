//! What a subscription's stream and the background task share.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use murre_protocol::Position;
use tokio::sync::watch;

use crate::{
    error::SubscribeError,
    inbox::{Bounds, Inbox, Queued},
    message::Message,
    resume::{Recovery, Run},
};

/// How far a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Kept messages are still to come.
    CatchingUp,
    /// All kept messages came.
    CaughtUp,
    /// There will be no more messages.
    Ended,
}

/// Messages, and what happened between them.
#[derive(Debug)]
pub(crate) enum Item {
    Message(Run, Message),
    CaughtUp { run: Run, positions: Vec<Position>, epoch: Arc<str>, count: u64 },
    Resumed(Run, Recovery),
    Restarted(Run),
}

impl Queued for Item {
    fn is_mark(&self) -> bool {
        !matches!(self, Self::Message(..))
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) inbox: Inbox<Item>,
    /// A full inbox pauses the connection instead of dropping the oldest.
    pub(crate) backpressure: bool,
    broker_dropped: AtomicU64,
    /// Patches to values that aren't known.
    unmatched: AtomicU64,
    recovery: Mutex<Option<Recovery>>,
    /// Messages of each topic, where the broker's limit made them fewer than asked for; 0: it didn't.
    last_granted: AtomicU64,
    error: OnceLock<SubscribeError>,
    progress: watch::Sender<Progress>,
}

impl Feed {
    pub(crate) fn new(bounds: Bounds, backpressure: bool) -> Self {
        Self {
            inbox: Inbox::new(bounds),
            backpressure,
            broker_dropped: AtomicU64::new(0),
            unmatched: AtomicU64::new(0),
            recovery: Mutex::new(None),
            last_granted: AtomicU64::new(0),
            error: OnceLock::new(),
            progress: watch::Sender::new(Progress::CatchingUp),
        }
    }

    /// Hands an item over; true when the reader has to take some before the next.
    pub(crate) fn deliver(&self, item: Item) -> bool {
        let weight = match &item {
            Item::Message(_, message) => message.weight(),
            Item::CaughtUp { .. } => {
                self.advance(Progress::CaughtUp);
                return self.mark(item);
            }
            Item::Resumed(_, recovery) => {
                *self.recovery.lock().unwrap_or_else(PoisonError::into_inner) = Some(recovery.clone());
                return self.mark(item);
            }
            Item::Restarted(_) => return self.mark(item),
        };
        if self.backpressure {
            self.inbox.push_beyond(item, weight);
        } else {
            self.inbox.push(item, weight);
        }
        self.backpressure && self.inbox.is_full()
    }

    fn mark(&self, item: Item) -> bool {
        self.inbox.push_mark(item);
        false
    }

    /// How it went when the subscription last went on from a point.
    pub(crate) fn recovery(&self) -> Option<Recovery> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The broker granted the subscription, with so many messages of each topic where a limit made them fewer.
    pub(crate) fn granted(&self, last: Option<u64>) {
        self.last_granted.store(last.unwrap_or(0), Ordering::Relaxed);
    }

    /// How many messages of each topic come, where that is fewer than asked for.
    pub(crate) fn last_granted(&self) -> Option<u64> {
        Some(self.last_granted.load(Ordering::Relaxed)).filter(|&last| last > 0)
    }

    /// The broker left out `count` messages.
    pub(crate) fn dropped_by_broker(&self, count: u64) {
        self.broker_dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// A patch came to a value that isn't known, and is left out.
    pub(crate) fn left_out_patch(&self) {
        self.unmatched.fetch_add(1, Ordering::Relaxed);
    }

    /// Patches that were left out.
    pub(crate) fn unmatched(&self) -> u64 {
        self.unmatched.load(Ordering::Relaxed)
    }

    /// There will be no more messages, because of `error` where there was one.
    pub(crate) fn end(&self, error: Option<SubscribeError>) {
        if let Some(error) = error {
            // The first error is the cause; later ones follow from it.
            let _ = self.error.set(error);
        }
        self.advance(Progress::Ended);
        self.inbox.end();
    }

    fn advance(&self, to: Progress) {
        self.progress.send_if_modified(|now| {
            let advances = *now != Progress::Ended && *now != to;
            if advances {
                *now = to;
            }
            advances
        });
    }

    /// Messages left out by the broker or here.
    pub(crate) fn dropped(&self) -> u64 {
        self.broker_dropped.load(Ordering::Relaxed) + self.inbox.dropped() + self.unmatched()
    }

    /// Why the stream ended, where that was an error.
    pub(crate) fn error(&self) -> Option<&SubscribeError> {
        self.error.get()
    }

    /// Waits for CAUGHT_UP: false where the subscription ended before.
    pub(crate) async fn wait_caught_up(&self) -> bool {
        let mut progress = self.progress.subscribe();
        let settled = progress.wait_for(|now| *now != Progress::CatchingUp).await;
        settled.is_ok_and(|now| *now == Progress::CaughtUp)
    }
}
