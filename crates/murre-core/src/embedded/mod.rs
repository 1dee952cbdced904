//! The embedded engine: one worker's shards, and what each hub is interested in.

use std::{
    borrow::Cow,
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use hashbrown::HashMap;
use murre_protocol::{ClientId, Code, Position, packet::Message};

use crate::{
    batch::{MessageBatch, PublishBatch, PublishEntry, Share},
    counters::Counters,
    engine::{Answer, Begin, Engine, EngineInput, HubInput, Outputs, SharedBatch, SnapshotCommand},
    expect::ExpectRules,
    groups::Groups,
    ids::{GroupId, SessionAddress, SnapshotId, WorkerId},
    index::FilterIndex,
    limits::Limits,
    log::ShardStart,
    now::{Now, Tick},
    placement::Placement,
    shard::{ClientEvent, Directory, Intake, Refusal, Rules, Shard, Taking, TopicSlot, message_options},
    snapshot::{Slicing, Snapshot},
};
use commits::charge;
use history::History;
use keeping::Keeping;
use logging::{Fate, Logged, Logging};
use route::route;

pub(crate) use hubs::{give_credit, hubs_of};
pub use logging::LogSetup;
pub use report::TopicReport;

mod clients;
mod commits;
mod freshness;
mod history;
mod hubs;
mod judging;
mod keeping;
mod logging;
mod numbers;
mod report;
mod route;
mod sessions;
mod tail;

/// One worker's part of the embedded engine.
pub struct Embedded {
    worker: WorkerId,
    placement: Placement,
    /// This worker's shards; shard `n` is at `n / workers`.
    shards: Vec<Shard>,
    interest: FilterIndex<Interest>,
    /// Counts the changes of `interest`; voids what topics remember of it.
    generation: u64,
    groups: Groups,
    snapshots: HashMap<SnapshotId, Snapshot>,
    histories: HashMap<SnapshotId, History>,
    /// The histories by the number of their reads.
    reading: HashMap<u64, SnapshotId>,
    /// Counts reads.
    reads: u64,
    logging: Logging,
    keeping: Keeping,
    /// Kept sessions whose values have to be written again, since the log failed.
    unwritten: BTreeSet<ClientId>,
    write_again_at: Option<Tick>,
    /// Whether hubs were told that publishers have to wait for the log.
    pressed: bool,
    counters: Arc<Counters>,
    spare: Vec<MessageBatch>,
    /// The topic of the publish before, if it was taken and is still there.
    recent: Option<TopicSlot>,
    /// Whether a shard has something to tell of a topic's freshness.
    has_news: bool,
    /// How many topics were counted as stale.
    stale: usize,
    events: VecDeque<ClientEvent>,
}

/// What makes an engine part.
#[derive(Debug)]
pub struct EmbeddedSetup {
    /// Its worker.
    pub worker: WorkerId,
    /// Where topics go.
    pub placement: Placement,
    /// Its bounds.
    pub limits: Arc<Limits>,
    /// Where it counts.
    pub counters: Arc<Counters>,
    /// Client id → worker, for all threads to look up.
    pub directory: Directory,
    /// What is kept, and what was.
    pub log: LogSetup,
    /// Which topics are expected to be heard how often.
    pub expect: Arc<ExpectRules>,
}

/// What an engine part holds, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Filters that hubs want and groups that have members.
    pub interests: usize,
    /// Snapshots and histories under way.
    pub snapshots: usize,
    /// Whether anything waits for the log.
    pub logging: bool,
    /// Client records.
    pub clients: usize,
    /// Subscriptions of kept sessions.
    pub kept: usize,
    /// Topics.
    pub topics: usize,
}

/// Who wants a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interest {
    Hub(WorkerId),
    Group(GroupId),
    /// A subscription of a kept session, by its place.
    Kept(u32),
}

/// What became of a publish.
struct Taken {
    position: Position,
    fate: Fate,
    /// It was logged before, under the same sequence number.
    repeat: bool,
}

/// Spare batches that are kept.
const SPARE_BATCHES_MAX: usize = 16;

impl Embedded {
    /// The part of one worker, with what the log held of its shards.
    pub fn new(setup: EmbeddedSetup) -> Self {
        let EmbeddedSetup { worker, placement, limits, counters, directory, log, expect } = setup;
        let (now, sessions, outlives) = (log.began, log.sessions.clone(), log.outlives);
        let rules = Rules { keep: log.rules.clone(), expect };
        let shard = |number| Shard::new(number, limits.clone(), directory.clone(), rules.clone());
        let mut shards: Vec<Shard> = placement.shards_of(worker).map(shard).collect();
        for (number, start) in &log.starts {
            if let Some(shard) = shards.iter_mut().find(|shard| shard.number() == *number) {
                restore(shard, placement, &counters, start);
            }
        }
        let logging = Logging::new(worker, log, usize::from(placement.shards));
        let keeping = Keeping::new(worker, &placement, limits.session_debt_max, outlives);
        let mut made = Self {
            worker,
            placement,
            shards,
            interest: FilterIndex::new(),
            generation: 1,
            groups: Groups::default(),
            snapshots: HashMap::new(),
            histories: HashMap::new(),
            reading: HashMap::new(),
            reads: 0,
            logging,
            keeping,
            unwritten: BTreeSet::new(),
            write_again_at: None,
            pressed: false,
            counters,
            spare: Vec::new(),
            recent: None,
            has_news: false,
            stale: 0,
            events: VecDeque::new(),
        };
        made.restore_kept(now, &sessions);
        for shard in &mut made.shards {
            shard.resume_watching(now, |topic| placement.topic_hash(topic));
        }
        made.count_stale();
        made
    }

    /// Whether anything is on its way into the log.
    pub fn is_logging(&self) -> bool {
        !self.logging.is_idle()
    }

    /// What it holds.
    pub fn holdings(&self) -> Holdings {
        Holdings {
            interests: self.interest.len(),
            snapshots: self.snapshots.len() + self.histories.len(),
            logging: self.is_logging(),
            clients: self.shards.iter().map(|shard| shard.clients.len()).sum(),
            kept: self.keeping.len(),
            topics: self.shards.iter().map(|shard| shard.topics.len()).sum(),
        }
    }

    fn place(&self, shard: u8) -> usize {
        self.placement.place(shard)
    }

    fn take_one(
        &mut self,
        now: Now,
        (origin, entry): (WorkerId, &PublishEntry),
        publishes: &PublishBatch,
        kept: bool,
        messages: &mut MessageBatch,
    ) -> Result<Taken, Refusal> {
        let options = publishes.options(entry);
        let payload = publishes.payload(entry);
        let retain = options.is_some_and(|options| options.retain);
        let topic = publishes.topic(entry);
        let kept = kept && !(retain && payload.is_empty());
        let intake = Intake { hash: entry.hash, topic, format: entry.format, payload, options, kept };
        let place = self.place(self.placement.shard(entry.hash));
        let Some(shard) = self.shards.get_mut(place) else { return Err(Refusal::Topics) };
        let (topics, bytes) = (shard.topics.len(), shard.topics.bytes());
        let slot = shard.locate(&intake, self.recent.take().filter(|_| entry.again))?;
        let (hubs, groups, kept, fate) = {
            let (route, rule) = route(shard, slot, topic, &self.interest, self.generation);
            let fate = self.logging.fate(rule, retain, route.kept.is_some());
            (route.hubs, route.groups, route.kept, fate)
        };
        if fate.logged && self.is_repeat(now, place, publishes, entry)? {
            return Ok(Taken { position: Position::NONE, fate, repeat: true });
        }
        let Some(shard) = self.shards.get_mut(place) else { return Err(Refusal::Topics) };
        let publisher = entry.session.map(|key| SessionAddress { worker: origin, key });
        let position = shard.take(Taking { now, logged: fate.ruled, publisher }, slot, &intake);
        self.has_news |= shard.freshness.has_news();
        self.recent = intake.kept.then_some(slot);
        count_growth(&self.counters, shard, topics, bytes);
        let mut written = None;
        if hubs != 0 || !groups.is_empty() {
            let options = options.and_then(message_options).map(Box::new);
            let message = Message {
                topic: Cow::Borrowed(topic),
                format: entry.format,
                payload: Cow::Borrowed(payload),
                time: now.wall,
                position,
                options,
            };
            let at = messages.push(entry.hash, hubs, message);
            written = Some(at);
            for group in groups {
                if let Some((hub, acknowledged)) = self.groups.choose(group) {
                    messages.shares.push(Share { entry: at, hub, group, acknowledged });
                }
            }
        }
        if let Some(kept) = kept {
            self.keeping.owe(&kept, place, position, topic.len() + payload.len());
        }
        if fate.logged {
            let written = written.map(|at| (&*messages, at));
            let (hash, format) = (entry.hash, entry.format);
            self.logging.record(now, &Logged { hash, topic, format, payload, options, position, written });
        }
        Ok(Taken { position, fate, repeat: false })
    }

    fn batch(&mut self) -> MessageBatch {
        self.spare.pop().unwrap_or_else(|| MessageBatch::new(self.worker))
    }

    fn snapshot(&mut self, now: Now, command: SnapshotCommand, out: &mut Outputs) {
        let id = match command {
            SnapshotCommand::Open(id, filter, Begin::History(from)) => {
                return self.open_history(now, id, filter, from, out);
            }
            SnapshotCommand::Open(id, filter, Begin::Last) => {
                self.snapshots.insert(id, Snapshot::new(filter));
                id
            }
            SnapshotCommand::Next(id) if self.histories.contains_key(&id) => {
                return self.go_on_with_history(now, id, out);
            }
            SnapshotCommand::Next(id) => id,
            SnapshotCommand::Cancel(id) => {
                if let Some(snapshot) = self.snapshots.remove(&id) {
                    snapshot.cancel(&mut self.shards);
                }
                self.cancel_history(id, out);
                return;
            }
        };
        let mut values = self.batch();
        let Some(snapshot) = self.snapshots.get_mut(&id) else { return };
        let slicing = Slicing::new(now, id, &self.placement, &mut values);
        let progress = snapshot.slice(&mut self.shards, slicing);
        let slice = progress.with(id, self.worker, values);
        if slice.done {
            self.snapshots.remove(&id);
        }
        out.hub(id.worker, HubInput::Slice(slice));
    }
}

impl Engine for Embedded {
    fn publish(
        &mut self,
        now: Now,
        origin: WorkerId,
        batch: &PublishBatch,
        credits: Vec<(SessionAddress, usize)>,
        out: &mut Outputs,
    ) -> MessageBatch {
        let mut messages = self.batch();
        let mut answers = Vec::new();
        let (mut accepted, mut refused, mut repeats) = (0, 0, 0);
        for entry in batch.entries() {
            let result = self.take_one(now, (origin, entry), batch, true, &mut messages);
            match &result {
                Ok(taken) if taken.repeat => repeats += 1,
                Ok(_) => accepted += 1,
                Err(_) => {
                    refused += 1;
                    self.note_refused(now, batch, entry);
                }
            }
            let Some(session) = entry.session else { continue };
            match result {
                Ok(Taken { position, fate, .. }) if entry.id > 0 => {
                    let answer = Answer { session, id: entry.id, code: Code::OK, reason: "", position };
                    if fate.held {
                        self.logging.hold(origin, answer, out);
                    } else {
                        answers.push(answer);
                    }
                }
                Ok(_) => {}
                Err(refusal) => {
                    let (code, reason) = (refusal.code(), refusal.reason());
                    answers.push(Answer { session, id: entry.id, code, reason, position: Position::NONE });
                }
            }
        }
        if self.has_news {
            self.tell_news(now, &mut messages);
        }
        self.counters.published.add(accepted);
        self.counters.publishes_refused.add(refused);
        self.counters.repeats.add(repeats);
        if !answers.is_empty() {
            out.hub(origin, HubInput::Published(answers));
        }
        if self.logging.records() > 0 {
            self.charge_for_log(origin, batch, out);
        }
        self.close_batch(&mut messages, out);
        if messages.gate != 0 {
            self.logging.waits().credits.extend(credits);
        } else {
            messages.credits = credits;
        }
        if origin == self.worker && hubs_of(&messages) & !self.worker.bit() != 0 {
            // other workers' hubs take them when they come to it, which the publishers mustn't outrun
            messages.credits = charge(origin, batch, out);
        }
        messages
    }

    fn spread(&mut self, messages: MessageBatch, out: &mut Outputs) {
        let hubs = hubs_of(&messages);
        if hubs == 0 {
            give_credit(&messages.credits, out);
            self.recycle(messages);
            return;
        }
        let left = (hubs.count_ones() as usize).into();
        let shared = Arc::new(SharedBatch { batch: messages, left });
        for hub in self.placement.all_workers().filter(|hub| hubs & hub.bit() != 0) {
            out.hub(hub, HubInput::Messages(shared.clone()));
        }
    }

    fn handle(&mut self, now: Now, input: EngineInput, out: &mut Outputs) {
        match input {
            EngineInput::Publish { origin, batch, credits } => {
                let messages = self.publish(now, origin, &batch, credits, out);
                self.spread(messages, out);
            }
            EngineInput::Interest { hub, filter, wanted, serial } => {
                self.generation += 1;
                if wanted {
                    self.interest.insert(&filter, Interest::Hub(hub));
                    out.hub(hub, HubInput::Interested { from: self.worker, serial });
                } else {
                    self.interest.remove(&filter, &Interest::Hub(hub));
                }
            }
            EngineInput::Group { hub, group, filter, members, serial } => {
                self.generation += 1;
                let had = self.groups.has(group);
                let is_interested = members.count > 0;
                self.groups.set(group, hub, members);
                match (had, self.groups.has(group)) {
                    (false, true) => self.interest.insert(&filter, Interest::Group(group)),
                    (true, false) => _ = self.interest.remove(&filter, &Interest::Group(group)),
                    _ => {}
                }
                if is_interested {
                    out.hub(hub, HubInput::Interested { from: self.worker, serial });
                }
            }
            EngineInput::Reshare { group, batch } => self.reshare(group, &batch, out),
            EngineInput::Positions(id) => {
                let positions = self.shards.iter().map(Shard::position).collect();
                out.hub(id.worker, HubInput::Positions { from: self.worker, id, positions });
            }
            EngineInput::Snapshot(command) => self.snapshot(now, command, out),
            EngineInput::Log(event) => self.log_event(now, event, out),
            EngineInput::Own { topic, payload } => {
                self.publish_own(now, &topic, &payload, true, out);
                self.logging.flush(&mut out.log);
            }
            EngineInput::Connect { client, claim } => self.client_connects(now, client, claim, out),
            EngineInput::Ended { client, ended } => self.client_ended(now, client, ended, out),
            EngineInput::Kept { client, session, request } => {
                self.kept_request(now, &client, session, request, out);
            }
            EngineInput::Keep(input) => self.keep(now, input, out),
            EngineInput::Report(report) => self.kept_report(now, report, out),
        }
    }

    fn next_due(&self) -> Option<Tick> {
        let clients = self.shards.iter().filter_map(|shard| shard.clients.next_due()).min();
        [clients, self.floors_due(), self.write_again_due(), self.silence_due()].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Now, out: &mut Outputs) {
        for shard in &mut self.shards {
            let before = shard.clients.kept();
            self.counters.sessions_expired.add(shard.clients.tick(now, &mut self.events));
            clients::count_kept(&self.counters, before, shard.clients.kept());
        }
        self.write_again(now);
        self.pass_events(now, out);
        self.renew_floors(now, out);
        self.watch_over_silence(now, out);
    }

    fn recycle(&mut self, mut batch: MessageBatch) {
        if self.spare.len() < SPARE_BATCHES_MAX {
            batch.clear();
            batch.from = self.worker;
            self.spare.push(batch);
        }
    }
}

/// Takes in what the log held of a shard.
fn restore(shard: &mut Shard, placement: Placement, counters: &Counters, start: &ShardStart) {
    shard.restore(|topic| placement.topic_hash(topic), start);
    for value in &start.state {
        if let Some(client) = logging::sequence_client(&value.key) {
            shard.sequences.restore(client, &value.value);
        }
    }
    count_growth(counters, shard, 0, 0);
}

fn count_growth(counters: &Counters, shard: &Shard, topics: usize, bytes: usize) {
    let (topics_now, bytes_now) = (shard.topics.len(), shard.topics.bytes());
    if topics_now != topics {
        counters.topics.add((topics_now as u64).wrapping_sub(topics as u64));
    }
    if bytes_now != bytes {
        counters.kept_bytes.add((bytes_now as u64).wrapping_sub(bytes as u64));
    }
}
