//! What a client leaves behind: its will, unless it said farewell, and the word that it is gone.

use murre_tests::packet::value;
use murre_tests::{Broker, Client, Kind, Packet, json};
use rmpv::Value;

/// A watcher of wills, and the client `boiler-7` with a will.
fn with_will(broker: &Broker, delay: u64) -> (Client, Client) {
    let mut watcher = Client::connect(broker);
    watcher.subscribe_live(1, "wills/#");
    let mut device = Client::open(broker);
    let will = Value::Map(vec![
        ("topic".into(), "wills/boiler-7".into()),
        ("format".into(), 3.into()),
        ("payload".into(), Value::Binary(b"lost".to_vec())),
        ("delay".into(), delay.into()),
    ]);
    let options = Value::Map(vec![("client_id".into(), "boiler-7".into()), ("will".into(), will)]);
    device.send(&Packet::new(Kind::Connect, [options]));
    device.expect(Kind::Connected);
    (watcher, device)
}

/// One who watches a client's presence. Begins before the client goes: of one that is gone nothing is kept.
fn watch_presence(broker: &Broker, client_id: &str) -> Client {
    let mut watcher = Client::connect(broker);
    watcher.subscribe_live(1, &format!("$murre/clients/{client_id}"));
    watcher
}

/// The next message where the will would be, after a marker was published there.
fn next_will(broker: &Broker, watcher: &mut Client) -> String {
    Client::connect(broker).publish("wills/boiler-7", "none");
    watcher.message().text().to_owned()
}

#[test]
fn a_client_that_vanishes_leaves_its_will() {
    let broker = Broker::start();
    let (mut watcher, device) = with_will(&broker, 0);

    device.vanish();

    let will = watcher.message();
    assert_eq!((will.topic.as_str(), will.text()), ("wills/boiler-7", "lost"));
}

#[test]
fn a_will_with_a_delay_comes_too() {
    let broker = Broker::start();
    let (mut watcher, device) = with_will(&broker, 1);

    device.vanish();

    assert_eq!(watcher.message().text(), "lost");
}

#[test]
fn a_client_that_breaks_the_protocol_leaves_its_will() {
    let broker = Broker::start();
    let (mut watcher, mut device) = with_will(&broker, 0);

    device.send(&Packet(vec![99.into()]));

    assert_eq!(watcher.message().text(), "lost");
}

#[test]
fn a_disconnect_voids_the_will() {
    let broker = Broker::start();
    let (mut watcher, mut device) = with_will(&broker, 0);

    let mut presence = watch_presence(&broker, "boiler-7");
    device.send(&Packet::new(Kind::Disconnect, [0.into(), "".into()]));
    assert_eq!(presence.message().json()["state"], "offline");

    assert_eq!(next_will(&broker, &mut watcher), "none");
}

#[test]
fn a_normal_close_voids_the_will() {
    for code in [1000, 1001] {
        let broker = Broker::start();
        let (mut watcher, device) = with_will(&broker, 0);

        let mut presence = watch_presence(&broker, "boiler-7");

        assert_eq!(device.close(code).code, Some(code));
        assert_eq!(presence.message().json()["state"], "offline");

        assert_eq!(next_will(&broker, &mut watcher), "none", "{code}");
    }
}

#[test]
fn another_close_code_does_not_void_the_will() {
    let broker = Broker::start();
    let (mut watcher, device) = with_will(&broker, 0);

    device.close(4000);

    assert_eq!(watcher.message().text(), "lost");
}

#[test]
fn presence_says_who_is_online_and_who_has_gone() {
    let broker = Broker::start();
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "$murre/clients/boiler-7");

    let device = Client::connect_as(&broker, "boiler-7");
    let online = watcher.message().json();
    device.vanish();
    let offline = watcher.message().json();

    assert_eq!((&online["state"], &offline["state"]), (&json!("online"), &json!("offline")));
    assert!(online["since"].as_u64() <= offline["since"].as_u64(), "{online} {offline}");
    assert!(offline["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{offline}");
}

#[test]
fn presence_of_a_connected_client_is_a_last_value() {
    let broker = Broker::start();
    let _device = Client::connect_as(&broker, "boiler-7");

    let snapshot = Client::connect(&broker).subscribe(1, "$murre/clients/boiler-7");

    assert_eq!(snapshot.len(), 1);
    assert_eq!(snapshot[0].json()["state"], "online");
}

#[test]
fn a_client_that_falls_silent_is_disconnected_and_its_will_sent() {
    let broker = Broker::start();
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "wills/#");
    let mut device = Client::open(&broker);
    let will = json!({ "topic": "wills/silent", "format": 2, "retain": true });
    let mut options = value(json!({ "keep_alive": 1, "client_id": "silent" }));
    let mut will = value(will);
    if let (Value::Map(options), Value::Map(entries)) = (&mut options, &mut will) {
        entries.push(("payload".into(), Value::Binary(b"{\"state\":\"silent\"}".to_vec())));
        options.push(("will".into(), Value::Map(entries.clone())));
    }
    device.send(&Packet::new(Kind::Connect, [options]));
    assert_eq!(device.expect(Kind::Connected).info("keep_alive").as_u64(), Some(1));

    let (disconnect, ending) = device.disconnected();

    assert_eq!((disconnect.number(1), ending.code), (4408, Some(4408)));
    assert_eq!(watcher.message().json()["state"], "silent");
    let kept = Client::connect(&broker).subscribe(1, "wills/silent");
    assert_eq!(kept.len(), 1, "a retained will is kept");
}
