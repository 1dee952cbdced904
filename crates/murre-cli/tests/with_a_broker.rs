//! The `murre` command against a broker that `murre serve` runs.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;

use support::{Broker, link::Link, signal_to};

#[test]
fn what_was_published_is_there_for_those_who_come_later() {
    let broker = Broker::start(&["serve"]);
    broker.lines(&["pub", "site/a/temp", "{\"celsius\": 21.40}"]);
    let seen = &broker.objects(&["sub", "site/#", "--json", "--count", "1"])[0];
    assert_eq!(seen["topic"], "site/a/temp");
    assert_eq!(seen["payload"]["celsius"], 21.4);
    assert_eq!(seen["retained"], true);
    assert!(seen["time"].as_u64().unwrap() > 1_600_000_000_000 && seen["position"].as_u64().unwrap() > 0);
}

#[test]
fn every_format_arrives_as_it_was_sent() {
    let broker = Broker::start(&["serve"]);
    broker.lines(&["pub", "f/json", "[1, 2]"]);
    broker.lines(&["pub", "f/msgpack", "--format", "msgpack", "{\"a\": [1, null]}"]);
    broker.lines(&["pub", "f/text", "--format", "text", "grüß dich"]);
    broker.lines(&["pub", "f/raw", "--format", "raw", "ab"]);
    let seen = broker.objects(&["topics", "f/#", "--json"]);
    let payloads: Vec<&Value> =
        seen.iter().map(|line| line.get("payload").unwrap_or(&line["payload_base64"])).collect();
    let expected =
        [serde_json::json!([1, 2]), serde_json::json!({"a": [1, null]}), "YWI=".into(), "grüß dich".into()];
    assert_eq!(payloads, expected.iter().collect::<Vec<_>>());
}

#[test]
fn lines_of_standard_input_arrive_in_order() {
    let broker = Broker::start(&["serve"]);
    broker.lines(&["pub", "n", "0"]);
    let mut listener = broker.command(&["sub", "n", "--json", "--count", "500", "--timeout", "30s"]);
    let mut listener = listener.stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = BufReader::new(listener.stdout.take().unwrap()).lines();
    // The value from before shows that the listener is there.
    assert!(seen.next().unwrap().unwrap().contains("\"payload\":0"));
    let numbers: Vec<String> = (1..500).map(|number| number.to_string()).collect();
    assert!(broker.publish_lines(&["pub", "n"], &numbers.join("\n")).status.success());
    let payloads: Vec<u64> = seen
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["payload"].as_u64().unwrap())
        .collect();
    assert_eq!(payloads, (1..500).collect::<Vec<_>>());
    assert_eq!(listener.wait().unwrap().code(), Some(0));
}

const KEEP_TEN: &str = "[[keep]]\nfilter = 'n/#'\nlast = 10\n[limits]\nhistory_last_max = 7\n";

/// A broker that keeps 10 messages of each topic and gives 7 at most, and got 1 to `count` on `n`.
fn broker_with_numbers(count: u64) -> Broker {
    let broker = Broker::configured(KEEP_TEN, &["serve"]);
    let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    assert!(broker.publish_lines(&["pub", "n"], &numbers.join("\n")).status.success());
    broker
}

fn payloads(objects: &[Value]) -> Vec<u64> {
    objects.iter().map(|object| object["payload"].as_u64().unwrap()).collect()
}

#[test]
fn a_listener_begins_with_as_much_history_as_it_asks_for() {
    let broker = broker_with_numbers(12);
    let seen = |start: &[&str], count| {
        payloads(&broker.objects(&[&["sub", "n", "--json", "--count", count], start].concat()))
    };
    assert_eq!(seen(&[], "1"), [12]);
    assert_eq!(seen(&["--last", "3"], "3"), [10, 11, 12]);
    assert_eq!(seen(&["--since", "1h"], "10"), (3..=12).collect::<Vec<_>>());
    assert_eq!(seen(&["--since", "2001-01-31T06:00:00Z"], "10"), (3..=12).collect::<Vec<_>>());
    assert_eq!(seen(&["--from-beginning"], "10"), (3..=12).collect::<Vec<_>>());
}

#[test]
fn a_listener_who_wants_nothing_from_before_gets_nothing() {
    let broker = broker_with_numbers(1);
    let output = broker.run(&["sub", "n", "--live", "--count", "1", "--timeout", "200ms"]);
    assert_eq!(output.status.code(), Some(124));
}

#[test]
fn a_listener_is_told_where_the_broker_gives_less_history() {
    let broker = broker_with_numbers(12);
    let output = broker.run(&["sub", "n", "--last", "50", "--json", "--count", "7"]);
    let told = "murre: the broker gives the last 7 messages of each topic, not 50\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), told);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 7);
}

// More threads than one, as the test waits for processes while its link carries bytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_goes_on_where_it_was_when_the_broker_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("murre.toml"), "[[keep]]\nfilter = 'n'\ndurable = true\n").unwrap();
    let link = Link::new().await;
    let start = || {
        let broker = Broker::start_in(folder.path(), &["serve", "--data", "store"]);
        link.lead_to(broker.address());
        broker
    };
    let broker = start();
    broker.publish_lines(&["pub", "n"], "1\n2\n3");
    let mut listener = broker.command(&["sub", "n", "--from-beginning", "--json", "--count", "6"]);
    let listener = listener.env("MURRE_BROKER", link.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut listener = listener.spawn().unwrap();
    let mut seen = BufReader::new(listener.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["payload"].as_u64().unwrap());
    assert_eq!(seen.by_ref().take(3).collect::<Vec<_>>(), [1, 2, 3]);
    broker.kill();

    let broker = start();
    broker.publish_lines(&["pub", "n"], "4\n5\n6");

    assert_eq!(seen.collect::<Vec<_>>(), [4, 5, 6]);
    let said = String::from_utf8(listener.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("the connection is back"), "{said}");
    // all of it is durable, and so is what was seen
    assert!(!said.contains("missing"), "{said}");
}

#[test]
fn a_listener_sees_what_its_view_lets_through() {
    let broker = broker_with_numbers(10);
    let seen = |view: &[&str], count| {
        broker.objects(&[&["sub", "n", "--json", "--from-beginning", "--count", count], view].concat())
    };
    assert_eq!(payloads(&seen(&["--where", "payload % 2 == 0"], "4")), [2, 4, 6, 8]);
    assert_eq!(payloads(&seen(&["--deadband", "=3"], "3")), [1, 4, 7]);
    let window = &seen(&["--window", "1s::max,count"], "1")[0]["payload"];
    assert!(window["value"]["max"].as_f64().unwrap() <= 10.0 && window["count"].as_u64().unwrap() <= 10);
}

#[test]
fn a_listener_who_gets_patches_prints_whole_values() {
    let broker = Broker::configured("[[keep]]\nfilter = 'n'\n", &["serve"]);
    let values =
        [r#"{"celsius":21.4,"unit":"C"}"#, r#"{"celsius":21.50,"unit":"C"}"#, r#"{"celsius":21.50}"#];
    for format in ["json", "msgpack"] {
        assert!(broker.publish_lines(&["pub", "n", "--format", format], &values.join("\n")).status.success());
        let seen = broker.objects(&["sub", "n", "--patch", "--last", "3", "--json", "--count", "3"]);
        let payloads: Vec<_> = seen.iter().map(|line| line["payload"].clone()).collect();
        assert_eq!(payloads, values.map(|value| serde_json::from_str::<Value>(value).unwrap()));
        assert!(seen.iter().all(|line| line["format"] == format));
    }
}

#[test]
fn a_listener_sees_how_old_a_value_is_and_that_its_topic_fell_silent() {
    let broker = Broker::start(&["serve"]);
    broker.lines(&["pub", "n", "1"]);
    let lines = broker.lines(&["sub", "n", "--expect", "1s", "--count", "2"]);
    assert!(lines[0].contains(" n  1"), "{lines:?}");
    assert!(lines[1].contains(" n  stale: silent for "), "{lines:?}");
    // at least as old by now as the silence that was told
    let line = &broker.lines(&["sub", "n", "--count", "1"])[0];
    assert!(line.contains(" n  1  (") && line.ends_with("s old)"), "{line}");
    assert!(broker.objects(&["sub", "n", "--json", "--count", "1"])[0]["age"].as_u64() >= Some(1000));
}

#[test]
fn a_condition_that_can_t_be_read_is_refused_with_its_place() {
    let broker = Broker::start(&["serve"]);
    let output = broker.run(&["sub", "n", "--where", "payload >"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("SUBSCRIBE.options.where: line 1, column 10"), "{told}");
}

#[test]
fn an_empty_retained_payload_deletes_the_value() {
    let broker = Broker::start(&["serve"]);
    broker.lines(&["pub", "a/state", "--retain", "\"on\""]);
    assert_eq!(broker.lines(&["topics", "a/#", "--json"]).len(), 1);
    broker.lines(&["pub", "a/state", "--retain", ""]);
    assert_eq!(broker.lines(&["topics", "a/#"]), ["no topics"]);
}

#[test]
fn too_few_messages_in_time_is_exit_code_124() {
    let broker = Broker::start(&["serve"]);
    let output = broker.run(&["sub", "quiet", "--count", "1", "--timeout", "50ms"]);
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "murre: 0 of 1 messages came within 50ms\n");
    assert_eq!(broker.run(&["sub", "quiet", "--timeout", "50ms"]).status.code(), Some(0));
}

#[test]
fn what_the_broker_refuses_is_exit_code_4() {
    let broker = Broker::start(&["serve"]);
    assert_eq!(broker.run(&["pub", "$murre/x", "1"]).status.code(), Some(4));
}

#[test]
fn a_wrong_line_of_standard_input_is_named() {
    let broker = Broker::start(&["serve"]);
    let output = broker.publish_lines(&["pub", "a"], "1\n{x\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("standard input, line 2: the payload '{x' is not JSON")
    );
}

#[test]
fn a_reader_of_messages_that_goes_away_ends_the_command_quietly() {
    let broker = Broker::start(&["serve"]);
    broker.lines(&["pub", "a", "1"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = broker.command(&["sub", "a"]);
    let output = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn the_benches_measure_and_leave_nothing_behind() {
    let broker = Broker::start(&["serve"]);
    let load = &broker.objects(&[
        "bench",
        "--duration",
        "300ms",
        "--publishers",
        "2",
        "--subscribers",
        "3",
        "--json",
    ])[0];
    assert!(load["published"].as_u64().unwrap() > 0);
    assert_eq!(load["delivered"].as_u64().unwrap(), 3 * load["published"].as_u64().unwrap());
    assert_eq!(load["lost"], 0);
    let ways = &broker.objects(&["bench", "http-vs-ws", "--count", "20", "--json"])[0]["ways"];
    assert_eq!((ways[0]["connections"].as_u64(), ways[2]["connections"].as_u64()), (Some(1), Some(20)));
    assert!(ways[0]["sent_bytes"].as_f64().unwrap() < ways[1]["sent_bytes"].as_f64().unwrap() * 2.0);
    assert_eq!(broker.lines(&["topics", "bench/#"]), ["no topics"]);
}

#[test]
fn the_bench_of_catching_up_counts_what_the_broker_kept() {
    let broker = Broker::configured("[[keep]]\nfilter = \"bench/#\"\n", &["serve"]);
    let bench = ["bench", "catch-up", "--count", "500", "--topics", "7", "--subscribers", "2", "--json"];
    let caught_up = &broker.objects(&bench)[0];
    assert_eq!((caught_up["published"].as_u64(), caught_up["caught_up"].as_u64()), (Some(500), Some(1000)));
    assert_eq!(broker.lines(&["topics", "bench/#"]), ["no topics"]);
}

#[test]
fn a_broker_that_keeps_too_little_to_catch_up_with_is_told_what_it_lacks() {
    let broker = Broker::start(&["serve"]);
    let output = broker.command(&["bench", "catch-up", "--count", "50", "--topics", "2"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("[[keep]]"), "{said}");
}

#[test]
fn a_signal_ends_the_broker_with_exit_code_0() {
    assert_eq!(Broker::start(&["serve"]).stop("-TERM"), Some(0));
    assert_eq!(Broker::start(&["serve"]).stop("-INT"), Some(0));
}

#[test]
fn the_folder_of_the_store_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("murre").unwrap();
    command
        .args(["serve", "--bind", "127.0.0.1:0", "--data", "d"])
        .current_dir(folder.path())
        .stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said = lines.by_ref().any(|line| line.contains("the store is in d"));
    signal_to(&process, "-TERM");
    process.wait().unwrap();
    assert!(said);
}
