//! What all workers of a broker share.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    ops::Range,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use actix_rt::ArbiterHandle;
use murre_core::{
    actor::{Directory, WorkerAddress},
    counters::{Counter, Counters},
    embedded::{Embedded, EmbeddedSetup, LogSetup},
    engine::{EngineInput, Input},
    expect::ExpectRules,
    hub::{Hub, HubSetup, Identity},
    ids::WorkerId,
    kept::{Debt, Restored},
    limits::{Degrade, Limits},
    log::{KeepRule, KeepRules, LogCommand, LogEvent, ShardStart, Start},
    placement::{Placement, SHARDS_DEFAULT},
    shard,
    worker::Worker,
};
use murre_protocol::{ClientId, Timestamp, TopicFilter, TopicName};
use murre_store::{Copier, Stats};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

use crate::{
    clock::Clock,
    config::{self, Config},
    log::{self, AnyLog, Begun, Sink},
    reading::Readers,
    stats::StatsHistory,
    websocket::AllowedOrigins,
    websocket::origin::OwnHost,
};

/// A broker's shared parts. Workers register here as their threads start.
pub(crate) struct Process {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) origins: AllowedOrigins,
    placement: Placement,
    limits: Arc<Limits>,
    identity: Arc<Identity>,
    counters: Vec<Arc<Counters>>,
    clients: shard::Directory,
    started: AtomicUsize,
    registering: Mutex<Vec<(WorkerId, WorkerAddress, ArbiterHandle)>>,
    workers: OnceLock<(Directory, Vec<ArbiterHandle>)>,
    rules: Arc<KeepRules>,
    expect: Arc<ExpectRules>,
    /// None once it is closed.
    log: RwLock<Option<AnyLog>>,
    pub(crate) readers: Readers,
    /// Whether a backup is being written.
    pub(crate) backing_up: AtomicBool,
    /// By shard: the greatest offset that was used; empty without a store, where nobody asks.
    used: Arc<[AtomicU64]>,
    /// What the log held of the shards whose workers have not started.
    starts: Mutex<Vec<(u8, ShardStart)>>,
    /// The sessions that the log held when the process began, until all workers have taken them in.
    sessions: Mutex<Arc<Restored>>,
    stopping: AtomicBool,
    incomplete: AtomicBool,
    /// When it began, by the calendar.
    began: Timestamp,
    pub(crate) stats: StatsHistory,
    /// Questions of those who run the broker that may be under way.
    pub(crate) questions: Semaphore,
}

/// Questions of those who run the broker that may be under way at once, each a page of clients at most.
const QUESTIONS_MAX: usize = 16;

impl Process {
    /// A process of `workers` workers.
    pub(crate) fn new(
        config: Config,
        workers: usize,
        own_host: OwnHost,
    ) -> Result<Arc<Self>, crate::ServeError> {
        let origins = AllowedOrigins::own(own_host).and_listed(&config.server.origins);
        let origins = origins.map_err(|why| crate::ServeError::Origins(why.to_string()))?;
        let (rules, clock) = (Arc::new(config.keep_rules()), Clock::start());
        let expect = Arc::new(config.expect_rules());
        let own: Arc<OnceLock<Weak<Self>>> = Arc::default();
        let Begun { log, start } = log::open(&config, &rules, workers, clock, sink(own.clone()))?;
        let durable = start.is_some();
        let (epoch, seed, shards, kept) = match start {
            Some(Start { epoch, seed, shards }) => (epoch, seed, shards.len() as u8, shards),
            None => (format!("{:016x}", random()), random(), SHARDS_DEFAULT, Vec::new()),
        };
        let sessions = Arc::new(Restored::read(&kept));
        let placement = Placement { shards, workers: workers as u8, seed };
        let identity = Identity {
            epoch,
            server: concat!("murre/", env!("CARGO_PKG_VERSION")).to_owned(),
            seed: random(),
            durable,
        };
        let process = Arc::new(Self {
            limits: Arc::new(limits(&config, workers, shards)),
            clock,
            origins,
            placement,
            identity: Arc::new(identity),
            counters: (0..workers).map(|_| Arc::default()).collect(),
            clients: Arc::default(),
            started: AtomicUsize::new(0),
            registering: Mutex::default(),
            workers: OnceLock::new(),
            rules,
            expect,
            log: RwLock::new(Some(log)),
            readers: Readers::default(),
            backing_up: AtomicBool::new(false),
            used: kept.iter().map(|shard| AtomicU64::new(shard.used)).collect(),
            starts: Mutex::new((0..).zip(kept).collect()),
            sessions: Mutex::new(sessions),
            stopping: AtomicBool::new(false),
            incomplete: AtomicBool::new(false),
            began: clock.now().wall,
            stats: StatsHistory::default(),
            questions: Semaphore::new(QUESTIONS_MAX),
            config,
        });
        let _ = own.set(Arc::downgrade(&process));
        Ok(process)
    }

    /// Names the run of positions.
    pub(crate) fn epoch(&self) -> &str {
        &self.identity.epoch
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> u8 {
        self.placement.shards
    }

    /// Its name and version.
    pub(crate) fn server(&self) -> &str {
        &self.identity.server
    }

    /// When it began.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// The worker that runs a topic's shard.
    pub(crate) fn worker_of_topic(&self, topic: &str) -> WorkerId {
        self.placement.worker(self.placement.shard(self.placement.topic_hash(topic)))
    }

    /// The worker that has a client's record.
    pub(crate) fn worker_of_client(&self, client: &ClientId) -> WorkerId {
        self.placement.worker(self.placement.client_shard(client))
    }

    /// Every worker.
    pub(crate) fn all_workers(&self) -> impl Iterator<Item = WorkerId> + use<> {
        self.placement.all_workers()
    }

    /// The keep rule that holds for a topic.
    pub(crate) fn rule_of(&self, topic: &TopicName<'_>) -> Option<&KeepRule> {
        self.rules.rule(self.rules.of(topic)?)
    }

    /// The shards that have topics which match a filter.
    pub(crate) fn shards_of(&self, filter: &TopicFilter<'_>) -> Range<u8> {
        if !filter.is_exact() {
            return 0..self.shards();
        }
        let shard = self.placement.shard(self.placement.topic_hash(filter.as_str()));
        shard..shard + 1
    }

    /// Hands a command to the log.
    pub(crate) fn log(&self, command: LogCommand) {
        if let Some(log) = self.log.read().as_ref() {
            log.send(command);
        }
    }

    /// What copies the store, where there is one.
    pub(crate) fn copier(&self) -> Option<Copier> {
        self.log.read().as_ref().and_then(AnyLog::copier)
    }

    /// What the store has counted, where there is one.
    pub(crate) fn store_stats(&self) -> Option<Stats> {
        self.log.read().as_ref().and_then(AnyLog::stats)
    }

    /// Ends the log in order. Nothing may be published any more.
    pub(crate) fn close_log(&self) {
        let log = self.log.write().take();
        if let Some(log) = log {
            log.close(self.used.iter().map(|used| used.load(SeqCst)).collect());
        }
    }

    /// The next worker's number; none when all have started, so one of them must have died.
    pub(crate) fn next_worker(&self) -> Option<WorkerId> {
        let number = self.started.fetch_add(1, SeqCst);
        (number < self.counters.len()).then_some(WorkerId(number as u8))
    }

    /// A worker's parts.
    pub(crate) fn make_worker(&self, worker: WorkerId) -> Worker<Embedded> {
        let counters = self.counters.get(worker.index()).cloned().unwrap_or_default();
        let (placement, limits) = (self.placement, self.limits.clone());
        let engine = Embedded::new(EmbeddedSetup {
            worker,
            placement,
            limits: limits.clone(),
            counters: counters.clone(),
            directory: self.clients.clone(),
            log: self.log_setup(worker),
            expect: self.expect.clone(),
        });
        let identity = self.identity.clone();
        Worker::new(worker, Hub::new(HubSetup { worker, placement, limits, identity, counters }), engine)
    }

    fn log_setup(&self, worker: WorkerId) -> LogSetup {
        let own = |shard: u8| self.placement.worker(shard) == worker;
        let starts = self.starts.lock().extract_if(.., |(shard, _)| own(*shard)).collect();
        LogSetup {
            rules: self.rules.clone(),
            outlives: self.identity.durable,
            queue_max: self.config.store.queue_max.div_ceil(self.counters.len()),
            began: self.clock.now(),
            sessions: self.sessions.lock().clone(),
            starts,
            used: self.used.clone(),
        }
    }

    /// A worker can be sent to. When the last one registers, all can.
    pub(crate) fn register(&self, worker: WorkerId, address: WorkerAddress, arbiter: ArbiterHandle) {
        let mut registering = self.registering.lock();
        registering.push((worker, address, arbiter));
        if registering.len() == self.counters.len() {
            // threads start in any order
            registering.sort_by_key(|(worker, ..)| *worker);
            let (addresses, arbiters) =
                registering.drain(..).map(|(_, address, arbiter)| (address, arbiter)).unzip();
            let _ = self.workers.set((Directory::new(addresses), arbiters));
            *self.sessions.lock() = Arc::default();
        }
    }

    /// Where workers are sent to; none until all have started, and nothing is accepted before.
    pub(crate) fn workers(&self) -> Option<&Directory> {
        self.workers.get().map(|(directory, _)| directory)
    }

    /// Runs something on a worker's thread. False where there is none, or no more.
    pub(crate) fn on_worker(&self, worker: WorkerId, act: impl FnOnce() + Send + 'static) -> bool {
        let arbiter = self.workers.get().and_then(|(_, arbiters)| arbiters.get(worker.index()));
        arbiter.is_some_and(|arbiter| arbiter.spawn_fn(act))
    }

    /// Runs something on every worker's thread.
    pub(crate) fn on_all_workers(&self, act: impl Fn() + Send + Clone + 'static) {
        for arbiter in self.workers.get().map(|(_, arbiters)| arbiters.as_slice()).unwrap_or_default() {
            arbiter.spawn_fn(act.clone());
        }
    }

    /// Marks the broker as one that is going away.
    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, SeqCst);
    }

    /// Whether the broker goes away.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }

    /// Marks the broker as one that has lost a worker, and the topics and sessions of that.
    pub(crate) fn set_incomplete(&self) {
        self.incomplete.store(true, SeqCst);
    }

    /// Whether a worker was lost.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete.load(SeqCst)
    }

    /// How many workers there are to be.
    pub(crate) fn worker_count(&self) -> usize {
        self.counters.len()
    }

    /// Whether connections are welcome.
    pub(crate) fn is_ready(&self) -> bool {
        self.workers.get().is_some() && !self.is_stopping() && !self.is_incomplete()
    }

    /// Sessions that are open, on all workers.
    pub(crate) fn sessions(&self) -> u64 {
        self.sum(|counters| &counters.sessions)
    }

    /// Client ids that are online.
    pub(crate) fn clients(&self) -> u64 {
        self.clients.len() as u64
    }

    /// A counter, summed over the workers.
    pub(crate) fn sum(&self, counter: impl Fn(&Counters) -> &Counter) -> u64 {
        self.counters.iter().fold(0, |sum, counters| sum.wrapping_add(counter(counters).value()))
    }

    /// Every counter, summed over the workers.
    pub(crate) fn counters(&self) -> Vec<(&'static str, &'static str, &'static str, u64)> {
        let mut sums = Counters::default().all();
        for counters in &self.counters {
            for (sum, (.., value)) in sums.iter_mut().zip(counters.all()) {
                sum.3 = sum.3.wrapping_add(value);
            }
        }
        sums.push(("clients", "gauge", " Client ids that are online.", self.clients()));
        sums.push(("history_answers", "gauge", " Answers of HTTP's history under way.", self.readers.len()));
        if let Some(stats) = self.store_stats() {
            sums.extend(stats.all());
        }
        sums
    }

    /// Clients' return after a shutdown is spread over this.
    pub(crate) fn shutdown_spread(&self) -> Duration {
        self.config.server.shutdown_spread
    }
}

/// Takes the log's answers to the workers.
fn sink(process: Arc<OnceLock<Weak<Process>>>) -> Sink {
    Box::new(move |worker, event| {
        let Some(process) = process.get().and_then(Weak::upgrade) else { return };
        let event = match event {
            LogEvent::Slice(slice) => match process.readers.deliver(slice) {
                Some(slice) => LogEvent::Slice(slice),
                None => return,
            },
            event => event,
        };
        if let Some(workers) = process.workers() {
            workers.send(worker, Input::Engine(EngineInput::Log(event)));
        }
    })
}

/// The lower rates of clients that read too slowly, as the core has them.
fn degrade(config: &Config) -> Option<Degrade> {
    let config::Degrade { enabled, at_percent, period_max, recover } = config.degrade;
    enabled.then_some(Degrade { at_percent, period_max, recover })
}

/// The core's limits, with what is bounded in all shared out to workers and shards.
fn limits(config: &Config, workers: usize, shards: u8) -> Limits {
    let limits = &config.limits;
    let shards = usize::from(shards);
    Limits {
        max_packet: limits.max_packet,
        max_message: limits.max_message,
        outbox_max: limits.outbox_max,
        subscriptions_max: limits.subscriptions_max,
        sessions_max: limits.sessions_max.div_ceil(workers),
        topics_max: limits.topics_max.div_ceil(shards),
        kept_bytes_max: limits.kept_bytes_max.div_ceil(shards),
        filters_max: limits.filters_max.div_ceil(workers),
        inflight_max: limits.inflight_max,
        ack_queue_bytes_max: limits.ack_queue_bytes_max,
        publish_inflight_max: limits.publish_inflight_max,
        sequences_max: limits.sequences_max.div_ceil(shards),
        history_last_max: limits.history_last_max as u64,
        session_expiry_max: limits.session_expiry_max.as_secs(),
        kept_sessions_max: limits.sessions_kept_max.div_ceil(shards),
        session_debt_max: Debt {
            messages: limits.session_messages_max as u64,
            bytes: limits.session_bytes_max as u64,
        },
        views_max: limits.views_max.div_ceil(workers),
        view_topics_max: limits.view_topics_max,
        view_bytes_max: limits.view_bytes_max,
        degrade: degrade(config),
        hello_timeout: config.session.hello_timeout,
        keep_alive: config.session.keep_alive,
        keep_alive_max: config.session.keep_alive_max,
    }
}

/// A number that nobody can foresee, from the operating system by way of the standard library's hash keys.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
