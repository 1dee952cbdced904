//! What both encodings share in reading: which elements a packet has, in which order and under which names.
//!
//! An encoding brings two things: [`Elements`], a packet's elements taken one after the other (MessagePack goes
//! by their order, JSON by their names), and [`Value`], one value inside of a map or of a rare element.

use std::borrow::Cow;

use crate::{Code, DecodeError, Format, Position, Problem, Timestamp};

mod info;
mod options;
mod packets;
mod view;

pub(crate) use packets::{broker, client};

/// The deepest nesting of maps and arrays that a reader bears in any element but the payload.
pub(crate) const DEPTH_MAX: u32 = 32;

/// The types of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Connected,
    Publish,
    Published,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Message,
    Ack,
    Ping,
    Pong,
    Disconnect,
    Notice,
    CaughtUp,
    Auth,
}

impl Kind {
    /// All of them: the type's number on the wire, the name in JSON, the name in errors.
    pub(crate) const TABLE: [(Self, u8, &'static str, &'static str); 16] = [
        (Self::Connect, 1, "connect", "CONNECT"),
        (Self::Connected, 2, "connected", "CONNECTED"),
        (Self::Publish, 3, "publish", "PUBLISH"),
        (Self::Published, 4, "published", "PUBLISHED"),
        (Self::Subscribe, 5, "subscribe", "SUBSCRIBE"),
        (Self::Subscribed, 6, "subscribed", "SUBSCRIBED"),
        (Self::Unsubscribe, 7, "unsubscribe", "UNSUBSCRIBE"),
        (Self::Unsubscribed, 8, "unsubscribed", "UNSUBSCRIBED"),
        (Self::Message, 9, "message", "MESSAGE"),
        (Self::Ack, 10, "ack", "ACK"),
        (Self::Ping, 11, "ping", "PING"),
        (Self::Pong, 12, "pong", "PONG"),
        (Self::Disconnect, 13, "disconnect", "DISCONNECT"),
        (Self::Notice, 14, "notice", "NOTICE"),
        (Self::CaughtUp, 15, "caught_up", "CAUGHT_UP"),
        (Self::Auth, 16, "auth", "AUTH"),
    ];

    /// From the number on the wire.
    #[inline]
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::TABLE.get(at).map(|row| row.0)
    }

    /// From the name in JSON.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.2 == word).map(|row| row.0)
    }

    /// The number on the wire.
    #[inline]
    pub(crate) const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The name in JSON.
    pub(crate) fn word(self) -> &'static str {
        Self::TABLE.get(self as usize).map_or("", |row| row.2)
    }

    /// The name in errors.
    #[inline]
    pub(crate) fn name(self) -> &'static str {
        Self::TABLE.get(self as usize).map_or("packet", |row| row.3)
    }
}

/// A packet's elements after the type, taken in the order of the specification's table.
pub(crate) trait Elements<'a> {
    /// How values look in this encoding.
    type Value: Value<'a>;

    /// The packet that this is.
    fn kind(&self) -> Kind;
    /// The next element, which has to be a uint.
    fn uint(&mut self, element: &'static str) -> Result<u64, DecodeError>;
    /// The next element, which has to be a string.
    fn text(&mut self, element: &'static str) -> Result<Cow<'a, str>, DecodeError>;
    /// The next element, if it is there and not nil.
    fn optional(&mut self, element: &'static str) -> Result<Option<Self::Value>, DecodeError>;
    /// `format` and `payload`.
    fn payload(&mut self) -> Result<(Format, Cow<'a, [u8]>), DecodeError>;

    /// PUBLISH's `id`.
    #[inline]
    fn id(&mut self) -> Result<u64, DecodeError> {
        self.uint("id")
    }

    /// An error in `element`.
    fn error(&self, element: &'static str, problem: Problem) -> DecodeError {
        DecodeError::new(self.kind().name(), element, problem)
    }

    /// The next element, which has to be there: for maps.
    fn required(&mut self, element: &'static str) -> Result<Self::Value, DecodeError> {
        self.optional(element)?.ok_or_else(|| self.error(element, Problem::Missing))
    }

    /// The next element, a code.
    fn code(&mut self, element: &'static str) -> Result<Code, DecodeError> {
        let number = self.uint(element)?;
        code(number).map_err(|problem| self.error(element, problem))
    }

    /// The next element, a position.
    #[inline]
    fn position(&mut self, element: &'static str) -> Result<Position, DecodeError> {
        let number = self.uint(element)?;
        Position::from_wire(number).ok_or_else(|| self.error(element, Problem::Range(number)))
    }

    /// The next element, milliseconds since the Unix epoch.
    #[inline]
    fn time(&mut self, element: &'static str) -> Result<Timestamp, DecodeError> {
        self.uint(element).map(Timestamp::from_millis)
    }
}

/// One value.
pub(crate) trait Value<'a>: Copy {
    /// Whether it counts as absent.
    fn is_nil(self) -> bool;
    /// Whether it is a string.
    fn is_text(self) -> bool;
    /// As a uint.
    fn uint(self) -> Result<u64, Problem>;
    /// As a number: any integer, or a float.
    fn number(self) -> Result<f64, Problem>;
    /// As a boolean.
    fn boolean(self) -> Result<bool, Problem>;
    /// As a string.
    fn text(self) -> Result<Cow<'a, str>, Problem>;
    /// As bytes.
    fn bytes(self) -> Result<Cow<'a, [u8]>, Problem>;
    /// The `format`, `payload` and `payload_base64` of a map that holds a message, where they are given.
    fn payload(parts: PayloadParts<Self>, names: PayloadNames) -> Result<(Format, Cow<'a, [u8]>), Named>;
    /// Calls `each` with every item of an array.
    fn array(self, at: At, each: impl FnMut(Self) -> Result<(), DecodeError>) -> Result<(), DecodeError>;
    /// Calls `each` with every key, or what is wrong with it, and value of a map.
    fn map(
        self,
        at: At,
        each: impl FnMut(Result<Cow<'a, str>, Problem>, Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError>;
}

/// What is wrong, under a name whose packet the caller knows.
pub(crate) type Named = (&'static str, Problem);

/// What a message's payload is made of.
#[derive(Clone, Copy)]
pub(crate) struct PayloadParts<V> {
    pub(crate) format: Option<V>,
    pub(crate) payload: Option<V>,
    pub(crate) payload_base64: Option<V>,
}

impl<V> PayloadParts<V> {
    /// Nothing given.
    pub(crate) const NONE: Self = Self { format: None, payload: None, payload_base64: None };
}

/// How errors name the parts of a payload.
#[derive(Clone, Copy)]
pub(crate) struct PayloadNames {
    pub(crate) format: &'static str,
    pub(crate) payload: &'static str,
    pub(crate) payload_base64: &'static str,
}

impl PayloadNames {
    /// As elements of a packet.
    pub(crate) const ELEMENTS: Self =
        Self { format: "format", payload: "payload", payload_base64: "payload_base64" };
    /// As keys of CONNECT's will.
    pub(crate) const WILL: Self = Self {
        format: "options.will.format",
        payload: "options.will.payload",
        payload_base64: "options.will.payload_base64",
    };
}

/// A place in a packet, for errors.
#[derive(Clone, Copy)]
pub(crate) struct At {
    packet: &'static str,
    element: &'static str,
}

impl At {
    /// In `kind`'s `element`.
    pub(crate) fn new(kind: Kind, element: &'static str) -> Self {
        Self { packet: kind.name(), element }
    }

    /// In `element` of the same packet.
    pub(crate) fn of(self, element: &'static str) -> Self {
        Self { element, ..self }
    }

    /// The error that this place has `problem`.
    pub(crate) fn error(self, problem: Problem) -> DecodeError {
        DecodeError::new(self.packet, self.element, problem)
    }

    /// Reads `value` here; nil is none.
    pub(crate) fn read<'a, V: Value<'a>, T>(
        self,
        value: V,
        read: impl FnOnce(V) -> Result<T, Problem>,
    ) -> Result<Option<T>, DecodeError> {
        if value.is_nil() { Ok(None) } else { read(value).map(Some).map_err(|problem| self.error(problem)) }
    }
}

/// `number` as a code.
pub(crate) fn code(number: u64) -> Result<Code, Problem> {
    u16::try_from(number).map(Code::from_wire).map_err(|_| Problem::Range(number))
}

/// `number` as a format.
#[inline]
pub(crate) fn format(number: u64) -> Result<Format, Problem> {
    Format::from_wire(number).ok_or(Problem::Range(number))
}

/// `number` as a position.
pub(crate) fn position(number: u64) -> Result<Position, Problem> {
    Position::from_wire(number).ok_or(Problem::Range(number))
}
