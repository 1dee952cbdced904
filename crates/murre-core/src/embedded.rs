//! The embedded engine: one worker's shards, and what each hub is interested in.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use hashbrown::HashMap;
use murre_protocol::{
    Code, Format, Position,
    packet::{Message, PublishOptions},
};
use smallvec::SmallVec;

use crate::{
    batch::{Content, MessageBatch, Origin, PublishBatch, PublishEntry, Share},
    counters::Counters,
    engine::{Answer, Engine, EngineInput, HubInput, Outputs, SharedBatch, SnapshotCommand},
    groups::Groups,
    ids::{GroupId, SessionAddress, SnapshotId, WorkerId},
    index::FilterIndex,
    limits::Limits,
    now::{Now, Tick},
    placement::Placement,
    shard::{ClientEvent, Directory, Intake, Refusal, Shard, TopicSlot, Will, message_options},
    snapshot::{Slicing, Snapshot},
};

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
    counters: Arc<Counters>,
    spare: Vec<MessageBatch>,
    events: VecDeque<ClientEvent>,
}

/// What an engine part holds, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Filters that hubs want and groups that have members.
    pub interests: usize,
    /// Snapshots under way.
    pub snapshots: usize,
    /// Client records.
    pub clients: usize,
    /// Topics.
    pub topics: usize,
}

/// Who wants a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interest {
    Hub(WorkerId),
    Group(GroupId),
}

/// Spare batches that are kept.
const SPARE_BATCHES_MAX: usize = 4;

impl Embedded {
    /// The part of `worker`, with empty shards.
    pub fn new(
        worker: WorkerId,
        placement: Placement,
        limits: &Arc<Limits>,
        counters: Arc<Counters>,
        directory: &Directory,
    ) -> Self {
        let shard = |number| Shard::new(number, limits.clone(), directory.clone());
        let shards = placement.shards_of(worker).map(shard).collect();
        Self {
            worker,
            placement,
            shards,
            interest: FilterIndex::new(),
            generation: 1,
            groups: Groups::default(),
            snapshots: HashMap::new(),
            counters,
            spare: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// What it holds.
    pub fn holdings(&self) -> Holdings {
        Holdings {
            interests: self.interest.len(),
            snapshots: self.snapshots.len(),
            clients: self.shards.iter().map(|shard| shard.clients.len()).sum(),
            topics: self.shards.iter().map(|shard| shard.topics.len()).sum(),
        }
    }

    fn place(&self, shard: u8) -> usize {
        usize::from(shard / self.placement.workers.max(1))
    }

    fn take_one(
        &mut self,
        now: Now,
        entry: &PublishEntry,
        publishes: &PublishBatch,
        kept: bool,
        messages: &mut MessageBatch,
    ) -> Result<Position, Refusal> {
        let options = publishes.options(entry);
        let payload = publishes.payload(entry);
        let ends = options.is_some_and(|options| options.retain) && payload.is_empty();
        let topic = publishes.topic(entry);
        let intake =
            Intake { hash: entry.hash, topic, format: entry.format, payload, options, kept: kept && !ends };
        let place = self.place(self.placement.shard(entry.hash));
        let Some(shard) = self.shards.get_mut(place) else { return Err(Refusal::Topics) };
        let (topics, bytes) = (shard.topics.len(), shard.topics.bytes());
        let slot = shard.locate(&intake)?;
        let (hubs, groups) = route(shard, slot, topic, &self.interest, self.generation);
        let position = shard.take(now.wall, slot, &intake);
        count_growth(&self.counters, shard, topics, bytes);
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
            for group in groups {
                if let Some(hub) = self.groups.choose(group) {
                    messages.shares.push(Share { entry: at, hub, group });
                }
            }
        }
        Ok(position)
    }

    fn batch(&mut self) -> MessageBatch {
        self.spare.pop().unwrap_or_else(|| MessageBatch::new(self.worker))
    }

    /// Publishes what the client records want published, and passes on the rest.
    fn pass_events(&mut self, now: Now, out: &mut Outputs) {
        while let Some(event) = self.events.pop_front() {
            match event {
                ClientEvent::Welcome { session } => out.hub(session.worker, HubInput::Welcome(session.key)),
                ClientEvent::LetGo { session } => out.hub(session.worker, HubInput::LetGo(session.key)),
                ClientEvent::Presence { client, payload, kept } => {
                    let topic = Placement::presence_topic(&client);
                    let content =
                        Content { format: Format::Json, payload: payload.as_bytes(), options: None };
                    self.publish_own(now, &topic, content, kept, out);
                }
                ClientEvent::Publish(will) => self.publish_will(&will, out),
            }
        }
    }

    /// Publishes to a topic of this worker's shards.
    fn publish_own(&mut self, now: Now, topic: &str, content: Content<'_>, kept: bool, out: &mut Outputs) {
        let mut publishes = PublishBatch::default();
        let hash = self.placement.topic_hash(topic);
        publishes.push(hash, Origin { session: None, id: 0 }, topic, content);
        let mut messages = self.batch();
        for entry in publishes.entries() {
            // past the bound on topics, presence is told live and not kept
            if self.take_one(now, entry, &publishes, kept, &mut messages).is_err() {
                let _ = self.take_one(now, entry, &publishes, false, &mut messages);
            }
        }
        self.spread(messages, out);
    }

    /// A will goes the way of every publish, to the shard of its topic.
    fn publish_will(&mut self, will: &Will, out: &mut Outputs) {
        self.counters.wills.add(1);
        let options = will.retain.then(|| PublishOptions { retain: true, ..Default::default() });
        let content = Content { format: will.format, payload: &will.payload, options };
        let hash = self.placement.topic_hash(&will.topic);
        let mut batch = Box::new(PublishBatch::default());
        batch.push(hash, Origin { session: None, id: 0 }, &will.topic, content);
        let worker = self.placement.worker(self.placement.shard(hash));
        out.engine(worker, EngineInput::Publish { origin: self.worker, batch, credits: Vec::new() });
    }

    fn snapshot(&mut self, now: Now, command: SnapshotCommand, out: &mut Outputs) {
        let id = match command {
            SnapshotCommand::Open(id, filter) => {
                self.snapshots.insert(id, Snapshot::new(filter));
                id
            }
            SnapshotCommand::Next(id) => id,
            SnapshotCommand::Cancel(id) => {
                if let Some(snapshot) = self.snapshots.remove(&id) {
                    snapshot.cancel(&mut self.shards);
                }
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

    fn client_shard(&mut self, client: &murre_protocol::ClientId) -> Option<&mut Shard> {
        let place = self.place(self.placement.shard(self.placement.client_hash(client)));
        self.shards.get_mut(place)
    }
}

impl Engine for Embedded {
    fn publish(
        &mut self,
        now: Now,
        origin: WorkerId,
        batch: &PublishBatch,
        out: &mut Outputs,
    ) -> MessageBatch {
        let mut messages = self.batch();
        let mut answers = Vec::new();
        let (mut accepted, mut refused) = (0, 0);
        for entry in batch.entries() {
            let result = self.take_one(now, entry, batch, true, &mut messages);
            match result {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            }
            let Some(session) = entry.session else { continue };
            match result {
                Ok(position) if entry.id > 0 => {
                    answers.push(Answer { session, id: entry.id, code: Code::OK, reason: "", position });
                }
                Ok(_) => {}
                Err(refusal) => {
                    let (code, reason) = (refusal.code(), refusal.reason());
                    answers.push(Answer { session, id: entry.id, code, reason, position: Position::NONE });
                }
            }
        }
        self.counters.published.add(accepted);
        self.counters.publishes_refused.add(refused);
        if !answers.is_empty() {
            out.hub(origin, HubInput::Published(answers));
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
                let mut messages = self.publish(now, origin, &batch, out);
                messages.credits = credits;
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
            EngineInput::Group { hub, group, filter, members, load, serial } => {
                self.generation += 1;
                let had = self.groups.has(group);
                self.groups.set(group, hub, members, load);
                match (had, self.groups.has(group)) {
                    (false, true) => self.interest.insert(&filter, Interest::Group(group)),
                    (true, false) => _ = self.interest.remove(&filter, &Interest::Group(group)),
                    _ => {}
                }
                if members > 0 {
                    out.hub(hub, HubInput::Interested { from: self.worker, serial });
                }
            }
            EngineInput::Positions(id) => {
                let positions = self.shards.iter().map(Shard::position).collect();
                out.hub(id.worker, HubInput::Positions { from: self.worker, id, positions });
            }
            EngineInput::Snapshot(command) => self.snapshot(now, command, out),
            EngineInput::Connect { client, session } => {
                let mut events = std::mem::take(&mut self.events);
                if let Some(shard) = self.client_shard(&client) {
                    shard.clients.connect(now, client, session, &mut events);
                }
                self.events = events;
                self.pass_events(now, out);
            }
            EngineInput::Ended { client, ended } => {
                let mut events = std::mem::take(&mut self.events);
                if let Some(shard) = self.client_shard(&client) {
                    shard.clients.end(now, client, ended, &mut events);
                }
                self.events = events;
                self.pass_events(now, out);
            }
        }
    }

    fn next_due(&self) -> Option<Tick> {
        self.shards.iter().filter_map(|shard| shard.clients.next_due()).min()
    }

    fn tick(&mut self, now: Now, out: &mut Outputs) {
        for shard in &mut self.shards {
            shard.clients.tick(now, &mut self.events);
        }
        self.pass_events(now, out);
    }

    fn recycle(&mut self, mut batch: MessageBatch) {
        if self.spare.len() < SPARE_BATCHES_MAX {
            batch.clear();
            self.spare.push(batch);
        }
    }
}

/// Who wants a topic: as the topic remembers it, or looked up anew where the interests have changed since.
#[inline]
fn route(
    shard: &mut Shard,
    slot: TopicSlot,
    topic: &str,
    interest: &FilterIndex<Interest>,
    generation: u64,
) -> (u64, SmallVec<[GroupId; 1]>) {
    let Some(known) = shard.topics.topic_mut(slot) else { return (0, SmallVec::new()) };
    let route = &mut known.route;
    if route.generation != generation {
        route.generation = generation;
        route.hubs = 0;
        route.groups.clear();
        interest.for_each_match(topic, |who| match who {
            Interest::Hub(hub) => route.hubs |= hub.bit(),
            Interest::Group(group) => route.groups.push(*group),
        });
    }
    (route.hubs, if route.groups.is_empty() { SmallVec::new() } else { route.groups.clone() })
}

/// The hubs that a batch has messages for, as a set of workers.
pub(crate) fn hubs_of(messages: &MessageBatch) -> u64 {
    let all = messages.entries().iter().fold(0, |hubs, entry| hubs | entry.hubs);
    messages.shares.iter().fold(all, |hubs, share| hubs | share.hub.bit())
}

/// Gives publishers back the bytes that they had under way.
pub(crate) fn give_credit(credits: &[(SessionAddress, usize)], out: &mut Outputs) {
    let mut by_worker: SmallVec<[(WorkerId, Vec<_>); 2]> = SmallVec::new();
    for (session, bytes) in credits {
        match by_worker.iter_mut().find(|(worker, _)| *worker == session.worker) {
            Some((_, list)) => list.push((session.key, *bytes)),
            None => by_worker.push((session.worker, vec![(session.key, *bytes)])),
        }
    }
    for (worker, list) in by_worker {
        out.hub(worker, HubInput::Credit(list));
    }
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
