//! What a restart keeps, in order or not.

use crate::harness::{BEGINNING, Publish, World, keep_all, options};
use murre_core::log::{Log, LogCommand, LogEvent, ReadFrom};

use crate::harness::WORKER;

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
