//! A view driven by a virtual clock.

use std::{borrow::Cow, sync::Arc};

use murre_protocol::{
    Format, Position, Timestamp,
    packet::{Message, MessageOptions, ViewOptions},
};
use murre_view::{Limits, Plan, Troubles, View};
use serde_json::Value;

/// What a view sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    /// When, by the virtual clock.
    pub(crate) at_ms: u64,
    pub(crate) topic: String,
    pub(crate) format: Format,
    pub(crate) payload: Vec<u8>,
    pub(crate) position: Position,
    pub(crate) patch: bool,
}

impl Sent {
    pub(crate) fn value(&self) -> Value {
        crate::values::read(self.format, &self.payload)
    }
}

/// A view, its clock, and all that it sent.
pub(crate) struct Driver {
    view: View,
    now_ms: u64,
    offset: u64,
    pub(crate) sent: Vec<Sent>,
}

impl Driver {
    pub(crate) fn new(options: &ViewOptions<'_>) -> Self {
        Self::with_topics_max(options, 1000)
    }

    pub(crate) fn with_topics_max(options: &ViewOptions<'_>, topics_max: usize) -> Self {
        let view =
            View::new(Arc::new(Plan::compile(options).unwrap()), Limits { topics_max, bytes_max: 1 << 20 });
        Self { view, now_ms: 0, offset: 0, sent: Vec::new() }
    }

    /// Lets time pass; the view is asked whenever it wants to be.
    pub(crate) fn run_until(&mut self, until_ms: u64) {
        while let Some(due) = self.view.next_due().map(Timestamp::millis).filter(|due| *due <= until_ms) {
            self.now_ms = self.now_ms.max(due);
            let (now, sent) = (self.now_ms, &mut self.sent);
            self.view.due(Timestamp::from_millis(now), &mut |message| sent.push(record(now, message)));
        }
        self.now_ms = self.now_ms.max(until_ms);
    }

    /// Publishes in shard 0 at a time that is not before the last.
    pub(crate) fn publish(&mut self, at_ms: u64, topic: &str, payload: impl Into<Vec<u8>>) {
        self.run_until(at_ms);
        self.offset += 1;
        let offset = self.offset;
        self.offer(message(at_ms, topic, Format::Json, payload.into(), offset));
    }

    /// Offers a message as it is.
    pub(crate) fn offer(&mut self, message: Message<'_>) {
        self.now_ms = self.now_ms.max(message.time.millis());
        let (now, sent) = (self.now_ms, &mut self.sent);
        self.view.offer(&message, &mut |message| sent.push(record(now, message)));
    }

    pub(crate) fn troubles(&mut self) -> Option<Troubles> {
        self.view.take_troubles()
    }

    pub(crate) fn send_whole(&mut self) {
        self.view.send_whole();
    }

    /// The payloads sent, as text.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.sent.iter().map(|sent| str::from_utf8(&sent.payload).unwrap()).collect()
    }

    /// When, and the payloads as JSON.
    pub(crate) fn values(&self) -> Vec<(u64, Value)> {
        self.sent.iter().map(|sent| (sent.at_ms, sent.value())).collect()
    }
}

pub(crate) fn message(at_ms: u64, topic: &str, format: Format, payload: Vec<u8>, offset: u64) -> Message<'_> {
    Message {
        topic: topic.into(),
        format,
        payload: Cow::Owned(payload),
        time: Timestamp::from_millis(at_ms),
        position: Position::new(offset, 0),
        options: None,
    }
}

pub(crate) fn with_options<'a>(message: Message<'a>, options: MessageOptions<'static>) -> Message<'a> {
    Message { options: Some(Box::new(options)), ..message }
}

fn record(at_ms: u64, message: &Message<'_>) -> Sent {
    Sent {
        at_ms,
        topic: message.topic.to_string(),
        format: message.format,
        payload: message.payload.to_vec(),
        position: message.position,
        patch: message.options.as_ref().is_some_and(|options| options.patch),
    }
}
