//! One connection, for tests to hold.

use std::{cell::RefCell, rc::Rc};

use murre_protocol::{
    Code, Codec, Format, Position,
    packet::{
        ClientPacket, Connect, Disconnect, From, OnSlow, Publish, PublishOptions, Subscribe, SubscribeOptions,
    },
};

use super::{
    broker::hello,
    said::Answer,
    wire::{Sent, Wire},
    world::World,
};
use crate::hub::MessageKind;

/// A connection to a [`Broker`](super::Broker), with the client at its other end.
///
/// Three kinds of methods: those that act and let all that follows happen; `send…`, which only put something on the
/// wire; and those that look at what came.
#[derive(Clone)]
pub struct Client {
    pub(super) world: Rc<RefCell<World>>,
    wire: usize,
    numbers: Rc<RefCell<u64>>,
}

impl Client {
    pub(super) fn new(world: Rc<RefCell<World>>, wire: usize) -> Self {
        Self { world, wire, numbers: Rc::default() }
    }

    /// Says CONNECT, on a connection that was only opened.
    pub fn connect(&self, id: &str) {
        self.act(&ClientPacket::Connect(Box::new(hello(id))));
    }

    /// Says CONNECT with all that it may say.
    pub fn connect_with(&self, connect: Connect<'_>) {
        self.act(&ClientPacket::Connect(Box::new(connect)));
    }

    /// Subscribes; gives the number that it chose.
    ///
    /// # Panics
    /// The broker refused it.
    pub fn subscribe(&self, filter: &str) -> u64 {
        self.subscribe_with(filter, SubscribeOptions::default())
    }

    /// Subscribes with options; gives the number that it chose.
    ///
    /// # Panics
    /// The broker refused it.
    pub fn subscribe_with(&self, filter: &str, options: SubscribeOptions<'_>) -> u64 {
        let sub = self.number();
        let code = self.resubscribe(sub, filter, options);
        assert!(code.is_ok(), "SUBSCRIBE {filter}: {code}");
        sub
    }

    /// SUBSCRIBE under a number of the test's own; gives the answer.
    ///
    /// # Panics
    /// There was no answer.
    pub fn resubscribe(&self, sub: u64, filter: &str, options: SubscribeOptions<'_>) -> Code {
        let before = self.answers_to_subscribe(sub).len();
        self.act(&subscribing(sub, filter, options));
        let answers = self.answers_to_subscribe(sub);
        *answers.get(before).unwrap_or_else(|| panic!("SUBSCRIBE {filter} was not answered"))
    }

    /// Subscribes while it doesn't read, so that no answer can be seen; gives the number that it chose.
    pub fn subscribe_stalled(&self, filter: &str) -> u64 {
        let sub = self.number();
        self.act(&subscribing(sub, filter, SubscribeOptions::default()));
        sub
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, sub: u64) {
        self.act(&ClientPacket::Unsubscribe { sub });
    }

    /// Publishes text; gives the answer.
    pub fn publish(&self, topic: &str, payload: &str) -> Answer {
        self.publish_with(topic, payload.as_bytes(), PublishOptions::default())
    }

    /// Publishes text with options; gives the answer.
    ///
    /// # Panics
    /// There was no answer.
    pub fn publish_with(&self, topic: &str, payload: &[u8], options: PublishOptions<'_>) -> Answer {
        let id = self.number();
        let options = Some(Box::new(options));
        let (topic, format, payload) = (topic.into(), Format::Text, payload.into());
        self.act(&ClientPacket::Publish(Publish { topic, format, payload, id, options }));
        let answers = self.answers();
        let answer = answers.into_iter().find(|answer| answer.id == id);
        answer.unwrap_or_else(|| panic!("PUBLISH {id} was not answered"))
    }

    /// Puts many publishes of text on the wire at once, without asking for answers.
    pub fn publish_all<'a>(&self, messages: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let codec = self.codec();
        let mut bytes = Vec::new();
        for (topic, payload) in messages {
            let (topic, payload) = (topic.into(), payload.as_bytes().into());
            let publish = Publish { topic, format: Format::Text, payload, id: 0, options: None };
            codec.write_client(&ClientPacket::Publish(publish), &mut bytes);
            if bytes.len() > 16_000 {
                self.send_bytes(&std::mem::take(&mut bytes));
            }
        }
        self.send_bytes(&bytes);
    }

    /// Acknowledges.
    pub fn acknowledge(&self, sub: u64, position: Position) {
        self.act(&ClientPacket::Ack { sub, position });
    }

    /// Acknowledges what comes, each message on its own, until nothing more does.
    pub fn acknowledge_all(&self, sub: u64) {
        let mut seen = 0;
        while self.messages(sub).len() > seen {
            let messages = self.messages(sub);
            for message in &messages[seen..] {
                self.send(&ClientPacket::Ack { sub, position: message.position });
            }
            seen = messages.len();
            self.ping();
        }
    }

    /// Says DISCONNECT.
    pub fn disconnect(&self) {
        self.act(&ClientPacket::Disconnect(Disconnect { code: Code::OK, ..Default::default() }));
    }

    /// Sends a WebSocket close frame.
    pub fn close(&self, code: u16) {
        self.put(Sent::Close(code));
        self.settle();
    }

    /// Ends its side of the connection without a close frame.
    pub fn end(&self) {
        self.put(Sent::End);
        self.settle();
    }

    /// The connection breaks.
    pub fn break_off(&self) {
        self.send_break_off();
        self.settle();
    }

    /// A WebSocket ping.
    pub fn ping(&self) {
        self.put(Sent::Ping);
        self.settle();
    }

    /// Reads no more.
    pub fn stall(&self) {
        self.with(|wire| wire.appetite = Some(0));
    }

    /// Reads `blocks` more blocks, and no more.
    pub fn read(&self, blocks: usize) {
        self.with(|wire| wire.appetite = Some(blocks));
        self.world.borrow_mut().wake(self.wire);
        self.settle();
    }

    /// Reads again.
    pub fn resume(&self) {
        self.with(|wire| wire.appetite = None);
        self.world.borrow_mut().wake(self.wire);
        self.settle();
    }

    /// Puts a packet on the wire, as a WebSocket message of its own.
    pub fn send(&self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        self.codec().write_client(packet, &mut bytes);
        self.send_bytes(&bytes);
    }

    /// Puts a publish on the wire that wants an answer; gives its number.
    pub fn send_publish(&self, topic: &str) -> u64 {
        let id = self.number();
        let (topic, payload) = (topic.into(), b"x".as_slice().into());
        self.send(&ClientPacket::Publish(Publish {
            topic,
            format: Format::Text,
            payload,
            id,
            options: None,
        }));
        id
    }

    /// Puts bytes on the wire, as a WebSocket message of the kind that it speaks.
    pub fn send_bytes(&self, bytes: &[u8]) {
        let kind = if self.codec() == Codec::Json { MessageKind::Text } else { MessageKind::Binary };
        self.send_message(kind, bytes);
    }

    /// Puts a WebSocket message on the wire.
    pub fn send_message(&self, kind: MessageKind, bytes: &[u8]) {
        self.put(Sent::Message(kind, bytes.to_vec()));
    }

    /// Puts a close frame on the wire.
    pub fn send_close(&self, code: u16) {
        self.put(Sent::Close(code));
    }

    /// Ends its side of the connection behind all that it has sent.
    pub fn send_end(&self) {
        self.put(Sent::End);
    }

    /// The connection is going to break.
    pub fn send_break_off(&self) {
        self.with(|wire| wire.broken = true);
        self.world.borrow_mut().wake(self.wire);
    }

    /// Stops or starts reading, which the broker notices by and by.
    pub fn send_appetite(&self, blocks: Option<usize>) {
        self.with(|wire| wire.appetite = blocks);
        self.world.borrow_mut().wake(self.wire);
    }

    /// The encoding that it speaks.
    pub fn codec(&self) -> Codec {
        self.with(|wire| wire.codec)
    }

    /// A number that it has not used.
    pub fn number(&self) -> u64 {
        self.numbers.replace_with(|number| *number + 1) + 1
    }

    fn act(&self, packet: &ClientPacket<'_>) {
        self.send(packet);
        self.settle();
    }

    fn settle(&self) {
        self.world.borrow_mut().settle();
    }

    fn put(&self, sent: Sent) {
        self.with(|wire| wire.outgoing.push_back(sent));
        self.world.borrow_mut().wake(self.wire);
    }

    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Wire) -> R) -> R {
        act(&mut self.world.borrow_mut().wires[self.wire])
    }
}

/// A SUBSCRIBE.
pub fn subscribing<'a>(sub: u64, filter: &'a str, options: SubscribeOptions<'a>) -> ClientPacket<'a> {
    ClientPacket::Subscribe(Box::new(Subscribe { sub, filter: filter.into(), options }))
}

/// Options: from now on.
pub fn live() -> SubscribeOptions<'static> {
    SubscribeOptions { from: Some(From::Live), ..Default::default() }
}

/// Options: from there on.
pub fn from(from: From<'_>) -> SubscribeOptions<'_> {
    SubscribeOptions { from: Some(from), ..Default::default() }
}

/// Options: each message is acknowledged.
pub fn acknowledged() -> SubscribeOptions<'static> {
    SubscribeOptions { ack: Some(true), ..live() }
}

/// Options: from now on, with a rule for slow clients.
pub fn on_slow(rule: OnSlow) -> SubscribeOptions<'static> {
    SubscribeOptions { on_slow: Some(rule), ..live() }
}
