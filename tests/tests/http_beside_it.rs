//! HTTP on the same port: publishing, reading and clearing values, listing topics, streams of events, health.

use murre_tests::{Broker, Client, json};

#[test]
fn a_reading_posted_over_http_reaches_websocket_subscribers() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "site/#");

    let answer = broker.request(
        "POST",
        "/topics/site/a/temp",
        &[("content-type", "application/json")],
        "{\"celsius\":21.4}",
    );

    assert!((200..300).contains(&answer.status), "{answer:?}");
    let message = subscriber.message();
    assert_eq!((message.topic.as_str(), message.format), ("site/a/temp", 2));
    assert_eq!(message.json(), json!({ "celsius": 21.4 }));
}

#[test]
fn the_content_type_gives_the_format() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "site/#");

    for (media_type, format) in [
        ("application/octet-stream", 0),
        ("application/msgpack", 1),
        ("application/json; charset=utf-8", 2),
        ("text/plain; charset=utf-8", 3),
    ] {
        broker.request("POST", "/topics/site/a", &[("content-type", media_type)], "1");
        assert_eq!(subscriber.message().format, format, "{media_type}");
    }
}

#[test]
fn the_last_value_is_read_as_it_was_published() {
    let broker = Broker::start();
    Client::connect(&broker).publish("site/a/note", "maintenance from 14:00");

    let answer = broker.get("/topics/site/a/note");

    assert_eq!((answer.status, answer.media_type()), (200, "text/plain"));
    assert_eq!(answer.text(), "maintenance from 14:00");
}

#[test]
fn a_topic_without_a_value_is_not_found() {
    let broker = Broker::start();

    let detail = broker.get("/topics/site/nothing").problem(404);

    assert!(detail.contains("site/nothing"), "{detail}");
}

#[test]
fn a_deleted_value_is_gone() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.publish("site/a", "1");

    assert!((200..300).contains(&broker.request("DELETE", "/topics/site/a", &[], "").status));

    broker.get("/topics/site/a").problem(404);
    assert_eq!(client.subscribe(1, "site/#"), []);
}

#[test]
fn topics_are_listed_by_filter() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    for topic in ["site/a/temp", "site/b/temp", "site/a/wind"] {
        client.publish(topic, "1");
    }

    let answer = broker.get("/topics?filter=site/%2B/temp");

    assert_eq!((answer.status, answer.media_type()), (200, "application/json"));
    let list = answer.json().to_string();
    assert!(list.contains("site/a/temp") && list.contains("site/b/temp"), "{list}");
    assert!(!list.contains("site/a/wind"), "{list}");
}

#[test]
fn events_begin_with_the_last_values_and_go_on_live() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    let first = client.publish("site/a", "kept");

    let mut events = broker.events("/events?filter=site/%23");
    let kept = events.find(|event| event.json()["type"] == "message").expect("the last value");
    let second = client.publish("site/b", "live");
    let live = events.find(|event| event.json()["type"] == "message").expect("the live one");

    assert_eq!(
        (kept.json()["payload"].as_str(), live.json()["payload"].as_str()),
        (Some("kept"), Some("live"))
    );
    assert_eq!(
        (kept.json()["position"].as_u64(), live.json()["position"].as_u64()),
        (Some(first), Some(second))
    );
    assert!(!live.id.is_empty(), "each event has an id: {live:?}");
}

#[test]
fn events_go_through_a_view() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    let mut events = broker.events("/events?from=live&where=payload%20!=%20'no'");
    events.find(|event| event.json()["type"] == "caught_up").expect("the beginning");

    client.publish("site/a", "no");
    client.publish("site/a", "yes");

    let seen = events.find(|event| event.json()["type"] == "message").expect("what meets the condition");
    assert_eq!(seen.json()["payload"], "yes");
}

#[test]
fn health_is_told() {
    let broker = Broker::start();

    for path in ["/health/live", "/health/ready"] {
        assert_eq!(broker.get(path).status, 200, "{path}");
    }
}

#[test]
fn errors_are_problem_documents() {
    let broker = Broker::with(&[("limits.max_packet", "16 KiB"), ("limits.max_message", "64 KiB")]);
    let post = |path, body: String| broker.request("POST", path, &[("content-type", "text/plain")], body);

    broker.get("/no/such/page").problem(404);
    broker.get("/topics?filter=site/%23/temp").problem(422);
    broker.get("/events?filter=site/%23/temp").problem(422);
    broker.get("/events?max_rate=0").problem(422);
    broker.get("/events?where=payload.a%20%3E").problem(422);
    post("/topics/site/%2B/temp", "1".into()).problem(422);
    post("/topics/$murre/clients/boiler-7", "1".into()).problem(403);
    post("/topics/site/a", "x".repeat(20 << 10)).problem(413);
    post("/topics/site/a?retain=perhaps", "1".into()).problem(400);
    broker.request("PATCH", "/topics/site/a", &[], "").problem(405);
    broker.request("POST", "/topics", &[], "").problem(405);
}

#[test]
fn a_page_from_elsewhere_may_not_write() {
    let broker = Broker::start();
    let write = |method, origin: &str| broker.request(method, "/topics/site/a", &[("origin", origin)], "1");

    write("POST", "https://elsewhere.example").problem(403);
    write("DELETE", "https://elsewhere.example").problem(403);

    assert!((200..300).contains(&write("POST", &broker.http("")).status), "the broker's own page may");
}
