//! Packets as values: a MessagePack array each, whose first element is the type (`docs/protocol.md`).

use std::fmt;

pub use rmpv::Value as Element;
use rmpv::Value;

/// The types of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the protocol's")]
#[repr(u64)]
pub enum Kind {
    Connect = 1,
    Connected = 2,
    Publish = 3,
    Published = 4,
    Subscribe = 5,
    Subscribed = 6,
    Unsubscribe = 7,
    Unsubscribed = 8,
    Message = 9,
    Ack = 10,
    Ping = 11,
    Pong = 12,
    Disconnect = 13,
    Notice = 14,
    CaughtUp = 15,
}

/// A packet: its elements, the type at index 0.
#[derive(Clone, PartialEq)]
pub struct Packet(pub Vec<Value>);

impl Packet {
    /// A packet of this type with these elements after the type.
    pub fn new<const N: usize>(kind: Kind, elements: [Value; N]) -> Self {
        Self(std::iter::once(Value::from(kind as u64)).chain(elements).collect())
    }

    /// CONNECT with options.
    pub fn connect(options: serde_json::Value) -> Self {
        Self::new(Kind::Connect, [value(options)])
    }

    /// PUBLISH of a text, or of bytes that stand for one.
    pub fn publish(topic: &str, payload: impl AsRef<[u8]>, id: u64) -> Self {
        Self::new(
            Kind::Publish,
            [topic.into(), 3.into(), Value::Binary(payload.as_ref().to_vec()), id.into()],
        )
    }

    /// SUBSCRIBE with options.
    pub fn subscribe(sub: u64, filter: &str, options: serde_json::Value) -> Self {
        Self::new(Kind::Subscribe, [sub.into(), filter.into(), value(options)])
    }

    /// The same packet with one more element at its end: options, mostly.
    pub fn and(mut self, element: impl Into<Value>) -> Self {
        self.0.push(element.into());
        self
    }

    /// Its bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &Value::Array(self.0.clone())).expect("a vector takes all");
        bytes
    }

    /// Reads all the packets of one message.
    pub fn decode_all(mut bytes: &[u8]) -> Vec<Self> {
        let mut packets = Vec::new();
        while !bytes.is_empty() {
            match rmpv::decode::read_value(&mut bytes) {
                Ok(Value::Array(elements)) => packets.push(Self(elements)),
                other => panic!("the broker sent what is no packet: {other:?}"),
            }
        }
        packets
    }

    /// Whether it is of this type.
    pub fn is(&self, kind: Kind) -> bool {
        self.number(0) == kind as u64
    }

    /// An element that is a number; 0 where it was left off.
    pub fn number(&self, index: usize) -> u64 {
        match self.0.get(index) {
            None | Some(Value::Nil) => 0,
            Some(element) => {
                element.as_u64().unwrap_or_else(|| panic!("element {index} of {self:?} is no number"))
            }
        }
    }

    /// An element that is text; empty where it was left off.
    pub fn text(&self, index: usize) -> &str {
        match self.0.get(index) {
            None | Some(Value::Nil) => "",
            Some(element) => {
                element.as_str().unwrap_or_else(|| panic!("element {index} of {self:?} is no text"))
            }
        }
    }

    /// A value in the packet's map, the last element of most packets; `Nil` where there is none.
    pub fn info(&self, key: &str) -> &Value {
        let entries = self.0.last().and_then(Value::as_map);
        entries
            .into_iter()
            .flatten()
            .find(|(name, _)| name.as_str() == Some(key))
            .map_or(&Value::Nil, |(_, value)| value)
    }
}

impl Packet {
    /// Where CAUGHT_UP says that the subscription stands.
    pub fn positions(&self) -> Vec<u64> {
        let positions = self.info("positions").as_array().expect("a list");
        positions.iter().map(|position| position.as_u64().expect("a number")).collect()
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Value::Array(self.0.clone()))
    }
}

/// MESSAGE, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The subscription's number.
    pub sub: u64,
    /// Where it was published.
    pub topic: String,
    /// 0 raw, 1 MessagePack, 2 JSON, 3 text.
    pub format: u64,
    /// As published.
    pub payload: Vec<u8>,
    /// Unix milliseconds at the broker.
    pub time: u64,
    /// Where it stands.
    pub position: u64,
    /// The whole packet, for its options.
    pub packet: Packet,
}

impl Message {
    /// Takes a MESSAGE apart.
    pub fn from_packet(packet: Packet) -> Self {
        assert!(packet.is(Kind::Message), "expected MESSAGE, got {packet:?}");
        let payload = packet.0.get(4).and_then(Value::as_slice).expect("a payload is bin").to_vec();
        Self {
            sub: packet.number(1),
            topic: packet.text(2).to_owned(),
            format: packet.number(3),
            payload,
            time: packet.number(5),
            position: packet.number(6),
            packet,
        }
    }

    /// The payload as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("a payload that is text")
    }

    /// The payload as JSON, whether it came as JSON or as MessagePack.
    pub fn json(&self) -> serde_json::Value {
        match self.format {
            1 => {
                rmpv::ext::from_value(rmpv::decode::read_value(&mut &self.payload[..]).expect("MessagePack"))
                    .expect("a value that JSON has")
            }
            _ => serde_json::from_slice(&self.payload).expect("a payload that is JSON"),
        }
    }

    /// Whether it is a kept value, sent as part of a snapshot.
    pub fn is_kept(&self) -> bool {
        self.packet.info("retain").as_bool() == Some(true)
    }
}

/// A MessagePack value from one in JSON's terms.
pub fn value(json: serde_json::Value) -> Value {
    rmpv::ext::to_value(json).expect("JSON has no value that MessagePack hasn't")
}
