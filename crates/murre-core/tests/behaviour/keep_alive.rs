//! A client that is not heard of is ended; time in which the broker did not read doesn't count.

use murre_core::testing::{Broker, Client, Lengths, Said};
use murre_protocol::{
    Code, Codec,
    packet::{ClientPacket, Connect},
};

fn with_keep_alive(broker: &Broker, worker: u8, seconds: Option<u64>) -> Client {
    let connect = Connect { client_id: Some("a".into()), keep_alive: seconds, ..Default::default() };
    broker.connect_with(worker, Codec::MessagePack, connect)
}

/// A client that is not read on, since worker 1 is busy and has yet to take what it published.
fn with_a_paused_client() -> (Broker, Client) {
    let broker = Broker::with_limits(2, 1, |limits| limits.publish_inflight_max = 1000);
    let client = with_keep_alive(&broker, 0, Some(10));
    broker.hold(1);
    // for topics of both workers, more than may be under way
    let names: Vec<String> = (0..100).map(|n| format!("t/{n}")).collect();
    client.publish_all(names.iter().map(|name| (name.as_str(), "a value that takes some room")));
    broker.settle();
    (broker, client)
}

#[test]
fn after_one_and_a_half_times_the_keep_alive_of_silence_it_is_4408() {
    let broker = Broker::new(2, 1);
    let client = with_keep_alive(&broker, 0, Some(10));
    broker.run_for(14.secs());
    assert!(!client.is_gone());
    broker.run_for(2.secs());
    assert_eq!(client.disconnected(), Some(Code::KEEP_ALIVE_TIMEOUT));
    assert_eq!(broker.count(|c| &c.keep_alive_timeouts), 1);
}

#[test]
fn packets_and_websocket_pings_keep_it_alive() {
    let broker = Broker::new(2, 1);
    let client = with_keep_alive(&broker, 0, Some(10));
    for round in 0..10 {
        broker.run_for(12.secs());
        if round % 2 == 0 {
            client.ping()
        } else {
            client.send(&ClientPacket::Ping)
        }
        broker.settle();
    }
    assert!(!client.is_gone());
    broker.run_for(16.secs());
    assert_eq!(client.disconnected(), Some(Code::KEEP_ALIVE_TIMEOUT));
}

#[test]
fn without_a_wish_it_is_sixty_seconds() {
    let broker = Broker::new(2, 1);
    let client = with_keep_alive(&broker, 0, None);
    assert!(matches!(client.heard()[..], [Said::Connected { keep_alive: 60, .. }]));
    broker.run_for(89.secs());
    assert!(!client.is_gone());
    broker.run_for(2.secs());
    assert!(client.is_gone());
}

#[test]
fn zero_is_none_and_too_much_is_cut() {
    let broker = Broker::with_limits(2, 1, |limits| limits.keep_alive_max = 100.secs());
    let client = with_keep_alive(&broker, 0, Some(0));
    broker.run_for(1_000_000.secs());
    assert!(!client.is_gone());
    let client = with_keep_alive(&broker, 0, Some(u64::MAX));
    assert!(matches!(client.heard()[..], [Said::Connected { keep_alive: 100, .. }]));
}

#[test]
fn a_connection_that_never_says_connect_ends_after_ten_seconds() {
    let broker = Broker::new(2, 1);
    let client = broker.open(0, Codec::MessagePack);
    broker.run_for(9.secs());
    client.ping();
    assert!(!client.is_gone());
    broker.run_for(2.secs());
    assert_eq!(client.disconnected(), Some(Code::KEEP_ALIVE_TIMEOUT));
    assert_eq!(broker.count(|c| &c.hello_timeouts), 1);
}

#[test]
fn time_in_which_the_broker_did_not_read_does_not_count() {
    let (broker, client) = with_a_paused_client();
    broker.run_for(14.secs());
    client.ping();
    assert_eq!(client.unread(), 1, "the broker has paused reading");
    broker.run_for(60.secs());
    assert!(!client.is_gone());
    broker.release(1);
    broker.settle();
    assert_eq!(client.unread(), 0);
    broker.run_for(14.secs());
    assert!(!client.is_gone());
    broker.run_for(2.secs());
    assert_eq!(client.disconnected(), Some(Code::KEEP_ALIVE_TIMEOUT));
}

#[test]
fn a_pause_that_ends_just_before_the_time_is_up_does_not_count_either() {
    let (broker, client) = with_a_paused_client();
    broker.run_for(14.secs());
    broker.release(1);
    broker.run_for(14.secs());
    assert!(!client.is_gone(), "the broker has read for 14 s of the last 28 s only");
}
