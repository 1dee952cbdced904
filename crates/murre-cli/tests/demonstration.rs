//! `murre demo` as a newcomer meets it.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::BufRead,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use support::Broker;

fn next_line(demo: &mut Broker) -> String {
    let mut line = String::new();
    demo.stdout.read_line(&mut line).unwrap();
    line
}

fn demo_in(folder: &Path) -> Broker {
    let mut demo = Broker::start_in(folder, &["demo"]);
    assert!(next_line(&mut demo).contains("kept in ./murre-demo"));
    demo
}

/// The first readings of this computer's processors, without their age, which grows.
fn first_readings(demo: &Broker) -> Vec<Value> {
    let mut readings = demo.objects(&["sub", "host/+/cpu", "--from-beginning", "--json", "--count", "3"]);
    for reading in &mut readings {
        reading.as_object_mut().unwrap().remove("age");
    }
    readings
}

#[test]
fn the_demonstration_has_twenty_live_topics_soon_and_stops_at_ctrl_c() {
    let mut demo = Broker::start(&["demo", "--memory"]);
    assert!(next_line(&mut demo).contains("in memory"));
    // The console has a dashboard to name, the plain page has none.
    let more = next_line(&mut demo) + &next_line(&mut demo);
    assert!(more.contains("In another terminal:\n"), "{more}");
    let begin = Instant::now();
    while demo.lines(&["topics", "--json"]).len() < 20 {
        assert!(begin.elapsed() < Duration::from_secs(30), "too few topics");
    }
    assert!(demo.objects(&["sub", "host/#", "--json", "--count", "1"])[0]["payload"].is_object());
    assert_eq!(demo.stop("-INT"), Some(0));
}

#[test]
fn whoever_kills_the_demonstration_finds_its_history_in_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo_in(folder.path());
    let numbers: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    assert!(demo.publish_lines(&["pub", "site/a/count"], &numbers.join("\n")).status.success());
    let readings = first_readings(&demo);
    // A retained value is acknowledged when it is written, and so is what came before it.
    demo.lines(&["pub", "site/a/state", "--retain", "1"]);
    demo.kill();

    let demo = demo_in(folder.path());
    let last = demo.objects(&["sub", "site/a/count", "--last", "10", "--json", "--count", "10"]);
    assert_eq!(
        last.iter().map(|line| line["payload"].as_u64().unwrap()).collect::<Vec<_>>(),
        (11..=20).collect::<Vec<_>>()
    );
    assert_eq!(first_readings(&demo), readings);
}

#[test]
fn a_second_demonstration_in_the_same_folder_keeps_its_readings_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let _first = demo_in(folder.path());
    let mut second = Broker::start_in(folder.path(), &["demo"]);
    assert!(next_line(&mut second).contains("in use by another broker"));
    assert_eq!(second.stop("-TERM"), Some(0));
}

#[test]
fn a_demonstration_in_memory_leaves_nothing_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Broker::start_in(folder.path(), &["demo", "--memory"]);
    assert!(next_line(&mut demo).contains("gone at the end"));
    assert_eq!(demo.stop("-TERM"), Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
