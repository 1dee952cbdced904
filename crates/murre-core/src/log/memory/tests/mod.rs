use std::{sync::Arc, time::Duration};

use murre_protocol::Timestamp;

use super::MemoryLog;
use crate::log::{KeepRule, LogCommand, LogEvent, Lost, ReadFrom, StateChange};
use bench::{Bench, WORKER, after, keep, offsets, position, tail};

mod bench;
mod compare;
mod model;

fn since(time: u64) -> ReadFrom {
    ReadFrom::Since(Timestamp::from_millis(time))
}

#[test]
fn a_topic_has_so_many_messages_as_its_rule_says() {
    let mut bench = Bench::new(vec![KeepRule { last: Some(2), ..keep("a") }]);
    (0..4).for_each(|_| bench.append("a"));
    bench.append("other");
    assert_eq!(bench.read("#", ReadFrom::LastN(10)), [3, 4]);
    assert_eq!(bench.read("a", ReadFrom::LastN(1)), [4]);
    assert_eq!(bench.read("#", ReadFrom::LastN(0)), [0; 0]);
    assert_eq!((bench.read("a", after(1)), bench.lost("a", after(1))), (vec![3, 4], Some(Lost::Kept)));
    assert_eq!((bench.read("a", after(2)), bench.lost("a", after(2))), (vec![3, 4], None));
}

#[test]
fn what_one_topic_lost_is_not_missing_to_readers_of_another() {
    let mut bench = Bench::new(vec![KeepRule { last: Some(1), ..keep("a") }, keep("b")]);
    bench.append("b");
    (0..3).for_each(|_| bench.append("a"));
    assert_eq!(bench.lost("b", after(0)), None);
    assert_eq!(bench.lost("+", after(0)), Some(Lost::Kept));
}

#[test]
fn so_many_topics_are_forgotten_that_a_reader_is_told_of_a_loss_that_may_not_be_its_own() {
    let mut bench = Bench::new(vec![keep("b")]);
    bench.append("b");
    (0..5000).for_each(|n| bench.append(&format!("gone/{n}")));
    assert_eq!(bench.lost("b", after(0)), Some(Lost::Kept));
    assert_eq!(bench.lost("b", after(5000 - 4096 + 1)), None);
    assert_eq!(bench.lost("gone/4999", after(5000 - 4096 + 1)), Some(Lost::Kept));
}

#[test]
fn what_is_too_old_is_gone() {
    let mut bench = Bench::new(vec![KeepRule { age: Some(Duration::from_millis(10)), ..keep("#") }]);
    bench.append("a");
    bench.now += 5;
    bench.append("a");
    bench.now += 5;
    assert_eq!((bench.read("a", since(0)), bench.log.records()), (vec![2], 1));
    assert_eq!(bench.lost("a", after(0)), Some(Lost::Expired));
}

#[test]
fn what_is_too_old_is_not_read_even_where_a_durable_session_may_need_it() {
    let age = Some(Duration::from_millis(10));
    let mut bench = Bench::new(vec![KeepRule { age, last: Some(1), ..keep("#") }]);
    bench.floors(0, [0; 3]);
    (0..2).for_each(|_| bench.append("a"));
    assert_eq!((bench.read("a", after(0)), bench.lost("a", after(0))), (vec![1, 2], None));
    bench.now += 10;
    assert_eq!((bench.read("a", after(0)), bench.lost("a", after(0))), (vec![], Some(Lost::Expired)));
}

#[test]
fn an_expired_message_is_not_read_and_takes_no_room() {
    let mut bench = Bench::new(vec![keep("#")]);
    bench.expiring("a", 1005);
    bench.append("a");
    bench.expiring("a", 1000);
    assert_eq!((bench.read("a", after(0)), bench.log.records()), (vec![1, 2], 2));
    bench.now = 1005;
    assert_eq!(bench.read("a", ReadFrom::LastN(3)), [2]);
    assert_eq!((bench.lost("a", after(0)), bench.log.records()), (Some(Lost::Expired), 1));
}

#[test]
fn a_rule_holds_so_many_bytes_of_all_its_topics_in_all_shards() {
    let len = tail("a", position(1), b"0123456789").len() as u64;
    let mut bench = Bench::new(vec![KeepRule { bytes: Some(2 * len), ..keep("+") }, keep("other/#")]);
    bench.append("other/a");
    bench.append_with(1, "b", b"0123456789", |_| {});
    for topic in ["a", "c", "a"] {
        bench.now += 1;
        bench.append(topic);
    }
    assert_eq!(bench.read("#", since(0)), [1, 3, 4]);
    let (_, other) = bench.open(1, "#", after(0), 1000);
    assert_eq!((offsets(&other.messages), other.lost), (vec![], Some(Lost::Kept)));
}

#[test]
fn past_the_bound_of_bytes_the_oldest_goes_whatever_keeps_it() {
    let len = tail("a", position(1), b"0123456789").len() as u64;
    let mut bench = Bench::bounded(vec![keep("#")], 2 * (len + 128));
    bench.floors(0, [0; 3]);
    bench.append_with(1, "b", b"0123456789", |record| record.retain = true);
    for _ in 0..3 {
        bench.now += 1;
        bench.append("a");
    }
    assert_eq!((bench.log.records(), bench.log.bytes()), (2, 2 * len));
    assert_eq!((bench.read("a", after(0)), bench.lost("a", after(0))), (vec![2, 3], Some(Lost::Limit)));
    assert_eq!(bench.values(1), [0; 0]);
}

#[test]
fn a_retained_value_stays_until_it_is_replaced_or_ended() {
    let mut bench = Bench::new(Vec::new());
    bench.retain("a");
    bench.retain("a");
    bench.append("a");
    assert_eq!((bench.values(0), bench.log.records()), (vec![2], 1));
    assert_eq!(bench.read("a", since(0)), [0; 0]);
    assert_eq!(bench.read("a", after(0)), [2]);
    bench.end("a");
    assert_eq!((bench.values(0), bench.log.records()), (vec![], 0));
}

#[test]
fn the_last_value_of_a_topic_with_history_is_its_newest_message() {
    let mut bench = Bench::new(vec![keep("#")]);
    for topic in ["a", "ended", "expired"] {
        bench.retain(topic);
    }
    bench.append("a");
    bench.end("ended");
    bench.expiring("expired", 1001);
    assert_eq!(bench.values(0), [4, 6]);
    bench.now = 1001;
    assert_eq!(bench.values(0), [4]);
    assert_eq!(bench.read("ended", ReadFrom::LastN(2)), [2, 5]);
}

#[test]
fn what_a_durable_session_needs_stays_without_a_rule() {
    let mut bench = Bench::new(Vec::new());
    bench.floors(0, [1, u64::MAX, u64::MAX]);
    bench.floors(1, [u64::MAX; 3]);
    (0..3).for_each(|_| bench.append("a"));
    assert_eq!((bench.read("a", after(1)), bench.lost("a", after(1))), (vec![2, 3], None));
    assert_eq!(bench.read("a", since(0)), [0; 0]);
    bench.floors(0, [2, u64::MAX, u64::MAX]);
    assert_eq!((bench.read("a", after(1)), bench.lost("a", after(1))), (vec![3], Some(Lost::Kept)));
}

#[test]
fn a_read_goes_on_with_what_was_appended_since() {
    let mut bench = Bench::new(vec![keep("#")]);
    (0..2).for_each(|_| bench.append("a"));
    let (id, part) = bench.open(0, "#", ReadFrom::LastN(1), 1000);
    assert_eq!((offsets(&part.messages), part.at_end, part.reached), (vec![2], true, 2));
    bench.append("b");
    bench.append("a");
    let part = bench.next(id, 1000);
    assert_eq!((offsets(&part.messages), part.at_end, part.reached), (vec![3, 4], true, 4));
}

#[test]
fn a_slice_says_how_far_it_came_whatever_of_it_matched() {
    let mut bench = Bench::new(vec![keep("#")]);
    for topic in ["b", "a", "b", "b", "a", "b"] {
        bench.append(topic);
    }
    let (id, part) = bench.open(0, "a", since(0), 1);
    assert_eq!((offsets(&part.messages), part.at_end, part.reached), (vec![2], false, 4));
    let part = bench.next(id, 1);
    assert_eq!((offsets(&part.messages), part.at_end, part.reached), (vec![5], true, 6));
}

#[test]
fn every_step_of_a_read_is_answered_even_after_a_crash() {
    let mut bench = Bench::new(vec![keep("#")]);
    bench.append("a");
    let (id, _) = bench.open(0, "#", after(0), 1000);
    bench.log.crash();
    let part = bench.next(id, 1000);
    assert!(part.messages.is_empty() && part.at_end);
    let (_, elsewhere) = bench.open(200, "#", after(0), 1000);
    assert!(elsewhere.messages.is_empty() && elsewhere.at_end);
}

#[test]
fn a_start_after_a_crash_gives_out_no_offset_again_and_says_what_may_be_missing() {
    let mut bench = Bench::new(vec![keep("#")]);
    let reserved = bench.handle(LogCommand::Reserve { worker: WORKER, shard: 0, end: 100 });
    assert!(matches!(reserved, Some(LogEvent::Reserved { shard: 0, end: 100 })));
    (0..3).for_each(|_| bench.append("a"));
    let ends = |bench: &Bench| {
        let start = bench.log.start(Timestamp::default());
        (start.shards[0].used, start.shards[0].reserved, start.shards[0].intact)
    };
    assert_eq!(ends(&bench), (99, 100, 99));
    bench.log.crash();
    assert_eq!(ends(&bench), (99, 100, 3));
}

#[test]
fn state_is_handed_back_by_key() {
    let mut bench = Bench::new(Vec::new());
    let change = |key, value| StateChange { shard: 1, key, value };
    bench.commit(|batch| {
        batch.push_state(change(b"b", Some(b"1")));
        batch.push_state(change(b"a", Some(b"2")));
        batch.push_state(change(b"c", Some(b"3")));
    });
    bench.commit(|batch| {
        batch.push_state(change(b"b", Some(b"4")));
        batch.push_state(change(b"c", None));
    });
    let log = std::mem::replace(&mut bench.log, MemoryLog::new(0, Arc::default(), 0)).with_identity("e", 5);
    let start = log.start(Timestamp::default());
    let state = start.shards[1].state.iter().map(|entry| (&*entry.key, &*entry.value));
    assert_eq!(state.collect::<Vec<_>>(), [(&b"a"[..], &b"2"[..]), (b"b", b"4")]);
    assert_eq!((start.epoch.as_str(), start.seed, start.shards.len()), ("e", 5, 3));
}
