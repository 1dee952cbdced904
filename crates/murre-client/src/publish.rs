//! Publishing.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use murre_protocol::{
    Codec, Format, Position, Timestamp, TopicName,
    packet::{ClientPacket, Publish as WirePublish, PublishOptions},
};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    clock,
    error::{ClientClosed, EncodeError, PublishError},
    message::Message,
    outgoing::Outbound,
    payload,
    session::{NotTaken, Outcome, Ticket},
    shared::Shared,
    spool::{
        store::Refused,
        worker::{Append, Handle},
    },
    will::seconds_rounded_up,
};

/// A boxed future, as `.await` on a builder gives it.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A publish before it has its payload: from [`Client::publish`](crate::Client::publish).
#[derive(Debug, Clone)]
#[must_use = "a publish needs a payload, and then .await"]
pub struct PublishBuilder {
    shared: Arc<Shared>,
    target: Target,
    acknowledged: bool,
    spooled: bool,
    options: PublishOptions<'static>,
}

/// Where a message goes.
#[derive(Debug, Clone)]
enum Target {
    Topic(String),
    /// An answer to a message, from this topic, that asks for none.
    NoReplyTo(String),
}

impl Target {
    /// The topic, checked.
    fn topic(self) -> Result<String, PublishError> {
        let topic = match self {
            Self::Topic(topic) => topic,
            Self::NoReplyTo(topic) => return Err(PublishError::NoReplyTo { topic }),
        };
        match TopicName::parse(topic.as_str()) {
            Ok(_) => Ok(topic),
            Err(source) => Err(PublishError::Topic { topic, source }),
        }
    }
}

impl PublishBuilder {
    /// To `topic`.
    pub(crate) fn new(shared: Arc<Shared>, topic: String) -> Self {
        let target = Target::Topic(topic);
        Self { shared, target, acknowledged: true, spooled: true, options: PublishOptions::default() }
    }

    /// An answer to `message`.
    pub(crate) fn answer(shared: Arc<Shared>, message: &Message) -> Self {
        let target = match message.reply_to() {
            Some(topic) => Target::Topic(topic.to_owned()),
            None => Target::NoReplyTo(message.topic().to_owned()),
        };
        let options = PublishOptions::default();
        let builder = Self { shared, target, acknowledged: true, spooled: false, options };
        match message.correlation() {
            Some(correlation) => builder.correlation(correlation.clone()),
            None => builder,
        }
    }

    /// Without an answer from the broker: done as soon as it is in the outgoing buffer. It may be lost when the
    /// connection breaks after it was written.
    pub fn unacknowledged(mut self) -> Self {
        self.acknowledged = false;
        self
    }

    /// Beside the [spool](crate::Spool), where there is one: what is of no use later need not go to the disk. Requests
    /// and answers to them are sent in this way.
    pub fn in_memory(mut self) -> Self {
        self.spooled = false;
        self
    }

    /// The broker keeps it as the topic's value, for those who subscribe later. An empty payload deletes that.
    pub fn retain(mut self) -> Self {
        self.options.retain = true;
        self
    }

    /// How long the message is of use; whole seconds, rounded up.
    pub fn expiry(mut self, after: Duration) -> Self {
        self.options.expiry = Some(seconds_rounded_up(after));
        self
    }

    /// When the reading was taken, for readings that are sent late. Messages of a [spool](crate::Spool) carry the time
    /// at which they were published where it isn't given.
    pub fn time(mut self, time: Timestamp) -> Self {
        self.options.time = Some(time);
        self
    }

    /// A property of the application's own; may be called several times.
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.properties.push((key.into().into(), value.into().into()));
        self
    }

    /// Where an answer is to be published. [`Client::request`](crate::Client::request) does this by itself.
    pub fn reply_to(mut self, topic: impl Into<String>) -> Self {
        self.options.reply_to = Some(topic.into().into());
        self
    }

    /// What an answer has to hand back.
    pub fn correlation(mut self, correlation: impl Into<Bytes>) -> Self {
        self.options.correlation = Some(Vec::from(correlation.into()).into());
        self
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// Where `value` has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Publish, EncodeError> {
        Ok(self.payload(Format::Json, payload::json(value)?))
    }

    /// The payload as MessagePack, structs as maps by their fields' names.
    ///
    /// # Errors
    /// Where `value` has no MessagePack form.
    pub fn msgpack<T: Serialize + ?Sized>(self, value: &T) -> Result<Publish, EncodeError> {
        Ok(self.payload(Format::MessagePack, payload::msgpack(value)?))
    }

    /// The payload as text.
    pub fn text(self, text: impl Into<String>) -> Publish {
        self.payload(Format::Text, text.into())
    }

    /// The payload as raw bytes.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Publish {
        self.payload(Format::Raw, bytes)
    }

    /// The payload as it is, to be read as `format`.
    pub fn payload(self, format: Format, payload: impl Into<Bytes>) -> Publish {
        Publish { builder: self, format, payload: payload.into() }
    }
}

/// A publish that has all it needs: `.await` it, or [`enqueue`](Publish::enqueue) it.
///
/// Awaiting an acknowledged publish waits for the broker's answer, over reconnects if need be: it is sent again on a
/// new connection until there is an answer (so it is published at least once). Dropping the future before the
/// message is in the outgoing buffer publishes nothing; later, the message goes out without anybody waiting.
#[derive(Debug)]
#[must_use = "a publish does nothing before .await or enqueue()"]
pub struct Publish {
    builder: PublishBuilder,
    format: Format,
    payload: Bytes,
}

/// The broker has the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Where it stands in the broker's order; [`Position::NONE`] for an unacknowledged publish.
    pub position: Position,
}

impl Publish {
    /// Puts the message into the outgoing buffer, waiting for room where the buffer's rule is to wait, and gives the
    /// acknowledgement to be awaited separately: for keeping several publishes on their way. With a
    /// [spool](crate::Spool), puts an acknowledged publish into that, as its rules are, and a device that doesn't await
    /// the acknowledgement loses nothing by that.
    ///
    /// ```no_run
    /// # async fn example(client: murre_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let first = client.publish("site/a/temp").json(&21.4)?.enqueue().await?;
    /// let second = client.publish("site/a/temp").json(&21.5)?.enqueue().await?;
    /// first.await?;
    /// second.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The topic is wrong, the message too large, the buffer or spool full, the spool's disk fails, or the client is
    /// closed.
    pub async fn enqueue(self) -> Result<Acknowledgement, PublishError> {
        // Publishing in a loop never waits for anything else: let the background task have its share of the thread.
        tokio::task::consume_budget().await;
        let shared = Arc::clone(&self.builder.shared);
        if let Some(spool) =
            shared.spool.as_ref().filter(|_| self.builder.acknowledged && self.builder.spooled)
        {
            return self.enqueue_on_disk(&shared, spool).await;
        }
        let Checked { topic, outbound, answer } = self.into_outbound()?;
        match shared.publish(outbound).await {
            Ok(()) => Ok(Acknowledgement { topic, answer }),
            Err(NotTaken::Full(_)) => Err(PublishError::BufferFull { topic }),
            Err(NotTaken::TooLarge { bytes, max }) => Err(PublishError::TooLarge { topic, bytes, max }),
            Err(NotTaken::Closed(closed)) => Err(closed.into()),
        }
    }

    async fn enqueue_on_disk(self, shared: &Shared, spool: &Handle) -> Result<Acknowledgement, PublishError> {
        let topic = self.builder.target.topic()?;
        let mut options = self.builder.options;
        options.time = options.time.or_else(|| Some(clock::now()));
        let publish = WirePublish {
            topic: topic.clone().into(),
            format: self.format,
            payload: Vec::from(self.payload).into(),
            id: 0,
            options: Some(Box::new(options)),
        };
        let (ticket, answer) = oneshot::channel();
        let (taken, waiting) = oneshot::channel();
        let closed = || shared.session().refuses().unwrap_or_else(ClientClosed::by_us).into();
        if !shared.append(spool, Append { publish, ticket, taken }).await {
            return Err(closed());
        }
        match waiting.await {
            Ok(Ok(())) => Ok(Acknowledgement { topic, answer: Some(answer) }),
            Ok(Err(Refused::Full)) => Err(PublishError::SpoolFull { topic, max: spool.bytes_max }),
            Ok(Err(Refused::TooLarge { bytes, max })) => {
                let bounded = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
                Err(PublishError::TooLarge { topic, bytes: bounded(bytes), max: bounded(max) })
            }
            Ok(Err(Refused::Io(source))) => Err(PublishError::Spool { topic, source }),
            Err(_) => Err(closed()),
        }
    }

    /// Checks it, and writes its packet.
    fn into_outbound(self) -> Result<Checked, PublishError> {
        let PublishBuilder { shared, target, acknowledged, options, .. } = self.builder;
        let topic = target.topic()?;
        let (id, ticket, answer) = if acknowledged {
            let (sender, receiver) = oneshot::channel();
            (shared.session().next_publish(), Some(sender), Some(receiver))
        } else {
            (0, None, None)
        };
        let options = (options != PublishOptions::default()).then(|| Box::new(options));
        let mut packet = Vec::with_capacity(topic.len() + self.payload.len() + 16);
        let publish = WirePublish {
            topic: topic.as_str().into(),
            format: self.format,
            payload: self.payload.as_ref().into(),
            id,
            options,
        };
        Codec::MessagePack.write_client(&ClientPacket::Publish(publish), &mut packet);
        Ok(Checked { topic, outbound: Outbound { id, packet, ticket }, answer })
    }
}

/// A publish as the buffer takes it.
struct Checked {
    topic: String,
    outbound: Outbound<Ticket>,
    answer: Option<oneshot::Receiver<Outcome>>,
}

impl IntoFuture for Publish {
    type Output = Result<Published, PublishError>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.enqueue().await?.await })
    }
}

/// The broker's answer to come, for a publish that is in the buffer; resolves at once for an unacknowledged one.
/// Dropping it doesn't take the message back.
#[derive(Debug)]
pub struct Acknowledgement {
    topic: String,
    answer: Option<oneshot::Receiver<Outcome>>,
}

impl Future for Acknowledgement {
    type Output = Result<Published, PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(Ok(Published { position: Position::NONE }));
        };
        // The session always answers before it goes; the error can't come while the client lives.
        let outcome =
            ready!(Pin::new(answer).poll(context)).unwrap_or(Outcome::Closed(ClientClosed::by_us()));
        let topic = std::mem::take(&mut self.topic);
        Poll::Ready(match outcome {
            Outcome::Accepted(position) => Ok(Published { position }),
            Outcome::Refused { code, reason } => Err(PublishError::Refused { topic, code, reason }),
            Outcome::Dropped => Err(PublishError::Dropped { topic }),
            Outcome::TooLarge { bytes, max } => Err(PublishError::TooLarge { topic, bytes, max }),
            Outcome::Closed(closed) => Err(closed.into()),
        })
    }
}
