//! `/history`: messages of the past, in three forms and as many answers as it takes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use murre_tests::http::Answer;
use murre_tests::load::mib;
use murre_tests::{Broker, Client, Packet, json, value};
use serde_json::Value;

const KEEP: &str = "[[keep]]\nfilter = 'few/#'\nlast = 3\n[[keep]]\nfilter = 'site/#'\n";

/// Publishes numbers as texts; all are taken when this returns.
fn publish(broker: &Broker, topics: &[&str], numbers: Range<usize>) {
    let mut device = Client::connect(broker);
    let packets: Vec<Packet> =
        numbers.clone().map(|n| Packet::publish(topics[n % topics.len()], n.to_string(), 0)).collect();
    packets.chunks(500).for_each(|chunk| device.send_all(chunk));
    device.publish("ends/here", "");
}

/// A store needs a moment until it has what isn't durable.
fn settle(broker: &Broker, messages: usize) {
    while numbers(&broker.get("/history/site/%23")).len() < messages {}
}

fn numbers(answer: &Answer) -> Vec<usize> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let messages = answer.json()["messages"].as_array().expect("a list").clone();
    messages.iter().map(|message| number(&message["payload"])).collect()
}

const NONE: [usize; 0] = [];

fn number(payload: &Value) -> usize {
    payload.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {payload}"))
}

/// The numbers of an answer and of all that it leads on to. `between` is called before each of these.
fn follow(path: &str, mut ask: impl FnMut(&str) -> Answer) -> Vec<usize> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let answer = ask(&format!("{path}{next}"));
        found.extend(numbers(&answer));
        match answer.json()["next"].as_str() {
            Some(cursor) => next = format!("&after={cursor}"),
            None => return found,
        }
    }
}

#[test]
fn the_last_hours_of_a_topic_come_as_the_messages_that_websocket_has() {
    let broker = Broker::configured(KEEP);
    let mut device = Client::connect(&broker);
    let position = device.publish("site/a/temp", "21.4");

    let answer = broker.get("/history/site/a/temp?since=2h");

    assert_eq!((answer.status, answer.media_type()), (200, "application/json"));
    let (message, next) = (&answer.json()["messages"][0], &answer.json()["next"]);
    assert_eq!((&message["type"], &message["topic"]), (&json!("message"), &json!("site/a/temp")));
    assert_eq!((&message["payload"], &message["position"]), (&json!("21.4"), &json!(position)));
    assert_eq!((next, message.get("sub")), (&Value::Null, None));
}

#[test]
fn all_topics_that_match_come_in_the_order_of_their_times() {
    let broker = Broker::configured(KEEP);
    let topics = ["site/a/temp", "site/b/temp", "site/c/temp", "site/a/wind", "other/temp"];
    publish(&broker, &topics, 0..50);

    let by_path = broker.get("/history/site/+/temp?limit=100");
    let by_filter = broker.get("/history?filter=site/%2B/temp&limit=100");

    assert_eq!(numbers(&by_path).len(), 30, "topics without a rule have no history");
    assert_eq!(by_path.json(), by_filter.json());
    let times: Vec<u64> =
        by_path.json()["messages"].as_array().unwrap().iter().map(|m| m["time"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn each_bound_that_is_given_holds() {
    let folder = tempfile::tempdir().unwrap();
    for broker in [Broker::configured(KEEP), Broker::with_store(folder.path(), KEEP)] {
        publish(&broker, &["site/a"], 0..10);
        settle(&broker, 10);
        each_bound_holds(&broker);
    }
}

fn each_bound_holds(broker: &Broker) {
    let middle =
        broker.get("/history/site/a?limit=1").json()["messages"][0]["time"].as_u64().expect("a time") + 1_000;

    assert_eq!(numbers(&broker.get("/history/site/a?last=3")), [7, 8, 9]);
    assert_eq!(numbers(&broker.get("/history/site/a?limit=2")), [0, 1]);
    assert_eq!(numbers(&broker.get("/history/site/a?until=1h")), NONE);
    assert_eq!(numbers(&broker.get(&format!("/history/site/a?until={middle}"))).len(), 10);
    assert_eq!(numbers(&broker.get(&format!("/history/site/a?since={middle}"))), NONE);
}

#[test]
fn a_table_can_be_read_by_any_program() {
    let broker = Broker::configured(KEEP);
    let mut device = Client::connect(&broker);
    device.publish("site/a,b", "two \"words\",\r\nand a line");
    device.publish("site/a,b", "21.4");

    let answer = broker.request("GET", "/history/site/%23?limit=1", &[("accept", "text/csv")], "");

    assert_eq!(answer.media_type(), "text/csv");
    let mut table = csv::Reader::from_reader(answer.body.as_slice());
    assert_eq!(table.headers().unwrap(), vec!["topic", "time", "position", "format", "payload"]);
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    assert_eq!((&rows[0][0], &rows[0][3]), ("site/a,b", "text"));
    assert_eq!(&rows[0][4], "two \"words\",\r\nand a line");
    let rest = format!("/history/site/%23?after={}", &rows[1][4]);
    assert_eq!(
        (&rows[1][3], broker.get(&rest).json()["messages"][0]["payload"].clone()),
        ("next", json!("21.4"))
    );
}

#[test]
fn history_goes_through_a_view_in_every_form() {
    let broker = Broker::configured(KEEP);
    publish(&broker, &["site/a"], 0..100);

    let path = "/history/site/a?where=double(payload)%20%3E=%2090.0&limit=4";
    assert_eq!(follow(path, |path| broker.get(path)), (90..100).collect::<Vec<_>>());
    for accept in ["application/x-ndjson", "text/csv"] {
        let answer = broker.request("GET", path, &[("accept", accept)], "");
        let text = answer.text();
        assert!(answer.status == 200 && text.contains("90") && text.contains("93"), "{text}");
        assert!(!text.contains("94") && text.contains("next"), "{text}");
    }
    let deadband = "deadband=%7B%22path%22:%22%22,%22abs%22:30%7D";
    assert_eq!(numbers(&broker.get(&format!("/history/site/a?{deadband}"))), [0, 30, 60, 90]);
    broker.get("/history/site/a?where=payload%20%3E").problem(422);
    broker.request("GET", "/history/site/a?patch=true", &[("accept", "text/csv")], "").problem(422);
}

#[test]
fn a_hundred_thousand_messages_reach_a_slow_reader_and_cost_the_broker_nothing_meanwhile() {
    const MESSAGES: usize = 100_000;
    let broker = Broker::configured(KEEP);
    let topics = ["site/a", "site/b", "site/c", "site/d", "site/e", "site/f", "site/g"];
    publish(&broker, &topics, 0..MESSAGES);
    let before = broker.forget_peak();

    let mut lines = broker.download("/history/site/%23?limit=100000", "application/x-ndjson");
    assert_eq!((lines.answer.status, lines.answer.media_type()), (200, "application/x-ndjson"));
    let first = lines.next().expect("a line");
    // what the broker does while nobody reads the rest
    publish(&broker, &["other/topic"], 0..5_000);
    let grown = broker.peak_memory().saturating_sub(before);
    assert!(mib(grown) < 8.0, "the answer has about 14 MiB, and the broker grew by {:.1} MiB", mib(grown));

    let mut next = [0; 7];
    for line in std::iter::once(first).chain(lines) {
        let message: Value = serde_json::from_str(&line).expect("a line is JSON");
        let number = number(&message["payload"]);
        let topic = number % topics.len();
        assert_eq!((&message["topic"], number / topics.len()), (&json!(topics[topic]), next[topic]));
        next[topic] += 1;
    }
    assert_eq!(next.iter().sum::<usize>(), MESSAGES);
}

#[test]
fn an_answer_whose_reader_goes_away_costs_nothing_any_more() {
    let broker = Broker::configured(KEEP);
    publish(&broker, &["site/a"], 0..30_000);

    let mut lines = broker.download("/history/site/a?limit=100000", "application/x-ndjson");
    lines.next().expect("a line");
    assert_eq!(broker.counter("history_answers"), 1, "the answer is larger than what the socket takes");
    drop(lines);

    broker.wait_for_counter("history_answers", |answers| answers == 0);
}

#[test]
fn who_follows_the_cursor_gets_each_message_once_while_more_are_published() {
    each_message_once(&Broker::configured(KEEP));
}

#[test]
fn who_follows_the_cursor_of_a_store_gets_each_message_once_while_more_are_published() {
    let folder = tempfile::tempdir().unwrap();
    each_message_once(&Broker::with_store(folder.path(), KEEP));
}

fn each_message_once(broker: &Broker) {
    let topics = ["site/a", "site/b", "site/c"];
    publish(broker, &topics, 0..1_000);
    settle(broker, 1_000);
    let stops = AtomicBool::new(false);

    let found = thread::scope(|scope| {
        scope.spawn(|| {
            let mut published = 1_000;
            while !stops.load(SeqCst) && published < 20_000 {
                publish(broker, &topics, published..published + 50);
                published += 50;
            }
        });
        let mut answers = 0;
        let found = follow("/history/site/%23?limit=97", |path| {
            answers += 1;
            stops.store(answers > 40, SeqCst);
            broker.get(path)
        });
        stops.store(true, SeqCst);
        found
    });

    let mut by_topic: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    found.iter().for_each(|number| by_topic.entry(number % topics.len()).or_default().push(*number));
    for (topic, numbers) in by_topic {
        let expected: Vec<usize> = (0..numbers.len()).map(|n| n * topics.len() + topic).collect();
        assert_eq!(numbers, expected, "{}: each once, in order", topics[topic]);
    }
    assert!(found.len() >= 1_000, "{}", found.len());
}

#[test]
fn a_cursor_goes_on_behind_a_restart_of_a_broker_with_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "[[keep]]\nfilter = 'site/#'\ndurable = true\n";
    let broker = Broker::with_store(folder.path(), rules);
    let mut device = Client::connect(&broker);
    (0..10).for_each(|n| _ = device.publish("site/a", &n.to_string()));
    let first = broker.get("/history/site/a?limit=4");
    let next = first.json()["next"].as_str().unwrap().to_owned();

    broker.kill();
    let broker = Broker::with_store(folder.path(), rules);

    let rest = broker.get(&format!("/history/site/a?after={next}"));
    assert_eq!((numbers(&first), numbers(&rest)), ((0..4).collect(), (4..10).collect()));
    assert_eq!(rest.json()["next"], Value::Null);
}

#[test]
fn a_cursor_from_before_a_restart_without_a_store_is_gone() {
    let broker = Broker::configured(KEEP);
    publish(&broker, &["site/a"], 0..2);
    let next = broker.get("/history/site/a?limit=1").json()["next"].as_str().unwrap().to_owned();

    let detail = Broker::configured(KEEP).get(&format!("/history/site/a?after={next}")).problem(410);

    assert!(detail.contains("begin again without after"), "{detail}");
}

#[test]
fn who_goes_on_too_late_is_told_that_messages_are_missing() {
    let broker = Broker::configured(KEEP);
    publish(&broker, &["few/a"], 0..3);
    let first = broker.get("/history/few/a?limit=1").json();
    publish(&broker, &["few/a"], 3..10);

    let path = format!("/history/few/a?after={}", first["next"].as_str().unwrap());
    let rest = broker.get(&path);
    let lines = broker.request("GET", &path, &[("accept", "application/x-ndjson")], "");

    assert_eq!((first.get("lost"), &rest.json()["lost"]), (None, &json!("kept")));
    assert_eq!(numbers(&rest), [7, 8, 9]);
    assert!(lines.text().ends_with("{\"type\":\"lost\",\"lost\":\"kept\"}\n"), "{}", lines.text());
}

#[test]
fn an_expired_message_is_not_shown() {
    let broker = Broker::configured(KEEP);
    let mut device = Client::connect(&broker);
    device.send(&Packet::publish("site/a", "1", 0).and(value(json!({ "expiry": 1 }))));
    device.publish("site/a", "2");

    loop {
        let found = numbers(&broker.get("/history/site/a"));
        if found == [2] {
            break;
        }
        assert_eq!(found, [1, 2]);
    }
}

#[test]
fn a_wrong_value_is_refused_by_its_parameters_name() {
    let broker = Broker::configured(KEEP);
    for (query, name) in [
        ("last=0", "last"),
        ("last=many", "last"),
        ("since=yesterday", "since"),
        ("until=tomorrow", "until"),
        ("since=1m&until=2m", "until"),
        ("after=nothing", "after"),
        ("limit=0", "limit"),
        ("limit=100001", "limit"),
        ("limt=5", "limt"),
    ] {
        let detail = broker.get(&format!("/history/site/a?{query}")).problem(422);
        assert!(detail.contains(name), "{query}: {detail}");
    }
    broker.get("/history?filter=site/%23/x").problem(422);
    broker.get("/history?filter=site/+/x").problem(422);
    broker.request("POST", "/history/site/a", &[], "").problem(405);
    broker.request("GET", "/history/site/a", &[("accept", "application/json;q=0")], "").problem(406);
}
