//! Writes and syncs of the store's files fail, one at a time: what could not be made durable is refused, what was
//! acknowledged is there whatever dies, and the broker goes on without a restart.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use murre_tests::{Broker, Device, FailingDisk, load::sized};

const KEEP_ALL: &str = "[[keep]]\nfilter = 'load/#'\ndurable = true\n";

/// Lets the first call of a kind fail, then the second, and so on, each in a store that has recovered from the one before;
/// then kills the broker, and looks what is there.
fn sweep(call: &str, how: &str) {
    sweep_with(call, how, 100, sized(10, 60));
}

fn sweep_with(call: &str, how: &str, bytes: usize, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let disk = FailingDisk::under(folder.path());
    let broker = Broker::with_store_on(&disk, folder.path(), KEEP_ALL);
    let mut device = Device::new(&broker, "device", "load/a", bytes);
    for n in 1..=count as u64 {
        disk.fail(call, n, how);
        while disk.is_waiting() {
            device.publish();
        }
        // one of the engine's own threads may have met it, which the store learns with its next commit
        let has_recovered = || broker.log().matches("the store writes again").count() as u64 >= n;
        while !has_recovered() {
            device.publish();
        }
        device.settle();
    }
    assert!(device.refused.keys().all(|code| [4429, 4500].contains(code)), "{:?}", device.refused);
    device.check(&broker);
    broker.kill();
    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    device.check(&broker);
    device.reconnect(&broker);
    device.publish();
    device.settle();
    device.check(&broker);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_that_the_system_threw_away() {
    sweep("sync", "lost");
}

#[test]
fn after_a_failed_sync_nothing_is_there_twice() {
    sweep("sync", "io");
}

#[test]
fn after_a_failed_write_nothing_acknowledged_is_missing() {
    sweep("write", "io");
}

#[test]
fn after_a_write_that_was_cut_short_nothing_acknowledged_is_missing() {
    sweep("write", "short");
}

/// Readings are large, so that memory is soon full and tables are written, by a thread that answers nobody.
#[test]
fn after_a_failed_write_or_sync_of_a_table_nothing_acknowledged_is_missing() {
    for (call, how) in [("write", "io keyspaces"), ("sync", "lost keyspaces")] {
        sweep_with(call, how, 200_000, sized(1, 10));
    }
}

#[test]
fn a_disk_that_fails_while_a_store_is_made_ends_the_start_with_an_error_or_not_at_all() {
    for n in 1..=sized(6, 40) as u64 {
        for (call, how) in [("sync", "lost"), ("write", "io"), ("write", "short")] {
            let folder = tempfile::tempdir().unwrap();
            let disk = FailingDisk::under(folder.path());
            disk.fail(call, n, how);
            let started = Broker::try_with_store_on(&disk, folder.path(), KEEP_ALL);
            if let Err(said) = started {
                assert!(said.contains("store"), "{call} {n} {how}: {said}");
            }
            // whatever stands there now: it opens, or says what is wrong with it
            if let Err(said) = Broker::try_with_store(folder.path(), KEEP_ALL) {
                assert!(said.contains("store"), "{call} {n} {how}: {said}");
            }
        }
    }
}
