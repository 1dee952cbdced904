//! What the log on disk costs: to append, to read, to start.
//!
//! Messages have 100 bytes of payload and are spread over 1,000 topics and 16 shards.
//!
//! | file | has |
//! |---|---|
//! | `main` | reading and starting |
//! | `append` | committing, beside a plain file |
//! | `world` | a store, and who uses it |
//!
//! `MURRE_BENCH_MESSAGES` says how many messages the log for reading and starting has (1,000,000 where it says
//! nothing). `cargo bench -p murre-store --bench store -- append` runs one part alone; so do `read` and `start`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput};
use murre_core::log::ReadFrom;
use murre_protocol::Position;

use world::{TOPICS, World};

mod append;
mod world;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wants = |part: &str| only.as_ref().is_none_or(|only| only.contains(part));
    if wants("append") {
        append::run();
    }
    if !["fill", "read", "last_100", "everything", "start"].into_iter().any(wants) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let messages = std::env::var("MURRE_BENCH_MESSAGES").ok().and_then(|text| text.parse().ok());
    let messages = messages.unwrap_or(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let filled = fill(dir.path(), messages);
    read(&mut criterion, dir.path(), filled);
    start(&mut criterion, dir.path(), messages);
    criterion.final_summary();
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
    let mut spent = Vec::new();
    group.sample_size(20).bench_function("last_100_of_a_topic", |bencher| {
        bencher.iter(|| {
            let topic = world.topics[world.random.usize(..TOPICS)].clone();
            let shard = world.placement.shard(world.placement.topic_hash(&topic));
            let since = Instant::now();
            assert_eq!(world.read(shard, &topic, ReadFrom::LastN(100)), 100);
            spent.push(since.elapsed());
        });
    });
    if !spent.is_empty() {
        spent.sort_unstable();
        let (median, tenth) = (spent[spent.len() / 2], spent[spent.len() / 10]);
        let each = processor_us("store-reader") / spent.len() as f64;
        println!(
            "store/read: median {median:.1?}, a tenth below {tenth:.1?}; processor time for each {each:.1} µs"
        );
    }
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
