//! What happens when the disk fails under a store that is in use.

use std::io::ErrorKind;

use murre_core::log::{LogRefusal, ReadFrom};
use murre_store::{Options, Sync, testing::DiskFault};

use crate::harness::{BEGINNING, Publish, World, keep_all, options};

fn world() -> World {
    let mut world = World::new(options(&[keep_all("#")]));
    world.publish_many(&["a", "b"], 0, 500);
    world
}

#[test]
fn a_failed_write_is_answered_and_the_store_goes_on_without_a_restart() {
    let mut world = world();
    world.store().fail_next([DiskFault::Write(ErrorKind::StorageFull)]);
    assert_eq!(world.try_publish(&[Publish::new("a", "refused")]), Err(LogRefusal::DiskFull));
    assert_eq!(world.payloads("a", ReadFrom::LastN(1)), ["498"], "reads go on");
    world.publish_until_taken(&Publish::new("a", "taken"));
    assert_eq!(world.payloads("a", ReadFrom::LastN(2)), ["498", "taken"]);
    assert_eq!(world.store().stats().reopened, 1);
    assert_eq!(world.restart().payloads("#", BEGINNING).len(), 501);
}

#[test]
fn what_was_refused_after_a_failed_sync_never_turns_up() {
    let mut world = world();
    world.store().fail_next([DiskFault::Sync(ErrorKind::Other)]);
    let state = [(0, "key", Some("refused"))];
    world.send(&[Publish::new("a", "refused")], &state);
    assert_eq!(world.committed().1, Err(LogRefusal::Failed));
    world.publish_until_taken(&Publish::new("a", "taken"));
    assert_eq!(world.payloads("a", ReadFrom::LastN(2)), ["498", "taken"]);
    let mut killed = world.killed();
    assert_eq!(killed.payloads("a", ReadFrom::LastN(2)), ["498", "taken"]);
    assert!(killed.start().shards[0].state.is_empty());
    let mut restarted = world.restart();
    assert_eq!(restarted.payloads("a", ReadFrom::LastN(2)), ["498", "taken"]);
    assert!(restarted.start().shards[0].state.is_empty());
}

#[test]
fn without_syncs_what_was_acknowledged_survives_a_failed_one() {
    let settings = Options { sync: Sync::Never, ..options(&[keep_all("#")]) };
    let mut world = World::new(settings);
    world.publish_many(&["a", "b"], 0, 500);
    world.store().fail_next([DiskFault::Sync(ErrorKind::Other)]);
    assert_eq!(world.try_publish(&[Publish::new("a", "refused")]), Err(LogRefusal::Failed));
    world.publish_until_taken(&Publish::new("a", "taken"));
    assert_eq!(world.killed().payloads("#", BEGINNING).len(), 501);
}

#[test]
fn what_was_sent_in_ignorance_of_a_failure_is_refused_however_late_it_comes() {
    let mut world = world();
    world.store().fail_next([DiskFault::Sync(ErrorKind::Other)]);
    for _ in 0..20 {
        world.send(&[Publish::new("a", "refused")], &[]);
    }
    let answers: Vec<_> = (0..20).map(|_| world.committed()).collect();
    assert!(answers.is_sorted_by_key(|(serial, _)| *serial));
    assert!(answers.iter().all(|(_, result)| *result == Err(LogRefusal::Failed)), "{answers:?}");
    world.publish_until_taken(&Publish::new("a", "taken"));
    world.failed = 0;
    assert_eq!(world.try_publish(&[Publish::new("a", "refused")]), Err(LogRefusal::Failed));
    world.publish(&[Publish::new("a", "taken too")]);
    assert_eq!(world.payloads("a", ReadFrom::LastN(3)), ["498", "taken", "taken too"]);
}

#[test]
fn a_read_that_is_open_goes_on_over_a_failure() {
    let mut world = world();
    let (id, first) = world.open_read(0, "#", BEGINNING, 1000);
    world.store().fail_next([DiskFault::Write(ErrorKind::Other)]);
    world.publish_until_taken(&Publish::new("a", "taken"));
    let mut count = first.messages.entries().len();
    loop {
        let slice = world.next_slice(id, 10_000);
        count += slice.messages.entries().len();
        if slice.at_end {
            break;
        }
    }
    assert_eq!(count, 501);
}
