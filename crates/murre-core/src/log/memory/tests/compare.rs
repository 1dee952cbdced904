//! The log and the list of all messages, side by side.

use murre_protocol::{Position, Timestamp};
use proptest::prelude::*;

use super::{
    bench::{Bench, SHARDS, after, kept, offsets, tail},
    model::{Appended, FILTERS, Model, RECORD_BYTES, Reader, TOPICS, rules},
};
use crate::log::ReadFrom;

#[derive(Debug, Clone)]
enum Step {
    Append { topic: usize, shard: u8, len: usize, expires: Option<u64>, retain: bool, ends: bool },
    Pass(u64),
    Floor { worker: u8, shard: u8, back: u64 },
    Open { shard: u8, filter: usize, from: ReadFrom, bytes: usize },
    Next { read: prop::sample::Index, bytes: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let expires = prop_oneof![3 => Just(None), 1 => (1_u64..30).prop_map(Some)];
    let append = (0..TOPICS.len(), 0..2_u8, 0..30_usize, expires, any::<bool>(), prop::bool::weighted(0.1));
    let append = append.prop_map(|(topic, shard, len, expires, retain, ends)| {
        let retain = retain || ends;
        Step::Append { topic, shard, len, expires, retain, ends }
    });
    let from = prop_oneof![
        (0..8_u64).prop_map(ReadFrom::LastN),
        (0..200_u64).prop_map(|ms| ReadFrom::Since(Timestamp::from_millis(1000 + ms))),
        (0..40_u64).prop_map(after),
        (0..40_u64).prop_map(kept),
    ];
    let open = (0..2_u8, 0..FILTERS.len(), from, 1..200_usize);
    prop_oneof![
        8 => append,
        2 => (0..15_u64).prop_map(Step::Pass),
        1 => (0..2_u8, 0..2_u8, 0..20_u64).prop_map(|(worker, shard, back)| Step::Floor { worker, shard, back }),
        3 => open.prop_map(|(shard, filter, from, bytes)| Step::Open { shard, filter, from, bytes }),
        3 => (any::<prop::sample::Index>(), 1..200_usize).prop_map(|(read, bytes)| Step::Next { read, bytes }),
    ]
}

/// Both logs, side by side.
struct Pair {
    bench: Bench,
    model: Model,
    readers: Vec<Reader>,
}

impl Pair {
    fn new(bytes_max: u64) -> Self {
        let floors = [[u64::MAX; SHARDS as usize]; 2];
        let model = Model { now: 1000, bytes_max, floors, ..Model::default() };
        Self { bench: Bench::bounded(rules(), bytes_max), model, readers: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append { topic, shard, len, expires, retain, ends } => {
                self.append(TOPICS[topic], shard, &vec![7; len], expires, (retain, ends));
            }
            Step::Pass(ms) => {
                self.model.now += ms;
                self.bench.now += ms;
            }
            Step::Floor { worker, shard, back } => {
                let floors = &mut self.model.floors[usize::from(worker)];
                floors[usize::from(shard)] = self.bench.last(shard).checked_sub(back).unwrap_or(u64::MAX);
                self.bench.floors(worker, *floors);
            }
            Step::Open { shard, filter, from, bytes } => self.open(shard, FILTERS[filter], from, bytes),
            Step::Next { .. } if self.readers.is_empty() => {}
            Step::Next { read, bytes } => {
                self.model.bury();
                let at = read.index(self.readers.len());
                let reader = &mut self.readers[at];
                let slice = self.bench.next(reader.id, bytes);
                let got = (offsets(&slice.messages), slice.reached, slice.at_end);
                assert_eq!(got, reader.slice(&self.model, bytes));
            }
        }
    }

    fn append(
        &mut self,
        topic: &'static str,
        shard: u8,
        payload: &[u8],
        expires: Option<u64>,
        (retain, ends): (bool, bool),
    ) {
        self.model.bury();
        let time = self.model.now;
        let expires = expires.map(|ms| time + ms);
        self.bench.append_with(shard, topic, payload, |record| {
            (record.retain, record.ends) = (retain, ends);
            record.expires = expires.map(Timestamp::from_millis);
        });
        let offset = self.bench.last(shard);
        let bytes = tail(topic, Position::new(offset, shard), payload).len() as u64;
        let (is_past_bytes, removed) = (false, false);
        let record =
            Appended { shard, offset, topic, time, expires, retain, ends, bytes, is_past_bytes, removed };
        self.model.append(record);
    }

    fn open(&mut self, shard: u8, filter: &'static str, from: ReadFrom, bytes: usize) {
        self.model.bury();
        let (id, slice) = self.bench.open(shard, filter, from, bytes);
        let mut reader = Reader::new(id, filter, from, &self.model);
        assert_eq!(slice.lost.is_some(), reader.is_something_lost(&self.model));
        let got = (offsets(&slice.messages), slice.reached, slice.at_end);
        assert_eq!(got, reader.slice(&self.model, bytes));
        self.readers.push(reader);
    }

    fn is_same(&mut self) {
        // a command lets go what time has ended
        self.bench.floors(0, self.model.floors[0]);
        self.model.bury();
        assert_eq!(
            (self.bench.log.records() as u64, self.bench.log.bytes()),
            (self.model.records(), self.model.bytes())
        );
        assert!(self.bench.is_tidy(), "something stands for a record that is gone");
        for shard in 0..SHARDS {
            assert_eq!(self.bench.values(shard), self.model.values(shard), "values of shard {shard}");
        }
    }
}

proptest! {
    #[test]
    fn it_holds_and_reads_what_a_list_of_all_messages_says(
        steps in prop::collection::vec(step(), 1..120),
        records_max in 4_u64..60,
    ) {
        let mut pair = Pair::new(records_max * (RECORD_BYTES + 20));
        for step in steps {
            pair.step(step);
            pair.is_same();
        }
    }
}
