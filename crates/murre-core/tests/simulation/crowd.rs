//! The clients and what they do.

use murre_core::testing::{Broker, Lengths, Random};
use murre_protocol::{
    Codec, Format,
    packet::{ClientPacket, Connect, Will},
};

use super::{
    checks,
    record::Record,
    session::{End, Session},
    wills::{self, Wills},
};

/// Everything of a run.
pub(crate) struct Crowd {
    pub(crate) broker: Broker,
    pub(crate) random: Random,
    pub(crate) workers: u8,
    pub(crate) record: Record,
    pub(crate) wills: Wills,
    /// All connections that ever were; the last of each seat sits there.
    pub(crate) sessions: Vec<Session>,
    /// Who sits where: the connection's place.
    pub(crate) seats: Vec<Option<usize>>,
    /// Whose each client id was when the broker last came to rest, as far as its client has heard.
    pub(crate) holders: Vec<Option<usize>>,
}

const SEATS: usize = 8;
const IDS: usize = 5;
/// Above what a client that reads may be sent in one turn: the bytes at which a turn is ended, and one batch.
const OUTBOX_MAX: usize = 192 * 1024;
const INFLIGHT_MAX: usize = 20;

impl Crowd {
    pub(crate) fn new(seed: u64) -> Self {
        let workers = [2, 2, 2, 1, 3][(seed % 5) as usize];
        let broker = Broker::with_limits(workers, seed, |limits| {
            limits.outbox_max = OUTBOX_MAX;
            limits.inflight_max = INFLIGHT_MAX;
            // the record knows of what was dropped, not of what a lower rate leaves out
            limits.degrade = None;
            limits.publish_inflight_max = 16 * 1024;
        });
        let random = broker.random();
        let record = Record::observing(&broker);
        Self {
            broker,
            random,
            workers,
            record,
            wills: Wills::default(),
            sessions: Vec::new(),
            seats: vec![None; SEATS],
            holders: vec![None; IDS],
        }
    }

    /// One client does one thing, and the broker a few.
    pub(crate) fn step(&mut self) {
        let seat = self.random.place(SEATS);
        match self.seats[seat].filter(|at| self.sessions[*at].is_open()) {
            Some(at) => self.act(at),
            None => self.connect(seat),
        }
        let events = self.random.below(12);
        self.broker.run_some(events);
        if self.random.chance(4) {
            if self.random.chance(30) {
                let length = self.random.below(2_000);
                self.broker.run_for(length.millis());
            }
            self.settle();
        }
    }

    fn connect(&mut self, seat: usize) {
        let id = self.random.place(IDS);
        let delay = *self.random.pick(&[0, 0, 5]);
        let will = self.wills.connect(id, delay * 1000);
        let worker = self.random.below(self.workers.into()) as u8;
        let codec = *self.random.pick(&[Codec::MessagePack, Codec::MessagePack, Codec::Json]);
        let client = self.broker.open(worker, codec);
        let (name, payload) = (format!("client{id}"), will.to_string());
        let will = Will {
            topic: wills::TOPIC.into(),
            format: Format::Text,
            payload: payload.as_bytes().into(),
            retain: false,
            delay,
        };
        let connect = Connect {
            client_id: Some(name.into()),
            keep_alive: Some(0),
            will: Some(will),
            ..Default::default()
        };
        client.send(&ClientPacket::Connect(Box::new(connect)));
        self.sessions.push(Session::new(client, id));
        self.seats[seat] = Some(self.sessions.len() - 1);
    }

    /// Whether the client id was the connection's when the broker last came to rest, and nothing speaks against it.
    pub(crate) fn is_surely_online(&self, at: usize) -> bool {
        self.holders[self.sessions[at].id] == Some(at) && !self.sessions[at].stalled
    }

    /// Lets the broker come to rest, and checks what can be checked then.
    fn settle(&mut self) {
        self.broker.settle();
        self.record.read();
        self.holders = vec![None; IDS];
        for at in 0..self.sessions.len() {
            let session = &mut self.sessions[at];
            session.read();
            let waited = session.client.waiting_max();
            assert!(waited <= OUTBOX_MAX + SLACK, "{waited} bytes waited");
            self.settle_will(at);
            let session = &self.sessions[at];
            if session.is_open() && !session.stalled {
                assert!(session.connected, "a client that reads is CONNECTED or told why not");
                let other = self.holders[session.id].replace(at);
                assert_eq!(other, None, "one connection of a client id at a time");
            }
        }
        let holders = &self.holders;
        self.wills.settle(self.broker.now(), |id| holders[id].is_some());
    }

    /// What can't be known of a connection's will now.
    fn settle_will(&mut self, at: usize) {
        let session = &self.sessions[at];
        let gone = session.client.is_gone();
        let unheard = match session.ended {
            // the broker ended it
            None => gone || session.disconnected.is_some(),
            // its end has not been read
            Some(End::Abrupt) => session.client.unread() > 0 && !gone,
            Some(End::Clean) => false,
        };
        if unheard {
            self.wills.either(at);
        }
    }

    /// All read on, then all leave; nothing may be left.
    pub(crate) fn finish(&mut self) {
        for session in &mut self.sessions {
            session.stalled = false;
            session.client.send_appetite(None);
        }
        self.broker.run_for(10.secs());
        self.settle();
        self.acknowledge_all();
        let inflight_max = INFLIGHT_MAX;
        for session in &self.sessions {
            checks::check_session(session, &self.record, inflight_max);
        }
        checks::check_groups(&self.sessions);
        checks::check_publishers(&self.sessions, &self.record);
        for at in 0..self.sessions.len() {
            if self.sessions[at].is_open() {
                if self.random.chance(50) { self.leave(at) } else { self.lose(at) }
            }
        }
        self.broker.run_for(20.secs());
        self.settle();
        self.wills.check(&self.record);
        self.record.end();
        checks::check_presence(&self.record);
        self.check_remains();
    }

    fn acknowledge_all(&mut self) {
        loop {
            let mut any = false;
            for session in self.sessions.iter_mut().filter(|session| session.is_open()) {
                for (sub, subscription) in &mut session.subscriptions {
                    for position in std::mem::take(&mut subscription.unacknowledged) {
                        any = true;
                        if !subscription.unsubscribed {
                            session.client.send(&ClientPacket::Ack { sub: *sub, position });
                        }
                    }
                }
            }
            self.settle();
            if !any {
                return;
            }
        }
    }

    fn check_remains(&self) {
        let remains = self.broker.remains();
        let workers = usize::from(self.workers);
        assert_eq!(remains.hubs, vec![Default::default(); workers]);
        assert_eq!(remains.interests, vec![0; workers]);
        assert_eq!(remains.snapshots, vec![0; workers]);
        assert_eq!(remains.clients, vec![0; workers]);
        assert_eq!(remains.topics.iter().sum::<usize>(), self.record.kept());
        let open = self.broker.count(|c| &c.sessions) + self.broker.count(|c| &c.subscriptions);
        assert_eq!(open, 0, "gauges count down");
    }
}

/// Past the bound there may be a slice of a snapshot, answers to what a client asked, and one message.
const SLACK: usize = 64 * 1024 + 64 * 1024 + 8 * 1024;
