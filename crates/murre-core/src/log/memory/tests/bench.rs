//! A log with who writes to it and reads it.

use std::sync::Arc;

use murre_protocol::{Codec, Format, Position, Timestamp, TopicFilter, packet::Message};

use crate::{
    batch::MessageBatch,
    ids::WorkerId,
    log::{
        KeepRule, KeepRules, LogBatch, LogCommand, LogEvent, Lost, MemoryLog, ReadCommand, ReadFrom, ReadId,
        ReadRequest, ReadSlice, Record,
    },
};

pub(super) const SHARDS: u8 = 3;
pub(super) const WORKER: WorkerId = WorkerId(0);

/// A log, who writes to it, and a clock that stands until it is moved.
pub(super) struct Bench {
    pub log: MemoryLog,
    pub now: u64,
    offsets: Vec<u64>,
    serial: u64,
}

pub(super) fn keep(filter: &str) -> KeepRule {
    let filter = TopicFilter::parse(filter).unwrap().into_owned();
    KeepRule { filter, last: None, age: None, bytes: None, durable: false }
}

pub(super) fn position(offset: u64) -> Position {
    Position::new(offset, 0)
}

pub(super) fn after(offset: u64) -> ReadFrom {
    ReadFrom::After(position(offset))
}

/// A read of what is kept for a session behind an offset.
pub(super) fn kept(offset: u64) -> ReadFrom {
    ReadFrom::Kept(position(offset))
}

pub(super) fn offsets(messages: &MessageBatch) -> Vec<u64> {
    messages.entries().iter().map(|entry| entry.position.offset()).collect()
}

/// A message's tail.
pub(super) fn tail(topic: &str, position: Position, payload: &[u8]) -> Vec<u8> {
    let (format, time) = (Format::Raw, Timestamp::default());
    let message =
        Message { topic: topic.into(), format, payload: payload.into(), time, position, options: None };
    let mut tail = Vec::new();
    Codec::MessagePack.message_tail(&message, &mut tail);
    tail
}

impl Bench {
    pub(super) fn new(rules: Vec<KeepRule>) -> Self {
        Self::bounded(rules, u64::MAX)
    }

    pub(super) fn bounded(rules: Vec<KeepRule>, bytes_max: u64) -> Self {
        let log = MemoryLog::new(SHARDS, Arc::new(KeepRules::new(rules)), bytes_max);
        Self { log, now: 1000, offsets: vec![0; SHARDS.into()], serial: 0 }
    }

    pub(super) fn handle(&mut self, command: LogCommand) -> Option<LogEvent> {
        let mut out = Vec::new();
        self.log.handle(Timestamp::from_millis(self.now), command, &mut out);
        assert!(out.len() <= 1);
        out.pop().map(|(_, event)| event)
    }

    pub(super) fn commit(&mut self, fill: impl FnOnce(&mut LogBatch)) {
        self.serial += 1;
        let mut batch = LogBatch::new(WORKER, self.serial);
        fill(&mut batch);
        let event = self.handle(LogCommand::Append(Arc::new(batch)));
        assert!(
            matches!(event, Some(LogEvent::Committed { serial, result: Ok(()) }) if serial == self.serial)
        );
    }

    /// Appends one record; its payload and flags can be changed.
    pub(super) fn append_with(
        &mut self,
        shard: u8,
        topic: &str,
        payload: &[u8],
        change: impl FnOnce(&mut Record),
    ) {
        self.offsets[usize::from(shard)] += 1;
        let position = Position::new(self.offsets[usize::from(shard)], shard);
        let time = Timestamp::from_millis(self.now);
        let tail = tail(topic, position, payload);
        let has_options = murre_protocol::codec::HasOptions(false);
        let (expires, retain, ends) = (None, false, false);
        let mut record =
            Record { position, hash: 7, time, expires, retain, ends, has_options, topic, tail: &tail };
        change(&mut record);
        self.commit(|batch| batch.push(record));
    }

    /// Whether no list has more than the records that are there.
    pub(super) fn is_tidy(&self) -> bool {
        let log = &self.log;
        log.books.listed() <= log.records()
            && log.shards.iter().all(|shard| shard.listed() <= shard.records.len())
    }

    /// The last offset of a shard.
    pub(super) fn last(&self, shard: u8) -> u64 {
        self.offsets[usize::from(shard)]
    }

    pub(super) fn append(&mut self, topic: &str) {
        self.append_with(0, topic, b"0123456789", |_| {});
    }

    pub(super) fn retain(&mut self, topic: &str) {
        self.append_with(0, topic, b"0123456789", |record| record.retain = true);
    }

    pub(super) fn end(&mut self, topic: &str) {
        self.append_with(0, topic, b"", |record| (record.retain, record.ends) = (true, true));
    }

    pub(super) fn expiring(&mut self, topic: &str, at: u64) {
        let at = Timestamp::from_millis(at);
        self.append_with(0, topic, b"0123456789", |record| record.expires = Some(at));
    }

    pub(super) fn floors(&mut self, worker: u8, floors: [u64; SHARDS as usize]) {
        let floors = LogCommand::Floors {
            worker: WorkerId(worker),
            floors: floors.to_vec(),
            needs: crate::log::NeedChanges::default(),
        };
        assert!(self.handle(floors).is_none());
    }

    pub(super) fn open(
        &mut self,
        shard: u8,
        filter: &str,
        from: ReadFrom,
        bytes: usize,
    ) -> (ReadId, ReadSlice) {
        self.serial += 1;
        let id = ReadId { worker: WORKER, serial: self.serial, shard };
        let filter = TopicFilter::parse(filter).unwrap().into_owned();
        let request =
            ReadRequest { id, filter, from, until: None, bytes, now: Timestamp::from_millis(self.now) };
        let event = self.handle(LogCommand::Read(ReadCommand::Open(Box::new(request))));
        (id, slice(event))
    }

    pub(super) fn next(&mut self, id: ReadId, bytes: usize) -> ReadSlice {
        slice(self.handle(LogCommand::Read(ReadCommand::Next(id, bytes))))
    }

    /// All that a read gives until it is at the end.
    pub(super) fn read(&mut self, filter: &str, from: ReadFrom) -> Vec<u64> {
        let (id, first) = self.open(0, filter, from, 1);
        let (mut read, mut at_end) = (offsets(&first.messages), first.at_end);
        while !at_end {
            let slice = self.next(id, 1);
            read.extend(offsets(&slice.messages));
            at_end = slice.at_end;
        }
        read
    }

    pub(super) fn lost(&mut self, filter: &str, from: ReadFrom) -> Option<Lost> {
        self.open(0, filter, from, 1).1.lost
    }

    pub(super) fn values(&self, shard: u8) -> Vec<u64> {
        let start = self.log.start(Timestamp::from_millis(self.now));
        start.shards[usize::from(shard)].values.iter().flat_map(offsets).collect()
    }
}

fn slice(event: Option<LogEvent>) -> ReadSlice {
    match event {
        Some(LogEvent::Slice(slice)) => slice,
        other => panic!("a slice was expected, not {other:?}"),
    }
}
