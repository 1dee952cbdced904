//! A second connection with the same client id takes the first one over.

use murre_core::testing::{Broker, Client};
use murre_protocol::{
    Code, Codec, Format,
    packet::{ClientPacket, Connect, Will},
};

fn with_will(id: &str) -> Connect<'_> {
    let will = Will {
        topic: "wills".into(),
        format: Format::Text,
        payload: b"gone".as_slice().into(),
        retain: false,
        delay: 0,
    };
    Connect { client_id: Some(id.into()), keep_alive: Some(0), will: Some(will), ..Default::default() }
}

fn connecting(broker: &Broker, worker: u8, id: &str) -> Client {
    let client = broker.open(worker, Codec::MessagePack);
    client.send(&ClientPacket::Connect(Box::new(with_will(id))));
    client
}

#[test]
fn the_old_connection_gets_4409_and_its_will_is_not_sent() {
    let broker = Broker::new(2, 1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("wills");
    let old = broker.connect_with(0, Codec::MessagePack, with_will("boiler"));
    let new = broker.connect_with(1, Codec::MessagePack, with_will("boiler"));
    assert_eq!(old.disconnected(), Some(Code::TAKEN_OVER));
    assert_eq!(old.closed().map(|close| close.code), Some(4409));
    assert!(old.is_gone() && new.is_connected() && new.disconnected().is_none());
    assert_eq!(watcher.texts(sub), [""; 0]);
}

#[test]
fn connected_waits_until_the_old_session_has_let_go() {
    let broker = Broker::new(2, 1);
    let old = broker.connect_on(0, "boiler");
    broker.hold(0);
    let new = connecting(&broker, 1, "boiler");
    broker.settle();
    assert!(!new.is_connected(), "the old session's worker is busy and has not let go");
    broker.release(0);
    broker.settle();
    assert!(new.is_connected());
    assert_eq!(old.disconnected(), Some(Code::TAKEN_OVER));
}

#[test]
fn what_the_new_connection_sends_before_connected_is_handled_after_it() {
    let broker = Broker::new(2, 1);
    let _old = broker.connect_on(0, "boiler");
    let new = connecting(&broker, 1, "boiler");
    new.publish_all([("early", "one"), ("early", "two")]);
    broker.settle();
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("early");
    assert_eq!(watcher.texts(sub), ["two"]);
}

#[test]
fn of_many_at_once_one_stays() {
    for seed in 0..50 {
        let broker = Broker::new(2, seed);
        let watcher = broker.connect("watcher");
        let sub = watcher.subscribe("wills");
        let all: Vec<Client> = (0..5).map(|n| connecting(&broker, n % 2, "boiler")).collect();
        broker.settle();
        let stayed: Vec<&Client> = all.iter().filter(|client| !client.is_gone()).collect();
        assert_eq!(stayed.len(), 1, "seed {seed}");
        assert!(stayed[0].is_connected());
        let gone = all.iter().filter(|client| client.disconnected() == Some(Code::TAKEN_OVER)).count();
        assert_eq!(gone, 4, "seed {seed}");
        assert_eq!(watcher.texts(sub), [""; 0], "seed {seed}");
        assert_eq!(broker.remains().clients.iter().sum::<usize>(), 2, "the watcher and the boiler");
    }
}

#[test]
fn the_subscriptions_of_the_old_connection_are_gone() {
    let broker = Broker::new(2, 1);
    let old = broker.connect_on(0, "boiler");
    old.subscribe("a/#");
    let new = broker.connect_on(0, "boiler");
    broker.publish("a/b", "1");
    assert!(new.messages(1).is_empty());
    assert_eq!(broker.remains().hubs[0].subscriptions, 0);
}
