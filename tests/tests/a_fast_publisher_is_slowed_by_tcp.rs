//! Publishers that are faster than the broker are slowed by TCP; its memory stays under a bound that doesn't depend on
//! how much they send.
//!
//! Sizes: 4 connections of 12 MiB each (`MURRE_FULL=1`: 1 GiB each, about 30 s in a release build).

use murre_tests::load::{flood, mib, sized};
use murre_tests::{Broker, Client, Packet, json};

const MIB: usize = 1 << 20;
const PUBLISHERS: usize = 4;

/// What the broker may hold beyond what it held before.
///
/// For each publisher: a read (64 KiB), a message that is not whole yet (64 KiB), and `publish_inflight_max` (1 MiB)
/// under way to other workers, once as it came and once as the messages made of it. For each worker 1 MiB: the batches
/// that it makes of what it reads in a turn. For the subscriber its outbox (1 MiB), and half of all that again for the
/// allocator.
const BOUND: usize = 3 * (PUBLISHERS * (MIB / 8 + 2 * MIB) + 2 * MIB + MIB) / 2;

/// Floods `flood/…` and fails when the broker's memory grows past [`BOUND`].
fn flood_by_all(broker: &Broker, case: &str) -> u64 {
    let before = broker.forget_peak();
    let sent = std::thread::scope(|scope| {
        let publish = |n| scope.spawn(move || flood(broker, &format!("flood/{n}"), sized(12, 1024) * MIB));
        let publishers: Vec<_> = (0..PUBLISHERS).map(publish).collect();
        publishers.into_iter().map(|publisher| publisher.join().expect("all was taken")).sum()
    });
    let cost = broker.peak_memory() - before;
    println!("{case}: {sent} publishes cost {:.1} MiB, of {:.0} allowed", mib(cost), mib(BOUND as u64));
    assert!(cost <= BOUND as u64, "{case}: {cost} bytes");
    sent
}

fn memory_is_bounded(workers: &str) {
    let broker = Broker::with(&[("server.workers", workers)]);

    let case = |who: &str| format!("{workers} worker(s), {who}");
    let unheard = flood_by_all(&broker, &case("no subscriber"));
    assert_eq!(broker.counter("published"), unheard, "all was taken");

    let mut fast = Client::connect(&broker);
    fast.subscribe_live(1, "flood/#");
    // it reads all the time, but where it is slower than the broker it loses by its rule, though never the newest
    let reader = std::thread::spawn(move || while fast.waited_message().text() != "end" {});
    flood_by_all(&broker, &case("a reading subscriber"));
    Client::connect(&broker).publish("flood/end", "end");
    reader.join().expect("it gets the newest message");

    let mut stalled = Client::connect_narrow(&broker, &Packet::connect(json!({})));
    stalled.subscribe_live(1, "flood/#");
    flood_by_all(&broker, &case("a stalled subscriber"));
    assert!(broker.counter("dropped") + broker.counter("conflated") > 0, "the subscriber was stalled");
}

#[test]
fn memory_is_bounded_with_one_worker() {
    memory_is_bounded("1");
}

#[test]
fn memory_is_bounded_with_two_workers() {
    memory_is_bounded("2");
}
