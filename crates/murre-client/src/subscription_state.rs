//! One subscription of a client, as it is wanted and as it is.
//!
//! Pure. It has to be asked for on each connection ([`subscribe`](Entry::subscribe)), is granted
//! ([`grant`](Entry::grant)), and knows where it stands.

use std::sync::Arc;

use murre_protocol::{
    Position,
    packet::{From, Subscribe, SubscribeOptions, Subscribed},
};
use tokio::sync::oneshot;

use crate::{
    error::SubscribeError,
    feed::{Feed, Item},
    message::Message,
    owed::Owed,
    patches::Patches,
    replies::Replies,
    resume::{Recovery, ResumePoint, Run, Tracker},
};

/// Where a subscription's messages go.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// To a stream.
    Feed(Arc<Feed>),
    /// To the requests that wait for an answer.
    Replies(Arc<Replies>),
}

impl Route {
    pub(crate) fn end(&self, error: Option<SubscribeError>) {
        match self {
            Self::Feed(feed) => feed.end(error),
            Self::Replies(replies) => replies.end(),
        }
    }

    fn left_out_patch(&self) {
        if let Self::Feed(feed) = self {
            feed.left_out_patch();
        }
    }

    /// The feed whose reader has to take something before more is read.
    pub(crate) fn deliver(&self, item: Item) -> Option<&Arc<Feed>> {
        match (self, item) {
            (Self::Feed(feed), item) => feed.deliver(item).then_some(feed),
            (Self::Replies(replies), Item::Message(_, message)) => {
                replies.deliver(message);
                None
            }
            (Self::Replies(_), _) => None,
        }
    }
}

/// Resolves a waiting `subscribe`.
pub(crate) type Answer = oneshot::Sender<Result<(), SubscribeError>>;

/// A subscription as it is wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) filter: String,
    pub(crate) options: SubscribeOptions<'static>,
    /// Where to go on, known from elsewhere; goes before `from` in the options.
    pub(crate) after: Option<ResumePoint>,
    /// A new connection goes on where the last one ended.
    pub(crate) resumes: bool,
    pub(crate) route: Route,
    pub(crate) answer: Answer,
}

impl Wanted {
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.options.ack == Some(true)
    }
}

/// What becomes of a subscription that is no longer wanted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It ends.
    End,
    /// It stays in the session, where there is one.
    Leave,
}

/// One subscription, over all connections.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) filter: String,
    pub(crate) options: SubscribeOptions<'static>,
    pub(crate) route: Route,
    pub(crate) resumes: bool,
    /// Follows what came, where the subscription resumes.
    tracker: Tracker,
    /// Of that, what was not acknowledged, where it is to be.
    owed: Owed,
    /// The values that patches change, where it gets patches.
    patches: Option<Patches>,
    pub(crate) run: Run,
    /// Whether the broker was told on this connection, or knows from the session.
    pub(crate) asked: bool,
    /// Whether it was asked for from the tracker's point.
    pub(crate) asked_after: bool,
    /// Whether it was ever granted.
    pub(crate) granted: bool,
    pub(crate) answer: Option<Answer>,
}

impl Entry {
    pub(crate) fn new(wanted: Wanted) -> Self {
        let is_patched = wanted.options.view.as_ref().is_some_and(|view| view.patch);
        Self {
            filter: wanted.filter,
            options: wanted.options,
            route: wanted.route,
            resumes: wanted.resumes,
            tracker: Tracker::new(wanted.after),
            owed: Owed::default(),
            patches: is_patched.then(Patches::default),
            run: 0,
            asked: false,
            asked_after: false,
            granted: false,
            answer: Some(wanted.answer),
        }
    }

    /// SUBSCRIBE for a connection; `goes_on`: the session may have it, which goes before where it was to begin.
    pub(crate) fn subscribe(&self, sub: u64, goes_on: bool) -> Subscribe<'_> {
        let mut options = self.options.clone();
        match self.resume_point() {
            _ if goes_on => options.from = None,
            Some(point) => {
                options.from = Some(From::After {
                    positions: point.positions().to_vec(),
                    epoch: point.epoch().to_owned().into(),
                });
            }
            None => {}
        }
        Subscribe { sub, filter: self.filter.as_str().into(), options }
    }

    /// Whether messages are to be acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.options.ack == Some(true)
    }

    /// A message came; the feed whose reader has to take something before more is read.
    pub(crate) fn message(&mut self, message: Message) -> Option<&Arc<Feed>> {
        if self.resumes {
            self.tracker.message(self.run, message.position());
            if self.is_acknowledged() {
                self.owed.message(message.position());
            }
        }
        let message = match &mut self.patches {
            None => message,
            Some(patches) => match patches.whole(message) {
                Some(message) => message,
                None => {
                    self.route.left_out_patch();
                    return None;
                }
            },
        };
        self.route.deliver(Item::Message(self.run, message))
    }

    /// The connection is gone, and with it the broker's view: it begins with whole values again.
    pub(crate) fn connection_lost(&mut self) {
        self.asked = false;
        if let Some(patches) = &mut self.patches {
            patches.clear();
        }
    }

    /// A message was handled, and all before it in its shard.
    pub(crate) fn acknowledge(&mut self, position: Position) {
        self.owed.acknowledge(position);
    }

    /// All kept messages came.
    pub(crate) fn caught_up(&mut self, positions: &[Position], epoch: &str) {
        if self.resumes {
            self.tracker.caught_up(self.run, positions, epoch);
        }
    }

    /// Where a new connection goes on: behind what was delivered, and what was acknowledged where it is to be.
    fn resume_point(&self) -> Option<ResumePoint> {
        self.tracker.point().map(|point| point.clone().lowered(&self.owed))
    }

    /// The broker granted it, on this connection. Where another run begins, acknowledgements of what came before mean
    /// nothing any longer.
    pub(crate) fn grant(&mut self, answer: &Subscribed<'_>) {
        let again = std::mem::replace(&mut self.granted, true);
        if let Route::Feed(feed) = &self.route {
            feed.granted(answer.last);
        }
        if self.asked_after {
            let recovery = Recovery::new(answer.recovered, answer.lost.as_deref());
            if !recovery.keeps_the_list() {
                self.begin_run();
            } else if again && self.is_acknowledged() {
                self.begin_run_with_what_is_owed(recovery.recovered);
            }
            self.route.deliver(Item::Resumed(self.run, recovery));
        } else if again {
            self.begin_run();
            self.route.deliver(Item::Restarted(self.run));
        }
        self.answer(Ok(()));
    }

    fn begin_run(&mut self) {
        self.run = self.run.wrapping_add(1);
        self.tracker.run(self.run);
        self.owed = Owed::default();
    }

    /// What was not acknowledged comes again, and is acknowledged then; `all`: also what nobody has taken yet.
    fn begin_run_with_what_is_owed(&mut self, all: bool) {
        let point = self.resume_point();
        self.begin_run();
        self.tracker.go_on(self.run, point);
        if let Route::Feed(feed) = &self.route
            && all
        {
            feed.inbox.clear();
        }
    }

    pub(crate) fn answer(&mut self, result: Result<(), SubscribeError>) {
        if let Some(waiting) = self.answer.take() {
            // Nobody waits where the future was dropped; its subscription is about to be removed.
            let _ = waiting.send(result);
        }
    }
}
