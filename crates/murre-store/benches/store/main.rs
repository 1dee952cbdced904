//! What the log on disk costs: to append, to read, to start.
//!
//! Messages have 100 bytes of payload and are spread over 1,000 topics and 16 shards. `append` commits so many
//! messages that wait, with `sync = always`, beside what the disk itself allows: the same bytes appended to a plain
//! file with an `fdatasync` for each commit. `MURRE_BENCH_MESSAGES` says how many messages the log for reading and
//! starting has (1,000,000 where it says nothing).

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput};
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

const TOPICS: usize = 1_000;
const WAITING: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const WORKER: WorkerId = WorkerId(0);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    append(&mut criterion);
    let messages = std::env::var("MURRE_BENCH_MESSAGES").ok().and_then(|text| text.parse().ok());
    let messages = messages.unwrap_or(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let filled = fill(dir.path(), messages);
    read(&mut criterion, dir.path(), filled);
    start(&mut criterion, dir.path(), messages);
    criterion.final_summary();
}

/// A store, and what is needed to write to it.
struct World {
    store: Store,
    events: Receiver<LogEvent>,
    placement: Placement,
    used: Vec<u64>,
    serial: u64,
    random: fastrand::Rng,
    topics: Vec<String>,
}

fn options() -> Options {
    let filter = TopicFilter::parse("#").unwrap();
    let rule = KeepRule { filter, last: None, age: None, bytes: None, durable: true };
    Options { keep: KeepRules::new(vec![rule]), ..Options::default() }
}

impl World {
    fn open(path: &Path) -> (Self, Start) {
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

    fn batch(&mut self, messages: usize) -> LogBatch {
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

    fn commit(&self, batch: Arc<LogBatch>) {
        self.store.send(LogCommand::Append(batch));
        let LogEvent::Committed { result, .. } = self.events.recv().unwrap() else { panic!("no answer") };
        result.unwrap();
    }

    /// Reads a shard to its end; says how many messages there were.
    fn read(&mut self, shard: u8, filter: &str, from: ReadFrom) -> usize {
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

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store/append");
    group.measurement_time(Duration::from_secs(3)).sample_size(20);
    for waiting in WAITING {
        group.throughput(Throughput::Elements(waiting as u64));
        let dir = tempfile::tempdir().unwrap();
        let (mut world, _) = World::open(dir.path());
        group.bench_function(format!("{waiting}/store"), |bencher| {
            bencher.iter_custom(|count| {
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    let batch = Arc::new(world.batch(waiting));
                    let since = Instant::now();
                    world.commit(batch);
                    spent += since.elapsed();
                }
                spent
            });
        });
        let mut file = File::create(dir.path().join("plain")).unwrap();
        group.bench_function(format!("{waiting}/plain_file"), |bencher| {
            bencher.iter_custom(|count| {
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    let batch = world.batch(waiting);
                    let tails: Vec<u8> =
                        batch.records().iter().flat_map(|record| batch.tail(record)).copied().collect();
                    let since = Instant::now();
                    file.write_all(&tails).unwrap();
                    file.sync_data().unwrap();
                    spent += since.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

/// A log of so many messages.
fn fill(path: &Path, messages: usize) -> World {
    let (mut world, _) = World::open(path);
    let (since, written_before) = (Instant::now(), written());
    let mut bytes = 0;
    for _ in 0..messages / 10_000 {
        let batch = world.batch(10_000);
        bytes += batch.len();
        world.commit(Arc::new(batch));
    }
    world.store.flush().unwrap();
    let stats = world.store.stats();
    let each = |bytes: u64| bytes / messages as u64;
    println!(
        "store/fill: {messages} messages of {} bytes in {:.1?}; on disk {} bytes each, and {} of journal; written \
         {} bytes each; processor time each: {:.2} µs to commit, {:.2} µs in the engine's background",
        bytes / messages,
        since.elapsed(),
        each(stats.table_bytes),
        each(stats.journal_bytes),
        each(written() - written_before),
        processor_us("store-writer") / messages as f64,
        processor_us("fjall:worker") / messages as f64,
    );
    world
}

/// Microseconds that the threads of this name which are there have run.
fn processor_us(name: &str) -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_name = threads.filter(|thread| {
        std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    let nanos = of_name.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1_000.0
}

/// Bytes that this process has had written to disk.
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn read(criterion: &mut Criterion, path: &Path, world: World) {
    let used = world.used.clone();
    world.store.close(used);
    let (mut world, _) = World::open(path);
    let mut group = criterion.benchmark_group("store/read");
    let mut reads = 0;
    group.sample_size(20).bench_function("last_100_of_a_topic", |bencher| {
        bencher.iter(|| {
            reads += 1;
            let topic = world.topics[world.random.usize(..TOPICS)].clone();
            let shard = world.placement.shard(world.placement.topic_hash(&topic));
            assert_eq!(world.read(shard, &topic, ReadFrom::LastN(100)), 100);
        });
    });
    println!("store/read: processor time for each {:.1} µs", processor_us("store-reader") / f64::from(reads));
    let expected = world.store.stats().records / u64::from(world.placement.shards);
    group.throughput(Throughput::Elements(expected));
    group.sample_size(10).bench_function("everything_of_a_shard", |bencher| {
        bencher.iter(|| world.read(3, "#", ReadFrom::After(Position::NONE)));
    });
    group.finish();
    let used = world.used.clone();
    world.store.close(used);
}

fn start(criterion: &mut Criterion, path: &Path, messages: usize) {
    let mut group = criterion.benchmark_group("store/start");
    group.sample_size(10).bench_function(format!("with_{messages}_messages"), |bencher| {
        bencher.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count {
                let since = Instant::now();
                let (world, start) = World::open(path);
                spent += since.elapsed();
                assert_eq!(start.shards.len(), usize::from(world.placement.shards));
                let used = world.used.clone();
                world.store.close(used);
            }
            spent
        });
    });
    group.finish();
}
