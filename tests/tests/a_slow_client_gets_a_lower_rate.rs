//! A client that reads too slowly gets the newest values at a lower rate before anything is dropped, and is told so;
//! nobody else notices. Once it keeps up, its rate rises again.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use murre_tests::load::{number, publish_numbered_and};
use murre_tests::{Broker, Client, Kind, Message, Packet, json};

const MESSAGES: usize = 8_000;
const PAYLOAD: usize = 2_000;
const TOPICS: [&str; 4] = ["flood/a", "flood/b", "flood/c", "flood/d"];

fn broker() -> Broker {
    Broker::with(&[("limits.outbox_max", "256KiB"), ("degrade.recover", "1s")])
}

/// What a client on a thin line got: the numbers by topic, and the reasons of its NOTICE.
#[derive(Default)]
struct Got {
    numbers: BTreeMap<String, Vec<usize>>,
    notices: Vec<(String, u64, String)>,
}

impl Got {
    fn is_current(&self) -> bool {
        let last = |(at, topic): (usize, &&str)| {
            self.numbers.get(*topic).and_then(|numbers| numbers.last())
                == Some(&(MESSAGES - TOPICS.len() + at))
        };
        TOPICS.iter().enumerate().all(last)
    }

    fn keeps_up(&self) -> bool {
        self.notices.iter().any(|(.., reason)| reason.starts_with("the client keeps up"))
    }

    fn take(&mut self, packet: Packet) {
        if packet.is(Kind::Notice) {
            let text = |key| packet.info(key).as_str().unwrap_or_default().to_owned();
            let count = packet.info("count").as_u64().expect("a count");
            self.notices.push((text("kind"), count, text("reason")));
        } else if packet.is(Kind::Message) {
            let message = Message::from_packet(packet);
            self.numbers.entry(message.topic.clone()).or_default().push(number(&message));
        }
    }
}

/// Reads a message in some milliseconds, until it has the last value of each topic, and then is told that it keeps up.
fn phone(mut client: Client) -> Got {
    let mut got = Got::default();
    while !(got.is_current() && got.keeps_up()) {
        got.take(client.packet());
        if !got.is_current() {
            thread::sleep(Duration::from_millis(2));
        }
    }
    got
}

#[test]
fn it_ends_with_the_last_value_of_each_topic_and_nothing_is_dropped() {
    let broker = broker();
    let mut client = Client::connect_narrow(&broker, &Packet::connect(json!({})));
    client.subscribe_live(1, "flood/#");
    let phone = thread::spawn(move || phone(client));
    let mut desk = Client::connect(&broker);
    desk.subscribe_live(1, "flood/#");
    let mut all = Vec::new();

    publish_numbered_and(&mut Client::connect(&broker), &TOPICS, MESSAGES, PAYLOAD, |count| {
        all.extend(desk.messages(count).iter().map(number));
    });

    let got = phone.join().expect("the phone gets the last values");
    all.sort_unstable();
    assert!(all.into_iter().eq(0..MESSAGES), "the other one gets everything");
    assert!(got.numbers.values().all(|numbers| numbers.is_sorted()), "each topic in order");
    let (kind, count, reason) = &got.notices[0];
    assert_eq!(kind, "degraded");
    assert!(*count > 0 && reason.contains(" ms behind: at most "), "{reason}");
    assert_eq!(broker.counter("dropped"), 0);
    assert!(broker.counter("conflated") > 0);
}

#[test]
fn with_a_rate_of_its_own_it_misses_nothing() {
    let broker = broker();
    let mut client = Client::connect_narrow(&broker, &Packet::connect(json!({})));
    client.subscribe_with(1, "flood/#", json!({ "from": "live", "max_rate": 5 }));
    let phone = thread::spawn(move || {
        let mut got = Got::default();
        while !got.is_current() {
            got.take(client.packet());
        }
        got
    });

    publish_numbered_and(&mut Client::connect(&broker), &TOPICS, MESSAGES, PAYLOAD, |_| ());

    let got = phone.join().expect("the phone gets the last values");
    assert!(got.notices.is_empty(), "{:?}", got.notices);
    assert_eq!((broker.counter("dropped"), broker.counter("conflated")), (0, 0));
}
