//! `murre demo` as a newcomer meets it.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::BufRead,
    time::{Duration, Instant},
};

use support::Broker;

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
