//! Messages of one topic that follow each other in a batch, on their way to the topic's subscribers.
//!
//! Everything behind a MESSAGE's head is the same for all subscribers, and the head differs only by the client's
//! number for the subscription. So a run is written once for each number and encoding, and copied as a whole.

use std::mem;

use murre_protocol::{Codec, Position, codec::HasOptions, packet::Message};

use crate::{
    batch::{MessageBatch, MessageEntry},
    session::Gate,
};

/// Bytes after which a run is cut: a few runs fit into a block of an outbox, and one stays in the processor's
/// nearest cache while it is copied to many.
const RUN_BYTES_MAX: usize = 4096;

/// A run of messages.
pub(super) struct Run<'a> {
    batch: &'a MessageBatch,
    entries: &'a [MessageEntry],
    /// The tails in JSON, made when the first JSON client wants them.
    json: Vec<(Vec<u8>, HasOptions)>,
    gate: Gate,
    /// The message that a view made it of.
    made_of: Option<(&'a MessageBatch, &'a MessageEntry)>,
    written_for: Option<(Codec, u64)>,
    written: Vec<u8>,
}

impl<'a> Run<'a> {
    /// The longest run at the beginning of `entries`; none where there are no entries. `scratch` is memory to use.
    pub(super) fn first(
        batch: &'a MessageBatch,
        entries: &'a [MessageEntry],
        scratch: Vec<u8>,
    ) -> Option<Self> {
        let first = entries.first()?;
        let topic = batch.topic_bytes(first);
        let mut bytes = 0;
        let belongs = |entry: &&MessageEntry| {
            bytes += batch.tail(entry).len();
            bytes <= RUN_BYTES_MAX
                && entry.hash == first.hash
                && entry.hubs == first.hubs
                && batch.topic_bytes(entry) == topic
        };
        let more = entries.iter().skip(1).take_while(belongs).count();
        Some(Self::of(batch, entries.get(..=more)?, scratch))
    }

    /// One message as a run.
    pub(super) fn single(batch: &'a MessageBatch, entry: &'a MessageEntry) -> Self {
        Self::of(batch, std::slice::from_ref(entry), Vec::new())
    }

    fn of(batch: &'a MessageBatch, entries: &'a [MessageEntry], written: Vec<u8>) -> Self {
        let gate = Gate { from: batch.from, serial: batch.gate };
        Self { batch, entries, json: Vec::new(), gate, made_of: None, written_for: None, written }
    }

    /// The same, which waits for something else.
    pub(super) fn behind(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// The same, of one message that a view made of another.
    pub(super) fn made_of(self, batch: &'a MessageBatch, entry: &'a MessageEntry) -> Self {
        Self { made_of: Some((batch, entry)), ..self }
    }

    /// What another member of the group gets for a message: before any view.
    pub(super) fn for_others(&mut self, at: usize) -> (&[u8], HasOptions) {
        match self.made_of {
            Some((batch, entry)) => (batch.tail(entry), entry.has_options),
            None => self.tail(at, Codec::MessagePack),
        }
    }

    /// Its messages.
    pub(super) fn entries(&self) -> &'a [MessageEntry] {
        self.entries
    }

    /// Its topic, as the bytes of its name.
    pub(super) fn topic(&self) -> &'a [u8] {
        self.entries.first().map_or(&[], |entry| self.batch.topic_bytes(entry))
    }

    /// A message's content.
    pub(super) fn message(&self, at: usize) -> Option<Message<'a>> {
        self.entries.get(at).map(|entry| self.batch.message(entry))
    }

    /// Where a message stands.
    pub(super) fn position(&self, at: usize) -> Position {
        self.entries.get(at).map_or(Position::NONE, |entry| entry.position)
    }

    /// What its messages wait for before subscriptions with `ack` get them.
    pub(super) fn gate(&self) -> Gate {
        self.gate
    }

    /// A message's tail.
    #[inline]
    pub(super) fn tail(&mut self, at: usize, codec: Codec) -> (&[u8], HasOptions) {
        match codec {
            Codec::MessagePack => match self.entries.get(at) {
                Some(entry) => (self.batch.tail(entry), entry.has_options),
                None => (&[], HasOptions(false)),
            },
            Codec::Json => {
                self.write_json();
                self.json.get(at).map_or((&[], HasOptions(false)), |(tail, has_options)| (tail, *has_options))
            }
        }
    }

    fn write_json(&mut self) {
        for entry in self.entries.iter().skip(self.json.len()) {
            let mut tail = Vec::new();
            let has_options = Codec::Json.message_tail(&self.batch.message(entry), &mut tail);
            self.json.push((tail, has_options));
        }
    }

    /// The whole run as subscription `sub` gets it.
    #[inline]
    pub(super) fn written(&mut self, codec: Codec, sub: u64) -> &[u8] {
        if self.written_for != Some((codec, sub)) {
            self.write(codec, sub);
        }
        &self.written
    }

    fn write(&mut self, codec: Codec, sub: u64) {
        let mut written = mem::take(&mut self.written);
        written.clear();
        self.append_to(&mut written, codec, sub);
        self.written = written;
        self.written_for = Some((codec, sub));
    }

    /// Writes the whole run as subscription `sub` gets it behind `out`, for the only one that does.
    #[inline]
    pub(super) fn append_to(&mut self, out: &mut Vec<u8>, codec: Codec, sub: u64) {
        for at in 0..self.entries.len() {
            let (tail, has_options) = self.tail(at, codec);
            codec.message_head(sub, has_options, out);
            out.extend_from_slice(tail);
        }
    }

    /// Bytes that [`Self::append_to`] writes.
    #[inline]
    pub(super) fn len(&mut self, codec: Codec, sub: u64) -> usize {
        self.written.clear();
        self.written_for = None;
        codec.message_head(sub, HasOptions(false), &mut self.written);
        // a head is as long with options as without
        let heads = self.entries.len() * self.written.len();
        heads + (0..self.entries.len()).map(|at| self.tail(at, codec).0.len()).sum::<usize>()
    }

    /// The memory, to use again.
    pub(super) fn into_scratch(self) -> Vec<u8> {
        let mut scratch = self.written;
        scratch.shrink_to(2 * RUN_BYTES_MAX);
        scratch
    }
}

#[cfg(test)]
mod tests {
    use murre_protocol::{
        Format, Timestamp,
        packet::{BrokerPacket, Message},
    };

    use super::*;
    use crate::ids::WorkerId;

    fn batch(topics: &[&str]) -> MessageBatch {
        let mut batch = MessageBatch::new(WorkerId(0));
        for (offset, topic) in (1..).zip(topics) {
            let message = Message {
                topic: (*topic).into(),
                format: Format::Text,
                payload: b"21.4".as_slice().into(),
                time: Timestamp::from_millis(1),
                position: Position::new(offset, 0),
                options: None,
            };
            // the same hash for all: the topic itself has to tell them apart
            batch.push(7, 1, message);
        }
        batch
    }

    #[test]
    fn a_run_ends_where_another_topic_begins() {
        let batch = batch(&["a", "a", "b", "a"]);
        let run = Run::first(&batch, batch.entries(), Vec::new()).unwrap();
        assert_eq!(run.entries().len(), 2);
        let run = Run::first(&batch, &batch.entries()[2..], Vec::new()).unwrap();
        assert_eq!(run.entries().len(), 1);
    }

    #[test]
    fn a_run_is_cut_before_it_grows_large() {
        let batch = batch(&["a"; 1000]);
        let run = Run::first(&batch, batch.entries(), Vec::new()).unwrap();
        let bytes: usize = run.entries().iter().map(|entry| batch.tail(entry).len()).sum();
        assert!(run.entries().len() > 1 && bytes <= 2 * RUN_BYTES_MAX);
    }

    #[test]
    fn each_subscriber_gets_the_run_under_its_own_number() {
        let batch = batch(&["a", "a"]);
        let mut run = Run::first(&batch, batch.entries(), Vec::new()).unwrap();
        for (codec, sub) in [(Codec::MessagePack, 1), (Codec::Json, 1), (Codec::MessagePack, 300)] {
            let mut rest = run.written(codec, sub).to_vec();
            let mut alone = Vec::new();
            assert_eq!(run.len(codec, sub), rest.len());
            run.append_to(&mut alone, codec, sub);
            assert_eq!(alone, rest);
            let mut offsets = Vec::new();
            while let Some((packet, behind)) = codec.broker_packet(&rest, usize::MAX).unwrap() {
                let BrokerPacket::Message { sub: number, message } = packet else { panic!("a MESSAGE") };
                assert_eq!(number, sub);
                offsets.push(message.position.offset());
                let behind = behind.to_vec();
                rest = behind;
            }
            assert_eq!(offsets, [1, 2]);
        }
    }
}
