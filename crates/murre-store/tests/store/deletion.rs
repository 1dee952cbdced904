//! What is deleted, and what never is.

use std::time::Duration;

use murre_core::{
    batch::MessageBatch,
    ids::{KeptId, KeptSessionId},
    log::{KeepRule, KeepRules, LogRefusal, Lost, NeedChange, NeedChanges, ReadFrom},
};
use murre_protocol::{Position, TopicFilter};
use murre_store::{Archive, Options, WhenFull};

use crate::harness::{BEGINNING, Publish, World, clock, keep_all, keep_last, options};

const TOPICS: [&str; 3] = ["site/a", "site/b", "plant/x"];

/// About ten megabytes, so that there are closed segments.
fn fill(world: &mut World) {
    for batch in 0..60 {
        let padding = "x".repeat(100);
        let publishes: Vec<_> = (0..1000)
            .map(|number| Publish::new(TOPICS[number % 3], format!("{}{padding}", batch * 1000 + number)))
            .collect();
        world.publish(&publishes);
    }
}

fn no_session_needs_anything(world: &World) {
    world.say_needs(u64::MAX, NeedChanges::default());
}

#[test]
fn what_a_rule_keeps_stays_and_the_rest_goes() {
    let mut world = World::new(options(&[keep_last("site/a", 100), keep_all("plant/#")]));
    fill(&mut world);
    no_session_needs_anything(&world);
    let kept = world.read("site/a", ReadFrom::LastN(100));
    let all = world.read("plant/x", BEGINNING);
    world.store().delete_now().unwrap();
    let stats = world.store().stats();
    assert!(stats.segments_rewritten > 3 && stats.records < 40_000, "{stats:?}");
    assert_eq!(world.read("site/a", ReadFrom::LastN(100)), kept);
    assert_eq!(world.read("plant/x", BEGINNING), all);
    assert_eq!(world.read_slices(0, "site/a", BEGINNING, 1 << 20).1, Some(Lost::Kept));
    assert_eq!(world.read_slices(0, "plant/x", BEGINNING, 1 << 20).1, None);
    let mut world = world.restart();
    assert_eq!(world.read("site/a", ReadFrom::LastN(100)), kept);
    assert_eq!(world.read("plant/x", BEGINNING), all);
}

#[test]
fn positions_go_on_where_everything_was_deleted() {
    let rule = KeepRule { age: Some(Duration::from_millis(1)), ..keep_all("#") };
    let mut world = World::new(options(&[rule]));
    // the segment closes with the batch, and a look at the clock brings it on
    let last = world.publish_many(&["a", "b"], 0, 2000)[1999];
    std::iter::repeat_with(clock).take(5).for_each(drop);
    no_session_needs_anything(&world);
    world.store().delete_now().unwrap();
    assert_eq!(world.store().stats().records, 0);
    let mut killed = world.killed();
    assert_eq!(killed.start().shards[0].intact, last.offset());
    killed.used[0] = last.offset();
    killed.publish_many(&["a"], 0, 1);
    assert_eq!(killed.start().shards[0].values.iter().map(MessageBatch::len).sum::<usize>(), 0);
}

#[test]
fn a_topic_is_counted_once_however_often_it_is_written() {
    let mut world = World::new(options(&[keep_last("site/a", 10)]));
    fill(&mut world);
    no_session_needs_anything(&world);
    for _ in 0..3 {
        world.publish_many(&["site/a"], 0, 5);
        world.store().delete_now().unwrap();
        world = world.restart();
        no_session_needs_anything(&world);
    }
    let report = Archive::open(world.has_ended().path(), KeepRules::default()).unwrap().check();
    assert!(report.is_good(), "{:?}", report.damages);
}

#[test]
fn a_last_value_outlives_everything_around_it() {
    let mut world = World::new(options(&[]));
    world.publish(&[Publish::new("value", "kept").retained(), Publish::new("ended", "gone").retained()]);
    world.publish(&[Publish::new("ended", "").retained()]);
    fill(&mut world);
    no_session_needs_anything(&world);
    world.store().delete_now().unwrap();
    assert!(world.store().stats().records < 12_000);
    assert_eq!(world.restart().values(), [("value".to_owned(), "kept".to_owned())]);
}

#[test]
fn what_a_durable_session_needs_stays() {
    let mut world = World::new(options(&[]));
    fill(&mut world);
    world.store().delete_now().unwrap();
    assert_eq!(world.store().stats().records, 60_000, "nobody has said yet what sessions need");
    world.say_needs(30_000, NeedChanges::default());
    world.store().delete_now().unwrap();
    let (rest, lost) = world.read_slices(0, "#", ReadFrom::After(Position::new(30_000, 0)), 1 << 20);
    assert_eq!((rest.len(), lost), (30_000, None));
    assert!(world.store().stats().records < 40_000);
}

#[test]
fn what_one_subscription_needs_stays_and_other_topics_go() {
    let mut world = World::new(options(&[]));
    fill(&mut world);
    let session = KeptSessionId { shard: 0, number: 0 };
    let filter = TopicFilter::parse("plant/#").unwrap().into_owned();
    let need =
        NeedChange { id: KeptId { session, sub: 1, number: 1 }, filter, shard: 0, floor: Some(30_000) };
    let needs = NeedChanges { afresh: true, changes: vec![need.clone()] };
    world.say_needs(60_000, needs);
    world.store().delete_now().unwrap();
    let after = ReadFrom::Kept(Position::new(30_000, 0));
    assert_eq!(world.read("plant/#", after).len(), 30 * 333);
    assert!(world.store().stats().records < 25_000);

    let needs = NeedChanges { afresh: false, changes: vec![NeedChange { floor: None, ..need }] };
    world.say_needs(60_000, needs);
    world.store().delete_now().unwrap();
    assert!(world.store().stats().records < 5_000);
}

#[test]
fn a_full_store_refuses_records_and_takes_the_rest() {
    let full = Options { bytes_max: Some(2 << 20), ..options(&[keep_all("#")]) };
    let mut world = World::new(full);
    let big: Vec<_> = (0..1000).map(|_| Publish::new("a", "x".repeat(1000))).collect();
    let refusal = (0..10).find_map(|_| world.try_publish(&big).err());
    assert_eq!(refusal, Some(LogRefusal::Full));
    world.publish(&[Publish::new("a", "").retained()]);
    world.send(&[], &[(0, "key", Some("value"))]);
    assert_eq!(world.committed().1, Ok(()));
}

#[test]
fn the_oldest_messages_make_room_for_new_ones() {
    let dropping =
        Options { bytes_max: Some(4 << 20), when_full: WhenFull::DropOldest, ..options(&[keep_all("#")]) };
    let mut world = World::new(dropping);
    world.publish(&[Publish::new("value", "kept").retained()]);
    fill(&mut world);
    world.store().delete_now().unwrap();
    assert!(world.store().stats().record_bytes <= 4 << 20);
    let (read, lost) = world.read_slices(0, "site/#", BEGINNING, 1 << 20);
    assert_eq!(lost, Some(Lost::Limit));
    assert!(read.last().unwrap().payload.starts_with("59999"));
    assert_eq!(world.restart().values()[0], ("value".to_owned(), "kept".to_owned()));
}
