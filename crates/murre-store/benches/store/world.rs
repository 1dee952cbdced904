//! A store, and who uses it.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
};

use murre_core::{
    ids::WorkerId,
    log::{
        KeepRule, KeepRules, Log, LogBatch, LogCommand, LogEvent, ReadCommand, ReadFrom, ReadId, ReadRequest,
        Record, Start,
    },
    placement::Placement,
};
use murre_protocol::{Codec, Format, Position, Timestamp, TopicFilter, packet::Message};
use murre_store::{Options, Store};

pub(crate) const TOPICS: usize = 1_000;
const WORKER: WorkerId = WorkerId(0);

/// A store, and what is needed to write to it.
pub(crate) struct World {
    pub(crate) store: Store,
    events: Receiver<LogEvent>,
    pub(crate) placement: Placement,
    pub(crate) used: Vec<u64>,
    serial: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) topics: Vec<String>,
}

fn options() -> Options {
    let filter = TopicFilter::parse("#").unwrap();
    let rule = KeepRule { filter, last: None, age: None, bytes: None, durable: true };
    Options { keep: KeepRules::new(vec![rule]), ..Options::default() }
}

impl World {
    pub(crate) fn open(path: &Path) -> (Self, Start) {
        let (sender, events) = channel();
        let sink = Box::new(move |_, event| drop(sender.send(event)));
        let (store, opened) = Store::open(path, options(), sink).unwrap();
        let start = opened.start;
        let used = start.shards.iter().map(|shard| shard.used).collect();
        let placement = Placement { shards: start.shards.len() as u8, workers: 1, seed: start.seed };
        let topics = (0..TOPICS).map(|number| format!("site/{number}/temperature")).collect();
        let world =
            Self { store, events, placement, used, serial: 0, random: fastrand::Rng::with_seed(7), topics };
        (world, start)
    }

    /// So many messages.
    pub(crate) fn batch(&mut self, messages: usize) -> LogBatch {
        self.serial += 1;
        let mut batch = LogBatch::new(WORKER, self.serial);
        let (mut tail, mut payload) = (Vec::new(), [0; 100]);
        for _ in 0..messages {
            let topic = &self.topics[self.random.usize(..TOPICS)];
            let hash = self.placement.topic_hash(topic);
            let shard = self.placement.shard(hash);
            self.used[usize::from(shard)] += 1;
            let position = Position::new(self.used[usize::from(shard)], shard);
            // half of it as random as it gets, so that compression has not much to find
            self.random.fill(&mut payload[50..]);
            let time = Timestamp::from_millis(1_700_000_000_000 + self.serial);
            let (format, options) = (Format::Raw, None);
            let payload = payload.as_slice().into();
            let message = Message { topic: topic.as_str().into(), format, payload, time, position, options };
            tail.clear();
            let has_options = Codec::MessagePack.message_tail(&message, &mut tail);
            let (expires, retain, ends) = (None, false, false);
            batch.push(Record {
                position,
                hash,
                time,
                expires,
                retain,
                ends,
                has_options,
                topic,
                tail: &tail,
            });
        }
        batch
    }

    /// Commits a batch, and waits for that.
    pub(crate) fn commit(&self, batch: Arc<LogBatch>) {
        self.store.send(LogCommand::Append(batch));
        let LogEvent::Committed { result, .. } = self.events.recv().unwrap() else { panic!("no answer") };
        result.unwrap();
    }

    /// Reads a shard to its end, and says how many messages there were.
    pub(crate) fn read(&mut self, shard: u8, filter: &str, from: ReadFrom) -> usize {
        self.serial += 1;
        let id = ReadId { worker: WORKER, serial: self.serial, shard };
        let filter = TopicFilter::parse(filter).unwrap().into_owned();
        let request = ReadRequest {
            id,
            filter,
            from,
            until: None,
            bytes: 64 << 10,
            now: Timestamp::from_millis(1_700_000_000_000),
        };
        self.store.send(LogCommand::Read(ReadCommand::Open(Box::new(request))));
        let mut count = 0;
        loop {
            let LogEvent::Slice(slice) = self.events.recv().unwrap() else { panic!("no slice") };
            count += slice.messages.entries().len();
            if slice.at_end {
                break;
            }
            self.store.send(LogCommand::Read(ReadCommand::Next(id, 64 << 10)));
        }
        self.store.send(LogCommand::Read(ReadCommand::Cancel(id)));
        count
    }
}
