//! What is published reaches who subscribed to it, whole, in order, and nobody else.

use murre_tests::packet::value;
use murre_tests::{Broker, Client, Kind, Message, Packet, json};
use rmpv::Value;

fn topics(messages: &[Message]) -> Vec<&str> {
    let mut topics: Vec<_> = messages.iter().map(|message| message.topic.as_str()).collect();
    topics.sort_unstable();
    topics
}

#[test]
fn a_message_arrives_as_it_was_published() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(7, "site/a/temp");
    let mut device = Client::connect(&broker);

    let options =
        json!({ "time": 1_700_000_000_000_u64, "reply_to": "answers/1", "properties": { "unit": "°C" } });
    let position = device.publish_with("site/a/temp", "21.4", options);

    let message = subscriber.message();
    assert_eq!((message.sub, message.topic.as_str(), message.format), (7, "site/a/temp", 3));
    assert_eq!((message.text(), message.position), ("21.4", position));
    assert_eq!(message.packet.info("time").as_u64(), Some(1_700_000_000_000));
    assert_eq!(message.packet.info("reply_to").as_str(), Some("answers/1"));
    assert_eq!(message.packet.info("properties"), &value(json!({ "unit": "°C" })));
}

#[test]
fn a_payload_is_opaque_in_every_format() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.subscribe_live(1, "raw/#");

    let bytes: Vec<u8> = (0..=255).collect();
    for format in 0..4_u64 {
        let payload = Value::Binary(bytes.clone());
        client.send(&Packet::new(Kind::Publish, ["raw/bytes".into(), format.into(), payload, 0.into()]));
        let message = client.message();
        assert_eq!((message.format, &message.payload), (format, &bytes), "the broker doesn't look into it");
    }
}

#[test]
fn wildcards_match_as_mqtt_has_them() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "site/+/temp");
    subscriber.subscribe_live(2, "site/a/#");
    let mut device = Client::connect(&broker);

    for topic in ["other/a/temp", "site/temp", "site/a/temp", "site/b/temp", "site/a", "site/a/temp/raw"] {
        device.publish(topic, "1");
    }

    let (first, second): (Vec<_>, Vec<_>) =
        subscriber.messages(5).into_iter().partition(|message| message.sub == 1);
    assert_eq!(topics(&first), ["site/a/temp", "site/b/temp"]);
    assert_eq!(topics(&second), ["site/a", "site/a/temp", "site/a/temp/raw"]);
}

#[test]
fn wildcards_at_the_front_leave_the_brokers_own_topics_out() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "#");

    // Its coming is published under $murre/clients.
    let mut device = Client::connect_as(&broker, "boiler-7");
    device.publish("site/a", "1");

    assert_eq!(subscriber.message().topic, "site/a");
}

#[test]
fn a_topics_messages_come_in_the_order_of_their_positions() {
    let broker = Broker::start();
    let mut subscribers = [Client::connect(&broker), Client::connect(&broker)];
    for subscriber in &mut subscribers {
        subscriber.subscribe_live(1, "race");
    }
    let mut devices = [Client::connect(&broker), Client::connect(&broker)];

    for round in 0..50 {
        for (number, device) in devices.iter_mut().enumerate() {
            device.send(&Packet::publish("race", format!("{number}:{round}"), 0));
        }
    }

    let [first, second] = subscribers.map(|mut subscriber| subscriber.messages(100));
    assert!(first.is_sorted_by_key(|message| message.position));
    let order =
        |messages: &[Message]| messages.iter().map(|message| message.payload.clone()).collect::<Vec<_>>();
    assert_eq!(order(&first), order(&second), "all subscribers see one order");
}

#[test]
fn an_unsubscribed_topic_is_not_delivered_any_more() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.subscribe_live(1, "site/#");
    client.subscribe_live(2, "end");

    client.send(&Packet::new(Kind::Unsubscribe, [1.into()]));
    client.wait_for(Kind::Unsubscribed);
    client.publish("site/a", "unseen");
    client.publish("end", "seen");

    assert_eq!(client.message().topic, "end");
}

#[test]
fn overlapping_subscriptions_each_get_the_message() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.subscribe_live(1, "site/#");
    client.subscribe_live(2, "site/+");

    client.publish("site/a", "once each");

    let mut subs: Vec<_> = client.messages(2).iter().map(|message| message.sub).collect();
    subs.sort_unstable();
    assert_eq!(subs, [1, 2]);
}

#[test]
fn a_request_is_answered_over_the_topic_that_it_names() {
    let broker = Broker::start();
    let mut responder = Client::connect(&broker);
    responder.subscribe_live(1, "rpc/echo");
    let mut caller = Client::connect(&broker);
    caller.subscribe_live(1, "answers/caller");

    let mut options = value(json!({ "reply_to": "answers/caller" }));
    let Value::Map(entries) = &mut options else { panic!("a map") };
    entries.push(("correlation".into(), Value::Binary(vec![0, 255, 7])));
    caller.send(&Packet::publish("rpc/echo", "Hello Server!", 0).and(options));
    let request = responder.message();
    let correlation = Value::Map(vec![("correlation".into(), request.packet.info("correlation").clone())]);
    let reply_to = request.packet.info("reply_to").as_str().expect("a topic").to_owned();
    responder.send(&Packet::publish(&reply_to, "Hello, you sent -> Hello Server!", 0).and(correlation));

    let answer = caller.message();
    assert_eq!(answer.text(), "Hello, you sent -> Hello Server!");
    assert_eq!(answer.packet.info("correlation"), &Value::Binary(vec![0, 255, 7]));
}

#[test]
fn a_ping_packet_is_answered() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);

    client.send(&Packet::new(Kind::Ping, []));

    client.expect(Kind::Pong);
}

#[test]
fn a_client_may_send_on_without_waiting_for_connected() {
    let broker = Broker::start();
    let mut client = Client::open(&broker);

    client.send_all(&[
        Packet::connect(json!({})),
        Packet::subscribe(1, "site/#", json!({ "from": "live" })),
        Packet::publish("site/a", "at once", 1),
    ]);

    client.expect(Kind::Connected);
    client.expect(Kind::Subscribed);
    client.wait_for(Kind::Published);
    assert_eq!(client.waited_message().text(), "at once");
}
