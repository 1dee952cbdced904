//! A broker that was asked to stop goes on at the next start as if it had never ended.

use murre_tests::{Broker, Client, Kind, Packet, json};

const KEEP_ALL: &str = "[[keep]]\nfilter = 'load/#'\ndurable = true\n";

#[test]
fn a_broker_that_was_stopped_in_order_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let mut device = Client::connect(&broker);
    device.publish_with("site/a", "kept", json!({ "retain": true }));
    let position = device.publish("load/a", "1");
    let mut client = Client::connect(&broker);
    client.try_subscribe(1, "load/#", json!({}));
    client.message();
    let positions = client.expect(Kind::CaughtUp).positions();
    device.publish("load/a", "2");
    broker.terminate();
    assert!(broker.wait().success());

    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let mut client = Client::open(&broker);
    client.send(&Packet::connect(json!({})));
    let connected = client.expect(Kind::Connected);
    let epoch = connected.info("epoch").as_str().unwrap().to_owned();
    assert_eq!(connected.info("durable").as_bool(), Some(true));
    let answer = client.try_subscribe(1, "load/#", json!({ "from": { "after": positions, "epoch": epoch } }));
    assert_eq!(answer.info("recovered").as_bool(), Some(true), "{answer:?}");
    assert_eq!(client.message().text(), "2");
    let kept = Client::connect(&broker).subscribe(1, "site/a");
    assert_eq!((kept.len(), kept[0].text()), (1, "kept"));
    let next = Client::connect(&broker).publish("load/a", "3");
    assert!(next > position && next - position < 1 << 20, "offsets are not wasted: {position}, {next}");
}

#[test]
fn what_was_published_right_before_the_end_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let mut device = Client::connect(&broker);
    let publishes: Vec<_> = (0..200).map(|n| Packet::publish("load/a", n.to_string(), n + 1)).collect();
    device.send_all(&publishes);
    device.wait_for(Kind::Published);
    broker.terminate();
    let answered = 1 + std::iter::from_fn(|| device.packet_or_end())
        .filter(|packet| packet.is(Kind::Published) && packet.number(2) == 0)
        .count();
    assert!(broker.wait().success());

    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let all = json!({ "from": { "since": 0 } });
    let history = Client::connect(&broker).subscribe_with(1, "load/#", all);
    assert!(history.len() >= answered, "{answered} were answered, {} are there", history.len());
}
