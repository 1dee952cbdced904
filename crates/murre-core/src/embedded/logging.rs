//! What a worker's shards hand to the log, and what waits for its commits.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicU64},
};

use murre_protocol::{
    ClientId, Codec, Format, Position,
    codec::HasOptions,
    packet::{Message, PublishOptions},
};

use super::tail::Tail;
use crate::{
    batch::MessageBatch,
    engine::{Answer, HubInput, Outputs},
    ids::{SessionAddress, WorkerId},
    kept::{Change, KeptAnswer, Restored},
    log::{KeepRules, LogBatch, LogCommand, Record, RuleId, StateChange},
    now::Now,
    shard::SequenceChange,
};

/// What the keys of sequence numbers begin with, in the state of a shard; the client id follows.
const SEQUENCE_KEY: &[u8] = b"q";

/// The client whose sequence number a key is of.
pub(super) fn sequence_client(key: &[u8]) -> Option<ClientId> {
    let id = key.strip_prefix(SEQUENCE_KEY)?;
    ClientId::parse(std::str::from_utf8(id).ok()?).ok()
}

/// The log as an engine part finds it at start.
#[derive(Debug)]
pub struct LogSetup {
    /// What is kept of which topics.
    pub rules: Arc<KeepRules>,
    /// Whether the log outlives the process, so that retained values and acknowledgements are its business.
    pub outlives: bool,
    /// Bytes on their way into the log past which publishers wait, for each worker.
    pub queue_max: usize,
    /// When the process began.
    pub began: Now,
    /// The sessions that all shards held.
    pub sessions: Arc<Restored>,
    /// What the worker's shards held.
    pub starts: Vec<(u8, crate::log::ShardStart)>,
    /// By shard, for all to see: the greatest offset that was used, so that a store can be closed with it.
    pub used: Arc<[AtomicU64]>,
}

impl LogSetup {
    /// A log in memory that is empty.
    pub fn in_memory(rules: Arc<KeepRules>) -> Self {
        let (began, sessions) = (Now::default(), Arc::default());
        Self {
            rules,
            outlives: false,
            queue_max: 64 << 20,
            began,
            sessions,
            starts: Vec::new(),
            used: Arc::new([]),
        }
    }
}

/// What becomes of a message beside going out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fate {
    /// It is logged.
    pub logged: bool,
    /// It is logged, and not for kept sessions alone.
    pub ruled: bool,
    /// Its publisher is answered when it is committed.
    pub held: bool,
}

/// Batches on their way into the log.
#[derive(Debug)]
pub(super) struct Logging {
    worker: WorkerId,
    pub(super) rules: Arc<KeepRules>,
    outlives: bool,
    queue_max: usize,
    open: LogBatch,
    waits: Waits,
    queued: VecDeque<Queued>,
    queued_bytes: usize,
    /// The last batch that failed.
    failed: u64,
    pub(super) tail: Tail,
    pub(super) used: Arc<[AtomicU64]>,
    scratch: Vec<u8>,
}

/// What waits for one batch's commit.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Answers to publishers.
    pub answers: Vec<(WorkerId, Answer)>,
    /// Bytes that publishers have under way.
    pub credits: Vec<(SessionAddress, usize)>,
    /// Hubs that hold messages back, as a set of workers.
    pub hubs: u64,
    /// Sequence numbers that are taken back if it fails.
    pub sequences: Vec<SequenceChange>,
    /// What hubs are to be told of kept sessions.
    pub kept: Vec<(ClientId, SessionAddress, KeptAnswer)>,
    /// Kept sessions whose values are in it.
    pub sessions: Vec<ClientId>,
}

#[derive(Debug)]
struct Queued {
    serial: u64,
    bytes: usize,
    waits: Waits,
}

/// A message that is logged.
pub(super) struct Logged<'a> {
    pub hash: u64,
    pub topic: &'a str,
    pub format: Format,
    pub payload: &'a [u8],
    pub options: Option<&'a PublishOptions<'static>>,
    pub position: Position,
    /// The same, if it was written for live subscribers.
    pub written: Option<(&'a MessageBatch, u32)>,
}

impl Logging {
    pub(super) fn new(worker: WorkerId, setup: LogSetup, shards: usize) -> Self {
        Self {
            worker,
            rules: setup.rules,
            outlives: setup.outlives,
            queue_max: setup.queue_max,
            open: LogBatch::new(worker, 1),
            waits: Waits::default(),
            queued: VecDeque::new(),
            queued_bytes: 0,
            failed: 0,
            tail: Tail::new(shards),
            used: setup.used,
            scratch: Vec::new(),
        }
    }

    /// What becomes of a message to a topic under a rule, that kept sessions may want.
    #[inline]
    pub(super) fn fate(&self, rule: Option<RuleId>, retain: bool, kept: bool) -> Fate {
        let durable = rule.is_some_and(|rule| self.rules.rule(rule).is_some_and(|rule| rule.durable));
        let retained = retain && self.outlives;
        let ruled = rule.is_some() || retained;
        // what a session is owed is as durable as the session
        Fate { logged: ruled || kept, ruled, held: durable || retained || (kept && self.outlives) }
    }

    /// Adds a message to the batch that is being filled.
    pub(super) fn record(&mut self, now: Now, logged: &Logged<'_>) {
        let retain = logged.options.is_some_and(|options| options.retain);
        let expiry = logged.options.and_then(|options| options.expiry);
        let expires = expiry.map(|seconds| now.wall.plus_seconds(seconds));
        let written = logged.written.and_then(|(batch, at)| Some((batch, batch.entries().get(at as usize)?)));
        let (has_options, tail): (HasOptions, &[u8]) = match written {
            Some((batch, entry)) => (entry.has_options, batch.tail(entry)),
            None => {
                self.scratch.clear();
                let options = logged.options.and_then(crate::shard::message_options).map(Box::new);
                let message = Message {
                    topic: logged.topic.into(),
                    format: logged.format,
                    payload: logged.payload.into(),
                    time: now.wall,
                    position: logged.position,
                    options,
                };
                (Codec::MessagePack.message_tail(&message, &mut self.scratch), &self.scratch)
            }
        };
        self.open.push(Record {
            position: logged.position,
            hash: logged.hash,
            time: now.wall,
            expires,
            retain,
            ends: retain && logged.payload.is_empty(),
            has_options,
            topic: logged.topic,
            tail,
        });
    }

    /// Adds a sequence number to the batch that is being filled, with the value to be stored for its client.
    pub(super) fn note_sequence(&mut self, shard: u8, client: &ClientId, number: u64, value: &[u8]) {
        let key = [SEQUENCE_KEY, client.as_str().as_bytes()].concat();
        self.open.push_state(StateChange { shard, key: &key, value: Some(value) });
        self.waits.sequences.push(SequenceChange { shard, client: client.clone(), number });
    }

    /// Adds a value of a kept session to the batch that is being filled.
    pub(super) fn note_session(&mut self, shard: u8, change: Change) {
        let value = change.value.as_deref();
        self.open.push_state(StateChange { shard, key: &change.key, value });
        self.waits.sessions.push(change.client);
    }

    /// Answers a publish when all that is on its way is committed.
    pub(super) fn hold(&mut self, origin: WorkerId, answer: Answer, out: &mut Outputs) {
        if self.gate() == 0 {
            out.hub(origin, HubInput::Published(vec![answer]));
        } else {
            self.waits().answers.push((origin, answer));
        }
    }

    /// What waits for the batch that is being filled or, where that is empty, for the last one under way.
    pub(super) fn waits(&mut self) -> &mut Waits {
        match self.queued.back_mut() {
            Some(last) if self.open.is_empty() => &mut last.waits,
            _ => &mut self.waits,
        }
    }

    /// The number of the newest batch that is not committed; 0 where all are.
    pub(super) fn gate(&self) -> u64 {
        if self.open.is_empty() {
            self.queued.back().map_or(0, |queued| queued.serial)
        } else {
            self.open.serial
        }
    }

    /// How many records the batch has that is being filled.
    pub(super) fn records(&self) -> usize {
        self.open.records().len()
    }

    /// Hands the batch on, if there is something in it.
    pub(super) fn flush(&mut self, log: &mut Vec<LogCommand>) {
        if self.open.is_empty() {
            return;
        }
        let next = LogBatch::new(self.worker, self.open.serial + 1);
        let mut batch = std::mem::replace(&mut self.open, next);
        batch.failed = self.failed;
        let batch = Arc::new(batch);
        let (serial, bytes) = (batch.serial, batch.len());
        self.queued.push_back(Queued { serial, bytes, waits: std::mem::take(&mut self.waits) });
        self.queued_bytes += bytes;
        if !batch.records().is_empty() {
            self.tail.push(batch.clone());
        }
        log.push(LogCommand::Append(batch));
    }

    /// A batch was committed, or never will be: what waited for it.
    pub(super) fn settled(&mut self, serial: u64, is_failed: bool) -> Option<Waits> {
        let queued = self.queued.pop_front_if(|queued| queued.serial == serial)?;
        self.queued_bytes -= queued.bytes;
        if is_failed {
            self.failed = serial;
            self.tail.remove(serial);
        }
        self.tail.trim(serial);
        Some(queued.waits)
    }

    /// Whether so much is under way that publishers have to wait.
    pub(super) fn is_pressed(&self) -> bool {
        self.queued_bytes > self.queue_max
    }

    /// Whether nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.queued.is_empty() && self.open.is_empty()
    }
}
