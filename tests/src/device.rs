//! A device that loses no reading: it numbers them, and sends again what was refused.

use std::collections::BTreeSet;

use crate::{Broker, Client, Kind, Packet, json, load::number, value};

/// Publishes that are under way at a time.
const UNDER_WAY: usize = 16;

/// A device whose readings are the numbers from 1 on, each also the `sequence` of its publish.
#[derive(Debug)]
pub struct Device {
    id: String,
    topic: String,
    /// Filling of each payload, behind the number.
    filling: String,
    client: Client,
    /// The first number that was never sent.
    next: u64,
    /// Sent, and not accepted.
    open: BTreeSet<u64>,
    /// How many publishes were refused, by code.
    pub refused: std::collections::BTreeMap<u64, u64>,
}

impl Device {
    /// A device that publishes to a topic, with so many bytes in each reading.
    pub fn new(broker: &Broker, id: &str, topic: &str, bytes: usize) -> Self {
        Self {
            id: id.into(),
            topic: topic.into(),
            filling: "x".repeat(bytes),
            client: Client::connect_as(broker, id),
            next: 1,
            open: BTreeSet::new(),
            refused: Default::default(),
        }
    }

    /// Goes on with a broker that was started anew.
    pub fn reconnect(&mut self, broker: &Broker) {
        self.client = Client::connect_as(broker, &self.id);
    }

    /// How many readings were accepted.
    pub fn accepted(&self) -> u64 {
        self.next - 1 - self.open.len() as u64
    }

    /// Sends what was refused again, and new readings, a few in all; waits for their answers. Whether all were accepted.
    pub fn publish(&mut self) -> bool {
        while self.open.len() < UNDER_WAY {
            self.open.insert(self.next);
            self.next += 1;
        }
        self.send_open()
    }

    /// Sends nothing new until all is accepted.
    pub fn settle(&mut self) {
        while !self.open.is_empty() {
            self.send_open();
        }
    }

    fn send_open(&mut self) -> bool {
        let packet = |number: &u64| {
            let text = format!("{number} {}", self.filling);
            Packet::publish(&self.topic, text, *number).and(value(json!({ "sequence": number })))
        };
        let packets: Vec<_> = self.open.iter().map(packet).collect();
        self.client.send_all(&packets);
        for _ in packets {
            let answer = self.client.wait_for(Kind::Published);
            match answer.number(2) {
                0 => _ = self.open.remove(&answer.number(1)),
                code => *self.refused.entry(code).or_default() += 1,
            }
        }
        self.open.is_empty()
    }

    /// Checks that the broker has every accepted reading once, and no other but such as were sent.
    pub fn check(&self, broker: &Broker) {
        let all = json!({ "from": { "since": 0 } });
        let messages = Client::connect(broker).subscribe_with(1, &self.topic, all);
        let mut readings: Vec<(u64, u64)> =
            messages.iter().map(|message| (number(message) as u64, message.position)).collect();
        readings.sort_unstable();
        let twice = readings.windows(2).find(|pair| pair[0].0 == pair[1].0);
        assert_eq!(twice, None, "a reading came twice (number, position)");
        let numbers: Vec<u64> = readings.iter().map(|(number, _)| *number).collect();
        let accepted = (1..self.next).filter(|number| !self.open.contains(number));
        let missing: Vec<u64> = accepted.filter(|number| numbers.binary_search(number).is_err()).collect();
        assert!(missing.is_empty(), "accepted readings are missing: {missing:?}");
        assert!(numbers.last() < Some(&self.next), "{numbers:?}");
    }
}
