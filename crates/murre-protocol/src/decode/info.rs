//! The info maps of CONNECTED, SUBSCRIBED, NOTICE and CAUGHT_UP.

use std::borrow::Cow;

use super::{At, Kind, Value, code, options::positions, view::Place};
use crate::{
    DecodeError, Problem, Timestamp,
    packet::{CaughtUp, Connected, Notice, NoticeKind, Subscribed, ViewKey, ViewOptions},
};

/// Reads CONNECTED's info.
pub(super) fn connected<'a, V: Value<'a>>(map: V) -> Result<Connected<'a>, DecodeError> {
    let at = At::new(Kind::Connected, "info");
    let mut info = Connected::default();
    let (mut client_id, mut epoch, mut keep_alive) = (None, None, None);
    let (mut max_packet, mut max_message) = (None, None);
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("client_id") => client_id = at.of("info.client_id").read(value, V::text)?,
            Ok("session_present") => {
                info.session_present =
                    at.of("info.session_present").read(value, V::boolean)?.unwrap_or_default();
            }
            Ok("session_expiry") => {
                info.session_expiry = at.of("info.session_expiry").read(value, V::uint)?.unwrap_or_default();
            }
            Ok("durable") => {
                info.durable = at.of("info.durable").read(value, V::boolean)?.unwrap_or_default();
            }
            Ok("epoch") => epoch = at.of("info.epoch").read(value, V::text)?,
            Ok("keep_alive") => keep_alive = at.of("info.keep_alive").read(value, V::uint)?,
            Ok("max_packet") => max_packet = at.of("info.max_packet").read(value, V::uint)?,
            Ok("max_message") => max_message = at.of("info.max_message").read(value, V::uint)?,
            Ok("server") => info.server = at.of("info.server").read(value, V::text)?.unwrap_or_default(),
            Ok("time") => {
                info.time = at.of("info.time").read(value, V::uint)?.map(Timestamp::from_millis);
            }
            _ => {}
        }
        Ok(())
    })?;
    info.client_id = needed(at.of("info.client_id"), client_id)?;
    info.epoch = needed(at.of("info.epoch"), epoch)?;
    info.keep_alive = needed(at.of("info.keep_alive"), keep_alive)?;
    info.max_packet = needed(at.of("info.max_packet"), max_packet)?;
    info.max_message = needed(at.of("info.max_message"), max_message)?;
    Ok(info)
}

/// Reads SUBSCRIBED's info into `subscribed`.
pub(super) fn subscribed<'a, V: Value<'a>>(
    map: V,
    subscribed: &mut Subscribed<'a>,
) -> Result<(), DecodeError> {
    let at = At::new(Kind::Subscribed, "info");
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("reason") => subscribed.reason = at.of("info.reason").read(value, V::text)?,
            Ok("rule") => subscribed.rule = at.of("info.rule").read(value, V::text)?,
            Ok("view") if !value.is_nil() => (subscribed.view, subscribed.last) = view_in_force(value)?,
            Ok("recovered") => subscribed.recovered = at.of("info.recovered").read(value, V::boolean)?,
            Ok("lost") => subscribed.lost = at.of("info.lost").read(value, V::text)?,
            _ => {}
        }
        Ok(())
    })
}

type ViewInForce<'a> = (Option<Box<ViewOptions<'a>>>, Option<u64>);

/// Reads SUBSCRIBED's view, and the number of messages that it grants.
fn view_in_force<'a, V: Value<'a>>(map: V) -> Result<ViewInForce<'a>, DecodeError> {
    let at = At::new(Kind::Subscribed, "info.view");
    let (mut view, mut last) = (ViewOptions::default(), None);
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("last") => last = at.of("info.view.last").read(value, V::uint)?,
            Ok(other) => {
                if let Some(key) = ViewKey::from_word(other) {
                    super::view::option((at, Place::Subscribed), key, value, &mut view)?;
                }
            }
            Err(_) => {}
        }
        Ok(())
    })?;
    Ok(((view != ViewOptions::default()).then(|| Box::new(view)), last))
}

/// Reads NOTICE's info.
pub(super) fn notice<'a, V: Value<'a>>(map: V) -> Result<Notice<'a>, DecodeError> {
    let at = At::new(Kind::Notice, "info");
    let (mut kind, mut sub, mut count, mut number) = (None, None, None, None);
    let (mut topics, mut reason) = (Vec::new(), None);
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("kind") => kind = at.of("info.kind").read(value, notice_kind)?,
            Ok("sub") => sub = at.of("info.sub").read(value, V::uint)?,
            Ok("count") => count = at.of("info.count").read(value, V::uint)?,
            Ok("topics") => topics = counts(at.of("info.topics"), value)?,
            Ok("reason") => reason = at.of("info.reason").read(value, V::text)?,
            Ok("code") => number = at.of("info.code").read(value, |value| value.uint().and_then(code))?,
            _ => {}
        }
        Ok(())
    })?;
    let kind = needed(at.of("info.kind"), kind)?;
    Ok(Notice { kind, sub, count, topics, reason: reason.unwrap_or_default(), code: number })
}

fn notice_kind<'a, V: Value<'a>>(value: V) -> Result<NoticeKind, Problem> {
    let word = value.text()?;
    NoticeKind::from_word(&word).ok_or_else(|| Problem::value(&word))
}

fn counts<'a, V: Value<'a>>(at: At, value: V) -> Result<Vec<(Cow<'a, str>, u64)>, DecodeError> {
    let mut counts = Vec::new();
    if value.is_nil() {
        return Ok(counts);
    }
    value.map(at, |key, value| {
        let pair = key.and_then(|key| Ok((key, value.uint()?)));
        counts.push(pair.map_err(|problem| at.error(problem))?);
        Ok(())
    })?;
    Ok(counts)
}

/// Reads CAUGHT_UP's info.
pub(super) fn caught_up<'a, V: Value<'a>>(sub: u64, map: V) -> Result<CaughtUp<'a>, DecodeError> {
    let at = At::new(Kind::CaughtUp, "info");
    let (mut list, mut count) = (None, None);
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("positions") if value.is_nil() => list = None,
            Ok("positions") => list = Some(positions(at.of("info.positions"), value)?),
            Ok("count") => count = at.of("info.count").read(value, V::uint)?,
            _ => {}
        }
        Ok(())
    })?;
    let positions = needed(at.of("info.positions"), list)?;
    Ok(CaughtUp { sub, positions: Cow::Owned(positions), count: needed(at.of("info.count"), count)? })
}

fn needed<T>(at: At, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or_else(|| at.error(Problem::Missing))
}
