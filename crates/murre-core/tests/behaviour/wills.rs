//! A will is published when a connection ends without a farewell.

use murre_core::testing::{Broker, Client, Lengths};
use murre_protocol::{
    Codec, Format,
    packet::{Connect, Will},
};

struct Scene {
    broker: Broker,
    watcher: Client,
    sub: u64,
}

impl Scene {
    fn new() -> Self {
        let broker = Broker::new(2, 1);
        let watcher = broker.connect("watcher");
        let sub = watcher.subscribe("status/#");
        Self { broker, watcher, sub }
    }

    fn device(&self, delay: u64) -> Client {
        let will = Will {
            topic: "status/boiler".into(),
            format: Format::Text,
            payload: b"lost".as_slice().into(),
            retain: true,
            delay,
        };
        let connect = Connect {
            client_id: Some("boiler".into()),
            keep_alive: Some(10),
            will: Some(will),
            ..Default::default()
        };
        self.broker.connect_with(1, Codec::MessagePack, connect)
    }

    fn seen(&self) -> Vec<String> {
        self.watcher.texts(self.sub)
    }
}

#[test]
fn a_broken_connection_publishes_the_will() {
    let scene = Scene::new();
    scene.device(0).break_off();
    assert_eq!(scene.seen(), ["lost"]);
}

#[test]
fn an_end_without_a_close_frame_publishes_the_will() {
    let scene = Scene::new();
    scene.device(0).end();
    assert_eq!(scene.seen(), ["lost"]);
}

#[test]
fn a_client_that_falls_silent_leaves_its_will() {
    let scene = Scene::new();
    let device = scene.device(0);
    scene.broker.run_for(16.secs());
    assert!(device.is_gone());
    assert_eq!(scene.seen(), ["lost"]);
}

#[test]
fn a_malformed_packet_leaves_the_will() {
    let scene = Scene::new();
    let device = scene.device(0);
    device.send_bytes(&[0xc1]);
    scene.broker.settle();
    assert_eq!(scene.seen(), ["lost"]);
}

#[test]
fn a_farewell_leaves_no_will() {
    let scene = Scene::new();
    scene.device(0).disconnect();
    scene.device(0).close(1000);
    scene.device(0).close(1001);
    assert_eq!(scene.seen(), [""; 0]);
}

#[test]
fn a_close_that_is_no_farewell_leaves_the_will() {
    let scene = Scene::new();
    scene.device(0).close(1011);
    assert_eq!(scene.seen(), ["lost"]);
}

#[test]
fn a_delayed_will_comes_after_its_delay() {
    let scene = Scene::new();
    scene.device(30).break_off();
    scene.broker.run_for(29.secs());
    assert_eq!(scene.seen(), [""; 0]);
    scene.broker.run_for(2.secs());
    assert_eq!(scene.seen(), ["lost"]);
}

#[test]
fn a_client_that_is_back_in_time_cancels_its_delayed_will() {
    let scene = Scene::new();
    scene.device(30).break_off();
    scene.broker.run_for(20.secs());
    let back = scene.device(30);
    back.disconnect();
    scene.broker.run_for(60.secs());
    assert_eq!(scene.seen(), [""; 0]);
}

#[test]
fn a_will_comes_behind_what_the_client_published_before_it_was_lost() {
    for seed in 0..50 {
        let broker = Broker::new(2, seed);
        let watcher = broker.connect("watcher");
        let sub = watcher.subscribe("status/#");
        let scene = Scene { broker, watcher, sub };
        let device = scene.device(0);
        device.publish_all([("status/boiler", "online")]);
        device.end();
        assert_eq!(scene.seen(), ["online", "lost"], "seed {seed}");
    }
}

#[test]
fn a_will_may_be_kept() {
    let scene = Scene::new();
    scene.device(0).break_off();
    let late = scene.broker.connect("late");
    let sub = late.subscribe("status/boiler");
    assert_eq!(late.texts(sub), ["lost"]);
}
