//! What can be read back.

use murre_core::log::{Lost, ReadFrom, ReadSlice};
use murre_protocol::Timestamp;
use murre_store::Options;

use crate::harness::{BEGINNING, Publish, World, clock, got, keep_all, keep_last, options};

const TOPICS: [&str; 3] = ["site/a/temp", "site/b/temp", "plant/x"];

#[test]
fn the_last_messages_of_a_topic_come_in_order() {
    let mut world = World::new(options(&[keep_all("#")]));
    world.publish_many(&TOPICS, 0, 30);
    assert_eq!(world.payloads("site/b/temp", ReadFrom::LastN(3)), ["22", "25", "28"]);
}

#[test]
fn a_wildcard_merges_topics_in_the_order_of_the_log() {
    let mut world = World::new(options(&[keep_all("#")]));
    world.publish_many(&TOPICS, 0, 30);
    assert_eq!(world.payloads("site/+/temp", ReadFrom::LastN(2)), ["24", "25", "27", "28"]);
    assert_eq!(world.payloads("#", ReadFrom::LastN(1)), ["27", "28", "29"]);
}

#[test]
fn a_read_goes_on_with_what_was_committed_since() {
    let mut world = World::new(options(&[keep_all("#")]));
    world.publish_many(&TOPICS, 0, 3);
    let (id, slice) = world.open_read(0, "site/#", BEGINNING, 1 << 16);
    assert_eq!((got(&slice).len(), slice.at_end, slice.reached), (2, true, 3));
    world.publish(&[Publish::new("site/new", "later"), Publish::new("plant/x", "other")]);
    let slice = world.next_slice(id, 1 << 16);
    assert_eq!(
        (got(&slice)[0].payload.as_str(), slice.messages.entries().len(), slice.reached),
        ("later", 1, 5)
    );
}

#[test]
fn what_comes_later_than_is_wanted_is_passed_over() {
    let mut world = World::new(Options { segment_bytes: 4096, ..options(&[keep_all("#")]) });
    for batch in 0..20 {
        world.publish_many(&TOPICS, batch * 100, 100);
    }
    let times =
        |slice: &ReadSlice| slice.messages.entries().iter().map(|entry| entry.time).collect::<Vec<_>>();
    let (_, all) = world.open_read(0, "#", BEGINNING, 1 << 20);
    let until = times(&all)[300];

    let (id, mut slice) = world.open_read_until(0, "#", BEGINNING, Some(until), 1 << 20);
    let mut found = times(&slice);
    while !slice.at_end {
        slice = world.next_slice(id, 1 << 20);
        found.extend(times(&slice));
    }

    assert_eq!((slice.reached, all.at_end), (2000, true));
    assert_eq!(found.iter().filter(|time| **time < until).count(), 300);
    // what is left is that of the segment with the time in it, and the open one
    assert!(found.len() < 800, "{}", found.len());
}

#[test]
fn many_topics_over_many_shards_are_all_found() {
    let mut world = World::new(Options { shards: 16, ..options(&[keep_all("#")]) });
    let topics: Vec<_> = (0..3000).map(|number| format!("site/{number}/temp")).collect();
    for round in 0..3 {
        let publishes: Vec<_> = topics.iter().map(|topic| Publish::new(topic, round)).collect();
        world.publish(&publishes);
    }
    let mut world = world.restart();
    assert_eq!(world.values().len(), 3000);
    let newest = world.read("site/+/temp", ReadFrom::LastN(1));
    assert!(newest.len() == 3000 && newest.iter().all(|got| got.payload == "2"));
    assert_eq!(world.payloads("site/77/temp", ReadFrom::LastN(9)), ["0", "1", "2"]);
    assert_eq!(world.payloads("site/+/temp", BEGINNING).len(), 9000);
}

#[test]
fn slices_of_any_size_give_the_same() {
    let mut world = World::new(options(&[keep_all("#")]));
    for batch in 0..50 {
        world.publish_many(&TOPICS, batch * 700, 700);
    }
    let whole = world.read("site/#", BEGINNING);
    assert_eq!(whole.len(), 50 * 700 * 2 / 3 + 1);
    for bytes in [1, 1000, 10_000_000] {
        let from = if bytes == 1 { ReadFrom::LastN(100) } else { BEGINNING };
        let sliced = world.read_slices(0, "site/#", from, bytes).0;
        assert!(whole.ends_with(&sliced), "slices of {bytes}");
        assert_eq!(sliced.len(), if bytes == 1 { 200 } else { whole.len() });
    }
}

#[test]
fn history_gives_no_more_than_the_rule_keeps() {
    let mut world = World::new(options(&[keep_last("site/#", 2), keep_all("plant/#")]));
    world.publish_many(&TOPICS, 0, 30);
    world.publish(&[Publish::new("nobody/keeps", "this")]);
    assert_eq!(world.payloads("site/a/temp", ReadFrom::LastN(10)), ["24", "27"]);
    assert_eq!(world.payloads("site/a/temp", ReadFrom::Since(Default::default())), ["24", "27"]);
    assert_eq!(world.payloads("plant/x", ReadFrom::LastN(10)).len(), 10);
    assert!(world.payloads("nobody/keeps", ReadFrom::LastN(10)).is_empty());
}

#[test]
fn since_begins_with_the_first_message_of_that_time() {
    let mut world = World::new(options(&[keep_all("#")]));
    for batch in 0..40 {
        world.publish_many(&TOPICS, batch * 700, 700);
    }
    let since = clock();
    world.publish_many(&TOPICS, 100_000, 5);
    let payloads = world.payloads("#", ReadFrom::Since(since));
    assert_eq!(payloads, ["100000", "100001", "100002", "100003", "100004"]);
}

#[test]
fn what_has_expired_is_not_read() {
    let mut world = World::new(options(&[keep_all("#")]));
    let over = Publish::new("a", "over").expiring(clock());
    let later = Timestamp::from_millis(clock().millis() + 1_000_000);
    world.publish(&[over, Publish::new("a", "valid").expiring(later)]);
    assert_eq!(world.payloads("a", ReadFrom::LastN(5)), ["valid"]);
    assert_eq!(world.read_slices(0, "a", BEGINNING, 1000).1, Some(Lost::Expired));
}
