//! The `murre` command against a broker that `murre serve` runs.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;

/// A running `murre serve` or `murre demo`.
struct Broker {
    process: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
    _folder: tempfile::TempDir,
}

impl Broker {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::cargo_bin("murre").unwrap();
        command.args(args).args(["--bind", "127.0.0.1:0"]).current_dir(folder.path()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.split_once("http://").unwrap().1.split(['/', ' ', '\n']).next().unwrap();
        Self { process, stdout, url: format!("ws://{address}/ws"), _folder: folder }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("murre").unwrap();
        command.args(args).env("MURRE_BROKER", &self.url).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that has to end well; its lines.
    fn lines(&self, args: &[&str]) -> Vec<String> {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn objects(&self, args: &[&str]) -> Vec<Value> {
        self.lines(args).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Publishes `lines` as standard input.
    fn publish_lines(&self, args: &[&str], lines: &str) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Asks it to stop; its exit code.
    fn stop(mut self, signal: &str) -> Option<i32> {
        signal_to(&self.process, signal);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Has ended already where a test stopped it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn signal_to(process: &Child, signal: &str) {
    let kill = Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap();
    assert!(kill.success());
}

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

#[test]
fn the_demonstration_has_twenty_live_topics_soon_and_stops_at_ctrl_c() {
    let mut demo = Broker::start(&["demo"]);
    let mut next = String::new();
    demo.stdout.read_line(&mut next).unwrap();
    assert_eq!(next, "In another terminal:\n");
    let begin = Instant::now();
    while demo.lines(&["topics", "--json"]).len() < 20 {
        assert!(begin.elapsed() < Duration::from_secs(30), "too few topics");
    }
    assert!(demo.objects(&["sub", "host/#", "--json", "--count", "1"])[0]["payload"].is_object());
    assert_eq!(demo.stop("-INT"), Some(0));
}
