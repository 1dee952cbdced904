//! A session with `session_expiry` goes on when its client is back, also behind a restart of the broker.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use murre_tests::{Broker, Client, Kind, Packet, json, value};

const ONE_WORKER: &str = "[server]\nworkers = 1\n";

/// Connects as `panel`; says whether its session was kept.
fn panel(broker: &Broker, expiry: u64) -> (Client, bool) {
    let mut client = Client::open(broker);
    client.send(&Packet::connect(json!({ "client_id": "panel", "session_expiry": expiry })));
    let connected = client.expect(Kind::Connected);
    assert_eq!(connected.info("session_expiry").as_u64(), Some(expiry));
    let present = connected.info("session_present").as_bool().unwrap();
    (client, present)
}

/// A session with a subscription to `t` whose client has gone.
fn left_behind(broker: &Broker) {
    let (mut client, present) = panel(broker, 600);
    assert!(!present);
    client.subscribe_with(7, "t", json!({ "from": "live", "ack": true }));
    client.vanish();
}

fn acknowledge(client: &mut Client, position: u64) {
    client.send(&Packet::new(Kind::Ack, [value(json!(7)), value(json!(position))]));
}

fn publish(broker: &Broker, numbers: std::ops::Range<u64>) {
    let mut device = Client::connect(broker);
    for number in numbers {
        device.publish("t", &number.to_string());
    }
}

/// The next messages, each acknowledged.
fn read(client: &mut Client, count: usize) -> Vec<u64> {
    (0..count)
        .map(|_| {
            let message = client.waited_message();
            assert_eq!(message.sub, 7);
            acknowledge(client, message.position);
            message.text().parse().unwrap()
        })
        .collect()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn what_came_meanwhile_is_delivered_on_return_without_another_subscribe() {
    let broker = Broker::start();
    left_behind(&broker);
    publish(&broker, 0..50);
    let (mut client, present) = panel(&broker, 600);
    assert!(present);
    assert_eq!(read(&mut client, 50), numbers(0..50));
    assert_eq!(client.wait_for(Kind::CaughtUp).number(1), 7);
    publish(&broker, 50..55);
    assert_eq!(read(&mut client, 5), numbers(50..55));
}

#[test]
fn it_goes_on_where_it_was_acknowledged_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), ONE_WORKER);
    left_behind(&broker);
    publish(&broker, 0..20);
    let (mut client, _) = panel(&broker, 600);
    assert_eq!(read(&mut client, 12), numbers(0..12));
    // its answer comes behind the commit of what was acknowledged before
    client.publish_with("other", "x", json!({ "retain": true }));
    broker.kill();

    let broker = Broker::with_store(folder.path(), ONE_WORKER);
    publish(&broker, 20..30);
    let (mut client, present) = panel(&broker, 600);
    assert!(present);
    assert_eq!(read(&mut client, 18), numbers(12..30));
}

#[test]
fn it_ends_when_its_client_does_not_come_back_in_time() {
    let broker = Broker::start();
    let (mut client, _) = panel(&broker, 1);
    client.subscribe_with(7, "t", json!({ "from": "live", "ack": true }));
    let mut watcher = Client::connect(&broker);
    watcher.subscribe(1, "$murre/clients/panel");
    client.vanish();
    let states: Vec<_> = (0..2).map(|_| watcher.waited_message().json()).collect();
    assert_eq!(states[1]["reason"], "expired", "{states:?}");
    assert!(!panel(&broker, 1).1);
}

#[test]
fn a_connection_that_wants_no_session_ends_the_kept_one() {
    let broker = Broker::start();
    left_behind(&broker);
    assert!(!panel(&broker, 0).1);
    assert!(!panel(&broker, 600).1);
}

#[test]
fn a_second_connection_takes_the_session_over() {
    let broker = Broker::start();
    left_behind(&broker);
    let (mut first, _) = panel(&broker, 600);
    publish(&broker, 0..10);
    assert_eq!(read(&mut first, 4), numbers(0..4));
    let (mut second, present) = panel(&broker, 600);
    assert!(present);
    assert_eq!(first.disconnected().0.number(1), 4409);
    assert_eq!(read(&mut second, 6), numbers(4..10));
}

#[test]
fn past_its_limits_the_oldest_messages_make_room_and_a_notice_says_how_many() {
    let broker = Broker::configured("[limits]\nsession_messages_max = 64\n");
    left_behind(&broker);
    publish(&broker, 0..300);
    let (mut client, _) = panel(&broker, 600);
    let notice = client.expect(Kind::Notice);
    assert_eq!((notice.info("kind").as_str(), notice.info("sub").as_u64()), (Some("limited"), Some(7)));
    let gone = notice.info("count").as_u64().unwrap();
    assert!((236..300).contains(&gone), "{notice:?}");
    assert_eq!(read(&mut client, 300 - gone as usize), numbers(gone..300));
}
