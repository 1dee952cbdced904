//! A subscription, as a stream of messages.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use murre_protocol::Position;

use crate::{
    error::SubscribeError,
    feed::{Feed, Item},
    message::Message,
    resume::{Recovery, ResumePoint, Run, Tracker},
    subscribe::{Acknowledge, Registration},
};

/// A subscription: a stream of messages that goes on over reconnects.
///
/// It ends when it is closed or dropped, when the client ends, or when the broker refuses it after a reconnect:
/// [`error`](Subscription::error) says which. A reader that is too slow loses the oldest messages and nobody else
/// anything: [`dropped`](Subscription::dropped) counts them.
///
/// Take messages with [`next`](Subscription::next) or as a [`Stream`]; where it matters what happened between them,
/// with [`next_event`](Subscription::next_event).
#[derive(Debug)]
#[must_use = "dropping a subscription ends it"]
pub struct Subscription {
    pub(crate) filter: String,
    pub(crate) feed: Arc<Feed>,
    pub(crate) registration: Registration,
    /// Follows what the application took.
    pub(crate) tracker: Tracker,
    pub(crate) acknowledge: Option<Acknowledge>,
    /// The message that was taken last, to be acknowledged with the next.
    pub(crate) taken: Option<(Run, Position)>,
}

/// What a subscription gives: messages, and what happened between them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SubscriptionEvent {
    /// A message.
    Message(Message),
    /// All messages that the broker kept for this subscription came before this; what follows is live. A live message
    /// may also come before.
    CaughtUp {
        /// Where the subscription stands, and the epoch of that.
        point: ResumePoint,
        /// How many messages the snapshot or history had.
        count: u64,
    },
    /// The subscription goes on from the point where it was, after a reconnect or by [`From::After`](crate::From::After).
    Resumed(Recovery),
    /// After a reconnect the subscription had to begin again as at first: kept values come again, and what was
    /// published meanwhile may be missing.
    Restarted,
}

impl Subscription {
    /// The next message; none when the subscription has ended. Cancellation safe.
    pub async fn next(&mut self) -> Option<Message> {
        std::future::poll_fn(|context| self.poll_message(context)).await
    }

    /// The next message or event; none when the subscription has ended. Cancellation safe. Events are passed over by
    /// [`next`](Subscription::next) and the stream; of more than 64 that wait the oldest goes.
    pub async fn next_event(&mut self) -> Option<SubscriptionEvent> {
        std::future::poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            match ready!(self.poll_event(context)) {
                Some(SubscriptionEvent::Message(message)) => return Poll::Ready(Some(message)),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<SubscriptionEvent>> {
        // Who asks for the next has handled the last.
        if let Some((run, position)) = self.taken.take() {
            self.registration.acknowledge(run, position);
        }
        let Some(item) = ready!(self.feed.inbox.poll_next(context)) else { return Poll::Ready(None) };
        Poll::Ready(Some(match item {
            Item::Message(run, message) => SubscriptionEvent::Message(self.take(run, message)),
            Item::CaughtUp { run, positions, epoch, count } => {
                self.tracker.caught_up(run, &positions, &epoch);
                SubscriptionEvent::CaughtUp { point: ResumePoint::new(&positions, &epoch), count }
            }
            Item::Resumed(run, recovery) => {
                self.tracker.run(run);
                SubscriptionEvent::Resumed(recovery)
            }
            Item::Restarted(run) => {
                self.tracker.run(run);
                SubscriptionEvent::Restarted
            }
        }))
    }

    fn take(&mut self, run: Run, message: Message) -> Message {
        self.tracker.message(run, message.position());
        match self.acknowledge {
            None => message,
            Some(Acknowledge::Automatic) => {
                self.taken = Some((run, message.position()));
                message
            }
            Some(Acknowledge::Explicit) => message.with(self.registration.acknowledger(run)),
        }
    }

    /// The filter, as it was given.
    pub fn topic_filter(&self) -> &str {
        &self.filter
    }

    /// Waits until all values that the broker kept for this subscription have come (they may be in the queue
    /// still); at once where that was before. False when the subscription ended first. Cancellation safe.
    ///
    /// The future doesn't borrow the subscription, so that messages can be taken meanwhile, as they have to be with
    /// [`backpressure`](crate::SubscribeBuilder::backpressure).
    pub fn caught_up(&self) -> impl Future<Output = bool> + Send + use<> {
        let feed = Arc::clone(&self.feed);
        async move { feed.wait_caught_up().await }
    }

    /// Where to go on behind the last message that was taken here: for [`From::After`](crate::From::After), in this process or a later
    /// one. None before [`SubscriptionEvent::CaughtUp`] was passed, and again after a restart of the subscription until
    /// the next.
    ///
    /// Keep it beside the results of the messages that were handled, best in one transaction with them.
    pub fn resume_point(&self) -> Option<ResumePoint> {
        self.tracker.point().cloned()
    }

    /// How it went when the subscription last went on from a point; none where it never did. The event
    /// [`Resumed`](SubscriptionEvent::Resumed) says the same in its place among the messages.
    pub fn recovery(&self) -> Option<Recovery> {
        self.feed.recovery()
    }

    /// How many messages of each topic [`From::LastN`](crate::From::LastN) gives, where a limit of the broker made
    /// them fewer than asked for; none where it gives what was asked for.
    pub fn last_granted(&self) -> Option<u64> {
        self.feed.last_granted()
    }

    /// As [`Message::acknowledge`], by the position of a message of this subscription that was taken.
    pub fn acknowledge(&self, position: Position) {
        self.registration.acknowledge(self.tracker.current_run(), position);
    }

    /// How many messages were left out: by the broker, as its notices say, by the local queue, and
    /// [patches without a value](Subscription::unmatched_patches).
    pub fn dropped(&self) -> u64 {
        self.feed.dropped()
    }

    /// How many patches were left out since the value that they change wasn't known here; see
    /// [`patch`](crate::SubscribeBuilder::patch).
    pub fn unmatched_patches(&self) -> u64 {
        self.feed.unmatched()
    }

    /// Why the subscription ended by itself; none while it goes on, and when the client was closed here.
    pub fn error(&self) -> Option<&SubscribeError> {
        self.feed.error()
    }

    /// Ends the subscription, in the session too, and waits until the broker knows. Messages that were not taken are
    /// let go.
    pub async fn close(self) {
        self.registration.end().await;
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(context)
    }
}
