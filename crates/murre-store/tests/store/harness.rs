//! A store in a directory of its own, and an engine of one worker in front of it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use murre_core::{
    ids::WorkerId,
    log::{
        KeepRule, KeepRules, Log, LogBatch, LogCommand, LogEvent, LogRefusal, Lost, NeedChanges, ReadCommand,
        ReadFrom, ReadId, ReadRequest, ReadSlice, Record, Start, StateChange,
    },
    placement::Placement,
};
use murre_protocol::{
    Codec, Format, Position, Timestamp, TopicFilter,
    packet::{Message, MessageOptions},
};
use murre_store::{Opened, Options, Store};
use tempfile::TempDir;

pub const WORKER: WorkerId = WorkerId(0);
/// No answer takes longer, unless there is none.
const PATIENCE: Duration = Duration::from_secs(60);

static NOW: AtomicU64 = AtomicU64::new(1_700_000_000_000);

/// The clock of all stores of this test process goes on by a millisecond whenever somebody looks.
pub fn clock() -> Timestamp {
    Timestamp::from_millis(NOW.fetch_add(1, Relaxed))
}

/// Options for tests: one shard, so that there is one order.
pub fn options(keep: &[KeepRule]) -> Options {
    Options {
        shards: 1,
        keep: KeepRules::new(keep.to_vec()),
        clock,
        delete: false,
        segment_bytes: 8 << 10,
        ..Options::default()
    }
}

/// A rule that keeps everything.
pub fn keep_all(filter: &str) -> KeepRule {
    let filter = TopicFilter::parse(filter).unwrap().into_owned();
    KeepRule { filter, last: None, age: None, bytes: None, durable: true }
}

/// A rule that keeps the newest of each topic.
pub fn keep_last(filter: &str, last: u64) -> KeepRule {
    KeepRule { last: Some(last), ..keep_all(filter) }
}

/// What is published.
#[derive(Debug, Clone, Default)]
pub struct Publish {
    pub topic: String,
    pub payload: String,
    pub retain: bool,
    pub expires: Option<Timestamp>,
}

impl Publish {
    pub fn new(topic: impl Into<String>, payload: impl ToString) -> Self {
        Self { topic: topic.into(), payload: payload.to_string(), ..Self::default() }
    }

    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    pub fn expiring(self, at: Timestamp) -> Self {
        Self { expires: Some(at), ..self }
    }
}

/// A message that was read: position, topic and payload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Got {
    pub position: Position,
    pub topic: String,
    pub payload: String,
}

/// A store and who uses it.
pub struct World {
    pub dir: TempDir,
    pub options: Options,
    pub store: Option<Store>,
    pub opened: Opened,
    pub used: Vec<u64>,
    pub placement: Placement,
    /// The times of the messages in the last batch.
    pub times: Vec<Timestamp>,
    events: Receiver<LogEvent>,
    serial: u64,
    /// The last batch that was answered with an error, as the next one says.
    pub failed: u64,
    reads: u64,
}

impl World {
    pub fn new(options: Options) -> Self {
        Self::at(tempfile::tempdir().unwrap(), options)
    }

    pub fn at(dir: TempDir, options: Options) -> Self {
        let (store, opened, events) = open(dir.path(), &options).unwrap();
        let start = &opened.start;
        let placement = Placement { shards: start.shards.len() as u8, workers: 1, seed: start.seed };
        let used = start.shards.iter().map(|shard| shard.used).collect();
        Self {
            dir,
            options,
            store: Some(store),
            opened,
            used,
            placement,
            times: Vec::new(),
            events,
            serial: 0,
            failed: 0,
            reads: 0,
        }
    }

    pub fn start(&self) -> &Start {
        &self.opened.start
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Closes the store in order, and opens it again.
    pub fn restart(self) -> Self {
        let Self { dir, options, store, used, .. } = self;
        store.unwrap().close(used);
        Self::at(dir, options)
    }

    /// Opens what a `kill -9` at this moment would leave.
    pub fn killed(&self) -> Self {
        // the engine's own threads may be at work; a kill is one moment, and so has the copy to be
        let looks = |dir: &Path| -> Vec<_> {
            let stamp =
                |file: PathBuf| std::fs::metadata(&file).map(|data| (data.len(), data.modified().ok())).ok();
            files(dir).into_iter().map(|file| (file.clone(), stamp(file))).collect()
        };
        loop {
            let (copy, before) = (tempfile::tempdir().unwrap(), looks(self.path()));
            let is_copied = try_copy_all(self.path(), copy.path()).is_ok();
            if is_copied && looks(self.path()) == before {
                break Self::at(copy, self.options.clone());
            }
        }
    }

    /// Sends a batch, and says its number.
    pub fn send(
        &mut self,
        publishes: &[Publish],
        state: &[(u8, &str, Option<&str>)],
    ) -> (u64, Vec<Position>) {
        self.serial += 1;
        self.times.clear();
        let mut batch = LogBatch::new(WORKER, self.serial);
        batch.failed = self.failed;
        let positions = publishes.iter().map(|publish| self.push(&mut batch, publish)).collect();
        for (shard, key, value) in state {
            let value = value.map(str::as_bytes);
            batch.push_state(StateChange { shard: *shard, key: key.as_bytes(), value });
        }
        self.store().send(LogCommand::Append(Arc::new(batch)));
        (self.serial, positions)
    }

    fn push(&mut self, batch: &mut LogBatch, publish: &Publish) -> Position {
        let hash = self.placement.topic_hash(&publish.topic);
        let shard = self.placement.shard(hash);
        self.used[usize::from(shard)] += 1;
        let position = Position::new(self.used[usize::from(shard)], shard);
        let (time, mut tail) = (clock(), Vec::new());
        self.times.push(time);
        let message = message(publish, time, position);
        let has_options = Codec::MessagePack.message_tail(&message, &mut tail);
        batch.push(Record {
            position,
            hash,
            time,
            expires: publish.expires,
            retain: publish.retain,
            ends: publish.retain && publish.payload.is_empty(),
            has_options,
            topic: &publish.topic,
            tail: &tail,
        });
        position
    }

    /// Waits for an answer.
    pub fn event(&self) -> LogEvent {
        self.events.recv_timeout(PATIENCE).expect("an answer of the store")
    }

    /// Waits for the answer to a batch.
    pub fn committed(&mut self) -> (u64, Result<(), LogRefusal>) {
        match self.event() {
            LogEvent::Committed { serial, result } => {
                self.failed = if result.is_err() { serial } else { self.failed };
                (serial, result)
            }
            event => panic!("{event:?} is no answer to a batch"),
        }
    }

    pub fn try_publish(&mut self, publishes: &[Publish]) -> Result<Vec<Position>, LogRefusal> {
        let (sent, positions) = self.send(publishes, &[]);
        let (serial, result) = self.committed();
        assert_eq!(serial, sent);
        result.map(|()| positions)
    }

    /// Publishes until the store takes it, as a client does that gets no acknowledgement.
    pub fn publish_until_taken(&mut self, publish: &Publish) -> Position {
        loop {
            if let Ok(positions) = self.try_publish(std::slice::from_ref(publish)) {
                break positions[0];
            }
            std::thread::yield_now();
        }
    }

    pub fn publish(&mut self, publishes: &[Publish]) -> Vec<Position> {
        self.try_publish(publishes).unwrap()
    }

    /// One batch with `count` messages, one topic after the other, with the numbers from `first` as payloads.
    pub fn publish_many(&mut self, topics: &[&str], first: usize, count: usize) -> Vec<Position> {
        let publishes: Vec<_> = (first..first + count)
            .map(|number| Publish::new(topics[number % topics.len()], number))
            .collect();
        self.publish(&publishes)
    }

    /// Says what kept sessions need: all past an offset, and what single subscriptions need before that.
    pub fn say_needs(&self, floor: u64, needs: NeedChanges) {
        self.store().send(LogCommand::Floors { worker: WORKER, floors: vec![floor], needs });
    }

    /// Begins a read.
    pub fn open_read(
        &mut self,
        shard: u8,
        filter: &str,
        from: ReadFrom,
        bytes: usize,
    ) -> (ReadId, ReadSlice) {
        self.open_read_until(shard, filter, from, None, bytes)
    }

    pub fn open_read_until(
        &mut self,
        shard: u8,
        filter: &str,
        from: ReadFrom,
        until: Option<Timestamp>,
        bytes: usize,
    ) -> (ReadId, ReadSlice) {
        self.reads += 1;
        let id = ReadId { worker: WORKER, serial: self.reads, shard };
        let filter = TopicFilter::parse(filter).unwrap().into_owned();
        let request = ReadRequest { id, filter, from, until, bytes, now: clock() };
        self.store().send(LogCommand::Read(ReadCommand::Open(Box::new(request))));
        (id, self.slice(id))
    }

    pub fn next_slice(&self, id: ReadId, bytes: usize) -> ReadSlice {
        self.store().send(LogCommand::Read(ReadCommand::Next(id, bytes)));
        self.slice(id)
    }

    fn slice(&self, id: ReadId) -> ReadSlice {
        match self.event() {
            LogEvent::Slice(slice) => {
                assert_eq!(slice.id, id);
                slice
            }
            event => panic!("{event:?} is no slice"),
        }
    }

    /// Reads a shard up to its end, in slices of so many bytes.
    pub fn read_slices(
        &mut self,
        shard: u8,
        filter: &str,
        from: ReadFrom,
        bytes: usize,
    ) -> (Vec<Got>, Option<Lost>) {
        let (id, mut slice) = self.open_read(shard, filter, from, bytes);
        let (mut all, mut lost, mut reached) = (Vec::new(), slice.lost, 0);
        loop {
            assert!(slice.reached >= reached, "{} after {reached}", slice.reached);
            reached = slice.reached;
            let got = got(&slice);
            assert!(got.iter().all(|got| got.position.offset() <= reached), "{got:?} past {reached}");
            all.extend(got);
            if slice.at_end {
                break;
            }
            slice = self.next_slice(id, bytes);
            lost = lost.or(slice.lost);
        }
        self.store().send(LogCommand::Read(ReadCommand::Cancel(id)));
        assert!(all.is_sorted_by(|a, b| a.position < b.position), "positions rise: {all:?}");
        (all, lost)
    }

    pub fn has_ended(mut self) -> TempDir {
        drop(self.store.take());
        self.dir
    }

    /// What all shards have, in the order of positions.
    pub fn read(&mut self, filter: &str, from: ReadFrom) -> Vec<Got> {
        let mut all = Vec::new();
        for shard in 0..self.placement.shards {
            all.extend(self.read_slices(shard, filter, from, 64 << 10).0);
        }
        all.sort();
        all
    }

    /// The payloads of all that is there.
    pub fn payloads(&mut self, filter: &str, from: ReadFrom) -> Vec<String> {
        self.read(filter, from).into_iter().map(|got| got.payload).collect()
    }

    /// The last values that the store began with: topic and payload.
    pub fn values(&self) -> Vec<(String, String)> {
        let batches = self.start().shards.iter().flat_map(|shard| &shard.values);
        let values = batches.flat_map(|batch| {
            batch.entries().iter().map(move |entry| {
                let payload = String::from_utf8_lossy(&batch.message(entry).payload).into_owned();
                (batch.topic(entry).to_owned(), payload)
            })
        });
        values.collect()
    }
}

fn message(publish: &Publish, time: Timestamp, position: Position) -> Message<'_> {
    let options = publish.expires.map(|expires| {
        let left = expires.millis().saturating_sub(time.millis());
        Box::new(MessageOptions { expiry: Some(left), ..MessageOptions::default() })
    });
    Message {
        topic: publish.topic.as_str().into(),
        format: Format::Text,
        payload: publish.payload.as_bytes().into(),
        time,
        position,
        options,
    }
}

/// What is in a slice.
pub fn got(slice: &ReadSlice) -> Vec<Got> {
    let batch = &slice.messages;
    let got = batch.entries().iter().map(|entry| Got {
        position: entry.position,
        topic: batch.topic(entry).to_owned(),
        payload: String::from_utf8_lossy(&batch.message(entry).payload).into_owned(),
    });
    got.collect()
}

/// From the very beginning.
pub const BEGINNING: ReadFrom = ReadFrom::After(Position::NONE);

type OpenedStore = (Store, Opened, Receiver<LogEvent>);

pub fn open(path: &Path, options: &Options) -> Result<OpenedStore, murre_store::StoreError> {
    let (sender, events): (Sender<LogEvent>, _) = channel();
    let sink = Box::new(move |_, event| {
        // who has ended wants no answers
        let _ = sender.send(event);
    });
    let (store, opened) = Store::open(path, options.clone(), sink)?;
    Ok((store, opened, events))
}

pub fn copy_all(from: &Path, to: &Path) {
    try_copy_all(from, to).unwrap();
}

fn try_copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap())?;
        std::fs::copy(&path, &target)?;
    }
    Ok(())
}

/// All files below a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // what is deleted meanwhile isn't there
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
