//! How clients and subscriptions are written.

use std::net::SocketAddr;

use murre_core::{
    hub::{ClientReport, Party, SubscriptionReport, Traffic},
    log::KeepRule,
    session::SessionKind,
};
use murre_protocol::{
    Codec, Timestamp,
    packet::{ClientPacket, Subscribe, SubscribeOptions, ViewOptions},
};
use serde::Serialize;
use serde_json::Value;

/// A client.
#[derive(Debug, Serialize)]
pub(super) struct ClientJson {
    client_id: String,
    address: Option<SocketAddr>,
    protocol: &'static str,
    encoding: &'static str,
    connected: u64,
    keep_alive: u64,
    durable: bool,
    slow: bool,
    received: TrafficJson,
    delivered: TrafficJson,
    outbox: OutboxJson,
    dropped: u64,
    conflated: u64,
    subscriptions: usize,
}

#[derive(Debug, Serialize)]
struct TrafficJson {
    messages: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct OutboxJson {
    bytes: usize,
    bytes_max: usize,
}

impl From<Traffic> for TrafficJson {
    fn from(Traffic { messages, bytes }: Traffic) -> Self {
        Self { messages, bytes }
    }
}

impl ClientJson {
    /// A client, where so many bytes may wait for each.
    pub(super) fn new(report: ClientReport, outbox_max: usize) -> Self {
        Self {
            client_id: report.name,
            address: report.address,
            protocol: match report.kind {
                SessionKind::Client => "websocket",
                SessionKind::Events | SessionKind::Local => "events",
            },
            encoding: match report.codec {
                Codec::MessagePack => "msgpack",
                Codec::Json => "json",
            },
            connected: report.connected.millis(),
            keep_alive: report.keep_alive,
            durable: report.durable,
            slow: report.slow,
            received: report.received.into(),
            delivered: report.delivered.into(),
            outbox: OutboxJson { bytes: report.outbox_bytes, bytes_max: outbox_max },
            dropped: report.dropped,
            conflated: report.conflated,
            subscriptions: report.subscriptions,
        }
    }
}

/// A subscription.
#[derive(Debug, Serialize)]
pub(super) struct SubscriptionJson {
    sub: u64,
    filter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Box<str>>,
    ack: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<Value>,
    dropped: u64,
}

impl From<SubscriptionReport> for SubscriptionJson {
    fn from(report: SubscriptionReport) -> Self {
        Self {
            sub: report.sub,
            filter: report.filter.as_str().to_owned(),
            group: report.group,
            ack: report.ack,
            view: report.view.map(view),
            dropped: report.dropped,
        }
    }
}

/// A view's options as SUBSCRIBE has them.
fn view(options: ViewOptions<'static>) -> Value {
    let options = SubscribeOptions { view: Some(Box::new(options)), ..Default::default() };
    let subscribe = Subscribe { sub: 0, filter: "#".into(), options };
    let mut bytes = Vec::new();
    Codec::Json.write_client(&ClientPacket::Subscribe(Box::new(subscribe)), &mut bytes);
    let packet: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    packet.get("options").cloned().unwrap_or_default()
}

/// A client that a topic's messages come from, or go to.
#[derive(Debug, Serialize)]
pub(super) struct PartyJson {
    pub(super) client_id: String,
    address: Option<SocketAddr>,
}

impl From<Party> for PartyJson {
    fn from(Party { name, address }: Party) -> Self {
        Self { client_id: name, address }
    }
}

/// A client that has published to a topic.
#[derive(Debug, Serialize)]
pub(super) struct PublisherJson {
    #[serde(flatten)]
    client: PartyJson,
    pub(super) last: u64,
}

impl PublisherJson {
    /// It did so then the last time.
    pub(super) fn new(party: Party, last: Timestamp) -> Self {
        Self { client: party.into(), last: last.millis() }
    }
}

/// A client that gets a topic's messages.
#[derive(Debug, Serialize)]
pub(super) struct SubscriberJson {
    #[serde(flatten)]
    client: PartyJson,
    #[serde(flatten)]
    subscription: SubscriptionJson,
}

impl SubscriberJson {
    pub(super) fn new(party: Party, report: SubscriptionReport) -> Self {
        Self { client: party.into(), subscription: report.into() }
    }

    /// What they are ordered by.
    pub(super) fn order(&self) -> (String, u64) {
        (self.client.client_id.clone(), self.subscription.sub)
    }
}

/// A keep rule.
#[derive(Debug, Serialize)]
pub(super) struct RuleJson {
    filter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    durable: bool,
}

impl From<&KeepRule> for RuleJson {
    fn from(rule: &KeepRule) -> Self {
        Self {
            filter: rule.filter.as_str().to_owned(),
            last: rule.last,
            age_ms: rule.age.map(|age| age.as_millis() as u64),
            bytes: rule.bytes,
            durable: rule.durable,
        }
    }
}
