//! What it costs to put messages into a session's outbox, to send them, and to make room when it is full.
//!
//! Filling is measured with the way that the shell empties it: blocks are taken and given back to the pool, so that
//! memory is used again as in a running broker. Payloads have 64 bytes. `make_room` begins with a full outbox of
//! 1 MiB and brings it to three quarters, by each rule that lets messages go; a subscription that asked for
//! `disconnect` never lets one go, and is measured as what it costs to find that out.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use murre_core::outbox::{Outbox, Pool};
use murre_protocol::{
    Codec, Format, Position, Timestamp,
    codec::HasOptions,
    packet::{Message, OnSlow},
};

const OUTBOX_BYTES_MAX: usize = 1 << 20;
const POOL_BLOCKS: usize = 2048;
/// Messages that are put in before the shell takes them.
const MESSAGES: u64 = 64;
/// Topics that the messages of a full outbox are spread over.
const TOPICS: u64 = 100;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for codec in [Codec::MessagePack, Codec::Json] {
        fill_and_send(&mut criterion, codec);
        make_room(&mut criterion, codec);
    }
    criterion.final_summary();
}

fn named(what: &str, codec: Codec) -> String {
    format!("outbox/{}/{what}", if codec == Codec::Json { "json" } else { "msgpack" })
}

/// One head and copy for each message, and one copy for a run of them that was written before.
fn fill_and_send(criterion: &mut Criterion, codec: Codec) {
    let mut group = criterion.benchmark_group(named("fill_and_send", codec));
    group.throughput(Throughput::Elements(MESSAGES));
    let (tail, has_options) = tail(codec, 1);
    let (mut pool, mut outbox) = (Pool::new(POOL_BLOCKS), Outbox::new(codec));
    group.bench_function("one_by_one", |bencher| {
        bencher.iter(|| {
            for _ in 0..MESSAGES {
                outbox.message(&mut pool, black_box(7), has_options, black_box(&tail));
            }
            send(&mut outbox, &mut pool);
        });
    });
    let mut run = Vec::new();
    for _ in 0..MESSAGES {
        codec.message_head(7, has_options, &mut run);
        run.extend_from_slice(&tail);
    }
    group.bench_function("as_a_run", |bencher| {
        bencher.iter(|| {
            outbox.messages(&mut pool, black_box(&run));
            send(&mut outbox, &mut pool);
        });
    });
    group.finish();
}

fn make_room(criterion: &mut Criterion, codec: Codec) {
    let mut group = criterion.benchmark_group(named("make_room", codec));
    let messages = full(codec).1;
    group.throughput(Throughput::Elements(messages));
    let rules = [
        ("drop_oldest", Some(OnSlow::DropOldest)),
        ("conflate", Some(OnSlow::Conflate)),
        ("disconnect", None),
    ];
    for (name, rule) in rules {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || full(codec).0,
                |(mut pool, mut outbox)| {
                    black_box(outbox.make_room(&mut pool, OUTBOX_BYTES_MAX / 4 * 3, &|_, _| rule));
                    (pool, outbox)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// An outbox that takes no more, and how many messages are in it.
fn full(codec: Codec) -> ((Pool, Outbox), u64) {
    let (mut pool, mut outbox) = (Pool::new(POOL_BLOCKS), Outbox::new(codec));
    let tails: Vec<_> = (0..TOPICS).map(|topic| tail(codec, topic)).collect();
    let mut messages = 0;
    for (tail, has_options) in tails.iter().cycle() {
        if !outbox.fits(tail.len(), OUTBOX_BYTES_MAX) {
            break;
        }
        outbox.message(&mut pool, 7, *has_options, tail);
        messages += 1;
    }
    ((pool, outbox), messages)
}

fn send(outbox: &mut Outbox, pool: &mut Pool) {
    while let Some(block) = outbox.take() {
        black_box(block.whole());
        outbox.sent(pool, block);
    }
}

fn tail(codec: Codec, topic: u64) -> (Vec<u8>, HasOptions) {
    let message = Message {
        topic: format!("site/north/boiler-{topic}/temp").into(),
        format: Format::Text,
        payload: vec![b'x'; 64].into(),
        time: Timestamp::from_millis(1_700_000_000_456),
        position: Position::new(123_456_789, 3),
        options: None,
    };
    let mut tail = Vec::new();
    let has_options = codec.message_tail(&message, &mut tail);
    (tail, has_options)
}
