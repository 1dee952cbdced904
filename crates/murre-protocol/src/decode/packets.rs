//! The packets' elements.

use super::{Elements, Kind, Value, code, info, options};
use crate::{
    DecodeError, Problem,
    packet::{
        BrokerPacket, ClientPacket, Connect, Disconnect, Message, MessageOptions, Publish, PublishOptions,
        Published, Subscribe, Subscribed,
    },
};

/// Reads the elements of a packet that a client sent; none for a packet that clients don't send.
#[inline]
pub(crate) fn client<'a, E: Elements<'a>>(elements: &mut E) -> Result<Option<ClientPacket<'a>>, DecodeError> {
    Ok(Some(match elements.kind() {
        Kind::Publish => ClientPacket::Publish(publish(elements)?),
        Kind::Connect => ClientPacket::Connect(Box::new(connect(elements)?)),
        Kind::Subscribe => ClientPacket::Subscribe(Box::new(subscribe(elements)?)),
        Kind::Unsubscribe => ClientPacket::Unsubscribe { sub: elements.uint("sub")? },
        Kind::Ack => {
            ClientPacket::Ack { sub: elements.uint("sub")?, position: elements.position("position")? }
        }
        Kind::Ping => ClientPacket::Ping,
        Kind::Pong => ClientPacket::Pong,
        Kind::Disconnect => ClientPacket::Disconnect(disconnect(elements)?),
        Kind::Auth => ClientPacket::Auth,
        _ => return Ok(None),
    }))
}

/// Reads the elements of a packet that a broker sent; none for a packet that brokers don't send.
#[inline]
pub(crate) fn broker<'a, E: Elements<'a>>(elements: &mut E) -> Result<Option<BrokerPacket<'a>>, DecodeError> {
    Ok(Some(match elements.kind() {
        Kind::Message => BrokerPacket::Message { sub: elements.uint("sub")?, message: message(elements)? },
        Kind::Published => BrokerPacket::Published(published(elements)?),
        Kind::Connected => BrokerPacket::Connected(Box::new(info::connected(elements.required("info")?)?)),
        Kind::Subscribed => BrokerPacket::Subscribed(Box::new(subscribed(elements)?)),
        Kind::Unsubscribed => {
            BrokerPacket::Unsubscribed { sub: elements.uint("sub")?, code: elements.code("code")? }
        }
        Kind::Ping => BrokerPacket::Ping,
        Kind::Pong => BrokerPacket::Pong,
        Kind::Disconnect => BrokerPacket::Disconnect(disconnect(elements)?),
        Kind::Notice => BrokerPacket::Notice(Box::new(info::notice(elements.required("info")?)?)),
        Kind::CaughtUp => {
            let sub = elements.uint("sub")?;
            BrokerPacket::CaughtUp(info::caught_up(sub, elements.required("info")?)?)
        }
        Kind::Auth => BrokerPacket::Auth,
        _ => return Ok(None),
    }))
}

/// An empty CONNECT is valid, with or without the empty map.
fn connect<'a, E: Elements<'a>>(elements: &mut E) -> Result<Connect<'a>, DecodeError> {
    elements.optional("options")?.map_or_else(|| Ok(Connect::default()), options::connect)
}

#[inline]
fn publish<'a, E: Elements<'a>>(elements: &mut E) -> Result<Publish<'a>, DecodeError> {
    let topic = elements.text("topic")?;
    let (format, payload) = elements.payload()?;
    let id = elements.id()?;
    let options = match elements.optional("options")? {
        None => None,
        Some(map) => {
            let read = options::publish(map)?;
            (read != PublishOptions::default()).then(|| Box::new(read))
        }
    };
    Ok(Publish { topic, format, payload, id, options })
}

fn published<'a, E: Elements<'a>>(elements: &mut E) -> Result<Published<'a>, DecodeError> {
    Ok(Published {
        id: elements.uint("id")?,
        code: elements.code("code")?,
        position: elements.position("position")?,
        reason: optional(elements, "reason", Value::text)?,
    })
}

fn subscribe<'a, E: Elements<'a>>(elements: &mut E) -> Result<Subscribe<'a>, DecodeError> {
    Ok(Subscribe {
        sub: elements.uint("sub")?,
        filter: elements.text("filter")?,
        options: elements.optional("options")?.map(options::subscribe).transpose()?.unwrap_or_default(),
    })
}

fn subscribed<'a, E: Elements<'a>>(elements: &mut E) -> Result<Subscribed<'a>, DecodeError> {
    let (sub, code) = (elements.uint("sub")?, elements.code("code")?);
    let mut subscribed = Subscribed { sub, code, ..Subscribed::default() };
    if let Some(map) = elements.optional("info")? {
        info::subscribed(map, &mut subscribed)?;
    }
    Ok(subscribed)
}

#[inline]
fn message<'a, E: Elements<'a>>(elements: &mut E) -> Result<Message<'a>, DecodeError> {
    let topic = elements.text("topic")?;
    let (format, payload) = elements.payload()?;
    let (time, position) = (elements.time("time")?, elements.position("position")?);
    let options = match elements.optional("options")? {
        None => None,
        Some(map) => {
            let read = options::message(map)?;
            (read != MessageOptions::default()).then(|| Box::new(read))
        }
    };
    Ok(Message { topic, format, payload, time, position, options })
}

/// A farewell without code or reason is still one: refusing it would send the will.
fn disconnect<'a, E: Elements<'a>>(elements: &mut E) -> Result<Disconnect<'a>, DecodeError> {
    Ok(Disconnect {
        code: optional(elements, "code", |value| value.uint().and_then(code))?.unwrap_or_default(),
        reason: optional(elements, "reason", Value::text)?.unwrap_or_default(),
        retry_after: optional(elements, "retry_after", Value::uint)?,
    })
}

fn optional<'a, E: Elements<'a>, T>(
    elements: &mut E,
    element: &'static str,
    read: impl FnOnce(E::Value) -> Result<T, Problem>,
) -> Result<Option<T>, DecodeError> {
    let value = elements.optional(element)?;
    value.map(read).transpose().map_err(|problem| elements.error(element, problem))
}
