//! A broker that goes away says so, and spreads its clients' return.

use std::collections::BTreeSet;

use murre_core::testing::{Broker, Client, Lengths, Said};
use murre_protocol::{
    Code, Codec,
    packet::{Connect, NoticeKind, Will},
};

fn retry_after(client: &Client) -> u64 {
    let heard = client.heard();
    let [.., Said::Notice { kind: NoticeKind::Shutdown, .. }, Said::Disconnect { code, retry_after, .. }] =
        &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!(*code, Code::SHUTTING_DOWN);
    retry_after.expect("the broker says when to come back")
}

#[test]
fn everyone_is_told_and_comes_back_at_another_time() {
    let broker = Broker::new(1, 1);
    let clients: Vec<Client> = (0..50).map(|n| broker.connect(&format!("c{n}"))).collect();
    broker.shut_down(10.secs());
    let times: BTreeSet<u64> = clients.iter().map(retry_after).collect();
    assert_eq!(times.len(), 50, "all different");
    assert!(times.iter().all(|ms| (1..=10_000).contains(ms)), "{times:?}");
    assert!(times.last().unwrap() - times.first().unwrap() > 4_000, "spread: {times:?}");
    assert!(clients.iter().all(|client| client.closed().map(|close| close.code) == Some(4503)));
}

#[test]
fn clients_of_two_workers_come_back_at_different_times_too() {
    let broker = Broker::new(2, 1);
    let clients: Vec<Client> = (0..20).map(|n| broker.connect(&format!("c{n}"))).collect();
    broker.shut_down(10.secs());
    let times: BTreeSet<u64> = clients.iter().map(retry_after).collect();
    assert_eq!(times.len(), 20, "{times:?}");
}

#[test]
fn a_connection_that_has_not_said_connect_is_closed_with_1001() {
    let broker = Broker::new(1, 1);
    let client = broker.open(0, Codec::MessagePack);
    broker.shut_down(10.secs());
    assert_eq!(client.closed().map(|close| close.code), Some(1001));
}

#[test]
fn no_connection_is_taken_any_more() {
    let broker = Broker::new(1, 1);
    broker.shut_down(10.secs());
    assert!(broker.try_open(0, Codec::MessagePack).is_none());
}

#[test]
fn what_waits_for_a_client_goes_out_before_the_farewell() {
    let broker = Broker::new(1, 1);
    let client = broker.connect("a");
    let sub = client.subscribe("t");
    client.stall();
    broker.publish_all((0..100).map(|_| ("t", "x")));
    broker.shut_down(10.secs());
    client.resume();
    assert_eq!(client.messages(sub).len(), 100);
}

#[test]
fn a_shutdown_is_no_reason_for_wills() {
    let broker = Broker::new(2, 1);
    let will = Will {
        topic: "w".into(),
        format: murre_protocol::Format::Text,
        payload: b"lost".as_slice().into(),
        retain: false,
        delay: 0,
    };
    let _client =
        broker.connect_with(0, Codec::MessagePack, Connect { will: Some(will), ..Default::default() });
    broker.shut_down(10.secs());
    assert_eq!(broker.count(|c| &c.wills), 0);
}
