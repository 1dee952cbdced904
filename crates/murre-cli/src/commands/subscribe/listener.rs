//! Several subscriptions as one stream, with what happens to their connections told on standard error.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream::SelectAll};
use murre_client::{Client, Event, Events, From, Message, Subscription, SubscriptionEvent, Timestamp};

use super::{start::is_shared, view::View};
use crate::{broker::BrokerFlags, failure::Failure, time::now};

/// Each subscription has a connection of its own: where output is slow, reading pauses, and the broker decides by
/// the subscription's policy what a slow reader gets.
pub(super) struct Listener {
    clients: Vec<Client>,
    feeds: SelectAll<Feed>,
}

impl Listener {
    /// Listens to nothing yet.
    pub(super) fn new() -> Self {
        Self { clients: Vec::new(), feeds: SelectAll::new() }
    }

    /// Listens to `filter` too.
    ///
    /// # Errors
    /// No broker, or one that refuses.
    pub(super) async fn add(
        &mut self,
        broker: &BrokerFlags,
        (filter, from): (&str, From),
        view: &View,
    ) -> Result<(), Failure> {
        let client = broker.connect().await?;
        let events = client.events();
        let asked = view.ask(client.subscribe(filter).from(from.clone()).backpressure());
        // A shared subscription has no place in the past to go on from.
        let subscription = if is_shared(filter) { asked.await? } else { asked.resume().await? };
        if let (From::LastN(asked), Some(granted)) = (from, subscription.last_granted()) {
            eprintln!("murre: the broker gives the last {granted} messages of each topic, not {asked}");
        }
        self.clients.push(client);
        self.feeds.push(Feed {
            subscription,
            connection: Connection { events, is_lost: false },
            is_over: false,
        });
        Ok(())
    }

    /// The next message. Cancellation safe.
    ///
    /// # Errors
    /// A subscription has ended.
    pub(super) async fn next(&mut self) -> Result<Message, Failure> {
        let ended = || Failure::Failed("there is nothing more to listen to".to_owned());
        self.feeds.next().await.unwrap_or_else(|| Err(ended()))
    }

    /// The present time by the broker's clock.
    pub(super) fn broker_time(&self) -> Timestamp {
        self.clients.first().map_or_else(now, Client::broker_time)
    }

    /// Ends all subscriptions, and says what didn't come through.
    pub(super) async fn close(self) {
        let dropped: u64 = self.feeds.iter().map(|feed| feed.subscription.dropped()).sum();
        if dropped > 0 {
            eprintln!("murre: {dropped} messages were left out, as output was not taken fast enough");
        }
        for client in self.clients {
            client.close().await;
        }
    }
}

/// A subscription's messages, then once why it ended.
struct Feed {
    subscription: Subscription,
    connection: Connection,
    is_over: bool,
}

impl Stream for Feed {
    type Item = Result<Message, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        self.connection.poll(context);
        loop {
            let Poll::Ready(event) = pin!(self.subscription.next_event()).poll(context) else {
                return Poll::Pending;
            };
            match event {
                Some(SubscriptionEvent::Message(message)) => return Poll::Ready(Some(Ok(message))),
                Some(event) => tell(&event),
                None => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(self.ended())));
                }
            }
        }
    }
}

impl Feed {
    /// Why there is nothing more to come.
    fn ended(&self) -> Failure {
        let filter = self.subscription.topic_filter();
        let ended = || Failure::Failed(format!("the subscription to {filter:?} ended"));
        self.subscription.error().cloned().map_or_else(ended, Failure::from)
    }
}

/// Says what a break of the connection did to what is printed.
fn tell(event: &SubscriptionEvent) {
    match event {
        SubscriptionEvent::Resumed(recovery) if !recovery.recovered => {
            let why = recovery.lost.as_ref().map(|lost| format!(" ({lost})")).unwrap_or_default();
            eprintln!("murre: messages from the time without a connection may be missing{why}");
        }
        SubscriptionEvent::Restarted => {
            eprintln!("murre: the subscription had to begin again: messages may come twice or be missing");
        }
        _ => {}
    }
}

/// Tells when the connection is lost, when it is back, and what the broker has to say.
struct Connection {
    events: Events,
    is_lost: bool,
}

impl Connection {
    fn poll(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(event)) = self.events.poll_next_unpin(context) {
            match event {
                Event::Disconnected { reason, retry_in: Some(_), .. } if !self.is_lost => {
                    self.is_lost = true;
                    eprintln!("murre: the connection is lost ({reason}); trying again");
                }
                Event::Connected { .. } if self.is_lost => {
                    self.is_lost = false;
                    eprintln!("murre: the connection is back");
                }
                Event::Notice { reason, filter, .. } => {
                    let about = filter.map(|filter| format!(" about {filter}")).unwrap_or_default();
                    eprintln!("murre: the broker says{about}: {reason}");
                }
                _ => {}
            }
        }
    }
}
