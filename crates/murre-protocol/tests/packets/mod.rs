//! Packets of every kind with arbitrary contents, and what both encodings are asked for in tests.

#![allow(dead_code)] // Each test file uses its part.

use std::borrow::Cow;

use murre_protocol::{
    Codec, DecodeError,
    packet::{
        BrokerPacket, CaughtUp, ClientPacket, Connect, Connected, Disconnect, From, Message, MessageOptions,
        Notice, NoticeKind, OnSlow, Publish, PublishOptions, Published, Subscribe, SubscribeOptions,
        Subscribed, Will,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};

pub(crate) mod values;
mod views;

use values::{bytes, code, payload, position, properties, text, time, uint};

/// Both encodings.
pub(crate) const CODECS: [Codec; 2] = [Codec::MessagePack, Codec::Json];

/// A packet of either side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Packet<'a> {
    /// From a client.
    Client(ClientPacket<'a>),
    /// From a broker.
    Broker(BrokerPacket<'a>),
}

impl Packet<'_> {
    /// The packet's bytes.
    pub(crate) fn written(&self, codec: Codec) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Packet::Client(packet) => codec.write_client(packet, &mut out),
            Packet::Broker(packet) => codec.write_broker(packet, &mut out),
        }
        out
    }

    /// Takes a packet of the same side off `bytes`.
    pub(crate) fn take_alike<'b>(
        &self,
        codec: Codec,
        bytes: &'b [u8],
        max: usize,
    ) -> Result<Option<(Packet<'b>, &'b [u8])>, DecodeError> {
        match self {
            Packet::Client(_) => take_client(codec, bytes, max),
            Packet::Broker(_) => take_broker(codec, bytes, max),
        }
    }
}

/// Takes a client's packet off `bytes`.
pub(crate) fn take_client(
    codec: Codec,
    bytes: &[u8],
    max: usize,
) -> Result<Option<(Packet<'_>, &[u8])>, DecodeError> {
    Ok(codec.client_packet(bytes, max)?.map(|(packet, rest)| (Packet::Client(packet), rest)))
}

/// Takes a broker's packet off `bytes`.
pub(crate) fn take_broker(
    codec: Codec,
    bytes: &[u8],
    max: usize,
) -> Result<Option<(Packet<'_>, &[u8])>, DecodeError> {
    Ok(codec.broker_packet(bytes, max)?.map(|(packet, rest)| (Packet::Broker(packet), rest)))
}

/// Any packet.
pub(crate) fn packet() -> impl Strategy<Value = Packet<'static>> {
    prop_oneof![client_packet().prop_map(Packet::Client), broker_packet().prop_map(Packet::Broker)]
}

fn client_packet() -> impl Strategy<Value = ClientPacket<'static>> {
    prop_oneof![
        1 => connect().prop_map(|connect| ClientPacket::Connect(Box::new(connect))),
        4 => publish().prop_map(ClientPacket::Publish),
        2 => subscribe().prop_map(|subscribe| ClientPacket::Subscribe(Box::new(subscribe))),
        1 => any::<u64>().prop_map(|sub| ClientPacket::Unsubscribe { sub }),
        1 => (any::<u64>(), position()).prop_map(|(sub, position)| ClientPacket::Ack { sub, position }),
        1 => Just(ClientPacket::Ping),
        1 => Just(ClientPacket::Pong),
        1 => disconnect().prop_map(ClientPacket::Disconnect),
        1 => Just(ClientPacket::Auth),
    ]
}

fn broker_packet() -> impl Strategy<Value = BrokerPacket<'static>> {
    prop_oneof![
        1 => connected().prop_map(|connected| BrokerPacket::Connected(Box::new(connected))),
        2 => published().prop_map(BrokerPacket::Published),
        1 => subscribed().prop_map(|subscribed| BrokerPacket::Subscribed(Box::new(subscribed))),
        1 => (any::<u64>(), code()).prop_map(|(sub, code)| BrokerPacket::Unsubscribed { sub, code }),
        4 => (any::<u64>(), message()).prop_map(|(sub, message)| BrokerPacket::Message { sub, message }),
        1 => Just(BrokerPacket::Ping),
        1 => Just(BrokerPacket::Pong),
        1 => disconnect().prop_map(BrokerPacket::Disconnect),
        1 => notice().prop_map(|notice| BrokerPacket::Notice(Box::new(notice))),
        1 => caught_up().prop_map(BrokerPacket::CaughtUp),
        1 => Just(BrokerPacket::Auth),
    ]
}

fn connect() -> impl Strategy<Value = Connect<'static>> {
    let will = (text(), payload(), any::<bool>(), uint())
        .prop_map(|(topic, (format, payload), retain, delay)| Will { topic, format, payload, retain, delay });
    (
        [option::of(text()), option::of(text()), option::of(text()), option::of(text()), option::of(text())],
        [option::of(uint()), option::of(uint())],
        option::of(will),
    )
        .prop_map(
            |([client_id, username, password, token, agent], [keep_alive, session_expiry], will)| Connect {
                client_id,
                username,
                password,
                token,
                keep_alive,
                session_expiry,
                will,
                agent,
            },
        )
}

fn connected() -> impl Strategy<Value = Connected<'static>> {
    let uints = [uint(), uint(), uint(), uint()];
    ([text(), text(), text()], uints, any::<[bool; 2]>(), option::of(time())).prop_map(
        |([client_id, epoch, server], [session_expiry, keep_alive, max_packet, max_message], flags, time)| {
            Connected {
                client_id,
                session_present: flags[0],
                session_expiry,
                durable: flags[1],
                epoch,
                keep_alive,
                max_packet,
                max_message,
                server,
                time,
            }
        },
    )
}

fn publish() -> impl Strategy<Value = Publish<'static>> {
    let options = (
        any::<bool>(),
        [option::of(uint()), option::of(uint())],
        option::of(time()),
        option::of(text()),
        option::of(bytes()),
        properties(),
    )
        .prop_map(|(retain, [expiry, sequence], time, reply_to, correlation, properties)| {
            PublishOptions { retain, expiry, time, sequence, reply_to, correlation, properties }
        });
    (text(), payload(), uint(), option::of(options)).prop_map(|(topic, (format, payload), id, options)| {
        let options = options.filter(|options| *options != PublishOptions::default()).map(Box::new);
        Publish { topic, format, payload, id, options }
    })
}

fn published() -> impl Strategy<Value = Published<'static>> {
    (uint(), code(), position(), option::of(text())).prop_map(|(id, code, position, reason)| Published {
        id,
        code,
        position,
        reason,
    })
}

fn subscribe() -> impl Strategy<Value = Subscribe<'static>> {
    let from = prop_oneof![
        Just(From::Last),
        Just(From::Live),
        uint().prop_map(From::LastN),
        time().prop_map(From::Since),
        (vec(position(), 0..20), text()).prop_map(|(positions, epoch)| From::After { positions, epoch }),
    ];
    let on_slow = select(vec![OnSlow::DropOldest, OnSlow::Conflate, OnSlow::Disconnect]);
    let view = option::of(views::view());
    (uint(), text(), option::of(from), option::of(any::<bool>()), option::of(on_slow), view).prop_map(
        |(sub, filter, from, ack, on_slow, view)| {
            let options = SubscribeOptions { from, ack, on_slow, view, invalid: None };
            Subscribe { sub, filter, options }
        },
    )
}

fn subscribed() -> impl Strategy<Value = Subscribed<'static>> {
    let texts = [option::of(text()), option::of(text()), option::of(text())];
    let view = option::of(views::view());
    (uint(), code(), texts, option::of(any::<bool>()), option::of(uint()), view).prop_map(
        |(sub, code, [reason, rule, lost], recovered, last, view)| Subscribed {
            sub,
            code,
            reason,
            rule,
            view,
            last,
            recovered,
            lost,
        },
    )
}

/// Any message.
pub(crate) fn message() -> impl Strategy<Value = Message<'static>> {
    let options =
        (
            option::of(time()),
            any::<[bool; 2]>(),
            option::of(text()),
            option::of(bytes()),
            properties(),
            option::of(uint()),
        )
            .prop_map(|(time, [retain, patch], reply_to, correlation, properties, expiry)| {
                MessageOptions { time, retain, patch, reply_to, correlation, properties, expiry }
            });
    (text(), payload(), time(), position(), option::of(options)).prop_map(
        |(topic, (format, payload), time, position, options)| {
            let options = options.filter(|options| *options != MessageOptions::default()).map(Box::new);
            Message { topic, format, payload, time, position, options }
        },
    )
}

fn disconnect() -> impl Strategy<Value = Disconnect<'static>> {
    (code(), text(), option::of(uint())).prop_map(|(code, reason, retry_after)| Disconnect {
        code,
        reason,
        retry_after,
    })
}

fn notice() -> impl Strategy<Value = Notice<'static>> {
    (
        select(&NoticeKind::ALL[..]),
        [option::of(uint()), option::of(uint())],
        vec((text(), uint()), 0..4),
        text(),
        option::of(code()),
    )
        .prop_map(|(kind, [sub, count], topics, reason, code)| Notice {
            kind,
            sub,
            count,
            topics,
            reason,
            code,
        })
}

fn caught_up() -> impl Strategy<Value = CaughtUp<'static>> {
    (uint(), vec(position(), 0..20), uint()).prop_map(|(sub, positions, count)| CaughtUp {
        sub,
        positions: Cow::Owned(positions),
        count,
    })
}
