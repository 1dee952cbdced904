//! What was acknowledged as durable is there after `kill -9`, in order, and with `sequence` once. A session that is kept
//! misses nothing, and neither does who resumes by positions.
//!
//! `MURRE_ROUNDS=500` kills more often than usual.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use murre_tests::{Broker, Client, Kind, Message, Packet, json, value};

const KEEP_ALL: &str = "[[keep]]\nfilter = 'load/#'\ndurable = true\n";
const PUBLISHERS: u64 = 6;
/// Publishes of one publisher that wait for their answers.
const UNDER_WAY: u64 = 16;

fn rounds() -> u64 {
    std::env::var("MURRE_ROUNDS").map_or(50, |text| text.parse().unwrap())
}

/// A device: numbers its readings, and goes on behind the last one that was acknowledged.
struct Device {
    id: u64,
    acknowledged: u64,
}

impl Device {
    /// Publishes until the broker is gone.
    fn publish(mut self, mut client: Client, all: Arc<AtomicU64>) -> JoinHandle<Self> {
        thread::spawn(move || {
            let mut sent = self.acknowledged;
            // answers of different shards may come in any order: only an unbroken run counts
            let mut early = BTreeSet::new();
            loop {
                let mut packets = Vec::new();
                while sent < self.acknowledged + UNDER_WAY {
                    sent += 1;
                    let topic = format!("load/{}/{}", self.id, sent % 3);
                    let options = value(json!({ "sequence": sent }));
                    packets.push(Packet::publish(&topic, sent.to_string(), sent).and(options));
                }
                if !packets.is_empty() && !client.try_send_all(&packets) {
                    return self;
                }
                let Some(answer) = client.packet_or_end() else { return self };
                assert!(answer.is(Kind::Published) && answer.number(2) == 0, "{answer:?}");
                early.insert(answer.number(1));
                while early.remove(&(self.acknowledged + 1)) {
                    self.acknowledged += 1;
                    all.fetch_add(1, SeqCst);
                }
            }
        })
    }
}

/// A subscriber whose session is kept: what it has seen of each topic.
#[derive(Default)]
struct Watcher {
    seen: HashMap<String, BTreeSet<u64>>,
}

impl Watcher {
    /// Connects, subscribes where its session is new, and reads and acknowledges until the broker is gone, or until
    /// `enough`.
    fn watch(mut self, broker: &Broker, enough: impl Fn(&Self) -> bool + Send + 'static) -> JoinHandle<Self> {
        let mut client = Client::open(broker);
        client.send(&Packet::connect(json!({ "client_id": "watcher", "session_expiry": 600 })));
        let connected = client.expect(Kind::Connected);
        if connected.info("session_present").as_bool() == Some(false) {
            assert!(self.seen.is_empty(), "the session was lost");
            client.subscribe_with(1, "load/#", json!({ "from": "live", "ack": true }));
        }
        thread::spawn(move || {
            let mut last: HashMap<String, u64> = HashMap::new();
            while !enough(&self) {
                let Some(packet) = client.packet_or_end() else { break };
                if !packet.is(Kind::Message) {
                    continue;
                }
                let message = Message::from_packet(packet);
                let number = message.text().parse().unwrap();
                let before = last.insert(message.topic.clone(), number);
                assert!(before < Some(number), "{}: {number} after {before:?}", message.topic);
                let ack = Packet::new(Kind::Ack, [value(json!(1)), value(json!(message.position))]);
                self.seen.entry(message.topic).or_default().insert(number);
                if !client.try_send_all(&[ack]) {
                    break;
                }
            }
            self
        })
    }

    /// Whether it has seen every reading that the devices know to be taken.
    fn has_all_of(&self, acknowledged: &[u64]) -> bool {
        let has = |device: usize, number: u64| {
            let topic = format!("load/{device}/{}", number % 3);
            self.seen.get(&topic).is_some_and(|seen| seen.contains(&number))
        };
        acknowledged.iter().enumerate().all(|(device, last)| (1..=*last).all(|number| has(device, number)))
    }
}

/// A subscriber that goes on where it stood.
#[derive(Default)]
struct Resumer {
    /// Where it stands, once it has caught up.
    stands: Vec<u64>,
    /// By position.
    got: BTreeMap<u64, String>,
}

impl Resumer {
    /// Subscribes, and takes what comes until the broker is gone or, if `only_history`, until it has caught up.
    fn watch(mut self, broker: &Broker, only_history: bool) -> JoinHandle<Self> {
        let mut client = Client::open(broker);
        client.send(&Packet::connect(json!({})));
        let epoch = client.expect(Kind::Connected).info("epoch").as_str().unwrap().to_owned();
        let from = match self.stands.as_slice() {
            [] => json!({ "since": 0 }),
            stands => json!({ "after": stands, "epoch": epoch }),
        };
        let answer = client.try_subscribe(1, "load/#", json!({ "from": from }));
        // in doubt only where the journal ends in the midst of a write
        assert!([None, Some("crash")].contains(&answer.info("lost").as_str()), "{answer:?}");
        thread::spawn(move || {
            let mut newest: HashMap<u64, u64> = HashMap::new();
            let mut has_caught_up = false;
            while let Some(packet) = client.packet_or_end() {
                if packet.is(Kind::CaughtUp) {
                    (self.stands, has_caught_up) = (packet.positions(), true);
                    if only_history {
                        break;
                    }
                    continue;
                }
                let message = Message::from_packet(packet);
                let before = newest.insert(message.position & 0xff, message.position);
                assert!(before < Some(message.position), "{} after {before:?}", message.position);
                self.got.insert(message.position, message.text().to_owned());
            }
            if has_caught_up {
                for stands in &mut self.stands {
                    let newest = newest.get(&(*stands & 0xff)).copied();
                    *stands = newest.map_or(*stands, |newest| newest.max(*stands));
                }
            }
            self
        })
    }

    /// It has got all of these.
    fn check(&self, messages: &[Message]) {
        let has =
            |message: &Message| self.got.get(&message.position).is_some_and(|text| text == message.text());
        let missed = messages.iter().filter(|message| !has(message)).count();
        assert_eq!(missed, 0, "messages that it missed, of {}", messages.len());
    }
}

/// Everything that the log has.
fn history(broker: &Broker) -> Vec<Message> {
    Client::connect(broker).subscribe_with(1, "load/#", json!({ "from": { "since": 0 } }))
}

/// Every acknowledged reading is there, in the order of each topic, once.
fn check(messages: &[Message], devices: &[Device], round: u64) {
    let mut newest: HashMap<&str, u64> = HashMap::new();
    let mut counts: HashMap<u64, Vec<u64>> = HashMap::new();
    for message in messages {
        let number: u64 = message.text().parse().unwrap();
        let before = newest.insert(&message.topic, number);
        assert!(before < Some(number), "round {round}: {} after {before:?}", message.topic);
        let device = message.topic.split('/').nth(1).unwrap().parse().unwrap();
        counts.entry(device).or_default().push(number);
    }
    for device in devices {
        let mut numbers = counts.remove(&device.id).unwrap_or_default();
        numbers.sort_unstable();
        let wanted: Vec<u64> = (1..=device.acknowledged).collect();
        assert!(
            numbers.starts_with(&wanted),
            "round {round}: device {} lacks acknowledged readings",
            device.id
        );
        assert!(
            numbers.windows(2).all(|pair| pair[0] < pair[1]),
            "round {round}: device {} came twice",
            device.id
        );
    }
}

#[test]
fn who_resumes_after_a_kill_9_is_told_that_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let mut client = Client::connect(&broker);
    client.try_subscribe(1, "load/#", json!({ "from": "live" }));
    let positions = client.expect(Kind::CaughtUp).positions();
    Client::connect(&broker).publish("load/a", "1");
    broker.kill();

    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let mut client = Client::open(&broker);
    client.send(&Packet::connect(json!({})));
    let epoch = client.expect(Kind::Connected).info("epoch").as_str().unwrap().to_owned();
    let from = json!({ "after": positions, "epoch": epoch });
    let durable = client.try_subscribe(1, "load/#", json!({ "from": from }));
    assert_eq!(durable.info("recovered").as_bool(), Some(true), "{durable:?}");
    assert_eq!(client.message().text(), "1");
    let loose = client.try_subscribe(2, "#", json!({ "from": from }));
    assert_eq!(loose.info("lost").as_str(), Some("crash"), "{loose:?}");
}

#[test]
fn acknowledged_readings_are_there_in_order_and_once_however_often_the_broker_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut devices: Vec<Device> = (0..PUBLISHERS).map(|id| Device { id, acknowledged: 0 }).collect();
    let mut positions: HashMap<u64, u64> = HashMap::new();
    let mut watcher = Watcher::default();
    let mut resumer = Resumer::default();
    for round in 0..rounds() {
        let broker = Broker::with_store(folder.path(), KEEP_ALL);
        let messages = history(&broker);
        check(&messages, &devices, round);
        let watching = watcher.watch(&broker, |_| false);
        let resuming = resumer.watch(&broker, false);
        let all = Arc::new(AtomicU64::new(0));
        let working: Vec<_> = devices
            .drain(..)
            .map(|device| {
                let client = Client::connect_as(&broker, &format!("device-{}", device.id));
                device.publish(client, all.clone())
            })
            .collect();
        let enough = 50 + (round * 37) % 200;
        while all.load(SeqCst) < enough && working.iter().all(|device| !device.is_finished()) {
            thread::yield_now();
        }
        positions_never_go_back(&broker, &mut positions);
        broker.kill();
        devices = working.into_iter().map(|device| device.join().unwrap()).collect();
        watcher = watching.join().unwrap();
        resumer = resuming.join().unwrap();
    }
    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let messages = history(&broker);
    check(&messages, &devices, rounds());
    resumer.watch(&broker, true).join().unwrap().check(&messages);
    let acknowledged: Vec<u64> = devices.iter().map(|device| device.acknowledged).collect();
    assert!(acknowledged.iter().sum::<u64>() >= rounds() * 50);
    // waits for what is missing, or fails when it doesn't come
    watcher.watch(&broker, move |watcher| watcher.has_all_of(&acknowledged)).join().unwrap();
}

fn positions_never_go_back(broker: &Broker, newest: &mut HashMap<u64, u64>) {
    for shard in 0..4 {
        let position = Client::connect(broker).publish(&format!("other/{shard}"), "x");
        let before = newest.insert(position & 0xff, position);
        assert!(before < Some(position), "{position} came after {before:?}");
    }
}

#[test]
fn a_store_that_another_broker_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _holder = Broker::with_store(folder.path(), KEEP_ALL);
    let mut second = murre_tests::broker::command(&["serve", "--bind", "127.0.0.1:0", "--data", "store"]);
    let output = murre_tests::broker::output(second.current_dir(folder.path()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("in use by another process"), "{said}");
}
