//! The option maps of CONNECT, PUBLISH, SUBSCRIBE and MESSAGE. A key that comes twice counts as it came last.

use std::borrow::Cow;

use super::{At, Kind, PayloadNames, PayloadParts, Value, position, view};
use crate::{
    DecodeError, Position, Problem, Timestamp,
    packet::{
        Connect, From, MessageOptions, OnSlow, PublishOptions, SubscribeOptions, ViewKey, ViewOptions, Will,
    },
};

/// The most `properties` of one message.
pub(crate) const PROPERTIES_MAX: usize = 256;
/// The most positions in a list: one for each value of their low 8 bits.
pub(crate) const POSITIONS_MAX: usize = 256;

/// Reads CONNECT's options.
pub(super) fn connect<'a, V: Value<'a>>(map: V) -> Result<Connect<'a>, DecodeError> {
    let at = At::new(Kind::Connect, "options");
    let mut connect = Connect::default();
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("client_id") => connect.client_id = at.of("options.client_id").read(value, V::text)?,
            Ok("username") => connect.username = at.of("options.username").read(value, V::text)?,
            Ok("password") => connect.password = at.of("options.password").read(value, V::text)?,
            Ok("token") => connect.token = at.of("options.token").read(value, V::text)?,
            Ok("keep_alive") => connect.keep_alive = at.of("options.keep_alive").read(value, V::uint)?,
            Ok("session_expiry") => {
                connect.session_expiry = at.of("options.session_expiry").read(value, V::uint)?;
            }
            Ok("will") if value.is_nil() => connect.will = None,
            Ok("will") => connect.will = Some(will(value)?),
            Ok("agent") => connect.agent = at.of("options.agent").read(value, V::text)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(connect)
}

fn will<'a, V: Value<'a>>(map: V) -> Result<Will<'a>, DecodeError> {
    let at = At::new(Kind::Connect, "options.will");
    let (mut topic, mut retain, mut delay) = (None, None, None);
    let mut parts = PayloadParts::NONE;
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("topic") => topic = at.of("options.will.topic").read(value, V::text)?,
            Ok("format") => parts.format = Some(value),
            Ok("payload") => parts.payload = Some(value),
            Ok("payload_base64") => parts.payload_base64 = Some(value),
            Ok("retain") => retain = at.of("options.will.retain").read(value, V::boolean)?,
            Ok("delay") => delay = at.of("options.will.delay").read(value, V::uint)?,
            _ => {}
        }
        Ok(())
    })?;
    let topic = topic.ok_or_else(|| at.of("options.will.topic").error(Problem::Missing))?;
    let (format, payload) =
        V::payload(parts, PayloadNames::WILL).map_err(|(element, problem)| at.of(element).error(problem))?;
    Ok(Will { topic, format, payload, retain: retain.unwrap_or(false), delay: delay.unwrap_or(0) })
}

/// Reads PUBLISH's options.
pub(super) fn publish<'a, V: Value<'a>>(map: V) -> Result<PublishOptions<'a>, DecodeError> {
    let at = At::new(Kind::Publish, "options");
    let mut options = PublishOptions::default();
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("retain") => {
                options.retain = at.of("options.retain").read(value, V::boolean)?.unwrap_or(false);
            }
            Ok("expiry") => options.expiry = at.of("options.expiry").read(value, V::uint)?,
            Ok("time") => options.time = at.of("options.time").read(value, time)?,
            Ok("sequence") => options.sequence = at.of("options.sequence").read(value, V::uint)?,
            Ok("reply_to") => options.reply_to = at.of("options.reply_to").read(value, V::text)?,
            Ok("correlation") => options.correlation = at.of("options.correlation").read(value, V::bytes)?,
            Ok("properties") => options.properties = properties(at, value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(options)
}

/// Reads MESSAGE's options.
pub(super) fn message<'a, V: Value<'a>>(map: V) -> Result<MessageOptions<'a>, DecodeError> {
    let at = At::new(Kind::Message, "options");
    let mut options = MessageOptions::default();
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("time") => options.time = at.of("options.time").read(value, time)?,
            Ok("retain") => {
                options.retain = at.of("options.retain").read(value, V::boolean)?.unwrap_or(false);
            }
            Ok("patch") => options.patch = at.of("options.patch").read(value, V::boolean)?.unwrap_or(false),
            Ok("reply_to") => options.reply_to = at.of("options.reply_to").read(value, V::text)?,
            Ok("correlation") => options.correlation = at.of("options.correlation").read(value, V::bytes)?,
            Ok("properties") => options.properties = properties(at, value)?,
            Ok("expiry") => options.expiry = at.of("options.expiry").read(value, V::uint)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(options)
}

/// Reads SUBSCRIBE's options.
pub(super) fn subscribe<'a, V: Value<'a>>(map: V) -> Result<SubscribeOptions<'a>, DecodeError> {
    let at = At::new(Kind::Subscribe, "options");
    let mut options = SubscribeOptions::default();
    let (mut view, mut invalid) = (ViewOptions::default(), None);
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("from") => options.from = keep_valid(from(value), &mut invalid)?,
            Ok("ack") => options.ack = at.of("options.ack").read(value, V::boolean)?,
            Ok("on_slow") => options.on_slow = keep_valid(on_slow(value), &mut invalid)?,
            Ok(other) => {
                if let Some(key) = ViewKey::from_word(other) {
                    let read = view::option((at, view::Place::Subscribe), key, value, &mut view);
                    keep_valid(read.map(Some), &mut invalid)?;
                }
            }
            Err(_) => {}
        }
        Ok(())
    })?;
    options.view = (view != ViewOptions::default()).then(|| Box::new(view));
    options.invalid = invalid;
    Ok(options)
}

/// Keeps an error in an option's value beside the packet, which is then answered by itself; any other passes on.
fn keep_valid<T>(
    read: Result<Option<T>, DecodeError>,
    invalid: &mut Option<Box<DecodeError>>,
) -> Result<Option<T>, DecodeError> {
    match read {
        Err(error) if error.problem.is_value() => {
            invalid.get_or_insert_with(|| Box::new(error));
            Ok(None)
        }
        read => read,
    }
}

fn on_slow<'a, V: Value<'a>>(value: V) -> Result<Option<OnSlow>, DecodeError> {
    At::new(Kind::Subscribe, "options.on_slow").read(value, |value| {
        let word = value.text()?;
        OnSlow::from_word(&word).ok_or_else(|| Problem::value(&word))
    })
}

fn from<'a, V: Value<'a>>(value: V) -> Result<Option<From<'a>>, DecodeError> {
    let at = At::new(Kind::Subscribe, "options.from");
    if value.is_text() {
        return at.read(value, |value| match &*value.text()? {
            "last" => Ok(From::Last),
            "live" => Ok(From::Live),
            other => Err(Problem::value(other)),
        });
    }
    if value.is_nil() {
        return Ok(None);
    }
    let (mut last, mut since, mut after, mut epoch) = (None, None, None, None);
    value.map(at, |key, value| {
        match key.as_deref() {
            Ok("last") => last = at.of("options.from.last").read(value, V::uint)?,
            Ok("since") => since = at.of("options.from.since").read(value, time)?,
            Ok("after") if value.is_nil() => after = None,
            Ok("after") => after = Some(positions(at.of("options.from.after"), value)?),
            Ok("epoch") => epoch = at.of("options.from.epoch").read(value, V::text)?,
            _ => {}
        }
        Ok(())
    })?;
    match (last, since, after) {
        (Some(n), None, None) => Ok(Some(From::LastN(n))),
        (None, Some(time), None) => Ok(Some(From::Since(time))),
        (None, None, Some(positions)) => {
            let epoch = epoch.ok_or_else(|| at.of("options.from.epoch").error(Problem::Missing))?;
            Ok(Some(From::After { positions, epoch }))
        }
        _ => Err(at.error(Problem::OneOf("last, since and after"))),
    }
}

/// Reads a list of positions.
pub(super) fn positions<'a, V: Value<'a>>(at: At, value: V) -> Result<Vec<Position>, DecodeError> {
    let mut positions = Vec::new();
    value.array(at, |item| {
        if positions.len() == POSITIONS_MAX {
            return Err(at.error(Problem::Range(POSITIONS_MAX as u64 + 1)));
        }
        positions.push(item.uint().and_then(position).map_err(|problem| at.error(problem))?);
        Ok(())
    })?;
    Ok(positions)
}

type Properties<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

fn properties<'a, V: Value<'a>>(at: At, value: V) -> Result<Properties<'a>, DecodeError> {
    let at = at.of("options.properties");
    let mut properties = Vec::new();
    if value.is_nil() {
        return Ok(properties);
    }
    value.map(at, |key, value| {
        if properties.len() == PROPERTIES_MAX {
            return Err(at.error(Problem::Range(PROPERTIES_MAX as u64 + 1)));
        }
        let pair = key.and_then(|key| Ok((key, value.text()?)));
        properties.push(pair.map_err(|problem| at.error(problem))?);
        Ok(())
    })?;
    Ok(properties)
}

fn time<'a, V: Value<'a>>(value: V) -> Result<Timestamp, Problem> {
    value.uint().map(Timestamp::from_millis)
}
