use std::time::Duration;

use murre_protocol::{Codec, Format, Position, packet::Message};
use proptest::prelude::*;

use super::*;
use crate::log::{KeepRule, Lost, ReadFrom, ReadRequest, ReadSlice, Record};

const ME: WorkerId = WorkerId(0);

fn rule(filter: &str) -> KeepRule {
    let filter = murre_protocol::TopicFilter::parse(filter).unwrap().into_owned();
    KeepRule { filter, last: None, age: None, bytes: None, durable: false }
}

struct Bench {
    log: MemoryLog,
    offset: u64,
    serial: u64,
    now: u64,
}

impl Bench {
    fn new(rules: Vec<KeepRule>) -> Self {
        Self {
            log: MemoryLog::new(1, Arc::new(KeepRules::new(rules)), u64::MAX),
            offset: 0,
            serial: 0,
            now: 0,
        }
    }

    fn handle(&mut self, command: LogCommand) -> Vec<LogEvent> {
        let mut out = Vec::new();
        self.log.handle(Timestamp::from_millis(self.now), command, &mut out);
        out.into_iter().map(|(_, event)| event).collect()
    }

    fn append(&mut self, topic: &str, retain: bool, payload: &[u8]) -> u64 {
        self.offset += 1;
        self.serial += 1;
        let (position, time) = (Position::new(self.offset, 0), Timestamp::from_millis(self.now));
        let message = Message {
            topic: topic.into(),
            format: Format::Text,
            payload: payload.into(),
            time,
            position,
            options: None,
        };
        let mut tail = Vec::new();
        let has_options = Codec::MessagePack.message_tail(&message, &mut tail);
        let mut batch = LogBatch::new(ME, self.serial);
        let ends = retain && payload.is_empty();
        let tail = &tail[..];
        batch.push(Record { position, hash: 1, time, expires: None, retain, ends, has_options, topic, tail });
        self.handle(LogCommand::Append(Arc::new(batch)));
        self.offset
    }

    fn open(&mut self, filter: &str, from: ReadFrom, bytes: usize) -> (ReadId, ReadSlice) {
        self.serial += 1;
        let id = ReadId { worker: ME, serial: self.serial, shard: 0 };
        let filter = murre_protocol::TopicFilter::parse(filter).unwrap().into_owned();
        let request = ReadRequest { id, filter, from, bytes, now: Timestamp::from_millis(self.now) };
        (id, slice(self.handle(LogCommand::Read(ReadCommand::Open(Box::new(request))))))
    }

    /// All offsets that a read gives, by slices of so many bytes, and what it lacks.
    fn read(&mut self, filter: &str, from: ReadFrom, bytes: usize) -> (Vec<u64>, Option<Lost>) {
        let (id, mut part) = self.open(filter, from, bytes);
        let lost = part.lost;
        let mut offsets = offsets(&part);
        while !part.at_end {
            part = slice(self.handle(LogCommand::Read(ReadCommand::Next(id, bytes))));
            offsets.extend(super::tests::offsets(&part));
        }
        (offsets, lost)
    }

    fn set_floor(&mut self, floor: u64) {
        self.handle(LogCommand::Floors { worker: ME, floors: vec![floor] });
    }
}

fn slice(events: Vec<LogEvent>) -> ReadSlice {
    match events.into_iter().next() {
        Some(LogEvent::Slice(slice)) => slice,
        other => panic!("no slice but {other:?}"),
    }
}

fn offsets(slice: &ReadSlice) -> Vec<u64> {
    slice.messages.entries().iter().map(|entry| entry.position.offset()).collect()
}

fn after(offset: u64) -> ReadFrom {
    ReadFrom::After(Position::new(offset, 0))
}

#[test]
fn a_topic_has_the_newest_messages_that_its_rule_holds() {
    let mut bench = Bench::new(vec![KeepRule { last: Some(2), ..rule("#") }]);
    (0..4).for_each(|_| _ = bench.append("a", false, b"x"));
    assert_eq!(bench.read("a", ReadFrom::LastN(10), 1).0, [3, 4]);
    assert_eq!(bench.read("a", ReadFrom::LastN(1), 1).0, [4]);
    assert_eq!(bench.read("a", after(1), 1), (vec![3, 4], Some(Lost::Kept)));
    assert_eq!(bench.read("a", after(2), 1), (vec![3, 4], None));
}

#[test]
fn what_is_too_old_is_gone() {
    let mut bench = Bench::new(vec![KeepRule { age: Some(Duration::from_millis(10)), ..rule("#") }]);
    bench.append("a", false, b"x");
    bench.now = 5;
    bench.append("a", false, b"x");
    bench.now = 10;
    assert_eq!(bench.read("a", after(0), 100), (vec![2], Some(Lost::Expired)));
}

#[test]
fn a_rule_holds_so_many_bytes_of_all_its_topics() {
    let mut bench = Bench::new(vec![KeepRule { bytes: Some(40), ..rule("#") }]);
    for topic in ["a", "b", "a", "b"] {
        bench.append(topic, false, b"0123456789");
    }
    let held = bench.read("#", ReadFrom::Since(Timestamp::default()), 1).0;
    assert_eq!(held, [3, 4]);
    assert!(bench.log.bytes() <= 40);
}

#[test]
fn a_retained_value_stays_until_it_is_replaced_or_ended() {
    let mut bench = Bench::new(Vec::new());
    let values = |bench: &Bench| {
        let start = bench.log.start(Timestamp::default());
        start.shards[0].values.iter().map(|batch| batch.entries().len()).sum::<usize>()
    };
    bench.append("a", true, b"1");
    bench.append("a", true, b"2");
    assert_eq!((values(&bench), bench.log.records()), (1, 1));
    bench.append("a", true, b"");
    assert_eq!((values(&bench), bench.log.records()), (0, 0));
}

#[test]
fn what_a_durable_session_needs_stays_without_a_rule() {
    let mut bench = Bench::new(Vec::new());
    bench.set_floor(1);
    (0..3).for_each(|_| _ = bench.append("a", false, b"x"));
    assert_eq!(bench.read("a", after(1), 1), (vec![2, 3], None));
    bench.set_floor(2);
    assert_eq!(bench.read("a", after(1), 1), (vec![3], Some(Lost::Kept)));
}

#[test]
fn a_read_goes_on_with_what_was_appended_since() {
    let mut bench = Bench::new(vec![rule("#")]);
    bench.append("a", false, b"x");
    let (id, part) = bench.open("#", ReadFrom::LastN(1), 1000);
    assert_eq!((offsets(&part), part.at_end, part.reached), (vec![1], true, 1));
    bench.append("b", false, b"x");
    bench.append("a", false, b"x");
    let part = slice(bench.handle(LogCommand::Read(ReadCommand::Next(id, 1000))));
    assert_eq!(offsets(&part), [2, 3]);
}

proptest! {
    #[test]
    fn reads_are_what_a_list_of_all_messages_says(
        topics in prop::collection::vec(0_usize..4, 0..60),
        last in 1_u64..6,
        n in 0_u64..8,
        from in 0_u64..60,
        bytes in 1_usize..200,
    ) {
        let names = ["a", "b", "c/d", "c/e"];
        let mut bench = Bench::new(vec![KeepRule { last: Some(last), ..rule("c/#") }, rule("#")]);
        for topic in &topics {
            bench.now += 1;
            bench.append(names[*topic], false, b"x");
        }
        let all: Vec<(u64, &str)> = (1..).zip(topics.iter().map(|topic| names[*topic])).collect();
        let rank = |at: u64, name: &str| all.iter().filter(|(o, t)| *o > at && *t == name).count() as u64;
        let held = |at: u64, name: &str| !name.starts_with('c') || rank(at, name) < last;
        let want = |keep: &dyn Fn(u64, &str) -> bool| -> Vec<u64> {
            all.iter().filter(|(o, t)| held(*o, t) && keep(*o, t)).map(|(o, _)| *o).collect()
        };
        prop_assert_eq!(bench.read("#", ReadFrom::LastN(n), bytes).0, want(&|o, t| rank(o, t) < n));
        let since = ReadFrom::Since(Timestamp::from_millis(from));
        prop_assert_eq!(bench.read("#", since, bytes).0, want(&|o, _| o >= from));
        let (got, lost) = bench.read("#", after(from), bytes);
        prop_assert_eq!(got, want(&|o, _| o > from));
        prop_assert_eq!(lost.is_some(), all.iter().any(|(o, t)| *o > from && !held(*o, t)));
        let exact: Vec<u64> = want(&|o, t| t == "c/d" && rank(o, t) < n);
        prop_assert_eq!(bench.read("c/d", ReadFrom::LastN(n), bytes).0, exact);
    }
}
