//! `murre export` and `murre import`: what was written comes back, and nothing half-done goes unsaid.

use std::collections::BTreeMap;
use std::path::Path;

use murre_tests::tools::{Ran, murre};
use murre_tests::{Broker, Client, Kind, Packet, json, value};
use serde_json::Value;
use tempfile::tempdir;

const KEEP: &str = "[[keep]]\nfilter = 'site/#'\ndurable = true\n";

/// Messages of every kind; all are on disk when this returns.
fn fill(broker: &Broker) {
    let mut device = Client::connect(broker);
    let publish = |topic: &str, format: u64, payload: &[u8], options: Value| {
        let payload = rmpv_binary(payload);
        Packet::new(Kind::Publish, [topic.into(), format.into(), payload, 7.into(), value(options)])
    };
    for n in 0..20 {
        device.publish(&format!("site/{}", n % 3), &n.to_string());
    }
    let all = json!({ "time": 1_700_000_000_000_u64, "reply_to": "reply/7", "correlation": null,
                      "properties": { "unit": "mm" }, "expiry": 86_400 });
    for packet in [
        publish("site/json", 2, br#"{"c": 21.4, "t": [1, null]}"#, json!({})),
        publish("site/msgpack", 1, b"\x81\xa1c\x15", json!({})),
        publish("site/raw", 0, b"\x00\xff\n", json!({})),
        publish("site/broken", 2, b"{", json!({})),
        publish("site/options", 3, "läuft\n".as_bytes(), all),
        publish("site/retained", 3, b"on", json!({ "retain": true })),
    ] {
        device.send(&packet);
        let answer = device.expect(Kind::Published);
        assert_eq!(answer.number(2), 0, "{answer:?}");
    }
}

fn rmpv_binary(bytes: &[u8]) -> murre_tests::packet::Element {
    murre_tests::packet::Element::Binary(bytes.to_vec())
}

/// Messages by topic, in order, without what is new in another broker.
fn by_topic(exported: &Ran, also_new: &[&str]) -> BTreeMap<String, Vec<Value>> {
    let mut topics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mut message in exported.objects() {
        let topic = message["topic"].as_str().expect("a topic").to_owned();
        let object = message.as_object_mut().expect("an object");
        for name in ["position"].iter().chain(also_new) {
            object.remove(*name);
        }
        if let Some(options) = object.get_mut("options").and_then(Value::as_object_mut) {
            // HTTP has messages without it
            options.remove("retain");
            also_new.iter().for_each(|name| _ = options.remove(*name));
            if options.is_empty() {
                object.remove("options");
            }
        }
        topics.entry(topic).or_default().push(message);
    }
    topics
}

fn save(folder: &Path, exported: &Ran) {
    assert_eq!(exported.code, 0, "{}", exported.said);
    std::fs::write(folder.join("all.ndjson"), &exported.out).expect("a file");
}

#[test]
fn what_is_exported_and_imported_into_a_new_store_is_exported_the_same() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let broker = Broker::with_store(folder.path(), KEEP);
    fill(&broker);
    let first = broker.murre(folder.path(), &["export"]);
    save(other.path(), &first);
    std::fs::write(other.path().join("murre.toml"), KEEP).unwrap();

    let import = murre(other.path(), &["import", "--data", "store", "all.ndjson"]);

    assert_eq!(
        (import.code, import.said.as_str()),
        (0, "murre: 26 messages were imported, the last from line 26\n")
    );
    let second = Broker::with_store(other.path(), KEEP).murre(other.path(), &["export"]);
    assert_eq!(by_topic(&second, &[]), by_topic(&first, &[]));
    assert_eq!(by_topic(&first, &[]).values().map(Vec::len).sum::<usize>(), 26);
}

#[test]
fn a_running_broker_takes_an_export_as_readings_that_were_taken_then() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let broker = Broker::with_store(folder.path(), KEEP);
    fill(&broker);
    let first = broker.murre(folder.path(), &["export"]);
    save(other.path(), &first);
    let target = Broker::with_store(other.path(), KEEP);

    let import = target.murre(other.path(), &["import", "all.ndjson"]);

    assert_eq!(import.code, 0, "{}", import.said);
    let second = target.murre(other.path(), &["export"]);
    let new = ["time", "expiry"];
    assert_eq!(by_topic(&second, &new), by_topic(&first, &new));
    let times = |exported: &Ran| -> BTreeMap<String, u64> {
        let time =
            |message: &Value| message["options"]["time"].as_u64().or(message["time"].as_u64()).unwrap();
        exported.objects().iter().map(|message| (message["topic"].to_string(), time(message))).collect()
    };
    assert_eq!(times(&second), times(&first));
}

#[test]
fn a_store_that_no_broker_has_is_exported_with_its_retained_values() {
    let folder = tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP);
    fill(&broker);
    let mut device = Client::connect(&broker);
    device.send(&Packet::publish("loose/a", "kept", 1).and(value(json!({ "retain": true }))));
    device.expect(Kind::Published);
    let online = broker.murre(folder.path(), &["export"]);
    let in_use = murre(folder.path(), &["export", "--data", "store"]);
    broker.terminate();
    assert!(broker.wait().success());

    let offline = murre(folder.path(), &["export", "--data", "store"]);

    assert!(in_use.code == 2 && in_use.said.contains("in use"), "{in_use:?}");
    let mut topics = by_topic(&offline, &[]);
    let loose = topics.remove("loose/a").expect("the retained value of a topic without a rule");
    assert_eq!((topics, &loose[0]["payload"]), (by_topic(&online, &[]), &json!("kept")));
    let only = murre(folder.path(), &["export", "--data", "store", "site/+", "--until", "1h"]);
    assert_eq!((only.code, only.out.as_str()), (0, ""));
}

#[test]
fn an_export_follows_the_cursor_to_the_end() {
    let folder = tempdir().unwrap();
    let broker = Broker::configured("[[keep]]\nfilter = 'site/#'\n");
    let mut device = Client::connect(&broker);
    const MESSAGES: usize = 10_050;
    let packets: Vec<Packet> =
        (0..MESSAGES).map(|n| Packet::publish(["site/a", "site/b"][n % 2], n.to_string(), 0)).collect();
    packets.chunks(1_000).for_each(|chunk| device.send_all(chunk));
    device.publish("ends/here", "");

    let exported = broker.murre(folder.path(), &["export", "site/+", "--since", "1h", "--limit", "1000"]);

    assert_eq!(exported.code, 0, "{}", exported.said);
    assert_eq!(exported.out.lines().count(), MESSAGES);
    assert!(exported.out.lines().all(|line| line.starts_with("{\"type\":\"message\"")));
}

#[test]
fn a_line_that_cannot_be_used_is_named_with_what_was_imported_before() {
    let folder = tempdir().unwrap();
    let line = |n: u64, topic: &str| {
        format!("{{\"type\":\"message\",\"topic\":\"{topic}\",\"payload\":{n},\"time\":1700000000000}}\n")
    };
    let good = line(1, "site/a") + &line(2, "site/a");
    let broker = Broker::configured("[[keep]]\nfilter = 'site/#'\n");
    for (bad, why) in [
        ("{\"type\":\"message\"".to_owned(), "line 3: it is not JSON"),
        (line(3, "site/+"), "line 3: the topic \"site/+\""),
        ("{\"type\":\"next\",\"after\":\"AQ\"}\n".to_owned(), "line 3: it says that there is more"),
        (
            "{\"type\":\"message\",\"topic\":\"site/a\",\"payload\":1}\n".to_owned(),
            "line 3: MESSAGE.time: is missing",
        ),
    ] {
        std::fs::write(folder.path().join("bad.ndjson"), good.clone() + &bad + &line(4, "site/a")).unwrap();
        let online = broker.murre(folder.path(), &["import", "bad.ndjson"]);
        let offline = murre(folder.path(), &["import", "--data", "store", "bad.ndjson"]);
        for ran in [online, offline] {
            assert_eq!(ran.code, 1, "{ran:?}");
            assert!(ran.said.contains("bad.ndjson, ") && ran.said.contains(why), "{}", ran.said);
            assert!(ran.said.contains("2 messages were imported, the last from line 2"), "{}", ran.said);
        }
        std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    }
    assert_eq!(broker.murre(folder.path(), &["export"]).out.lines().count(), 8);
}

#[test]
fn what_has_expired_is_left_out_and_counted() {
    let folder = tempdir().unwrap();
    let line = "{\"type\":\"message\",\"topic\":\"site/a\",\"payload\":1,\"time\":1700000000000,\"options\":{\"expiry\":60}}\n";
    std::fs::write(folder.path().join("old.ndjson"), line).unwrap();
    let broker = Broker::configured("[[keep]]\nfilter = 'site/#'\n");

    let import = broker.murre(folder.path(), &["import", "old.ndjson"]);

    assert_eq!(
        (import.code, import.said.as_str()),
        (0, "murre: 0 messages were imported, 1 had expired and were left out\n")
    );
    assert_eq!(broker.murre(folder.path(), &["export"]).out, "");
}

#[test]
fn an_import_makes_a_store_only_where_there_is_none() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("none.ndjson"), "").unwrap();

    let first = murre(folder.path(), &["import", "--data", "store", "none.ndjson"]);
    let second = murre(folder.path(), &["import", "--data", "store", "none.ndjson"]);

    assert_eq!((first.code, second.code), (0, 2));
    assert!(second.said.contains("has a store already"), "{}", second.said);
}
