//! A request says where its answer is to go; the options travel with it.

use murre_core::testing::Broker;
use murre_protocol::{Code, Timestamp, packet::PublishOptions};

#[test]
fn a_responder_gets_the_reply_topic_and_correlation_and_the_answer_comes_back() {
    let broker = Broker::new(2, 1);
    let (asker, responder) = (broker.connect("asker"), broker.connect("responder"));
    let requests = responder.subscribe("hello");
    let replies = asker.subscribe("replies/asker");
    let options = PublishOptions {
        reply_to: Some("replies/asker".into()),
        correlation: Some([1, 2, 3].as_slice().into()),
        ..Default::default()
    };
    asker.publish_with("hello", b"Hello Server!", options);

    let request = responder.messages(requests).remove(0);
    let reply_to = request.options.reply_to.clone().unwrap();
    let correlation = request.options.correlation.clone();
    let answer = format!("Hello, you sent -> {}", request.text());
    responder.publish_with(
        &reply_to,
        answer.as_bytes(),
        PublishOptions { correlation, ..Default::default() },
    );

    let reply = asker.messages(replies).remove(0);
    assert_eq!(reply.text(), "Hello, you sent -> Hello Server!");
    assert_eq!(reply.options.correlation.as_deref(), Some([1, 2, 3].as_slice()));
}

#[test]
fn the_other_options_travel_too() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    let sub = client.subscribe("t");
    let options = PublishOptions {
        time: Some(Timestamp::from_millis(7)),
        expiry: Some(60),
        properties: vec![("unit".into(), "K".into())],
        ..Default::default()
    };
    client.publish_with("t", b"1", options);
    let options = client.messages(sub).remove(0).options;
    assert_eq!((options.time, options.expiry), (Some(Timestamp::from_millis(7)), Some(60)));
    assert_eq!(options.properties, [("unit".into(), "K".into())]);
}

#[test]
fn an_invalid_reply_topic_is_refused() {
    let broker = Broker::new(1, 1);
    let options = PublishOptions { reply_to: Some("replies/+".into()), ..Default::default() };
    let answer = broker.connect("a").publish_with("t", b"1", options);
    assert_eq!(answer.code, Code::INVALID);
    assert!(answer.reason.contains("reply_to"), "{}", answer.reason);
}
