//! Machines whose vibration is measured 100 times a second, and phones that read 10 KiB a second. With a view a phone
//! has current values all the time and misses nothing; without one it is left behind, and told so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use murre_tests::packet::Element;
use murre_tests::{Broker, Client, DEADLINE, Kind, Message, Packet, Phone, binary, json, value};
use rustix::process::{Pid, Signal, kill_process};

const MACHINES: usize = 20;
/// How often the phone without a view shows all of it: the system may hold 4 MB for a socket, and the broker is to be
/// full within seconds.
const PLOTS: u64 = 20;
/// Readings of all machines after which that phone must be far behind: 10 MB for all its plots.
const MUCH: usize = 8_000;
const VIBRATION: &str = "machine/+/vibration";
const SECOND_MS: u64 = 1000;
/// What no machine shakes with: the last reading of each has it.
const LAST_G: f64 = 99.0;

/// The simulator `vibration-monitor`.
struct Machines(Child);

impl Machines {
    fn start(program: &Path, broker: &Broker) -> Self {
        let mut command = Command::new(program);
        command.args(["--devices", &MACHINES.to_string(), "--broker", &broker.ws()]).stdin(Stdio::null());
        Self(command.spawn().expect("the simulator starts"))
    }

    /// Ends them as Ctrl-C does; what they have measured is sent. Then each has a last reading.
    fn stop(mut self, broker: &Broker) {
        kill_process(Pid::from_child(&self.0), Signal::INT).expect("the simulator runs");
        assert!(self.0.wait().expect("it can be waited for").success());
        let mut client = Client::connect(broker);
        for (id, kept) in (1..).zip(client.subscribe(1, VIBRATION)) {
            let mut last = Vec::new();
            let reading = value(json!({ "x": 0.0, "y": 0.0, "z": LAST_G }));
            rmpv::encode::write_value(&mut last, &reading).expect("a vector takes all");
            let elements = [kept.topic.into(), 1.into(), Element::Binary(last), id.into()];
            client.send(&Packet::new(Kind::Publish, elements));
            assert_eq!(client.wait_for(Kind::Published).number(2), 0);
        }
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        // Has ended already where the test came so far.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What came on a subscription.
#[derive(Default)]
struct Seen {
    by_topic: BTreeMap<String, Vec<Message>>,
    notices: Vec<Packet>,
    /// The machines whose last reading came.
    ended: BTreeSet<String>,
}

impl Seen {
    fn take(&mut self, packet: Packet, is_last: impl Fn(&serde_json::Value) -> bool) {
        if packet.is(Kind::Notice) {
            return self.notices.push(packet);
        }
        let message = Message::from_packet(packet);
        if is_last(&message.json()) {
            self.ended.insert(message.topic.clone());
        }
        self.by_topic.entry(message.topic.clone()).or_default().push(message);
    }

    fn count(&self) -> usize {
        self.by_topic.values().map(Vec::len).sum()
    }

    fn is_over(&self) -> bool {
        self.ended.len() == MACHINES
    }
}

fn is_last(reading: &serde_json::Value) -> bool {
    reading["z"] == LAST_G
}

fn has_the_last(window: &serde_json::Value) -> bool {
    window["z"]["max"] == LAST_G
}

/// Follows all machines until each has had its last reading.
fn follow(mut phone: Phone, is_last: fn(&serde_json::Value) -> bool) -> JoinHandle<Seen> {
    thread::spawn(move || {
        let mut seen = Seen::default();
        while !seen.is_over() {
            seen.take(phone.packet(), is_last);
        }
        seen
    })
}

/// The same until it is also told that it missed something; from when `has_signal` says so, over a good link.
fn follow_until_told(mut phone: Phone, has_signal: Arc<AtomicBool>) -> JoinHandle<Seen> {
    thread::spawn(move || {
        let mut seen = Seen::default();
        while !seen.is_over() || seen.notices.is_empty() {
            if has_signal.load(Ordering::Relaxed) {
                phone.leave_the_slow_link();
            }
            seen.take(phone.packet(), is_last);
        }
        seen
    })
}

/// Follows over a good link; tells when much came.
fn observe(mut client: Client) -> (JoinHandle<Seen>, mpsc::Receiver<()>) {
    let (much, much_came) = mpsc::sync_channel(1);
    let observing = thread::spawn(move || {
        let mut seen = Seen::default();
        while !seen.is_over() {
            seen.take(client.packet(), is_last);
            if seen.count() == MUCH {
                much.send(()).expect("the test waits for it");
            }
        }
        seen
    });
    (observing, much_came)
}

fn phone(broker: &Broker, view: &serde_json::Value, plots: u64) -> Phone {
    let mut phone = Phone::connect(broker);
    (1..=plots).for_each(|sub| phone.subscribe_live(sub, VIBRATION, view.clone()));
    phone
}

/// From each to the next, in milliseconds by the broker.
fn steps(messages: &[Message]) -> impl Iterator<Item = u64> {
    messages.windows(2).map(|pair| pair[1].time - pair[0].time)
}

/// Each value is a measured one, the last is there, and from one to the next it takes a period, or as long as the
/// machine itself was silent.
fn assert_current(seen: &[Message], measured: &[Message]) {
    let silence = steps(measured).max().unwrap_or(0);
    assert!(
        steps(seen).all(|step| step <= SECOND_MS + 2 * silence),
        "with silences of {silence} ms: {seen:?}"
    );
    let is_measured = |seen: &Message| {
        measured.iter().any(|message| message.time == seen.time && message.payload == seen.payload)
    };
    assert!(seen.iter().all(is_measured), "{seen:?}");
    assert_eq!(seen.last().map(Message::json), measured.last().map(Message::json));
}

/// The windows follow each other, none comes twice, and together they count all that was measured.
fn assert_complete(windows: &[Message], measured: &[Message]) {
    let silence = steps(measured).max().unwrap_or(0);
    let rises = |step: u64| step > 0 && step <= 2 * SECOND_MS + silence;
    assert!(steps(windows).all(rises), "with silences of {silence} ms: {windows:?}");
    let count: u64 = windows.iter().filter_map(|window| window.json()["count"].as_u64()).sum();
    assert_eq!(count, measured.len() as u64);
}

#[test]
fn with_a_view_and_is_left_behind_without() {
    // it may have to be built, which nobody waits for on a connection
    let program = binary::vibration_monitor();
    let broker = Broker::with(&[("limits.outbox_max", "64KiB")]);
    let mut observer = Client::connect(&broker);
    observer.subscribe_live(1, VIBRATION);
    let window = json!({ "window": { "seconds": 1, "of": ["z"], "give": ["mean", "max"] } });
    let has_signal = Arc::new(AtomicBool::new(false));
    let rated = follow(phone(&broker, &json!({ "max_rate": 1 }), 1), is_last);
    let windowed = follow(phone(&broker, &window, 1), has_the_last);
    let plain = follow_until_told(phone(&broker, &json!({}), PLOTS), Arc::clone(&has_signal));
    let (measured, much_came) = observe(observer);

    let machines = Machines::start(program, &broker);
    much_came.recv_timeout(DEADLINE).expect("much is measured");
    machines.stop(&broker);
    has_signal.store(true, Ordering::Relaxed);

    let seen = |phone: JoinHandle<Seen>| phone.join().expect("it gets everything");
    let (measured, rated, windowed, plain) = (seen(measured), seen(rated), seen(windowed), seen(plain));
    assert_eq!((&rated.notices[..], &windowed.notices[..]), (&[][..], &[][..]));
    for (topic, measured) in &measured.by_topic {
        assert_current(&rated.by_topic[topic], measured);
        assert_complete(&windowed.by_topic[topic], measured);
    }
    // A broker may slow a phone down before it leaves anything out; either way readings are missing, and told.
    let kind = plain.notices[0].info("kind").as_str();
    assert!(matches!(kind, Some("dropped" | "degraded")), "{:?}", plain.notices);
    assert!(plain.notices[0].info("sub").as_u64().is_some(), "{:?}", plain.notices);
    let expected = measured.count() * PLOTS as usize;
    assert!(plain.count() < expected, "{} of {expected}", plain.count());
}
