//! What a restart keeps, in order or not.

use std::time::Duration;

use murre_core::log::{KeepRule, Log, LogCommand, LogEvent, Lost, ReadFrom};
use murre_store::{Options, Sync};

use crate::harness::{BEGINNING, Publish, WORKER, World, keep_all, options};

#[test]
fn everything_is_there_after_a_restart() {
    let mut world = World::new(options(&[keep_all("#")]));
    for batch in 0..60 {
        world.publish_many(&["a", "b"], batch * 700, 700);
    }
    let before = world.read("#", BEGINNING);
    let epoch = world.start().epoch.clone();
    let mut world = world.restart();
    assert_eq!(world.start().epoch, epoch);
    assert_eq!(world.read("#", BEGINNING), before);
    assert_eq!(world.payloads("b", ReadFrom::LastN(2)), ["41997", "41999"]);
    assert_eq!((world.opened.damaged, world.opened.journal.len()), (0, 0));
}

#[test]
fn a_close_in_order_wastes_no_offset() {
    let mut world = World::new(options(&[keep_all("#")]));
    reserve(&world, 1000);
    world.publish_many(&["a"], 0, 5);
    let world = world.restart();
    let shard = &world.start().shards[0];
    assert_eq!((shard.used, shard.intact), (5, 5));
    assert!(shard.reserved > 1000, "the first messages don't wait for an answer");
}

#[test]
fn a_crash_gives_no_offset_out_again() {
    let mut world = World::new(options(&[keep_all("#")]));
    let reserved = world.start().shards[0].reserved;
    reserve(&world, reserved + 1000);
    world.publish_many(&["a"], 0, 5);
    let world = world.killed();
    let shard = &world.start().shards[0];
    assert_eq!((shard.used, shard.intact), (reserved + 1000, 5));
}

#[test]
fn a_crash_loses_nothing_that_was_committed_of_durable_topics() {
    let mut world = World::new(options(&[kept("loose"), keep_all("#")]));
    let positions = world.publish_many(&["a", "b", "loose"], 0, 9);
    let mut world = world.killed();
    let lost =
        |world: &mut World, filter| world.read_slices(0, filter, ReadFrom::After(positions[3]), 1000).1;
    assert!(world.start().shards[0].committed_stays);
    assert_eq!((lost(&mut world, "a"), lost(&mut world, "loose")), (None, Some(Lost::Crash)));
    assert_eq!((lost(&mut world, "+/#"), lost(&mut world, "b/#")), (Some(Lost::Crash), None));
    let mut world = world.restart();
    assert_eq!((lost(&mut world, "a"), lost(&mut world, "loose")), (None, Some(Lost::Crash)));
}

#[test]
fn a_crash_is_judged_by_what_was_promised_before_it() {
    let durable = options(&[keep_all("#")]);
    let interval = Options { sync: Sync::Interval(Duration::from_millis(1)), ..durable.clone() };
    for before in [options(&[kept("#")]), options(&[keep_all("a")]), interval] {
        let mut world = World::new(before);
        let position = world.publish_many(&["a"], 0, 5)[2];
        let mut world = World::at(world.has_ended(), durable.clone());
        assert!(!world.start().shards[0].committed_stays);
        assert_eq!(world.read_slices(0, "a", ReadFrom::After(position), 1000).1, Some(Lost::Crash));
        let later = world.publish_many(&["a"], 5, 5)[2];
        let mut world = world.killed();
        assert_eq!(world.read_slices(0, "a", ReadFrom::After(position), 1000).1, Some(Lost::Crash));
        assert_eq!(world.read_slices(0, "a", ReadFrom::After(later), 1000).1, None);
    }
}

/// A rule that keeps everything, and promises nothing.
fn kept(filter: &str) -> KeepRule {
    KeepRule { durable: false, ..keep_all(filter) }
}

#[test]
fn a_last_value_survives_until_it_is_ended() {
    let mut world = World::new(options(&[]));
    world.publish(&[
        Publish::new("a", "old").retained(),
        Publish::new("b", "gone").retained(),
        Publish::new("a", "new").retained(),
        Publish::new("b", "").retained(),
        Publish::new("c", "never kept"),
    ]);
    assert_eq!(world.killed().values(), [("a".to_owned(), "new".to_owned())]);
    assert_eq!(world.restart().restart().values(), [("a".to_owned(), "new".to_owned())]);
}

#[test]
fn state_comes_back_with_its_last_value() {
    let mut world = World::new(options(&[]));
    world.send(&[], &[(0, "x", Some("1")), (0, "y", Some("2")), (0, "x", Some("3"))]);
    world.send(&[], &[(0, "y", None)]);
    world.committed().1.unwrap();
    world.committed().1.unwrap();
    let world = world.restart();
    let state: Vec<_> =
        world.start().shards[0].state.iter().map(|state| (&*state.key, &*state.value)).collect();
    assert_eq!(state, [(&b"x"[..], &b"3"[..])]);
}

fn reserve(world: &World, end: u64) {
    world.store().send(LogCommand::Reserve { worker: WORKER, shard: 0, end });
    let LogEvent::Reserved { shard: 0, end: reserved } = world.event() else { panic!("no reservation") };
    assert_eq!(reserved, end);
}
