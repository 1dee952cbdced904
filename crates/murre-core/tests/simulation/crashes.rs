//! A broker with a log that dies again and again, wherever its publishes are just then.

use std::collections::{BTreeMap, HashMap};

use murre_core::{
    log::{KeepRule, KeepRules},
    testing::{Broker, Client, Random, Said, from, subscribing},
};
use murre_protocol::{
    Codec, Format, Position, Timestamp, TopicFilter,
    packet::{ClientPacket, Connect, From, Publish, PublishOptions},
};

const STEPS: usize = 600;
/// Readings of one device that are not accepted at a time.
const OPEN_MAX: usize = 12;
const SUB: u64 = 1;

/// One run.
pub(crate) fn run(seed: u64) {
    let mut crowd = Crowd::new(seed);
    for _ in 0..STEPS {
        crowd.step();
    }
    crowd.finish();
}

struct Crowd {
    broker: Broker,
    random: Random,
    workers: u8,
    /// Of 100 batches so many fail.
    failing: u64,
    devices: Vec<Device>,
    subscribers: Vec<Subscriber>,
    told: Told,
}

/// What the broker told anyone of its positions.
#[derive(Default)]
struct Told {
    /// What stands where.
    texts: BTreeMap<Position, String>,
    /// By shard: the greatest position.
    newest: HashMap<u8, Position>,
    /// The same when the last process died.
    at_crash: HashMap<u8, Position>,
}

impl Told {
    fn note(&mut self, position: Position, text: &str) {
        let known = self.texts.entry(position).or_insert_with(|| text.to_owned());
        assert_eq!(known, text, "{position:?} was given out twice");
        let newest = self.newest.entry(position.shard()).or_default();
        *newest = (*newest).max(position);
    }

    /// A position that the process gave out itself.
    fn note_new(&mut self, position: Position, text: &str) {
        let before = self.at_crash.get(&position.shard()).copied().unwrap_or_default();
        assert!(position > before, "{position:?} came after {before:?}");
        self.note(position, text);
    }
}

/// Numbers its readings, and sends again what was not accepted.
struct Device {
    number: usize,
    client: Client,
    seen: usize,
    /// The first that was never sent.
    next: u64,
    /// Not accepted yet; whether an answer is under way.
    open: BTreeMap<u64, bool>,
}

impl Device {
    fn text(&self, number: u64) -> String {
        format!("{} {number}", self.number)
    }

    fn send(&mut self, number: u64) {
        self.open.insert(number, true);
        let topic = format!("log/{}/{}", self.number, number % 3);
        let options = PublishOptions { sequence: Some(number), ..Default::default() };
        self.client.send(&ClientPacket::Publish(Publish {
            topic: topic.into(),
            format: Format::Text,
            payload: self.text(number).into_bytes().into(),
            id: number,
            options: Some(Box::new(options)),
        }));
    }

    /// Takes another connection, and sends first what was not accepted, in order.
    fn reconnect(&mut self, broker: &Broker, worker: u8) {
        (self.client, self.seen) = (open(broker, worker, &format!("device-{}", self.number)), 0);
        let unanswered: Vec<u64> = self.open.keys().copied().collect();
        unanswered.into_iter().for_each(|number| self.send(number));
    }

    fn listen(&mut self, told: &mut Told) {
        for said in self.client.heard_since(&mut self.seen) {
            let Said::Published(answer) = said else { continue };
            if !answer.code.is_ok() {
                self.open.insert(answer.id, false);
                continue;
            }
            self.open.remove(&answer.id);
            if answer.position != Position::NONE {
                told.note_new(answer.position, &self.text(answer.id));
            }
        }
    }

    fn act(&mut self, random: &mut Random) {
        let refused = self.refused();
        if !refused.is_empty() && random.chance(40) {
            self.send(*random.pick(&refused));
        } else if self.open.len() < OPEN_MAX {
            self.next += 1;
            self.send(self.next - 1);
        }
    }

    fn send_refused(&mut self) {
        self.refused().into_iter().for_each(|number| self.send(number));
    }

    fn refused(&self) -> Vec<u64> {
        self.open.iter().filter(|(_, under_way)| !**under_way).map(|(number, _)| *number).collect()
    }
}

/// Wants all, and resumes where it stood.
struct Subscriber {
    client: Client,
    seen: usize,
    /// Where it stands, once it has caught up.
    stands: Option<Vec<Position>>,
    is_live: bool,
    /// By shard: the last message of this connection.
    last: HashMap<u8, Position>,
    got: BTreeMap<Position, String>,
}

impl Subscriber {
    fn reconnect(&mut self, broker: &Broker, worker: u8) {
        (self.client, self.seen) = (open(broker, worker, ""), 0);
        self.is_live = false;
        self.last.clear();
        let begin = match &self.stands {
            Some(positions) => From::After { positions: positions.clone(), epoch: "epoch".into() },
            None => From::Since(Timestamp::default()),
        };
        self.client.send(&subscribing(SUB, "log/#", from(begin)));
    }

    fn listen(&mut self, told: &mut Told) {
        for said in self.client.heard_since(&mut self.seen) {
            match said {
                Said::Message(message) => {
                    let (position, text) = (message.position, message.text());
                    let before = self.last.insert(position.shard(), position);
                    assert!(before < Some(position), "{position:?} after {before:?}");
                    told.note(position, &text);
                    self.got.insert(position, text);
                    if self.is_live {
                        self.raise(position);
                    }
                }
                Said::Subscribed { recovered, lost, .. } => {
                    // it says so of a durable rule, and `Crowd::check` holds it to that
                    assert_ne!(recovered, Some(false), "{lost:?}");
                }
                Said::CaughtUp { positions, .. } => {
                    self.stands = Some(positions);
                    self.is_live = true;
                    let last: Vec<Position> = self.last.values().copied().collect();
                    last.into_iter().for_each(|position| self.raise(position));
                }
                _ => {}
            }
        }
    }

    fn raise(&mut self, position: Position) {
        let of_shard = self.stands.iter_mut().flatten().find(|stands| stands.shard() == position.shard());
        if let Some(stands) = of_shard {
            *stands = (*stands).max(position);
        }
    }
}

fn open(broker: &Broker, worker: u8, id: &str) -> Client {
    let client = broker.open(worker, Codec::MessagePack);
    let client_id = (!id.is_empty()).then(|| id.into());
    let connect = Connect { client_id, keep_alive: Some(0), ..Default::default() };
    client.send(&ClientPacket::Connect(Box::new(connect)));
    client
}

impl Crowd {
    fn new(seed: u64) -> Self {
        let workers = [1, 2, 3][seed as usize % 3];
        let filter = TopicFilter::parse("log/#").expect("a filter").into_owned();
        let rule = KeepRule { filter, last: None, age: None, bytes: None, durable: true };
        let broker = Broker::with_store(workers, seed, |_| (), KeepRules::new(vec![rule]));
        let mut random = broker.random();
        let device = |number| {
            let client = open(&broker, number as u8 % workers, &format!("device-{number}"));
            Device { number, client, seen: 0, next: 1, open: BTreeMap::new() }
        };
        let subscriber = |number: u8| {
            let client = open(&broker, number % workers, "");
            let (last, got) = (HashMap::new(), BTreeMap::new());
            let mut subscriber = Subscriber { client, seen: 0, stands: None, is_live: false, last, got };
            subscriber.reconnect(&broker, number % workers);
            subscriber
        };
        let (devices, subscribers) = ((0..3).map(device).collect(), (0..3).map(subscriber).collect());
        // half of the runs have a log that never fails, where the order of each topic is a device's own
        let failing = if seed.is_multiple_of(2) { 0 } else { 1 + random.below(20) };
        broker.let_commits_fail(failing);
        Self { broker, random, workers, failing, devices, subscribers, told: Told::default() }
    }

    fn worker(&mut self) -> u8 {
        self.random.below(u64::from(self.workers)) as u8
    }

    fn step(&mut self) {
        let at = self.random.place(self.devices.len());
        match self.random.below(100) {
            0..2 => self.crash(),
            2..4 => {
                let worker = self.worker();
                self.devices[at].client.send_break_off();
                self.devices[at].reconnect(&self.broker, worker);
            }
            4..7 => {
                let worker = self.worker();
                let subscriber = &mut self.subscribers[at];
                subscriber.client.send_break_off();
                subscriber.reconnect(&self.broker, worker);
            }
            _ => self.devices[at].act(&mut self.random),
        }
        self.broker.run_some(self.random.below(25));
        self.listen();
        self.return_overtaken();
    }

    /// Of two connections of a device that begin at about the same time the later one may be the one that ends.
    fn return_overtaken(&mut self) {
        for at in 0..self.devices.len() {
            if self.devices[at].client.is_gone() {
                let worker = self.worker();
                self.devices[at].reconnect(&self.broker, worker);
            }
        }
    }

    fn listen(&mut self) {
        let told = &mut self.told;
        self.devices.iter_mut().for_each(|device| device.listen(told));
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.listen(told));
    }

    fn crash(&mut self) {
        self.listen();
        self.broker.crash();
        self.told.at_crash = self.told.newest.clone();
        for at in 0..self.devices.len() {
            let workers = (self.worker(), self.worker());
            self.devices[at].reconnect(&self.broker, workers.0);
            self.subscribers[at].reconnect(&self.broker, workers.1);
        }
    }

    /// Everything is accepted in the end; then it is all there, also for the next process.
    fn finish(&mut self) {
        self.broker.let_commits_fail(0);
        for _ in 0..3 {
            self.broker.settle();
            self.listen();
            self.return_overtaken();
            self.devices.iter_mut().for_each(Device::send_refused);
        }
        let log = self.log();
        self.check(&log);
        self.broker.crash();
        assert_eq!(self.log(), log, "the next process has the same");
    }

    /// What the log has, in the order of each shard.
    fn log(&self) -> Vec<(Position, String, String)> {
        let client = self.broker.connect("reader");
        let sub = client.subscribe_with("log/#", from(From::Since(Timestamp::default())));
        assert_eq!(client.caught_up(sub).len(), 1);
        let messages = client.messages(sub).into_iter();
        messages.map(|message| (message.position, message.topic.clone(), message.text())).collect()
    }

    fn check(&self, log: &[(Position, String, String)]) {
        for device in &self.devices {
            assert!(device.open.is_empty(), "not accepted: {:?}", device.open);
            let mut count = BTreeMap::new();
            for (_, _, text) in log {
                *count.entry(text.clone()).or_insert(0) += 1;
            }
            for number in 1..device.next {
                assert_eq!(count.get(&device.text(number)), Some(&1), "reading {}", device.text(number));
            }
        }
        for (position, _, text) in log {
            for subscriber in &self.subscribers {
                assert_eq!(subscriber.got.get(position), Some(text), "a subscriber missed {position:?}");
            }
        }
        if self.failing == 0 {
            let mut newest: HashMap<&str, u64> = HashMap::new();
            for (_, topic, text) in log {
                let number = text.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("a number");
                let before = newest.insert(topic, number);
                assert!(before < Some(number), "{topic}: {number} after {before:?}");
            }
        }
    }
}
