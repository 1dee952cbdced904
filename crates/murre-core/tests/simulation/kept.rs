//! Kept sessions whose clients come and go, on a broker that dies now and then.
//!
//! Whatever happens: what was acknowledged to a publisher after SUBSCRIBED is delivered at least once, in the order of
//! each shard and once within a connection, and never again once its acknowledgement was committed. Under a condition
//! that holds for what meets it; under a rate a value as new comes in the end. What is left out leaves nothing in the
//! log.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use murre_core::{
    log::{KeepRule, KeepRules},
    testing::{Broker, Client, Random, Said, keeping},
};
use murre_protocol::{
    Code, Codec, Format, Position, TopicFilter, TopicName,
    packet::{ClientPacket, From, NoticeKind, Publish, SubscribeOptions},
};

use crate::sights::Seen;

const TOPICS: [&str; 6] = ["t/0", "t/1", "t/2", "t/3", "u/0", "u/1"];
const FILTERS: [&str; 5] = ["t/+", "#", "t/1", "u/#", "+/0"];
/// Seconds that sessions are kept.
const EXPIRY: u64 = 600;

/// A client with a kept session.
struct Member {
    id: String,
    connection: Option<Client>,
    heard: usize,
    numbers: u64,
    subscriptions: BTreeMap<u64, Subscription>,
    may_be_limited: bool,
}

#[derive(Default)]
struct Subscription {
    filter: &'static str,
    sees: Seen,
    /// Whether it is of last values, which come at their newest only until CAUGHT_UP.
    of_last_values: bool,
    /// Whether SUBSCRIBED came, ever.
    granted: bool,
    /// Whether everything is owed that is published from now on.
    owes_all: bool,
    /// Numbers that it owes: acknowledged to their publisher after SUBSCRIBED came.
    owed: BTreeSet<u64>,
    /// Numbers that came.
    seen: BTreeSet<u64>,
    /// The greatest of each by topic.
    newest_owed: BTreeMap<&'static str, u64>,
    newest_seen: BTreeMap<String, u64>,
    /// Whether it was told that messages made room.
    is_limited: bool,
    /// What was delivered in this connection and not acknowledged, in order.
    unacknowledged: Vec<Position>,
    /// By shard: the last one of this connection.
    last: BTreeMap<u8, u64>,
    /// By shard: the greatest that was acknowledged, and the greatest of which it is known that the log has it.
    acknowledged: BTreeMap<u8, u64>,
    committed: BTreeMap<u8, u64>,
}

/// Everything there is.
struct Scene {
    broker: Broker,
    random: Random,
    members: Vec<Member>,
    publisher: Client,
    published: u64,
    awaited: BTreeMap<u64, Awaited>,
    answers: usize,
    crashes: usize,
}

/// A publish without an answer.
struct Awaited {
    topic: &'static str,
    /// The subscriptions that are owed it when it is acknowledged: whose, and under which number.
    wants: Vec<(usize, u64)>,
}

/// Runs one seed from the first step to the last.
pub(super) fn run(seed: u64) {
    let mut scene = Scene::new(seed);
    for _ in 0..300 {
        scene.step();
    }
    scene.finish();
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).expect("a filter")
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).expect("a topic")
}

/// Whether sessions may owe so little that their oldest messages make room now and then.
fn may_be_limited(seed: u64) -> bool {
    seed % 4 == 3
}

fn rules() -> KeepRules {
    let filter = filter("u/#").into_owned();
    KeepRules::new(vec![KeepRule {
        filter,
        last: Some(2),
        age: Some(Duration::from_secs(1)),
        bytes: None,
        durable: false,
    }])
}

impl Scene {
    fn new(seed: u64) -> Self {
        let workers = 1 + (seed % 3) as u8;
        let limits = |limits: &mut murre_core::limits::Limits| {
            limits.inflight_max = 4;
            limits.ack_queue_bytes_max = 400;
            if may_be_limited(seed) {
                limits.session_debt_max.messages = 64;
            }
        };
        let broker = Broker::with_store(workers, seed, limits, rules());
        let random = broker.random();
        let members = (0..3).map(|n| Member {
            id: format!("member-{n}"),
            connection: None,
            heard: 0,
            numbers: 0,
            may_be_limited: may_be_limited(seed),
            subscriptions: BTreeMap::new(),
        });
        let (members, publisher) = (members.collect(), broker.connect_on(0, "p"));
        Self {
            broker,
            random,
            members,
            publisher,
            published: 0,
            awaited: BTreeMap::new(),
            answers: 0,
            crashes: 0,
        }
    }

    fn step(&mut self) {
        let at = self.random.place(self.members.len());
        match self.random.below(100) {
            0..35 => self.publish(),
            35..55 => self.acknowledge(at),
            55..65 => self.connect(at),
            65..70 => self.leave(at),
            70..76 => self.subscribe(at),
            76..79 => self.stall(at),
            79..90 => self.broker.run_some(1 + self.random.clone().below(30)),
            90..95 => self.settle(),
            95..97 => self.broker.run_for(Duration::from_millis(700)),
            97..98 => self.unsubscribe(at),
            _ => self.crash(),
        }
        self.listen();
    }

    fn publish(&mut self) {
        for _ in 0..self.random.below(8) {
            self.published += 1;
            let (id, topic) = (self.published, *self.random.pick(&TOPICS));
            let payload = format!(r#"{{"n":{id},"by_the_way":"{topic}"}}"#);
            let packet = Publish {
                topic: topic.into(),
                format: Format::Json,
                payload: payload.as_bytes().into(),
                id,
                options: None,
            };
            self.publisher.send(&ClientPacket::Publish(packet.clone()));
            let name = name(topic);
            let members = self.members.iter().enumerate();
            let wants = members
                .flat_map(|(at, member)| member.subscriptions.iter().map(move |(sub, of)| (at, *sub, of)));
            let wants =
                wants.filter(|(.., of)| of.owes_all && filter(of.filter).matches(&name) && of.sees.wants(id));
            let wants = wants.map(|(at, sub, _)| (at, sub)).collect();
            self.awaited.insert(id, Awaited { topic, wants });
        }
    }

    fn connect(&mut self, at: usize) {
        let worker = self.random.below(self.broker.remains().hubs.len() as u64) as u8;
        let member = &mut self.members[at];
        let client = self.broker.open(worker, Codec::MessagePack);
        client.send(&ClientPacket::Connect(Box::new(keeping(&member.id, EXPIRY))));
        member.begin(client);
    }

    fn leave(&mut self, at: usize) {
        let Some(client) = self.members[at].connection.take() else { return };
        match self.random.below(3) {
            0 => client.send_break_off(),
            1 => client.send_end(),
            _ => client.send_close(1000),
        }
    }

    fn stall(&mut self, at: usize) {
        let Some(client) = &self.members[at].connection else { return };
        let appetite = self.random.chance(50).then_some(0);
        client.send_appetite(appetite);
    }

    fn subscribe(&mut self, at: usize) {
        let member = &mut self.members[at];
        let Some(client) = &member.connection else { return };
        if member.subscriptions.len() >= 3 {
            return;
        }
        // never a number again: nobody knows whether an UNSUBSCRIBE came through
        member.numbers += 1;
        let sub = member.numbers;
        let filter = *self.random.pick(&FILTERS);
        let of_last_values = self.random.chance(50);
        let sees = *self.random.pick(&Seen::ALL);
        let subscription = Subscription { filter, sees, of_last_values, ..Subscription::default() };
        member.subscriptions.insert(sub, subscription);
        let from = Some(if of_last_values { From::Last } else { From::Live });
        let view = sees.view().map(Box::new);
        let options = SubscribeOptions { ack: Some(true), from, view, ..Default::default() };
        client.send(&murre_core::testing::subscribing(sub, filter, options));
    }

    fn unsubscribe(&mut self, at: usize) {
        let member = &mut self.members[at];
        let Some(client) = &member.connection else { return };
        let Some(sub) = member.subscriptions.iter().find(|(_, of)| of.granted).map(|(sub, _)| *sub) else {
            return;
        };
        client.unsubscribe(sub);
        self.listen();
        let member = &mut self.members[at];
        member.subscriptions.remove(&sub);
        for awaited in self.awaited.values_mut() {
            awaited.wants.retain(|wanted| *wanted != (at, sub));
        }
    }

    fn acknowledge(&mut self, at: usize) {
        let member = &mut self.members[at];
        let Some(client) = &member.connection else { return };
        for (sub, of) in &mut member.subscriptions {
            if of.unacknowledged.is_empty() {
                continue;
            }
            let place = self.random.place(of.unacknowledged.len());
            let position = of.unacknowledged[place];
            client.send(&ClientPacket::Ack { sub: *sub, position });
            of.unacknowledged.retain(|sent| sent.shard() != position.shard() || *sent > position);
            let known = of.acknowledged.entry(position.shard()).or_default();
            *known = (*known).max(position.offset());
        }
    }

    /// Lets all happen that is due: what was acknowledged over a connection that lives is in the log then.
    fn settle(&mut self) {
        let lives: Vec<bool> = self.members.iter().map(|member| member.connection.is_some()).collect();
        self.broker.settle();
        self.listen();
        for (member, lives) in self.members.iter_mut().zip(lives) {
            let reads = member.connection.as_ref().is_some_and(|client| client.is_connected());
            if lives && reads {
                member.subscriptions.values_mut().for_each(|of| of.committed = of.acknowledged.clone());
            }
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.broker.crash();
        self.awaited.clear();
        for member in &mut self.members {
            member.connection = None;
            for of in member.subscriptions.values_mut() {
                of.acknowledged = of.committed.clone();
            }
        }
        self.publisher = self.broker.connect_on(0, "p");
        self.answers = 0;
    }

    /// Hears what came, and judges it.
    fn listen(&mut self) {
        let answers = self.publisher.answers();
        for answer in answers.iter().skip(self.answers) {
            assert!(answer.code.is_ok(), "{answer:?}");
            let Some(Awaited { topic, wants }) = self.awaited.remove(&answer.id) else { continue };
            for (at, sub) in wants {
                if let Some(of) = self.members[at].subscriptions.get_mut(&sub) {
                    of.owe(topic, answer.id);
                }
            }
        }
        self.answers = answers.len();
        self.members.iter_mut().for_each(Member::listen);
    }

    /// All come back and acknowledge everything: nothing is owed, and nothing is left.
    fn finish(&mut self) {
        self.settle();
        for at in 0..self.members.len() {
            self.connect(at);
            self.members[at].unsubscribe_from_the_rest();
        }
        self.settle();
        for _ in 0..10_000 {
            for at in 0..self.members.len() {
                self.acknowledge(at);
            }
            // a rate's last values come when their time has
            self.broker.run_for(Duration::from_millis(150));
            self.settle();
            if self.members.iter().all(Member::is_quiet) {
                break;
            }
        }
        for member in &self.members {
            for (sub, of) in &member.subscriptions {
                let missing = of.missing();
                let made_room = self.broker.count(|counters| &counters.session_dropped);
                // what had not been reported before a crash is not counted
                assert!(
                    self.crashes > 0 || missing.len() as u64 <= made_room,
                    "{} {sub} {}: {missing:?} never came, {made_room} made room",
                    member.id,
                    of.filter
                );
                assert!(missing.is_empty() || of.is_limited, "{} {sub}: {missing:?}, and no word", member.id);
            }
        }
        self.nothing_is_needed();
        self.everything_expires();
    }

    /// All is acknowledged, or left out: the log holds no more than its rules want.
    fn nothing_is_needed(&mut self) {
        self.broker.run_for(Duration::from_secs(3));
        self.broker.publish("u/0", "so that the log lets go");
        self.broker.run_for(Duration::from_secs(2));
        assert!(self.broker.records() <= 5, "{} records are left", self.broker.records());
    }

    fn everything_expires(&mut self) {
        for member in &mut self.members {
            if let Some(client) = member.connection.take() {
                client.break_off();
            }
        }
        self.broker.run_for(Duration::from_secs(EXPIRY + 2));
        // what is too old is let go of when the log is next handed something
        self.broker.publish("t/0", "the last");
        self.broker.run_for(Duration::from_secs(2));
        let remains = self.broker.remains();
        assert!(remains.kept.iter().all(|kept| *kept == 0), "{remains:?}");
        assert!(self.broker.records() <= 4, "{} records are left", self.broker.records());
        let client = self.broker.connect_with(0, Codec::MessagePack, keeping("member-0", EXPIRY));
        assert_eq!(client.session(), (false, EXPIRY));
    }
}

impl Member {
    fn begin(&mut self, client: Client) {
        self.connection = Some(client);
        self.heard = 0;
        for of in self.subscriptions.values_mut() {
            of.last.clear();
            of.unacknowledged.clear();
            // those on their way may not have come through
            of.acknowledged = of.committed.clone();
        }
    }

    fn listen(&mut self) {
        let Some(client) = &self.connection else { return };
        for said in client.heard_since(&mut self.heard) {
            match said {
                Said::Connected { session_present: false, .. } => {
                    let granted = self.subscriptions.values().any(|of| of.granted);
                    assert!(!granted, "{}: its session was lost", self.id);
                }
                Said::Subscribed { sub, code, .. } => {
                    assert!(code.is_ok());
                    if let Some(of) = self.subscriptions.get_mut(&sub) {
                        of.granted = true;
                        of.owes_all |= !of.of_last_values;
                    }
                }
                Said::CaughtUp { sub, .. } => {
                    if let Some(of) = self.subscriptions.get_mut(&sub) {
                        of.owes_all = true;
                    }
                }
                Said::Message(message) => {
                    let Some(of) = self.subscriptions.get_mut(&message.sub) else { continue };
                    of.hear(&self.id, &message);
                }
                Said::Disconnect { code, .. } => {
                    assert_eq!(code, Code::TAKEN_OVER);
                    self.connection = None;
                    return;
                }
                Said::Notice { kind: NoticeKind::Limited, sub: Some(sub), count, .. }
                    if self.may_be_limited =>
                {
                    assert!(count > 0);
                    if let Some(of) = self.subscriptions.get_mut(&sub) {
                        of.is_limited = true;
                    }
                }
                Said::Notice { kind, count, .. } => panic!("{}: {kind:?} {count}", self.id),
                _ => {}
            }
        }
    }

    /// Ends what it had left over a connection that may have broken before.
    fn unsubscribe_from_the_rest(&self) {
        let Some(client) = &self.connection else { return };
        for sub in (1..=self.numbers).filter(|sub| !self.subscriptions.contains_key(sub)) {
            client.send(&ClientPacket::Unsubscribe { sub });
        }
    }

    fn is_quiet(&self) -> bool {
        self.subscriptions.values().all(|of| of.unacknowledged.is_empty())
    }
}

impl Subscription {
    fn owe(&mut self, topic: &'static str, number: u64) {
        self.owed.insert(number);
        let newest = self.newest_owed.entry(topic).or_default();
        *newest = number.max(*newest);
    }

    /// What it owes still: under a rate, of each topic the newest where nothing as new came.
    fn missing(&self) -> Vec<u64> {
        if self.sees != Seen::Paced {
            return self.owed.difference(&self.seen).copied().collect();
        }
        let is_missing = |(topic, newest): (&&str, &u64)| {
            let seen = self.newest_seen.get(*topic).copied().unwrap_or_default();
            (seen < *newest).then_some(*newest)
        };
        self.newest_owed.iter().filter_map(is_missing).collect()
    }

    fn hear(&mut self, id: &str, message: &murre_core::testing::Delivery) {
        let (shard, offset) = (message.position.shard(), message.position.offset());
        let before = self.last.insert(shard, offset);
        let committed = self.committed.get(&shard).copied().unwrap_or_default();
        // where a rate holds something back, several may carry the position before that
        let slack = u64::from(self.sees == Seen::Paced);
        let in_order = before.is_none_or(|before| before < offset + slack);
        assert!(in_order, "{id} {}: {offset} after {before:?} of {shard}", self.filter);
        assert!(offset + slack > committed, "{id} {}: {} came again", self.filter, message.text());
        let name = name(&message.topic);
        assert!(filter(self.filter).matches(&name));
        let text = message.text();
        assert_eq!(text.contains("by_the_way"), self.sees != Seen::Selected, "{id} {}: {text}", self.filter);
        let number =
            text.split([':', ',', '}']).nth(1).and_then(|number| number.parse().ok()).expect("a number");
        assert!(self.sees.wants(number), "{id} {}: {text}", self.filter);
        self.seen.insert(number);
        let newest = self.newest_seen.entry(message.topic.clone()).or_default();
        *newest = number.max(*newest);
        self.unacknowledged.push(message.position);
    }
}
