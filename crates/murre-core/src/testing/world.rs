//! The events of a simulated broker: what happens when, in order of (due, number).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use murre_protocol::{Codec, Timestamp};

use super::{random::Random, wire::Wire};
use crate::{
    counters::Counters,
    embedded::{Embedded, EmbeddedSetup, LogSetup},
    engine::{EngineInput, Input},
    expect::ExpectRules,
    hub::{Hub, HubSetup, Identity},
    ids::{SessionKey, WorkerId},
    kept::Restored,
    limits::Limits,
    log::{Failures, KeepRules, LogCommand, LogEvent, LogRefusal, MemoryLog},
    now::{Now, Tick},
    placement::{Placement, SHARDS_DEFAULT},
    session::SessionKind,
    shard,
    worker::{Wants, Worker},
};

/// What happens.
enum Event {
    /// The shell looks after a connection.
    Attend(usize),
    /// An input arrives at a worker.
    Arrive(WorkerId, Input),
    /// A worker's turn of the event loop ends.
    Turn(WorkerId),
    /// A command arrives at the log.
    Log(LogCommand),
}

/// A worker and what its shell knows.
struct Part {
    worker: Worker<Embedded>,
    wants: Wants,
    /// Whether its turn is going to end.
    touched: bool,
    /// Busy with something else: nothing happens on it.
    held: bool,
}

/// Everything there is.
pub(super) struct World {
    parts: Vec<Part>,
    pub(super) wires: Vec<Wire>,
    /// Those of them that are not gone.
    open: Vec<usize>,
    sessions: HashMap<(WorkerId, SessionKey), usize>,
    queue: BTreeMap<(u64, u64), Event>,
    held: Vec<Event>,
    /// When the last input from a worker to a part of another arrives: order is kept.
    links: HashMap<(WorkerId, WorkerId, bool), u64>,
    log: MemoryLog,
    /// What failed in it.
    failures: Failures,
    /// Of 100 batches so many fail.
    pub(super) failing: u64,
    /// When the last command arrives at the log: order is kept.
    logs_at: u64,
    /// Microseconds since the start.
    clock: u64,
    numbers: u64,
    pub(super) random: Random,
    pub(super) limits: Arc<Limits>,
    pub(super) counters: Vec<Arc<Counters>>,
    placement: Placement,
    rules: Arc<KeepRules>,
    expect: Arc<ExpectRules>,
    /// Whether the log outlives the broker's process.
    has_store: bool,
}

/// What makes a simulated broker.
#[derive(Default)]
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) rules: KeepRules,
    pub(super) expect: ExpectRules,
    /// Whether the log outlives the broker's process.
    pub(super) has_store: bool,
}

/// The calendar when a simulation starts, in Unix milliseconds.
const START: u64 = 1_700_000_000_000;
/// Stands for the log among the workers.
const LOG: WorkerId = WorkerId(u8::MAX);
/// Bytes that the log may hold.
const LOG_BYTES_MAX: u64 = 1 << 30;
/// Offsets of a shard that may be used before more are asked for.
const OFFSETS: u64 = 1 << 30;
/// Events after which a simulation that never comes to rest is given up.
const EVENTS_MAX: usize = 20_000_000;

impl World {
    pub(super) fn new(workers: u8, seed: u64, setup: Setup) -> Self {
        let placement = Placement { shards: SHARDS_DEFAULT, workers, seed };
        let Setup { limits, rules, expect, has_store } = setup;
        let (rules, expect) = (Arc::new(rules), Arc::new(expect));
        let mut world = Self {
            parts: Vec::new(),
            wires: Vec::new(),
            open: Vec::new(),
            sessions: HashMap::new(),
            queue: BTreeMap::new(),
            held: Vec::new(),
            links: HashMap::new(),
            log: MemoryLog::new(placement.shards, rules.clone(), LOG_BYTES_MAX),
            failures: Failures::default(),
            failing: 0,
            logs_at: 0,
            clock: 0,
            numbers: 0,
            random: Random::new(seed),
            limits: Arc::new(limits),
            counters: (0..workers).map(|_| Arc::default()).collect(),
            placement,
            rules,
            expect,
            has_store,
        };
        world.start();
        world
    }

    /// The broker's process begins, with what the log holds.
    fn start(&mut self) {
        let identity = Identity {
            epoch: "epoch".into(),
            server: "murre/test".into(),
            seed: self.placement.seed,
            durable: self.has_store,
        };
        let (identity, directory) = (Arc::new(identity), shard::Directory::default());
        let now = self.now();
        let mut starts = if self.has_store { self.log.start(now.wall).shards } else { Vec::new() };
        let sessions = Arc::new(Restored::read(&starts));
        for (shard, start) in (0..).zip(&mut starts) {
            start.reserved += OFFSETS;
            let (worker, end) = (self.placement.worker(shard), start.reserved);
            self.log.handle(now.wall, LogCommand::Reserve { worker, shard, end }, &mut Vec::new());
        }
        let mut starts: Vec<_> = (0..).zip(starts).collect();
        let (placement, rules) = (self.placement, self.rules.clone());
        self.parts.clear();
        for (id, counters) in placement.all_workers().zip(self.counters.clone()) {
            let limits = self.limits.clone();
            let own = |shard: u8| placement.worker(shard) == id;
            let log = LogSetup {
                outlives: self.has_store,
                began: now,
                sessions: sessions.clone(),
                starts: starts.extract_if(.., |(shard, _)| own(*shard)).collect(),
                ..LogSetup::in_memory(rules.clone())
            };
            let engine = Embedded::new(EmbeddedSetup {
                worker: id,
                placement,
                limits: limits.clone(),
                counters: counters.clone(),
                directory: directory.clone(),
                log,
                expect: self.expect.clone(),
            });
            let hub =
                Hub::new(HubSetup { worker: id, placement, limits, identity: identity.clone(), counters });
            let worker = Worker::new(id, hub, engine);
            self.parts.push(Part { worker, wants: Wants::default(), touched: false, held: false });
        }
    }

    /// The broker's process dies and begins anew. Of what was on its way into the log some was written, and nobody was
    /// told.
    pub(super) fn crash(&mut self) {
        let events = std::mem::take(&mut self.queue).into_values();
        let commands: Vec<LogCommand> = events
            .filter_map(|event| if let Event::Log(command) = event { Some(command) } else { None })
            .collect();
        let written = self.random.below(commands.len() as u64 + 1) as usize;
        commands.into_iter().take(written).for_each(|command| drop(self.commit(command)));
        self.log.crash();
        self.failures = Failures::default();
        for wire in std::mem::take(&mut self.open) {
            self.wires[wire].gone = true;
        }
        self.sessions.clear();
        self.held.clear();
        self.links.clear();
        self.start();
    }

    /// The time.
    pub(super) fn now(&self) -> Now {
        let ms = self.clock / 1000;
        Now { wall: Timestamp::from_millis(START + ms), tick: Tick(ms) }
    }

    /// The workers in order.
    pub(super) fn workers(&self) -> impl Iterator<Item = &Worker<Embedded>> {
        self.parts.iter().map(|part| &part.worker)
    }

    /// Their names.
    pub(super) fn all_workers(&self) -> impl Iterator<Item = WorkerId> + use<> {
        self.placement.all_workers()
    }

    /// Lets a hub do something out of turn.
    pub(super) fn with_hub<R>(
        &mut self,
        worker: WorkerId,
        act: impl FnOnce(Now, &mut Hub, &mut crate::engine::Outputs) -> R,
    ) -> R {
        let now = self.now();
        let result = self.parts[worker.index()].worker.with_hub(|hub, out| act(now, hub, out));
        self.touch(worker);
        result
    }

    /// Makes a connection, if the hub takes it.
    pub(super) fn open(&mut self, worker: WorkerId, codec: Codec, offered: bool) -> Option<usize> {
        let known = offered.then_some(codec);
        let opened = self.with_hub(worker, |now, hub, _| hub.open(now, SessionKind::Client, known, None));
        let key = opened.ok()?;
        self.wires.push(Wire::new(worker, key, codec));
        self.sessions.insert((worker, key), self.wires.len() - 1);
        self.open.push(self.wires.len() - 1);
        Some(self.wires.len() - 1)
    }

    /// The connection has something for its session, or its session for it.
    pub(super) fn wake(&mut self, wire: usize) {
        let delay = self.delay(50);
        self.schedule(self.clock + delay, Event::Attend(wire));
    }

    /// Stops a worker, as a long task on its thread would.
    pub(super) fn hold(&mut self, worker: WorkerId) {
        self.parts[worker.index()].held = true;
    }

    /// Lets a worker go on with all that came meanwhile.
    pub(super) fn release(&mut self, worker: WorkerId) {
        self.parts[worker.index()].held = false;
        for event in std::mem::take(&mut self.held) {
            // ahead of all that is still on its way
            self.schedule(0, event);
        }
    }

    /// Lets one thing happen. False when nothing is left that doesn't wait for time to pass.
    pub(super) fn step(&mut self) -> bool {
        let Some(((due, _), event)) = self.queue.pop_first() else { return false };
        self.clock = self.clock.max(due);
        let worker = match &event {
            Event::Attend(wire) => self.wires[*wire].worker,
            Event::Arrive(worker, _) | Event::Turn(worker) => *worker,
            Event::Log(_) => {
                self.log(event);
                return true;
            }
        };
        if self.parts[worker.index()].held {
            self.held.push(event);
            return true;
        }
        let now = self.now();
        match event {
            Event::Attend(wire) => {
                let part = &mut self.parts[worker.index()];
                if self.wires[wire].attend(now, &mut part.worker, &mut self.random) {
                    self.wake(wire);
                }
                self.touch(worker);
                self.turn_if_full(now, worker);
            }
            Event::Arrive(_, input) => {
                self.parts[worker.index()].worker.take(now, input);
                self.touch(worker);
                self.turn_if_full(now, worker);
            }
            Event::Turn(_) => self.turn(now, worker),
            Event::Log(_) => {}
        }
        true
    }

    /// The log does what it is told, on a thread of its own.
    fn log(&mut self, event: Event) {
        let Event::Log(command) = event else { return };
        for (worker, answer) in self.commit(command) {
            self.send(LOG, worker, Input::Engine(EngineInput::Log(answer)));
        }
    }

    /// The log does what it is told, or fails; what it answers.
    fn commit(&mut self, command: LogCommand) -> Vec<(WorkerId, LogEvent)> {
        let mut answers = Vec::new();
        match self.refusal(&command) {
            Some(refused) => answers.push(refused),
            None => self.log.handle(self.now().wall, command, &mut answers),
        }
        answers
    }

    /// The answer to a batch that fails.
    fn refusal(&mut self, command: &LogCommand) -> Option<(WorkerId, LogEvent)> {
        let LogCommand::Append(batch) = command else { return None };
        let fails = self.failing > 0 && self.random.chance(self.failing);
        let refusal = self.failures.check(batch).err().or(fails.then_some(LogRefusal::Failed))?;
        self.failures.note(batch, refusal);
        Some((batch.worker, LogEvent::Committed { serial: batch.serial, result: Err(refusal) }))
    }

    /// Lets everything happen that doesn't wait for time to pass.
    pub(super) fn settle(&mut self) {
        let settled = (0..EVENTS_MAX).any(|_| !self.step());
        assert!(settled, "the broker never comes to rest");
    }

    /// Lets time pass, with all that it makes due.
    pub(super) fn run_until(&mut self, end: u64) {
        for _ in 0..EVENTS_MAX {
            let event = self.queue.first_key_value().map(|((due, _), _)| *due);
            let timer = self.next_timer();
            match (event, timer) {
                (Some(due), _) if due <= end && timer.is_none_or(|timer| due <= timer) => _ = self.step(),
                (_, Some(due)) if due <= end => {
                    self.clock = self.clock.max(due);
                    self.ring();
                }
                _ => {
                    self.clock = self.clock.max(end);
                    return;
                }
            }
        }
        panic!("the broker never comes to rest");
    }

    /// How many records the log has.
    pub(super) fn records(&self) -> usize {
        self.log.records()
    }

    /// Microseconds since the start.
    pub(super) fn clock(&self) -> u64 {
        self.clock
    }

    fn next_timer(&self) -> Option<u64> {
        let workers = self.parts.iter().filter(|part| !part.held && !part.touched);
        let ticks = workers.filter_map(|part| part.worker.next_due());
        let cut_off = self.open.iter().map(|wire| &self.wires[*wire]);
        let cut_off = cut_off.filter(|wire| !wire.gone).filter_map(|wire| wire.cut_off);
        ticks.chain(cut_off).min().map(|tick| tick.0 * 1000)
    }

    /// Time made something due.
    fn ring(&mut self) {
        let now = self.now().tick;
        for at in 0..self.parts.len() {
            let part = &self.parts[at];
            if !part.held && part.worker.next_due().is_some_and(|due| due <= now) {
                self.touch(WorkerId(at as u8));
            }
        }
        for wire in self.open.clone() {
            if !self.wires[wire].gone && self.wires[wire].cut_off.is_some_and(|due| due <= now) {
                let Self { parts, wires, random, .. } = self;
                let worker = wires[wire].worker;
                let at = Now { wall: Timestamp::from_millis(START + now.0), tick: now };
                wires[wire].attend(at, &mut parts[worker.index()].worker, random);
                self.touch(worker);
            }
        }
    }

    fn turn_if_full(&mut self, now: Now, id: WorkerId) {
        let part = &mut self.parts[id.index()];
        if !part.worker.is_full() {
            return;
        }
        let is_due = part.worker.hand_on_early(now, &mut part.wants);
        self.pass_on(id);
        if is_due {
            self.turn(now, id);
        }
    }

    /// The end of a worker's turn, as the shell keeps it.
    fn turn(&mut self, now: Now, id: WorkerId) {
        let part = &mut self.parts[id.index()];
        part.touched = false;
        if std::mem::take(&mut part.wants.again) {
            part.worker.turn(now);
        }
        if part.worker.next_due().is_some_and(|due| due <= now.tick) {
            part.worker.tick(now);
            part.touched = true;
        }
        let mut again = std::mem::take(&mut part.touched);
        loop {
            again |= self.finish(now, id);
            if !self.parts[id.index()].wants.more {
                break;
            }
        }
        if again {
            self.touch(id);
        }
    }

    /// Does and sends a portion of what is to be done; true if the worker is to have another turn.
    fn finish(&mut self, now: Now, id: WorkerId) -> bool {
        let part = &mut self.parts[id.index()];
        part.worker.finish(now, &mut part.wants);
        let mut again = part.wants.again;
        let woken = std::mem::take(&mut part.wants.woken);
        self.pass_on(id);
        self.open.retain(|wire| !self.wires[*wire].gone);
        for wire in &self.open {
            let wire = &mut self.wires[*wire];
            if wire.worker == id {
                wire.waiting_max = wire.waiting_max.max(self.parts[id.index()].worker.hub.waiting(wire.key));
            }
        }
        for key in woken {
            let alarmed = self.parts[id.index()].worker.hub.attend(key);
            let Some(wire) = self.sessions.get(&(id, key)).copied() else { continue };
            if alarmed {
                self.wake(wire);
            } else if !self.wires[wire].gone {
                again |= self.wires[wire].flush(&mut self.parts[id.index()].worker);
            }
        }
        again
    }

    /// Gives other workers and the log what is theirs.
    fn pass_on(&mut self, id: WorkerId) {
        let wants = &mut self.parts[id.index()].wants;
        let (sent, commands) = (std::mem::take(&mut wants.sent), std::mem::take(&mut wants.log));
        for (to, input) in sent {
            self.send(id, to, input);
        }
        for command in commands {
            let delay = self.delay(2000);
            self.logs_at = self.logs_at.max(self.clock + delay);
            self.schedule(self.logs_at, Event::Log(command));
        }
    }

    fn send(&mut self, from: WorkerId, to: WorkerId, input: Input) {
        let delay = self.delay(300);
        let link = self.links.entry((from, to, matches!(input, Input::Hub(_)))).or_default();
        *link = (*link).max(self.clock + delay);
        let due = *link;
        self.schedule(due, Event::Arrive(to, input));
    }

    /// The worker's turn is going to end.
    fn touch(&mut self, worker: WorkerId) {
        let part = &mut self.parts[worker.index()];
        if !std::mem::replace(&mut part.touched, true) {
            let delay = self.delay(20);
            self.schedule(self.clock + delay, Event::Turn(worker));
        }
    }

    /// Mostly short, rarely long.
    fn delay(&mut self, usual_max: u64) -> u64 {
        let rare = if self.random.chance(2) { 20 } else { 1 };
        self.random.below(usual_max) * rare
    }

    fn schedule(&mut self, due: u64, event: Event) {
        self.numbers += 1;
        self.queue.insert((due, self.numbers), event);
    }
}
