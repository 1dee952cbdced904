//! Committing what waits with `sync = always`, beside what the disk allows: a plain file.
//!
//! The file has the bytes of the same messages appended (their tails, without checksums or an index), with one
//! `fdatasync` for each batch. Disk and machine are never the same for two seconds, so the two take turns of a few
//! milliseconds on one file system, and what counts is the median of the quotients of neighbouring turns.

use std::{
    fs::File,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use murre_core::log::LogBatch;

use crate::{processor_us, world::World};

/// How many messages wait when a commit begins.
const WAITING: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const ROUNDS: usize = 200;
/// A turn goes on for so long, and for a batch at least.
const TURN: Duration = Duration::from_millis(10);

/// What all turns of one of the two came to.
#[derive(Default)]
struct Turns {
    /// Messages a second, by turn.
    rates: Vec<f64>,
    messages: usize,
    /// Processor time of the store's writer.
    writer_us: f64,
}

pub(crate) fn run() {
    for waiting in WAITING {
        let dir = tempfile::tempdir().unwrap();
        let (mut world, _) = World::open(&dir.path().join("store"));
        let mut file = File::create(dir.path().join("plain")).unwrap();
        let (mut store, mut plain) = (Turns::default(), Turns::default());
        for round in 0..ROUNDS {
            // each is first as often as the other
            for is_store in [round % 2 == 0, round % 2 == 1] {
                if is_store {
                    turn(&mut world, waiting, &mut store, Arc::new, World::commit);
                } else {
                    turn(&mut world, waiting, &mut plain, tails, |_, tails| write(&mut file, &tails));
                }
            }
        }
        report(waiting, &store, &plain);
    }
}

fn turn<Batch>(
    world: &mut World,
    waiting: usize,
    turns: &mut Turns,
    prepare: impl Fn(LogBatch) -> Batch,
    mut commit: impl FnMut(&World, Batch),
) {
    let (mut messages, mut spent, before) = (0, Duration::ZERO, processor_us("store-writer"));
    while spent < TURN {
        let batch = prepare(world.batch(waiting));
        let since = Instant::now();
        commit(world, batch);
        spent += since.elapsed();
        messages += waiting;
    }
    turns.rates.push(messages as f64 / spent.as_secs_f64());
    turns.messages += messages;
    turns.writer_us += processor_us("store-writer") - before;
}

fn tails(batch: LogBatch) -> Vec<u8> {
    batch.records().iter().flat_map(|record| batch.tail(record)).copied().collect()
}

fn write(file: &mut File, tails: &[u8]) {
    file.write_all(tails).unwrap();
    file.sync_data().unwrap();
}

fn report(waiting: usize, store: &Turns, plain: &Turns) {
    let pairs = store.rates.iter().zip(&plain.rates);
    let [least, share, most] = quartiles(pairs.map(|(store, plain)| store / plain).collect());
    let ([_, of_store, _], [_, of_plain, _]) =
        (quartiles(store.rates.clone()), quartiles(plain.rates.clone()));
    println!(
        "store/append: {waiting:>6} waiting: store {of_store:>9.0} a second, file {of_plain:>9.0}; store / file {share:.2} \
         (half of the rounds {least:.2} to {most:.2}); writer's processor time {:.2} µs a message",
        store.writer_us / store.messages as f64,
    );
}

/// The first quartile, the median and the third.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_unstable_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}
