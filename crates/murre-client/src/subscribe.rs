//! Subscribing, and the stream of messages.

use std::{
    fmt,
    future::IntoFuture,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::Stream;
use murre_protocol::{
    SharedFilter, Timestamp,
    packet::{self, OnSlow, SubscribeOptions},
};
use tokio::sync::oneshot;

use crate::{
    error::{ClientClosed, SubscribeError},
    feed::Feed,
    inbox::Bounds,
    message::Message,
    publish::BoxFuture,
    shared::Shared,
    subscriptions::Route,
};

/// Messages that a subscription's queue holds where it isn't said. One WebSocket message from the broker (256 KiB)
/// holds fewer, so that a reader who keeps up never loses any to the queue.
const QUEUE_MESSAGES: usize = 16_384;
/// Bytes that a subscription's queue holds.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Where a subscription begins. After a reconnect it begins there again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum From {
    /// The last value of every matching topic, then live.
    #[default]
    Last,
    /// Live at once.
    Live,
    /// The last so many messages of every matching topic, then live.
    LastN(u64),
    /// What was published since then, then live.
    Since(Timestamp),
}

impl From {
    fn to_wire(self) -> packet::From<'static> {
        match self {
            Self::Last => packet::From::Last,
            Self::Live => packet::From::Live,
            Self::LastN(n) => packet::From::LastN(n),
            Self::Since(time) => packet::From::Since(time),
        }
    }
}

/// A subscription before it is made: from [`Client::subscribe`](crate::Client::subscribe). `.await` it.
///
/// Awaiting waits for the broker's answer, for a connection first if need be. Dropping the future ends the
/// subscription.
#[derive(Debug)]
#[must_use = "a subscription is made by .await"]
pub struct SubscribeBuilder {
    shared: Arc<Shared>,
    filter: String,
    options: SubscribeOptions<'static>,
    queue: usize,
    backpressure: bool,
}

impl SubscribeBuilder {
    pub(crate) fn new(shared: Arc<Shared>, filter: String) -> Self {
        let options = SubscribeOptions::default();
        Self { shared, filter, options, queue: QUEUE_MESSAGES, backpressure: false }
    }

    /// Where to begin; [`From::Last`] where it isn't said.
    pub fn from(mut self, from: From) -> Self {
        self.options.from = Some(from.to_wire());
        self
    }

    /// What the broker does when this client reads too slowly; [`OnSlow::DropOldest`] where it isn't said.
    pub fn on_slow(mut self, rule: OnSlow) -> Self {
        self.options.on_slow = Some(rule);
        self
    }

    /// How many messages the local queue holds (at least 1; 16,384 where it isn't said, and 64 MiB in any case). The
    /// oldest go when it is full, and are counted by [`Subscription::dropped`].
    pub fn queue(mut self, messages: usize) -> Self {
        self.queue = messages.max(1);
        self
    }

    /// When the local queue is full, no more is read from the connection until a message was taken, instead of
    /// dropping the oldest. So the broker sees a slow client: snapshots and history wait for it without loss, and
    /// [`on_slow`](SubscribeBuilder::on_slow) decides about live messages.
    ///
    /// The pause holds for the whole connection: for other subscriptions, answers and acknowledgements too. Use it
    /// where the connection serves this subscription alone, and keep reading.
    pub fn backpressure(mut self) -> Self {
        self.backpressure = true;
        self
    }

    async fn subscribe(self) -> Result<Subscription, SubscribeError> {
        if let Err(source) = SharedFilter::parse(&self.filter) {
            return Err(SubscribeError::Filter { filter: self.filter, source });
        }
        let bounds = Bounds { items: self.queue, bytes: QUEUE_BYTES_MAX };
        let feed = Arc::new(Feed::new(bounds, self.backpressure));
        let route = Route::Feed(Arc::clone(&feed));
        let (guard, answer) = Registration::begin(self.shared, self.filter.clone(), self.options, route)?;
        let subscription = Subscription { filter: self.filter, feed, registration: guard };
        granted(answer).await.map(|()| subscription)
    }
}

impl IntoFuture for SubscribeBuilder {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.subscribe())
    }
}

/// The broker's answer to SUBSCRIBE, to come.
type GrantReceiver = oneshot::Receiver<Result<(), SubscribeError>>;

/// Waits for the broker's answer to SUBSCRIBE.
pub(crate) async fn granted(answer: GrantReceiver) -> Result<(), SubscribeError> {
    // The session always answers before it goes; the error can't come while the client lives.
    answer.await.unwrap_or_else(|_| Err(ClientClosed::by_us().into()))
}

/// A subscription's place in the session; dropping it ends the subscription.
pub(crate) struct Registration {
    shared: Arc<Shared>,
    sub: u64,
}

impl Registration {
    /// Registers a subscription, to be asked for as soon as there is a connection.
    pub(crate) fn begin(
        shared: Arc<Shared>,
        filter: String,
        options: SubscribeOptions<'static>,
        route: Route,
    ) -> Result<(Self, GrantReceiver), SubscribeError> {
        let (sender, answer) = oneshot::channel();
        let sub = shared.session().subscribe(filter, options, route, sender)?;
        shared.wake();
        Ok((Self { shared, sub }, answer))
    }

    /// Ends it, and waits until the broker knows.
    async fn end(&self) {
        // An error means that there is no connection, so the broker knows of no subscription either.
        let _ = self.shared.unsubscribe(self.sub).await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        drop(self.shared.unsubscribe(self.sub));
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&self.sub).finish()
    }
}

/// A subscription: a stream of messages that goes on over reconnects.
///
/// It ends when it is closed or dropped, when the client ends, or when the broker refuses it after a reconnect:
/// [`error`](Subscription::error) says which. A reader that is too slow loses the oldest messages and nobody else
/// anything: [`dropped`](Subscription::dropped) counts them.
#[derive(Debug)]
#[must_use = "dropping a subscription ends it"]
pub struct Subscription {
    filter: String,
    feed: Arc<Feed>,
    registration: Registration,
}

impl Subscription {
    /// The next message; none when the subscription has ended. Cancellation safe.
    pub async fn next(&mut self) -> Option<Message> {
        std::future::poll_fn(|context| self.feed.inbox.poll_next(context)).await
    }

    /// The filter, as it was given.
    pub fn topic_filter(&self) -> &str {
        &self.filter
    }

    /// Waits until all values that the broker kept for this subscription have come (they may be in the queue
    /// still); at once where that was before. False when the subscription ended first. Cancellation safe.
    ///
    /// The future doesn't borrow the subscription, so that messages can be taken meanwhile, as they have to be with
    /// [`backpressure`](SubscribeBuilder::backpressure).
    pub fn caught_up(&self) -> impl Future<Output = bool> + Send + use<> {
        let feed = Arc::clone(&self.feed);
        async move { feed.wait_caught_up().await }
    }

    /// How many messages were left out: by the broker, as its notices say, and by the local queue.
    pub fn dropped(&self) -> u64 {
        self.feed.dropped()
    }

    /// Why the subscription ended by itself; none while it goes on, and when the client was closed here.
    pub fn error(&self) -> Option<&SubscribeError> {
        self.feed.error()
    }

    /// Ends the subscription, and waits until the broker knows. Messages that were not taken are let go.
    pub async fn close(self) {
        self.registration.end().await;
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.feed.inbox.poll_next(context)
    }
}
