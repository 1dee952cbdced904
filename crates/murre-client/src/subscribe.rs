//! Subscribing.

use std::{fmt, future::IntoFuture, sync::Arc};

use murre_protocol::{
    Position, SharedFilter, Timestamp,
    packet::{self, OnSlow, SubscribeOptions, ViewOptions},
};
use tokio::sync::oneshot;

use crate::{
    error::{ClientClosed, SubscribeError},
    feed::Feed,
    inbox::Bounds,
    message::Acknowledger,
    publish::BoxFuture,
    resume::{ResumePoint, Run, Tracker},
    shared::Shared,
    subscription::Subscription,
    subscription_state::{Removal, Route, Wanted},
};

/// Messages that a subscription's queue holds where it isn't said. One WebSocket message from the broker (256 KiB)
/// holds fewer, so that a reader who keeps up never loses any to the queue.
const QUEUE_MESSAGES: usize = 16_384;
/// Bytes that a subscription's queue holds.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Where a subscription begins. After a reconnect it begins there again, but for one that
/// [resumes](SubscribeBuilder::resume) and one that is part of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum From {
    /// The last value of every matching topic, then live.
    #[default]
    Last,
    /// Live at once.
    Live,
    /// The last so many messages of every matching topic, then live.
    LastN(u64),
    /// What was published since then, by the broker's clock, then live.
    Since(Timestamp),
    /// What was published after this point, then live. [`Subscription::recovery`] says whether anything is missing.
    /// Such a subscription [resumes](SubscribeBuilder::resume) by itself.
    After(ResumePoint),
}

/// Who acknowledges the messages of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledge {
    /// A message is acknowledged when the next one is asked for: it counts as handled by then. Read without
    /// prefetching (no `buffered`, no `ready_chunks`), else messages count that nobody has looked at.
    Automatic,
    /// The application says so, by [`Message::acknowledge`](crate::Message::acknowledge) or [`Subscription::acknowledge`].
    Explicit,
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
    from: From,
    resume: bool,
    acknowledge: Option<Acknowledge>,
    queue: usize,
    backpressure: bool,
}

impl SubscribeBuilder {
    pub(crate) fn new(shared: Arc<Shared>, filter: String) -> Self {
        let options = SubscribeOptions::default();
        Self {
            shared,
            filter,
            options,
            from: From::default(),
            resume: false,
            acknowledge: None,
            queue: QUEUE_MESSAGES,
            backpressure: false,
        }
    }

    /// Where to begin; [`From::Last`] where it isn't said.
    pub fn from(mut self, from: From) -> Self {
        self.from = from;
        self
    }

    /// After a reconnect the subscription goes on behind the last message that came, as far as the broker keeps
    /// what was published meanwhile, instead of beginning again. [`SubscriptionEvent::Resumed`](crate::SubscriptionEvent::Resumed) says in its place
    /// whether anything is missing. Before the first CAUGHT_UP there is nothing to go on from: it begins again then.
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// The broker keeps every message until it is acknowledged: each comes at least once. With a
    /// [`session_expiry`](crate::ClientBuilder::session_expiry) that holds over disconnects and restarts of this
    /// process, without it until the connection ends. Then one that [resumes](SubscribeBuilder::resume) asks again for what
    /// was not acknowledged, as far as the broker keeps it.
    ///
    /// The broker sends a bounded number of messages ahead of the acknowledgements. Nothing is dropped from the local
    /// queue, so that [`backpressure`](SubscribeBuilder::backpressure) is implied.
    ///
    /// In a session the subscription is known by its filter: a later process that asks for the same filter goes on
    /// with what is not acknowledged, wherever [`from`](SubscribeBuilder::from) says to begin. Dropping the
    /// [`Subscription`] leaves it in the session; [`Subscription::close`] ends it.
    ///
    /// ```no_run
    /// # use murre_client::{Acknowledge, Client};
    /// # use std::time::Duration;
    /// # async fn store(_: &murre_client::Message) -> std::io::Result<()> { Ok(()) }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::builder("ws://127.0.0.1:8080")
    ///     .client_id("archive")
    ///     .session_expiry(Duration::from_secs(24 * 3600))
    ///     .connect()
    ///     .await?;
    /// let mut readings = client.subscribe("site/#").acknowledge(Acknowledge::Explicit).await?;
    /// while let Some(message) = readings.next().await {
    ///     store(&message).await?;
    ///     message.acknowledge();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn acknowledge(mut self, by: Acknowledge) -> Self {
        self.acknowledge = Some(by);
        self
    }

    /// What the broker does when this client reads too slowly; [`OnSlow::DropOldest`] where it isn't said.
    pub fn on_slow(mut self, rule: OnSlow) -> Self {
        self.options.on_slow = Some(rule);
        self
    }

    /// The view that it asks for.
    pub(crate) fn view(&mut self) -> &mut ViewOptions<'static> {
        self.options.view.get_or_insert_default()
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
        let feed = Arc::new(Feed::new(bounds, self.backpressure || self.acknowledge.is_some()));
        let mut options = self.options;
        options.ack = self.acknowledge.map(|_| true);
        let (from, after) = to_wire(self.from);
        options.from = from;
        let (answer, granting) = oneshot::channel();
        let wanted = Wanted {
            filter: self.filter.clone(),
            options,
            after: after.clone(),
            resumes: self.resume || after.is_some(),
            route: Route::Feed(Arc::clone(&feed)),
            answer,
        };
        let registration = Registration::begin(self.shared, wanted)?;
        let subscription = Subscription {
            filter: self.filter,
            feed,
            registration,
            tracker: Tracker::new(after),
            acknowledge: self.acknowledge,
            taken: None,
        };
        granted(granting).await.map(|()| subscription)
    }
}

/// `from` as an option of SUBSCRIBE, or as the point to go on from.
fn to_wire(from: From) -> (Option<packet::From<'static>>, Option<ResumePoint>) {
    match from {
        From::Last => (None, None),
        From::Live => (Some(packet::From::Live), None),
        From::LastN(n) => (Some(packet::From::LastN(n)), None),
        From::Since(time) => (Some(packet::From::Since(time)), None),
        From::After(point) => (None, Some(point)),
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
    pub(crate) fn begin(shared: Arc<Shared>, wanted: Wanted) -> Result<Self, SubscribeError> {
        let sub = shared.session().subscribe(wanted)?;
        shared.wake();
        Ok(Self { shared, sub })
    }

    /// A message was handled, and all before it in its shard.
    pub(crate) fn acknowledge(&self, run: Run, position: Position) {
        self.shared.acknowledge(self.sub, run, position);
    }

    /// Where messages of `run` are acknowledged.
    pub(crate) fn acknowledger(&self, run: Run) -> Acknowledger {
        Acknowledger { shared: Arc::downgrade(&self.shared), sub: self.sub, run }
    }

    /// Ends it, and waits until the broker knows.
    pub(crate) async fn end(&self) {
        // An error means that there is no connection, so the broker knows of no subscription either, or will be told.
        let _ = self.shared.unsubscribe(self.sub, Removal::End).await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        drop(self.shared.unsubscribe(self.sub, Removal::Leave));
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&self.sub).finish()
    }
}
