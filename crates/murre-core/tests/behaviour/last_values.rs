//! The last value of each topic is kept; `retain` with an empty payload deletes it.

use murre_core::testing::{Broker, Lengths};
use murre_protocol::packet::PublishOptions;

fn values(broker: &Broker, filter: &str) -> Vec<String> {
    let client = broker.connect("reader");
    let sub = client.subscribe(filter);
    client.texts(sub)
}

#[test]
fn every_topic_keeps_its_last_value() {
    let broker = Broker::new(2, 1);
    broker.publish("a", "1");
    broker.publish("a", "2");
    assert_eq!(values(&broker, "a"), ["2"]);
}

#[test]
fn retain_with_an_empty_payload_deletes_the_value_and_is_told_live() {
    let broker = Broker::new(2, 1);
    broker.publish("a", "1");
    let client = broker.connect("a");
    let sub = client.subscribe("a");
    broker.delete("a");
    assert_eq!(client.texts(sub), ["1", ""]);
    assert_eq!(values(&broker, "#"), [""; 0]);
}

#[test]
fn an_empty_payload_without_retain_is_a_value() {
    let broker = Broker::new(2, 1);
    broker.publish("a", "");
    assert_eq!(values(&broker, "a"), [""]);
}

#[test]
fn deleting_what_is_not_there_is_accepted() {
    let broker = Broker::new(2, 1);
    broker.publisher();
    let before = broker.remains().topics;
    assert!(broker.delete("a").offset() > 0);
    assert_eq!(broker.remains().topics, before);
}

#[test]
fn an_expired_value_is_shown_no_more() {
    let broker = Broker::new(2, 1);
    let options = PublishOptions { expiry: Some(10), ..Default::default() };
    broker.connect("p").publish_with("a", b"1", options);
    broker.run_for(9.secs());
    assert_eq!(values(&broker, "a"), ["1"]);
    broker.run_for(2.secs());
    assert_eq!(values(&broker, "a"), [""; 0]);
    assert_eq!(values(&broker, "#"), [""; 0]);
}

#[test]
fn a_live_message_is_no_kept_value() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    let sub = client.subscribe("a");
    client.publish_with("a", b"1", PublishOptions { retain: true, ..Default::default() });
    assert!(!client.messages(sub)[0].is_kept_value());
    let late = broker.connect("late");
    let sub = late.subscribe("a");
    assert!(late.messages(sub)[0].is_kept_value());
}
