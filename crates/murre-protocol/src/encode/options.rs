//! The option maps of CONNECT, PUBLISH, SUBSCRIBE and MESSAGE.

use std::borrow::Cow;

use super::{Fields, view};
use crate::{
    Timestamp,
    packet::{Connect, From, MessageOptions, PublishOptions, Subscribe, SubscribeOptions, Will},
};

/// Writes CONNECT's options.
pub(super) fn connect(connect: &Connect<'_>, map: &mut impl Fields) {
    map.text_if("client_id", connect.client_id.as_deref());
    map.text_if("username", connect.username.as_deref());
    map.text_if("password", connect.password.as_deref());
    map.text_if("token", connect.token.as_deref());
    map.uint_if("keep_alive", connect.keep_alive);
    map.uint_if("session_expiry", connect.session_expiry);
    if let Some(will) = &connect.will {
        map.map("will", |map| write_will(will, map));
    }
    map.text_if("agent", connect.agent.as_deref());
}

fn write_will(will: &Will<'_>, map: &mut impl Fields) {
    map.text("topic", &will.topic);
    map.payload(will.format, &will.payload);
    map.true_if("retain", will.retain);
    map.uint_if("delay", Some(will.delay).filter(|&seconds| seconds > 0));
}

/// Writes PUBLISH's options.
pub(super) fn publish(options: &PublishOptions<'_>, map: &mut impl Fields) {
    map.true_if("retain", options.retain);
    map.uint_if("expiry", options.expiry);
    map.uint_if("time", options.time.map(Timestamp::millis));
    map.uint_if("sequence", options.sequence);
    reply(options.reply_to.as_deref(), options.correlation.as_deref(), &options.properties, map);
}

/// Writes MESSAGE's options. `retain` comes last: in JSON a look at a packet's end then tells a snapshot's
/// message from a live one.
pub(super) fn message(options: &MessageOptions<'_>, map: &mut impl Fields) {
    map.uint_if("time", options.time.map(Timestamp::millis));
    map.true_if("patch", options.patch);
    reply(options.reply_to.as_deref(), options.correlation.as_deref(), &options.properties, map);
    map.uint_if("expiry", options.expiry);
    map.true_if("retain", options.retain);
}

/// Writes what PUBLISH hands through to MESSAGE as it is.
fn reply(
    reply_to: Option<&str>,
    correlation: Option<&[u8]>,
    properties: &[(Cow<'_, str>, Cow<'_, str>)],
    map: &mut impl Fields,
) {
    map.text_if("reply_to", reply_to);
    if let Some(correlation) = correlation {
        map.bytes("correlation", correlation);
    }
    if !properties.is_empty() {
        map.texts("properties", properties.iter().map(|(key, value)| (&**key, &**value)));
    }
}

/// Writes SUBSCRIBE's elements.
pub(super) fn subscribe(packet: &Subscribe<'_>, fields: &mut impl Fields) {
    fields.uint("sub", packet.sub);
    fields.text("filter", &packet.filter);
    let options = &packet.options;
    if *options == SubscribeOptions::default() {
        return;
    }
    fields.map("options", |map| {
        match &options.from {
            None => {}
            Some(From::Last) => map.text("from", "last"),
            Some(From::Live) => map.text("from", "live"),
            Some(From::LastN(n)) => map.map("from", |map| map.uint("last", *n)),
            Some(From::Since(time)) => map.map("from", |map| map.uint("since", time.millis())),
            Some(From::After { positions, epoch }) => map.map("from", |map| {
                map.uints("after", positions.iter().map(|position| position.get()));
                map.text("epoch", epoch);
            }),
        }
        if let Some(ack) = options.ack {
            map.boolean("ack", ack);
        }
        map.text_if("on_slow", options.on_slow.map(|rule| rule.word()));
        if let Some(view) = &options.view {
            view::options(view, map);
        }
    });
}
