//! Every packet, borrowed from the frame that it came in.
//!
//! Topics and filters are plain text here: a packet with an invalid topic is well formed, and gets its own
//! answer (4422). Whoever handles the packet turns the text into [`TopicName`](crate::TopicName) or
//! [`SharedFilter`](crate::SharedFilter).

use std::borrow::Cow;

use crate::{Code, Format, Position, Timestamp};

mod notice;
mod subscribe;
pub mod view;

pub use notice::{Notice, NoticeKind};
pub use subscribe::{CaughtUp, From, OnSlow, Subscribe, SubscribeOptions, Subscribed};
pub use view::{Deadband, Figure, LeastChange, OnError, ViewKey, ViewOptions, Window, WindowTime};

/// What a client sends.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientPacket<'a> {
    /// Type 1.
    Connect(Box<Connect<'a>>),
    /// Type 3.
    Publish(Publish<'a>),
    /// Type 5.
    Subscribe(Box<Subscribe<'a>>),
    /// Type 7: ends the subscription.
    Unsubscribe {
        /// The client's number for the subscription.
        sub: u64,
    },
    /// Type 10: everything of this subscription up to here, in the position's shard, was handled.
    Ack {
        /// The client's number for the subscription.
        sub: u64,
        /// The last message handled.
        position: Position,
    },
    /// Type 11.
    Ping,
    /// Type 12.
    Pong,
    /// Type 13.
    Disconnect(Disconnect<'a>),
    /// Type 16, kept for renewing credentials.
    Auth,
}

/// What the broker sends.
#[derive(Debug, Clone, PartialEq)]
pub enum BrokerPacket<'a> {
    /// Type 2.
    Connected(Box<Connected<'a>>),
    /// Type 4.
    Published(Published<'a>),
    /// Type 6.
    Subscribed(Box<Subscribed<'a>>),
    /// Type 8.
    Unsubscribed {
        /// The client's number for the subscription.
        sub: u64,
        /// 0, or 4404 where there was none.
        code: Code,
    },
    /// Type 9.
    Message {
        /// The client's number for the subscription.
        sub: u64,
        /// All that is the same for every subscriber.
        message: Message<'a>,
    },
    /// Type 11.
    Ping,
    /// Type 12.
    Pong,
    /// Type 13.
    Disconnect(Disconnect<'a>),
    /// Type 14.
    Notice(Box<Notice<'a>>),
    /// Type 15.
    CaughtUp(CaughtUp<'a>),
    /// Type 16.
    Auth,
}

/// CONNECT's options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Connect<'a> {
    /// The name to be known by; the broker gives one where it is absent.
    pub client_id: Option<Cow<'a, str>>,
    /// For authentication by password.
    pub username: Option<Cow<'a, str>>,
    /// For authentication by password.
    pub password: Option<Cow<'a, str>>,
    /// For authentication by token.
    pub token: Option<Cow<'a, str>>,
    /// Seconds; 0: none; absent: 60.
    pub keep_alive: Option<u64>,
    /// Seconds that the broker keeps the session after a disconnect; 0: none, and ends a kept one.
    pub session_expiry: Option<u64>,
    /// Published when the connection ends without a farewell.
    pub will: Option<Will<'a>>,
    /// What the client is, for people.
    pub agent: Option<Cow<'a, str>>,
}

/// A message that the broker publishes for a client that is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Will<'a> {
    /// Where to.
    pub topic: Cow<'a, str>,
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: Cow<'a, [u8]>,
    /// Kept as the topic's retained value.
    pub retain: bool,
    /// Seconds between the end of the connection and the will.
    pub delay: u64,
}

/// CONNECTED's info.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Connected<'a> {
    /// The client's name, given by the broker where the client had none.
    pub client_id: Cow<'a, str>,
    /// Whether a kept session goes on.
    pub session_present: bool,
    /// Seconds, as granted.
    pub session_expiry: u64,
    /// Whether there is a store.
    pub durable: bool,
    /// Names the run of positions that this broker gives.
    pub epoch: Cow<'a, str>,
    /// Seconds, as granted.
    pub keep_alive: u64,
    /// Bytes of one packet.
    pub max_packet: u64,
    /// Bytes of one WebSocket message.
    pub max_message: u64,
    /// The broker's name and version.
    pub server: Cow<'a, str>,
    /// The time at the broker.
    pub time: Option<Timestamp>,
}

/// PUBLISH.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish<'a> {
    /// Where to.
    pub topic: Cow<'a, str>,
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: Cow<'a, [u8]>,
    /// The client's number for the answer; 0: no acknowledgement.
    pub id: u64,
    /// What is rarely there.
    pub options: Option<Box<PublishOptions<'a>>>,
}

/// PUBLISH's options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublishOptions<'a> {
    /// Keep this value for the topic; an empty payload deletes it.
    pub retain: bool,
    /// Seconds after which the message is of no use.
    pub expiry: Option<u64>,
    /// When the reading was taken, by the source's clock.
    pub time: Option<Timestamp>,
    /// Rises within a client id; for sending again without doubling.
    pub sequence: Option<u64>,
    /// Where an answer is to be published.
    pub reply_to: Option<Cow<'a, str>>,
    /// Handed back in the answer.
    pub correlation: Option<Cow<'a, [u8]>>,
    /// The application's own.
    pub properties: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// PUBLISHED.
#[derive(Debug, Clone, PartialEq)]
pub struct Published<'a> {
    /// The publish's number.
    pub id: u64,
    /// 0: accepted.
    pub code: Code,
    /// Where the message stands; [`Position::NONE`] on a refusal.
    pub position: Position,
    /// Why it was refused.
    pub reason: Option<Cow<'a, str>>,
}

/// MESSAGE, without the number of the subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Where it was published.
    pub topic: Cow<'a, str>,
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: Cow<'a, [u8]>,
    /// When the broker took it.
    pub time: Timestamp,
    /// Where it stands.
    pub position: Position,
    /// What is rarely there.
    pub options: Option<Box<MessageOptions<'a>>>,
}

/// MESSAGE's options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MessageOptions<'a> {
    /// When the reading was taken, by the source's clock.
    pub time: Option<Timestamp>,
    /// A kept value, sent as part of a snapshot.
    pub retain: bool,
    /// The payload is a patch to the value before.
    pub patch: bool,
    /// Where an answer is to be published.
    pub reply_to: Option<Cow<'a, str>>,
    /// To be handed back in the answer.
    pub correlation: Option<Cow<'a, [u8]>>,
    /// The application's own.
    pub properties: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Seconds after which the message is of no use.
    pub expiry: Option<u64>,
}

impl MessageOptions<'_> {
    /// The same, owning its text.
    pub fn into_owned(self) -> MessageOptions<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        MessageOptions {
            time: self.time,
            retain: self.retain,
            patch: self.patch,
            reply_to: self.reply_to.map(own),
            correlation: self.correlation.map(|bytes| Cow::Owned(bytes.into_owned())),
            properties: self.properties.into_iter().map(|(key, value)| (own(key), own(value))).collect(),
            expiry: self.expiry,
        }
    }
}

/// DISCONNECT.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Disconnect<'a> {
    /// 0: a normal end.
    pub code: Code,
    /// Why, for people.
    pub reason: Cow<'a, str>,
    /// Milliseconds after which the client may come back.
    pub retry_after: Option<u64>,
}
