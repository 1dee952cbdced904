//! What it costs to find the subscribers of a topic among 10, 1,000 and 100,000 filters.
//!
//! Each topic of a benchmark matches one filter, so what differs between the sizes is not the work but the memory
//! that it lies in: the cost has to follow levels and matches, not the number of filters. Topics come in an order
//! that the processor's caches can't foresee. `subscribe_and_leave` puts one more filter in and takes it out again.

use std::{cell::LazyCell, hint::black_box};

use criterion::{BenchmarkId, Criterion, Throughput};
use murre_core::index::FilterIndex;
use murre_protocol::TopicFilter;

/// Topics that one iteration looks up.
const TOPICS: usize = 1024;
/// Coprime to every size, so that a walk of this step comes to all filters.
const STEP: usize = 7919;

/// A kind of filter, and the topic that only the filter of the same number matches.
struct Kind {
    name: &'static str,
    filter: fn(usize) -> String,
    topic: fn(usize) -> String,
}

const KINDS: [Kind; 4] = [
    Kind { name: "exact", filter: |i| format!("site/{i}/temp"), topic: |i| format!("site/{i}/temp") },
    Kind { name: "one_level", filter: |i| format!("site/+/{i}"), topic: |i| format!("site/north/{i}") },
    Kind { name: "rest", filter: |i| format!("site/{i}/#"), topic: |i| format!("site/{i}/boiler/temp") },
    Kind { name: "nothing", filter: |i| format!("site/{i}/temp"), topic: |i| format!("site/{i}/humidity") },
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for kind in &KINDS {
        find(&mut criterion, kind);
        subscribe_and_leave(&mut criterion, kind);
    }
    find_many(&mut criterion);
    criterion.final_summary();
}

/// A test of the benchmark itself needs no large index.
fn sizes() -> &'static [usize] {
    let measures = std::env::args().any(|argument| argument == "--bench");
    if measures { &[10, 1_000, 100_000] } else { &[10] }
}

fn find(criterion: &mut Criterion, kind: &Kind) {
    let mut group = criterion.benchmark_group(format!("match/{}", kind.name));
    group.throughput(Throughput::Elements(TOPICS as u64));
    for &size in sizes() {
        let index = LazyCell::new(|| index_of(kind, size));
        let topics: Vec<String> = (0..TOPICS).map(|at| (kind.topic)(at * STEP % size)).collect();
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let index = &*index;
            bencher.iter(|| topics.iter().for_each(|topic| look_up(index, topic)));
        });
    }
    group.finish();
}

/// A topic that many filters match: 100 of the index's values are found for each.
fn find_many(criterion: &mut Criterion) {
    const MATCHES: u32 = 100;
    let mut group = criterion.benchmark_group("match/hundred_of_one_filter");
    group.throughput(Throughput::Elements(u64::from(MATCHES)));
    let mut index = FilterIndex::new();
    let filter = filter("site/+/temp");
    (0..MATCHES).for_each(|value| index.insert(&filter, value));
    group.bench_function("topic", |bencher| bencher.iter(|| look_up(&index, black_box("site/north/temp"))));
    group.finish();
}

fn subscribe_and_leave(criterion: &mut Criterion, kind: &Kind) {
    let mut group = criterion.benchmark_group(format!("subscribe_and_leave/{}", kind.name));
    for &size in sizes() {
        let mut index = LazyCell::new(|| index_of(kind, size));
        let (one_more, value) = (filter(&(kind.filter)(size)), size as u32);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let index = LazyCell::force_mut(&mut index);
            bencher.iter(|| {
                index.insert(&one_more, value);
                black_box(index.remove(&one_more, &value))
            });
        });
    }
    group.finish();
}

fn look_up(index: &FilterIndex<u32>, topic: &str) {
    index.for_each_match(black_box(topic), |value| {
        black_box(value);
    });
}

fn index_of(kind: &Kind, size: usize) -> FilterIndex<u32> {
    let mut index = FilterIndex::new();
    for i in 0..size {
        index.insert(&filter(&(kind.filter)(i)), i as u32);
    }
    index
}

fn filter(text: &str) -> TopicFilter<'static> {
    TopicFilter::parse(text.to_owned()).expect("a valid filter")
}
