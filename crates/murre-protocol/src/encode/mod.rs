//! What both encodings share in writing: which elements and keys a packet has, in which order.
//!
//! An encoding brings [`Fields`], which takes them one after the other: MessagePack writes a packet's elements
//! without their names and the keys of maps with them, JSON writes all by name.

use crate::{
    Format,
    decode::Kind,
    packet::{BrokerPacket, ClientPacket, Disconnect, Message, MessageOptions, Publish, PublishOptions},
};

mod info;
mod options;
mod view;

/// A packet's elements or a map's entries, being written.
pub(crate) trait Fields {
    fn uint(&mut self, name: &'static str, n: u64);
    fn float(&mut self, name: &'static str, n: f64);
    fn boolean(&mut self, name: &'static str, value: bool);
    fn text(&mut self, name: &'static str, text: &str);
    fn bytes(&mut self, name: &'static str, bytes: &[u8]);
    /// `format` and `payload`, the payload in the form that the encoding has for the format.
    fn payload(&mut self, format: Format, payload: &[u8]);
    /// A map whose keys the specification names; `fill` writes them.
    fn map(&mut self, name: &'static str, fill: impl FnOnce(&mut Self));
    fn uints(&mut self, name: &'static str, items: impl ExactSizeIterator<Item = u64>);
    fn list<'v>(&mut self, name: &'static str, items: impl ExactSizeIterator<Item = &'v str>);
    /// A map of the application's own keys.
    fn texts<'v>(&mut self, name: &'static str, pairs: impl ExactSizeIterator<Item = (&'v str, &'v str)>);
    /// A map of topics to counts.
    fn counts<'v>(&mut self, name: &'static str, pairs: impl ExactSizeIterator<Item = (&'v str, u64)>);

    /// A string, where there is one.
    fn text_if(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A uint, where there is one.
    fn uint_if(&mut self, name: &'static str, n: Option<u64>) {
        if let Some(n) = n {
            self.uint(name, n);
        }
    }

    /// A number, as a uint where it is one.
    fn number(&mut self, name: &'static str, n: f64) {
        match as_uint(n) {
            Some(n) => self.uint(name, n),
            None => self.float(name, n),
        }
    }

    /// A boolean, where it isn't what its absence means.
    fn true_if(&mut self, name: &'static str, value: bool) {
        if value {
            self.boolean(name, value);
        }
    }
}

/// A number as a uint, where it is one without loss.
fn as_uint(n: f64) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    ((0.0..=EXACT_MAX).contains(&n) && n.fract() == 0.0 && n.is_sign_positive()).then_some(n as u64)
}

/// Which packet this is.
pub(crate) fn client_kind(packet: &ClientPacket<'_>) -> Kind {
    match packet {
        ClientPacket::Connect(_) => Kind::Connect,
        ClientPacket::Publish(_) => Kind::Publish,
        ClientPacket::Subscribe(_) => Kind::Subscribe,
        ClientPacket::Unsubscribe { .. } => Kind::Unsubscribe,
        ClientPacket::Ack { .. } => Kind::Ack,
        ClientPacket::Ping => Kind::Ping,
        ClientPacket::Pong => Kind::Pong,
        ClientPacket::Disconnect(_) => Kind::Disconnect,
        ClientPacket::Auth => Kind::Auth,
    }
}

/// Which packet this is.
pub(crate) fn broker_kind(packet: &BrokerPacket<'_>) -> Kind {
    match packet {
        BrokerPacket::Connected(_) => Kind::Connected,
        BrokerPacket::Published(_) => Kind::Published,
        BrokerPacket::Subscribed(_) => Kind::Subscribed,
        BrokerPacket::Unsubscribed { .. } => Kind::Unsubscribed,
        BrokerPacket::Message { .. } => Kind::Message,
        BrokerPacket::Ping => Kind::Ping,
        BrokerPacket::Pong => Kind::Pong,
        BrokerPacket::Disconnect(_) => Kind::Disconnect,
        BrokerPacket::Notice(_) => Kind::Notice,
        BrokerPacket::CaughtUp(_) => Kind::CaughtUp,
        BrokerPacket::Auth => Kind::Auth,
    }
}

/// Writes the elements after the type.
pub(crate) fn client(packet: &ClientPacket<'_>, fields: &mut impl Fields) {
    match packet {
        ClientPacket::Publish(packet) => publish(packet, fields),
        ClientPacket::Connect(packet) => fields.map("options", |map| options::connect(packet, map)),
        ClientPacket::Subscribe(packet) => options::subscribe(packet, fields),
        ClientPacket::Unsubscribe { sub } => fields.uint("sub", *sub),
        ClientPacket::Ack { sub, position } => {
            fields.uint("sub", *sub);
            fields.uint("position", position.get());
        }
        ClientPacket::Disconnect(packet) => disconnect(packet, fields),
        ClientPacket::Ping | ClientPacket::Pong | ClientPacket::Auth => {}
    }
}

/// Writes the elements after the type.
pub(crate) fn broker(packet: &BrokerPacket<'_>, fields: &mut impl Fields) {
    match packet {
        BrokerPacket::Message { sub, message: packet } => {
            fields.uint("sub", *sub);
            message(packet, fields);
        }
        BrokerPacket::Published(packet) => {
            fields.uint("id", packet.id);
            fields.uint("code", packet.code.number().into());
            fields.uint("position", packet.position.get());
            fields.text_if("reason", packet.reason.as_deref());
        }
        BrokerPacket::Connected(packet) => fields.map("info", |map| info::connected(packet, map)),
        BrokerPacket::Subscribed(packet) => info::subscribed(packet, fields),
        BrokerPacket::Unsubscribed { sub, code } => {
            fields.uint("sub", *sub);
            fields.uint("code", code.number().into());
        }
        BrokerPacket::Disconnect(packet) => disconnect(packet, fields),
        BrokerPacket::Notice(packet) => fields.map("info", |map| info::notice(packet, map)),
        BrokerPacket::CaughtUp(packet) => {
            fields.uint("sub", packet.sub);
            fields.map("info", |map| info::caught_up(packet, map));
        }
        BrokerPacket::Ping | BrokerPacket::Pong | BrokerPacket::Auth => {}
    }
}

fn publish(packet: &Publish<'_>, fields: &mut impl Fields) {
    fields.text("topic", &packet.topic);
    fields.payload(packet.format, &packet.payload);
    fields.uint("id", packet.id);
    if let Some(options) = packet.options.as_deref().filter(|&options| *options != PublishOptions::default())
    {
        fields.map("options", |map| options::publish(options, map));
    }
}

/// Whether there is anything in `message`'s options.
pub(crate) fn has_options(message: &Message<'_>) -> bool {
    message.options.as_deref().is_some_and(|options| *options != MessageOptions::default())
}

/// Writes all that is the same for every subscriber.
pub(crate) fn message(message: &Message<'_>, fields: &mut impl Fields) {
    fields.text("topic", &message.topic);
    fields.payload(message.format, &message.payload);
    fields.uint("time", message.time.millis());
    fields.uint("position", message.position.get());
    if let Some(options) = message.options.as_deref().filter(|_| has_options(message)) {
        fields.map("options", |map| options::message(options, map));
    }
}

fn disconnect(packet: &Disconnect<'_>, fields: &mut impl Fields) {
    fields.uint("code", packet.code.number().into());
    fields.text("reason", &packet.reason);
    fields.uint_if("retry_after", packet.retry_after);
}
