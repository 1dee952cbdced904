//! What the broker said to a client, read back from the bytes.

use std::borrow::Cow;

use murre_protocol::{
    Code, Codec, Format, Position, Timestamp,
    packet::{BrokerPacket, Message, MessageOptions, NoticeKind, ViewOptions},
};

/// A packet of the broker, with what tests look at.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// CONNECTED.
    Connected {
        /// The client's name.
        client_id: String,
        /// Seconds, as granted.
        keep_alive: u64,
        /// Whether a session was kept for it.
        session_present: bool,
        /// Seconds that the session is kept, as granted.
        session_expiry: u64,
    },
    /// PUBLISHED.
    Published(Answer),
    /// SUBSCRIBED.
    Subscribed {
        /// The client's number for the subscription.
        sub: u64,
        /// 0: granted.
        code: Code,
        /// Why not.
        reason: String,
        /// On `after`: whether nothing is missing.
        recovered: Option<bool>,
        /// On `after`: why something is missing.
        lost: Option<String>,
        /// On `last`: how many, where a limit made it fewer.
        last: Option<u64>,
        /// The view in force.
        view: Option<Box<ViewOptions<'static>>>,
    },
    /// UNSUBSCRIBED.
    Unsubscribed {
        /// The client's number for the subscription.
        sub: u64,
        /// 0, or why not.
        code: Code,
    },
    /// MESSAGE.
    Message(Delivery),
    /// CAUGHT_UP.
    CaughtUp {
        /// The client's number for the subscription.
        sub: u64,
        /// One for each shard.
        positions: Vec<Position>,
        /// Messages of the snapshot.
        count: u64,
    },
    /// NOTICE.
    Notice {
        /// What it is about.
        kind: NoticeKind,
        /// The subscription that it concerns.
        sub: Option<u64>,
        /// How many messages.
        count: u64,
        /// How many by topic.
        topics: Vec<(String, u64)>,
        /// Why, for people.
        reason: String,
        /// The code of a refusal.
        code: Option<Code>,
    },
    /// DISCONNECT.
    Disconnect {
        /// Why.
        code: Code,
        /// Why, for people.
        reason: String,
        /// Milliseconds after which the client may come back.
        retry_after: Option<u64>,
    },
    /// PONG.
    Pong,
}

/// The answer to a publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The publish's number.
    pub id: u64,
    /// 0: accepted.
    pub code: Code,
    /// Where the message stands.
    pub position: Position,
    /// Why it was refused.
    pub reason: String,
}

/// A MESSAGE as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The client's number for the subscription.
    pub sub: u64,
    /// Where it was published.
    pub topic: String,
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: Vec<u8>,
    /// When the broker took it.
    pub time: Timestamp,
    /// Where it stands.
    pub position: Position,
    /// What is rarely there.
    pub options: MessageOptions<'static>,
}

impl Delivery {
    /// The payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// Whether it came as a kept value of a snapshot.
    pub fn is_kept_value(&self) -> bool {
        self.options.retain
    }

    fn of(sub: u64, message: Message<'_>) -> Self {
        let Message { topic, format, payload, time, position, options } = message;
        let options = options.map(|options| options.into_owned()).unwrap_or_default();
        Self {
            sub,
            topic: topic.into_owned(),
            format,
            payload: payload.into_owned(),
            time,
            position,
            options,
        }
    }
}

/// Reads all packets of one WebSocket message.
///
/// # Panics
/// The broker wrote something that can't be read.
pub(super) fn read_all(codec: Codec, bytes: &[u8], heard: &mut Vec<Said>) {
    let mut rest = bytes;
    loop {
        match codec.broker_packet(rest, usize::MAX) {
            Ok(Some((packet, behind))) => {
                heard.push(said(packet));
                rest = behind;
            }
            Ok(None) => return,
            Err(error) => panic!("the broker wrote a packet that can't be read: {error}"),
        }
    }
}

fn said(packet: BrokerPacket<'_>) -> Said {
    let own = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).unwrap_or_default();
    match packet {
        BrokerPacket::Connected(connected) => Said::Connected {
            client_id: connected.client_id.into_owned(),
            keep_alive: connected.keep_alive,
            session_present: connected.session_present,
            session_expiry: connected.session_expiry,
        },
        BrokerPacket::Published(answer) => Said::Published(Answer {
            id: answer.id,
            code: answer.code,
            position: answer.position,
            reason: own(answer.reason),
        }),
        BrokerPacket::Subscribed(answer) => {
            let (recovered, last) = (answer.recovered, answer.last);
            let lost = answer.lost.map(Cow::into_owned);
            let (sub, code, reason) = (answer.sub, answer.code, own(answer.reason));
            let view = answer.view.map(|view| Box::new(view.into_owned()));
            Said::Subscribed { sub, code, reason, recovered, lost, last, view }
        }
        BrokerPacket::Unsubscribed { sub, code } => Said::Unsubscribed { sub, code },
        BrokerPacket::Message { sub, message } => Said::Message(Delivery::of(sub, message)),
        BrokerPacket::CaughtUp(caught_up) => Said::CaughtUp {
            sub: caught_up.sub,
            positions: caught_up.positions.into_owned(),
            count: caught_up.count,
        },
        BrokerPacket::Notice(notice) => Said::Notice {
            kind: notice.kind,
            sub: notice.sub,
            count: notice.count.unwrap_or_default(),
            topics: notice.topics.into_iter().map(|(topic, count)| (topic.into_owned(), count)).collect(),
            reason: notice.reason.into_owned(),
            code: notice.code,
        },
        BrokerPacket::Disconnect(end) => {
            Said::Disconnect { code: end.code, reason: end.reason.into_owned(), retry_after: end.retry_after }
        }
        BrokerPacket::Pong => Said::Pong,
        other @ (BrokerPacket::Ping | BrokerPacket::Auth) => panic!("the broker never says {other:?}"),
    }
}
