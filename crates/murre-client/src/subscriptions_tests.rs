use murre_protocol::Code;

use super::*;
use crate::{inbox::Bounds, testing::wanted};

const FRAME_MAX: usize = 64 << 10;

fn feed() -> Route {
    Route::Feed(Arc::new(Feed::new(Bounds { items: 8, bytes: 1000 }, false)))
}

fn add(subscriptions: &mut Subscriptions, filter: &str) -> u64 {
    subscriptions.add(wanted(filter, feed())).unwrap()
}

fn remove(subscriptions: &mut Subscriptions, sub: u64) -> oneshot::Receiver<()> {
    let (ended, waiting) = oneshot::channel();
    subscriptions.remove(sub, Removal::End, ended);
    waiting
}

/// The packets that are due: filters that are asked for, and numbers that are ended.
fn taken(subscriptions: &mut Subscriptions, frame_max: usize, packet_max: usize) -> Vec<String> {
    let mut frame = Vec::new();
    subscriptions.take(&mut frame, frame_max, packet_max);
    let mut rest = frame.as_slice();
    let mut taken = Vec::new();
    while let Some((packet, after)) = Codec::MessagePack.client_packet(rest, usize::MAX).unwrap() {
        rest = after;
        taken.push(match packet {
            ClientPacket::Subscribe(subscribe) => subscribe.filter.into_owned(),
            ClientPacket::Unsubscribe { sub } => format!("end {sub}"),
            other => panic!("unexpected {other:?}"),
        });
    }
    taken
}

#[test]
fn each_connection_is_told_all_subscriptions_once() {
    let mut subscriptions = Subscriptions::default();
    add(&mut subscriptions, "a");
    add(&mut subscriptions, "b");
    assert_eq!(taken(&mut subscriptions, FRAME_MAX, FRAME_MAX), ["a", "b"]);
    assert!(!subscriptions.has_packets());
    subscriptions.connection_lost();
    add(&mut subscriptions, "c");
    assert_eq!(taken(&mut subscriptions, FRAME_MAX, FRAME_MAX), ["a", "b", "c"]);
}

#[test]
fn one_that_the_broker_never_knew_is_not_ended_there() {
    let mut subscriptions = Subscriptions::default();
    let sub = add(&mut subscriptions, "a");
    remove(&mut subscriptions, sub);
    assert!(!subscriptions.has_packets());
}

#[test]
fn one_that_this_connection_was_not_told_of_is_not_ended_there() {
    let mut subscriptions = Subscriptions::default();
    let sub = add(&mut subscriptions, "a");
    taken(&mut subscriptions, FRAME_MAX, FRAME_MAX);
    subscriptions.connection_lost();
    remove(&mut subscriptions, sub);
    assert!(!subscriptions.has_packets());
}

#[test]
fn one_that_ended_is_not_told_to_the_next_connection() {
    let mut subscriptions = Subscriptions::default();
    let sub = add(&mut subscriptions, "a");
    taken(&mut subscriptions, FRAME_MAX, FRAME_MAX);
    let mut waiting = remove(&mut subscriptions, sub);
    subscriptions.connection_lost();
    assert!(!subscriptions.has_packets());
    assert!(matches!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
}

#[test]
fn frames_stay_within_their_bound() {
    let mut subscriptions = Subscriptions::default();
    let filters: Vec<_> = (0..10).map(|n| format!("{n}{}", "x".repeat(30))).collect();
    for filter in &filters {
        add(&mut subscriptions, filter);
    }
    let mut all = Vec::new();
    while subscriptions.has_packets() {
        let some = taken(&mut subscriptions, 100, FRAME_MAX);
        assert!((1..=2).contains(&some.len()));
        all.extend(some);
    }
    assert_eq!(all, filters);
}

#[test]
fn one_that_the_broker_could_not_take_is_refused_here() {
    let mut subscriptions = Subscriptions::default();
    let (answer, mut waiting) = oneshot::channel();
    subscriptions.add(Wanted { answer, ..wanted(&"x".repeat(200), feed()) }).unwrap();
    add(&mut subscriptions, "a");
    assert_eq!(taken(&mut subscriptions, FRAME_MAX, 100), ["a"]);
    let error = waiting.try_recv().unwrap().unwrap_err();
    assert!(matches!(error, SubscribeError::Refused { code: Code::TOO_LARGE, .. }), "{error}");
}

#[test]
fn their_number_is_bounded() {
    let mut subscriptions = Subscriptions::default();
    let feed = feed();
    for _ in 0..SUBSCRIPTIONS_MAX {
        subscriptions.add(wanted("a", feed.clone())).unwrap();
    }
    let one_more = subscriptions.add(wanted("b", feed));
    assert!(matches!(one_more, Err(SubscribeError::TooMany { .. })));
}
