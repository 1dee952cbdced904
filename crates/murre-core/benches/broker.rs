//! What one delivery costs in a whole broker of one worker, without sockets.
//!
//! Clients' bytes go in as their WebSocket messages would bring them, the worker does all that follows from it, and
//! the blocks of its outboxes are taken and given back as its shell would send them: decoding, order and last value,
//! matching, encoding and copying, but no system call, WebSocket frame or event loop. Each benchmark reports
//! deliveries a second; payloads have 64 bytes.
//!
//! | benchmark | publishers | subscribers | each message goes to |
//! |---|---|---|---|
//! | `fan_out` | 1 | 100 of one topic | 100 |
//! | `fan_in` | 100, a topic each | 1 of all by a wildcard | 1 |
//! | `pairs` | 100, a topic each | 100, a topic each | 1 |
//!
//! The parameter is how many messages a publisher sends within one turn of the event loop: the more load, the more.

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput};
use murre_core::{
    counters::Counters,
    embedded::{Embedded, EmbeddedSetup, LogSetup},
    hub::{Hub, HubSetup, Identity, MessageKind},
    ids::{SessionKey, WorkerId},
    limits::Limits,
    now::{Now, Tick},
    placement::{Placement, SHARDS_DEFAULT},
    session::SessionKind,
    shard::Directory,
    worker::{Wants, Worker},
};
use murre_protocol::{
    Codec, Format, Timestamp,
    packet::{ClientPacket, Connect, From, Publish, Subscribe, SubscribeOptions},
};

const CLIENTS: usize = 100;
const WORKER: WorkerId = WorkerId(0);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let all = || (0..CLIENTS).map(|i| format!("site/{i}/temp")).collect();
    deliver(&mut criterion, "fan_out", vec!["site/0/temp".into()], vec!["site/0/temp".into(); CLIENTS]);
    deliver(&mut criterion, "fan_in", all(), vec!["site/+/temp".into()]);
    deliver(&mut criterion, "pairs", all(), all());
    criterion.final_summary();
}

fn deliver(criterion: &mut Criterion, name: &str, topics: Vec<String>, filters: Vec<String>) {
    let mut group = criterion.benchmark_group(format!("broker/{name}"));
    for burst in [1, 16] {
        let mut broker = Broker::new();
        filters.iter().for_each(|filter| broker.subscriber(filter));
        let publishers: Vec<_> =
            topics.iter().map(|topic| (broker.client(), publishes(topic, burst))).collect();
        broker.turn(&publishers);
        let deliveries = (burst * topics.len().max(filters.len())) as u64;
        assert_eq!(broker.delivered(), deliveries, "every message reaches every subscriber");
        group.throughput(Throughput::Elements(deliveries));
        group.bench_function(BenchmarkId::from_parameter(burst), |bencher| {
            bencher.iter(|| broker.turn(black_box(&publishers)));
        });
    }
    group.finish();
}

/// A worker with its shell's part, but for the sockets.
struct Broker {
    worker: Worker<Embedded>,
    wants: Wants,
    now: Now,
    counters: Arc<Counters>,
}

impl Broker {
    fn new() -> Self {
        let placement = Placement { shards: SHARDS_DEFAULT, workers: 1, seed: 7 };
        let (limits, counters) = (Arc::new(Limits::default()), Arc::new(Counters::default()));
        let identity = Arc::new(Identity {
            epoch: "epoch".into(),
            server: "murre/bench".into(),
            seed: placement.seed,
            durable: false,
        });
        let engine = Embedded::new(EmbeddedSetup {
            worker: WORKER,
            placement,
            limits: limits.clone(),
            counters: counters.clone(),
            directory: Directory::default(),
            log: LogSetup::in_memory(Arc::default()),
            expect: Arc::default(),
        });
        let counted = counters.clone();
        let hub = Hub::new(HubSetup { worker: WORKER, placement, limits, identity, counters: counted });
        let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), tick: Tick(0) };
        Self { worker: Worker::new(WORKER, hub, engine), wants: Wants::default(), now, counters }
    }

    /// Copies of messages that were put into outboxes since the start.
    fn delivered(&self) -> u64 {
        self.counters.delivered.value()
    }

    /// A client that has connected.
    fn client(&mut self) -> SessionKey {
        let now = self.now;
        let opened =
            self.worker.with_hub(|hub, _| hub.open(now, SessionKind::Client, Some(Codec::MessagePack), None));
        let key = opened.expect("room for a session");
        let connect = Connect { keep_alive: Some(0), ..Default::default() };
        self.say(key, &ClientPacket::Connect(Box::new(connect)));
        key
    }

    fn subscriber(&mut self, filter: &str) {
        let key = self.client();
        let options = SubscribeOptions { from: Some(From::Live), ..Default::default() };
        let subscribe = Subscribe { sub: 1, filter: filter.into(), options };
        self.say(key, &ClientPacket::Subscribe(Box::new(subscribe)));
    }

    fn say(&mut self, key: SessionKey, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        Codec::MessagePack.write_client(packet, &mut bytes);
        self.turn(&[(key, bytes)]);
    }

    /// A turn of the event loop: what clients have sent is read, and all that follows is done and sent.
    fn turn(&mut self, sent: &[(SessionKey, Vec<u8>)]) {
        let now = self.now;
        for (key, bytes) in sent {
            self.worker.with_hub(|hub, out| hub.receive(now, *key, MessageKind::Binary, bytes, out));
            if self.worker.is_full() && self.worker.hand_on_early(now, &mut self.wants) {
                self.finish();
            }
        }
        while self.worker.has_work() || !self.wants.woken.is_empty() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.worker.finish(self.now, &mut self.wants);
        if std::mem::take(&mut self.wants.again) {
            self.worker.turn(self.now);
        }
        for key in self.wants.woken.drain(..) {
            self.worker.with_hub(|hub, out| {
                hub.attend(key);
                while let Some(block) = hub.take(key) {
                    black_box(block.packets());
                    hub.sent(key, block, out);
                }
            });
        }
    }
}

/// A WebSocket message with `burst` publishes.
fn publishes(topic: &str, burst: usize) -> Vec<u8> {
    let publish = Publish {
        topic: topic.into(),
        format: Format::Raw,
        payload: vec![0x5a; 64].into(),
        id: 0,
        options: None,
    };
    let packet = ClientPacket::Publish(publish);
    let mut bytes = Vec::new();
    (0..burst).for_each(|_| Codec::MessagePack.write_client(&packet, &mut bytes));
    bytes
}
