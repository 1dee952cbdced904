//! The broker, for tests to hold.

use std::{cell::RefCell, rc::Rc, time::Duration};

use murre_protocol::{
    Codec, Position,
    packet::{ClientPacket, Connect, PublishOptions},
};

use super::{
    client::Client,
    random::Random,
    world::{Setup, World},
};
use crate::{
    counters::{Counter, Counters},
    expect::ExpectRules,
    hub,
    ids::WorkerId,
    limits::Limits,
    log::KeepRules,
};

/// A broker of some workers under a virtual clock.
///
/// Methods that act let all that follows happen before they return, save time: that passes in [`Broker::run_for`]
/// alone (and a few microseconds for each step between workers).
pub struct Broker {
    pub(super) world: Rc<RefCell<World>>,
    publisher: RefCell<Option<Client>>,
    next_worker: RefCell<u8>,
    workers: u8,
}

/// What is left in a broker's parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remains {
    /// Of the hubs.
    pub hubs: Vec<hub::Holdings>,
    /// Filters and groups that engine parts know, by worker.
    pub interests: Vec<usize>,
    /// Snapshots under way, by worker.
    pub snapshots: Vec<usize>,
    /// Client records, by worker.
    pub clients: Vec<usize>,
    /// Subscriptions that are kept for sessions, by worker.
    pub kept: Vec<usize>,
    /// Topics, by worker.
    pub topics: Vec<usize>,
}

impl Broker {
    /// A broker with the default limits.
    pub fn new(workers: u8, seed: u64) -> Self {
        Self::with_limits(workers, seed, |_| ())
    }

    /// A broker with other limits.
    pub fn with_limits(workers: u8, seed: u64, change: impl FnOnce(&mut Limits)) -> Self {
        Self::with_rules(workers, seed, change, KeepRules::default())
    }

    /// A broker that keeps messages by rules, in memory.
    pub fn with_rules(workers: u8, seed: u64, change: impl FnOnce(&mut Limits), rules: KeepRules) -> Self {
        Self::make(workers, seed, change, Setup { rules, ..Setup::default() })
    }

    /// A broker with a log that outlives its process.
    pub fn with_store(workers: u8, seed: u64, change: impl FnOnce(&mut Limits), rules: KeepRules) -> Self {
        Self::make(workers, seed, change, Setup { rules, has_store: true, ..Setup::default() })
    }

    /// A broker with a log that outlives its process, and with topics that are expected to be heard.
    pub fn expecting(workers: u8, seed: u64, expect: ExpectRules, rules: KeepRules) -> Self {
        Self::make(workers, seed, |_| (), Setup { rules, expect, has_store: true, ..Setup::default() })
    }

    fn make(workers: u8, seed: u64, change: impl FnOnce(&mut Limits), mut setup: Setup) -> Self {
        change(&mut setup.limits);
        let world = Rc::new(RefCell::new(World::new(workers, seed, setup)));
        Self { world, publisher: RefCell::new(None), next_worker: RefCell::new(0), workers }
    }

    /// From now on so many of 100 batches fail in the log, and those behind that were sent in ignorance.
    pub fn let_commits_fail(&self, percent: u64) {
        self.world.borrow_mut().failing = percent;
    }

    /// Connects a client that speaks MessagePack and needs no keep-alive, to the workers in turn.
    pub fn connect(&self, id: &str) -> Client {
        let worker = self.next_worker.replace_with(|next| (*next + 1) % self.workers);
        self.connect_on(worker, id)
    }

    /// Connects a client to one worker.
    pub fn connect_on(&self, worker: u8, id: &str) -> Client {
        self.connect_with(worker, Codec::MessagePack, hello(id))
    }

    /// Connects a client with all that CONNECT may say.
    pub fn connect_with(&self, worker: u8, codec: Codec, connect: Connect<'_>) -> Client {
        let client = self.open(worker, codec);
        client.send(&ClientPacket::Connect(Box::new(connect)));
        self.settle();
        client
    }

    /// A connection that has not said CONNECT.
    ///
    /// # Panics
    /// The broker takes no more connections: see [`Broker::try_open`].
    pub fn open(&self, worker: u8, codec: Codec) -> Client {
        let client = self.try_open(worker, codec);
        client.unwrap_or_else(|| panic!("the broker refused the connection"))
    }

    /// A connection that has not said CONNECT, if the broker takes it.
    pub fn try_open(&self, worker: u8, codec: Codec) -> Option<Client> {
        let wire = self.world.borrow_mut().open(WorkerId(worker), codec, true)?;
        Some(Client::new(self.world.clone(), wire))
    }

    /// A connection whose client offered no subprotocol.
    ///
    /// # Panics
    /// The broker takes no more connections.
    pub fn open_undecided(&self, worker: u8, codec: Codec) -> Client {
        let wire = self.world.borrow_mut().open(WorkerId(worker), codec, false);
        Client::new(self.world.clone(), wire.unwrap_or_else(|| panic!("the broker refused the connection")))
    }

    /// Publishes text, from a client of its own on worker 0.
    ///
    /// # Panics
    /// The broker refused it.
    pub fn publish(&self, topic: &str, payload: &str) -> Position {
        let answer = self.publisher().publish(topic, payload);
        assert!(answer.code.is_ok(), "publish to {topic}: {} {}", answer.code, answer.reason);
        answer.position
    }

    /// Publishes many at once, without asking for answers.
    pub fn publish_all<'a>(&self, messages: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let publisher = self.publisher();
        publisher.publish_all(messages);
        self.settle();
    }

    /// Deletes a topic's value.
    pub fn delete(&self, topic: &str) -> Position {
        let options = PublishOptions { retain: true, ..Default::default() };
        self.publisher().publish_with(topic, b"", options).position
    }

    /// The client that [`Broker::publish`] is of.
    pub fn publisher(&self) -> Client {
        let mut publisher = self.publisher.borrow_mut();
        publisher.get_or_insert_with(|| self.connect_on(0, "publisher")).clone()
    }

    /// Lets everything happen that doesn't wait for time to pass.
    pub fn settle(&self) {
        self.world.borrow_mut().settle();
    }

    /// Lets `events` things happen, or fewer where no more are due.
    pub fn run_some(&self, events: u64) {
        let mut world = self.world.borrow_mut();
        for _ in 0..events {
            if !world.step() {
                return;
            }
        }
    }

    /// Lets time pass, and everything happen that is due in it.
    pub fn run_for(&self, length: Duration) {
        let mut world = self.world.borrow_mut();
        let end = world.clock() + length.as_micros() as u64;
        world.run_until(end);
    }

    /// The calendar, in Unix milliseconds.
    pub fn now(&self) -> u64 {
        self.world.borrow().now().wall.millis()
    }

    /// Keeps a worker's thread busy with something else, until [`Broker::release`].
    pub fn hold(&self, worker: u8) {
        self.world.borrow_mut().hold(WorkerId(worker));
    }

    /// Lets a worker go on.
    pub fn release(&self, worker: u8) {
        self.world.borrow_mut().release(WorkerId(worker));
    }

    /// Kills the broker's process, with all connections, and starts it again. What was on its way into the log may have
    /// been written or not.
    pub fn crash(&self) {
        self.publisher.borrow_mut().take();
        self.world.borrow_mut().crash();
        self.settle();
    }

    /// How many records the log has.
    pub fn records(&self) -> usize {
        self.world.borrow().records()
    }

    /// Says farewell to all clients.
    pub fn shut_down(&self, spread: Duration) {
        for worker in (0..self.workers).map(WorkerId) {
            self.world.borrow_mut().with_hub(worker, |now, hub, out| hub.shut_down(now, spread, out));
        }
        self.settle();
    }

    /// A counter, summed over the workers.
    pub fn count(&self, counter: impl Fn(&Counters) -> &Counter) -> u64 {
        let world = self.world.borrow();
        world.counters.iter().fold(0, |sum, counters| sum.wrapping_add(counter(counters).value()))
    }

    /// What its parts hold.
    pub fn remains(&self) -> Remains {
        let world = self.world.borrow();
        let engines = || world.workers().map(|worker| worker.engine().holdings());
        Remains {
            hubs: world.workers().map(|worker| worker.hub.holdings()).collect(),
            interests: engines().map(|holds| holds.interests).collect(),
            snapshots: engines().map(|holds| holds.snapshots).collect(),
            clients: engines().map(|holds| holds.clients).collect(),
            kept: engines().map(|holds| holds.kept).collect(),
            topics: engines().map(|holds| holds.topics).collect(),
        }
    }

    /// The broker's limits.
    pub fn limits(&self) -> Limits {
        Limits::clone(&self.world.borrow().limits)
    }

    /// The broker's random numbers, for a test that wants its own to follow from the same seed.
    pub fn random(&self) -> Random {
        Random::new(self.world.borrow_mut().random.number())
    }
}

/// A CONNECT whose session is to be kept so many seconds, without keep-alive.
pub fn keeping(id: &str, expiry: u64) -> Connect<'_> {
    Connect { session_expiry: Some(expiry), ..hello(id) }
}

/// A CONNECT with a client id and no keep-alive.
pub(super) fn hello(id: &str) -> Connect<'_> {
    Connect { client_id: Some(id.into()), keep_alive: Some(0), ..Default::default() }
}
