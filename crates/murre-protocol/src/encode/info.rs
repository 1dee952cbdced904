//! The info maps of CONNECTED, SUBSCRIBED, NOTICE and CAUGHT_UP.

use super::{Fields, view};
use crate::{
    Timestamp,
    packet::{CaughtUp, Connected, Notice, Subscribed},
};

/// Writes CONNECTED's info.
pub(super) fn connected(info: &Connected<'_>, map: &mut impl Fields) {
    map.text("client_id", &info.client_id);
    map.boolean("session_present", info.session_present);
    map.uint("session_expiry", info.session_expiry);
    map.boolean("durable", info.durable);
    map.text("epoch", &info.epoch);
    map.uint("keep_alive", info.keep_alive);
    map.uint("max_packet", info.max_packet);
    map.uint("max_message", info.max_message);
    map.text("server", &info.server);
    map.uint_if("time", info.time.map(Timestamp::millis));
}

/// Writes SUBSCRIBED's elements.
pub(super) fn subscribed(packet: &Subscribed<'_>, fields: &mut impl Fields) {
    fields.uint("sub", packet.sub);
    fields.uint("code", packet.code.number().into());
    let has_words = packet.reason.is_some() || packet.rule.is_some() || packet.lost.is_some();
    let has_view = packet.view.is_some() || packet.last.is_some();
    if !has_words && packet.recovered.is_none() && !has_view {
        return;
    }
    fields.map("info", |map| {
        if has_view {
            map.map("view", |map| {
                map.uint_if("last", packet.last);
                if let Some(view) = &packet.view {
                    view::options(view, map);
                }
            });
        }
        map.text_if("reason", packet.reason.as_deref());
        map.text_if("rule", packet.rule.as_deref());
        if let Some(recovered) = packet.recovered {
            map.boolean("recovered", recovered);
        }
        map.text_if("lost", packet.lost.as_deref());
    });
}

/// Writes NOTICE's info.
pub(super) fn notice(info: &Notice<'_>, map: &mut impl Fields) {
    map.text("kind", info.kind.word());
    map.uint_if("sub", info.sub);
    map.uint_if("count", info.count);
    if !info.topics.is_empty() {
        map.counts("topics", info.topics.iter().map(|(topic, count)| (&**topic, *count)));
    }
    map.text("reason", &info.reason);
    map.uint_if("code", info.code.map(|code| code.number().into()));
}

/// Writes CAUGHT_UP's info.
pub(super) fn caught_up(packet: &CaughtUp<'_>, map: &mut impl Fields) {
    map.uints("positions", packet.positions.iter().map(|position| position.get()));
    map.uint("count", packet.count);
}
