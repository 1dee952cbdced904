//! The records of the client ids that hash to a shard: who is online where, who waits to take over, whose will
//! is due.
//!
//! One place for each id puts connects and ends in one order. A session that is online ends exactly once, and
//! says so here; a newer connection waits for that.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
    time::Duration,
};

use dashmap::DashMap;
use hashbrown::HashMap;
use murre_protocol::{ClientId, Format};

use crate::{
    ids::{KeptId, KeptSessionId, SessionAddress, WorkerId},
    kept::{
        Change, KeepInput, KeptAnswer, KeptSession, KeptStage, KeptSubscription, RestoredSession, Returning,
        Welcome,
    },
    limits::Limits,
    now::{Now, Tick},
};

/// Client id → worker and generation, for all threads to look up.
pub type Directory = Arc<DashMap<ClientId, (WorkerId, u64)>>;

/// A will, kept by the session while it lives.
#[derive(Debug, Clone, PartialEq)]
pub struct Will {
    /// Where to; valid, and no topic of the broker's own.
    pub topic: Box<str>,
    /// How the payload is to be read.
    pub format: Format,
    /// The payload.
    pub payload: Box<[u8]>,
    /// Kept as the topic's retained value.
    pub retain: bool,
    /// Seconds between the end of the connection and the will.
    pub delay: u64,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Which session.
    pub session: SessionAddress,
    /// Why, in a word or two, for the presence message.
    pub reason: &'static str,
    /// What is to be published since the client took no leave.
    pub will: Option<Box<Will>>,
}

/// A connection that claims a client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// For whom.
    pub session: SessionAddress,
    /// Seconds that the session is to be kept after a disconnect; 0: not at all, and a kept one ends.
    pub expiry: u64,
}

/// What the records want done.
#[derive(Debug, PartialEq)]
pub enum ClientEvent {
    /// The session may go on: it is the client's now.
    Welcome {
        /// Which session.
        session: SessionAddress,
        /// What was kept for it.
        welcome: Welcome,
    },
    /// The session has to let go of the client id, and report its end.
    LetGo {
        /// Which session.
        session: SessionAddress,
    },
    /// The client's presence changed.
    Presence {
        /// Whose.
        client: ClientId,
        /// The JSON payload.
        payload: String,
        /// Whether it is kept as the topic's last value.
        kept: bool,
    },
    /// A will is to be published.
    Publish(Box<Will>),
    /// A value of a kept session changed: it is to be written.
    Changed(Change),
    /// Shards are to be told.
    Keep(KeepInput),
    /// The hub is to be told, once what changed before is in the log.
    Answer {
        /// Whose.
        client: ClientId,
        /// Which session.
        session: SessionAddress,
        /// What.
        answer: KeptAnswer,
    },
    /// The same, without waiting for the log.
    Tell {
        /// Which session.
        session: SessionAddress,
        /// What.
        answer: KeptAnswer,
    },
}

#[derive(Debug, Default)]
pub(super) struct Record {
    generation: u64,
    pub(super) online: Option<SessionAddress>,
    waiting: Option<Claim>,
    will: Option<(Tick, Box<Will>)>,
    pub(super) kept: Option<Box<KeptSession>>,
    /// When the kept session ends.
    expires: Option<Tick>,
}

/// The client records of one shard.
#[derive(Debug)]
pub struct Clients {
    shard: u8,
    pub(super) limits: Arc<Limits>,
    pub(super) records: HashMap<ClientId, Record>,
    /// Whose kept sessions those numbers are.
    pub(super) kept: HashMap<u64, ClientId>,
    /// Counts kept sessions.
    kept_numbers: u64,
    /// When a will is due, or a kept session ends.
    timers: BinaryHeap<Reverse<(Tick, ClientId)>>,
    generation: u64,
    directory: Directory,
}

impl Clients {
    /// No records of this shard yet; the online ones are also told to `directory`.
    pub fn new(shard: u8, limits: Arc<Limits>, directory: Directory) -> Self {
        Self {
            shard,
            limits,
            records: HashMap::new(),
            kept: HashMap::new(),
            kept_numbers: 0,
            timers: BinaryHeap::new(),
            generation: 0,
            directory,
        }
    }

    /// Takes in a session that an earlier process has kept. One whose client was there when that died counts from now.
    pub fn restore(&mut self, now: Now, restored: &RestoredSession) {
        let RestoredSession { client, session, .. } = restored;
        let mut session = Box::new(session.clone());
        let ended = *session.ended.get_or_insert(now.wall);
        let ends = ended.plus_seconds(session.expiry);
        let expires = now.tick + Duration::from_millis(ends.millis().saturating_sub(now.wall.millis()));
        self.kept_numbers = self.kept_numbers.max(session.id.number + 1);
        self.kept.insert(session.id.number, client.clone());
        let record = self.records.entry(client.clone()).or_default();
        (record.kept, record.expires) = (Some(session), Some(expires));
        self.schedule(expires, client.clone());
    }

    /// A connection claims `client`.
    pub fn connect(&mut self, now: Now, client: ClientId, claim: Claim, out: &mut VecDeque<ClientEvent>) {
        let record = self.records.entry(client.clone()).or_default();
        if let Some(old) = record.online {
            match record.waiting.replace(claim) {
                // another one was waiting for the same: it is taken over before it began
                Some(earlier) => out.push_back(ClientEvent::LetGo { session: earlier.session }),
                None => out.push_back(ClientEvent::LetGo { session: old }),
            }
            return;
        }
        self.welcome(now, client, claim, out);
    }

    /// A session that was online, or waited to be, has ended.
    pub fn end(&mut self, now: Now, client: ClientId, ended: Ended, out: &mut VecDeque<ClientEvent>) {
        let Some(record) = self.records.get_mut(&client) else { return };
        if record.waiting.is_some_and(|claim| claim.session == ended.session) {
            record.waiting = None;
        }
        if record.online != Some(ended.session) {
            return;
        }
        record.online = None;
        if let Some(kept) = &mut record.kept {
            forget_ungranted(kept, out);
        }
        if let Some(next) = record.waiting.take() {
            self.welcome(now, client, next, out);
            return;
        }
        self.directory.remove(&client);
        if let Some(kept) = &mut record.kept {
            kept.ended = Some(now.wall);
            out.push_back(ClientEvent::Changed(Change::session(&client, Some(kept))));
            let due = now.tick + Duration::from_secs(kept.expiry);
            record.expires = Some(due);
            self.schedule(due, client.clone());
        }
        let will = ended.will.and_then(|will| self.keep_will(now, &client, will));
        let kept = !self.forget_if_idle(&client);
        let payload = presence("offline", now, Some(ended.reason));
        out.push_back(ClientEvent::Presence { client, payload, kept });
        out.extend(will.map(ClientEvent::Publish));
    }

    /// Keeps a will that is not due at once; gives back one that is.
    fn keep_will(&mut self, now: Now, client: &ClientId, will: Box<Will>) -> Option<Box<Will>> {
        if will.delay == 0 {
            return Some(will);
        }
        let due = now.tick + Duration::from_secs(will.delay);
        if let Some(record) = self.records.get_mut(client) {
            record.will = Some((due, will));
        }
        self.schedule(due, client.clone());
        None
    }

    /// Forgets a client of which there is nothing to know any more; says whether.
    fn forget_if_idle(&mut self, client: &ClientId) -> bool {
        let idle =
            |record: &Record| record.online.is_none() && record.will.is_none() && record.kept.is_none();
        let is_idle = self.records.get(client).is_none_or(idle);
        if is_idle {
            self.records.remove(client);
        }
        is_idle
    }

    fn welcome(&mut self, now: Now, client: ClientId, claim: Claim, out: &mut VecDeque<ClientEvent>) {
        self.generation += 1;
        let Claim { session, expiry } = claim;
        let welcome = self.take_up(&client, expiry, out);
        if let Some(record) = self.records.get_mut(&client) {
            record.generation = self.generation;
            record.online = Some(session);
            record.will = None;
            record.expires = None;
        }
        self.directory.insert(client.clone(), (session.worker, self.generation));
        out.push_back(ClientEvent::Welcome { session, welcome });
        out.push_back(ClientEvent::Presence { client, payload: presence("online", now, None), kept: true });
    }

    /// Takes up the kept session of a client that is back, begins one, or ends it, as it asks for.
    fn take_up(&mut self, client: &ClientId, expiry: u64, out: &mut VecDeque<ClientEvent>) -> Welcome {
        let kept = self.records.get_mut(client).and_then(|record| record.kept.as_mut());
        let present = kept.map(|kept| (kept.expiry, kept.ended) = (expiry, None)).is_some();
        match (expiry, present) {
            (0, true) => self.end_kept(client, out),
            (0, false) => {}
            (_, false) if self.kept.len() >= self.limits.kept_sessions_max => {
                return Welcome { expiry: 0, present: None };
            }
            (_, false) => {
                let id = KeptSessionId { shard: self.shard, number: self.kept_numbers };
                self.kept_numbers += 1;
                self.kept.insert(id.number, client.clone());
                if let Some(record) = self.records.get_mut(client) {
                    record.kept = Some(Box::new(KeptSession::new(id, expiry)));
                }
            }
            (_, true) => {}
        }
        let Some(kept) = self.records.get_mut(client).and_then(|record| record.kept.as_mut()) else {
            return Welcome { expiry: 0, present: None };
        };
        out.push_back(ClientEvent::Changed(Change::session(client, Some(kept))));
        Welcome { expiry, present: present.then(|| returning(kept)) }
    }

    /// Ends a kept session, with all that it held.
    fn end_kept(&mut self, client: &ClientId, out: &mut VecDeque<ClientEvent>) {
        let Some(kept) = self.records.get_mut(client).and_then(|record| record.kept.take()) else { return };
        self.kept.remove(&kept.id.number);
        out.push_back(ClientEvent::Changed(Change::session(client, None)));
        let ids = kept.subscriptions.iter().map(|(sub, of)| kept.kept_id(*sub, of)).collect();
        out.push_back(ClientEvent::Keep(KeepInput::End(ids)));
        for sub in kept.subscriptions.keys() {
            out.push_back(ClientEvent::Changed(Change::subscription(client, *sub, None)));
        }
    }

    /// Notes when to look at a client's will or kept session. Entries of clients that came back are left behind in
    /// the heap; when they are the most of it, it is made anew, so that a client that comes and goes can't make it
    /// grow.
    fn schedule(&mut self, due: Tick, client: ClientId) {
        self.timers.push(Reverse((due, client)));
        if self.timers.len() > 64 + 4 * self.records.len() {
            let due = |record: &Record| [record.will.as_ref().map(|(due, _)| *due), record.expires];
            let live = self.records.iter().flat_map(|(id, record)| due(record).map(|due| (due, id)));
            self.timers = live.filter_map(|(due, id)| Some(Reverse((due?, id.clone())))).collect();
        }
    }

    /// When the next will is due, or the next kept session ends.
    pub fn next_due(&self) -> Option<Tick> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// Publishes the wills that are due and ends the sessions that are; forgets the clients of which nothing is left.
    pub fn tick(&mut self, now: Now, out: &mut VecDeque<ClientEvent>) -> u64 {
        let mut expired = 0;
        while self.next_due().is_some_and(|due| due <= now.tick) {
            let Some(Reverse((due, client))) = self.timers.pop() else { break };
            let Some(record) = self.records.get_mut(&client) else { continue };
            // a client that was back meanwhile has no will here, or a later one
            let mut was_due = false;
            if let Some((_, will)) = record.will.take_if(|(wanted, _)| *wanted == due) {
                out.push_back(ClientEvent::Publish(will));
                was_due = true;
            }
            if record.expires.take_if(|wanted| *wanted == due).is_some() {
                self.end_kept(&client, out);
                expired += 1;
                was_due = true;
            }
            if was_due && self.forget_if_idle(&client) {
                let payload = presence("offline", now, Some("expired"));
                out.push_back(ClientEvent::Presence { client, payload, kept: false });
            }
        }
        expired
    }

    /// The session that a client is online with.
    pub fn online(&self, client: &ClientId) -> Option<SessionAddress> {
        self.records.get(client)?.online
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many kept sessions.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }
}

/// Forgets the subscriptions whose SUBSCRIBED had not gone out when the client went.
fn forget_ungranted(kept: &mut KeptSession, out: &mut VecDeque<ClientEvent>) {
    let session = kept.id;
    let announced =
        kept.subscriptions.extract_if(.., |_, kept| matches!(kept.stage, KeptStage::Announced { .. }));
    // nothing was counted for them yet
    let ids: Vec<KeptId> = announced.map(|(sub, of)| KeptId { session, sub, number: of.number }).collect();
    if !ids.is_empty() {
        out.push_back(ClientEvent::Keep(KeepInput::End(ids)));
    }
}

/// The subscriptions of a client that is back.
fn returning(kept: &KeptSession) -> Vec<Returning> {
    let returning = |(sub, of): (&u64, &KeptSubscription)| Returning {
        sub: *sub,
        filter: of.filter.clone(),
        begins: of.begins,
        cursors: of.cursors(),
        limited: of.limited,
        view: of.view.clone(),
    };
    kept.subscriptions.iter().map(returning).collect()
}

fn presence(state: &str, now: Now, reason: Option<&str>) -> String {
    let reason = reason.map_or(String::new(), |reason| format!(r#","reason":"{reason}""#));
    format!(r#"{{"state":"{state}","since":{}{reason}}}"#, now.wall.millis())
}

#[cfg(test)]
mod tests {
    use murre_protocol::Timestamp;

    use super::*;
    use crate::ids::SessionKey;

    fn at(seconds: u64) -> Now {
        Now { wall: Timestamp::from_millis(seconds * 1000), tick: Tick(seconds * 1000) }
    }

    fn session(serial: u32) -> SessionAddress {
        SessionAddress { worker: WorkerId(0), key: SessionKey { slot: serial, serial } }
    }

    fn welcome(serial: u32) -> ClientEvent {
        let welcome = Welcome { expiry: 0, present: None };
        ClientEvent::Welcome { session: session(serial), welcome }
    }

    fn will(delay: u64) -> Option<Box<Will>> {
        let (topic, payload) = ("w".into(), Box::from(*b"gone"));
        Some(Box::new(Will { topic, format: Format::Text, payload, retain: false, delay }))
    }

    struct Bench {
        clients: Clients,
        id: ClientId,
        events: VecDeque<ClientEvent>,
    }

    impl Bench {
        fn new() -> Self {
            let id = ClientId::parse("boiler").unwrap();
            let clients = Clients::new(0, Arc::new(Limits::default()), Directory::default());
            Self { clients, id, events: VecDeque::new() }
        }

        fn connect(&mut self, now: u64, serial: u32) -> Vec<ClientEvent> {
            self.connect_for(now, serial, 0)
        }

        fn connect_for(&mut self, now: u64, serial: u32, expiry: u64) -> Vec<ClientEvent> {
            let claim = Claim { session: session(serial), expiry };
            self.clients.connect(at(now), self.id.clone(), claim, &mut self.events);
            self.events.drain(..).collect()
        }

        fn end(&mut self, now: u64, serial: u32, will: Option<Box<Will>>) -> Vec<ClientEvent> {
            let ended = Ended { session: session(serial), reason: "lost", will };
            self.clients.end(at(now), self.id.clone(), ended, &mut self.events);
            self.events.drain(..).collect()
        }

        fn tick(&mut self, now: u64) -> Vec<ClientEvent> {
            self.clients.tick(at(now), &mut self.events);
            self.events.drain(..).collect()
        }
    }

    #[test]
    fn the_new_connection_waits_until_the_old_one_has_let_go() {
        let mut bench = Bench::new();
        bench.connect(1, 1);
        assert_eq!(bench.connect(2, 2), [ClientEvent::LetGo { session: session(1) }]);
        let events = bench.end(3, 1, will(0));
        assert_eq!(events[0], welcome(2));
        assert!(!events.iter().any(|e| matches!(e, ClientEvent::Publish(_))), "its will is not sent");
    }

    #[test]
    fn of_two_that_wait_the_later_one_wins() {
        let mut bench = Bench::new();
        bench.connect(1, 1);
        bench.connect(2, 2);
        assert_eq!(bench.connect(2, 3), [ClientEvent::LetGo { session: session(2) }]);
        assert_eq!(bench.end(3, 2, None), []);
        assert_eq!(bench.end(3, 1, None)[0], welcome(3));
    }

    #[test]
    fn an_end_of_an_old_session_changes_nothing() {
        let mut bench = Bench::new();
        bench.connect(1, 1);
        bench.connect(2, 2);
        bench.end(3, 1, None);
        assert_eq!(bench.end(4, 1, will(0)), []);
    }

    #[test]
    fn a_delayed_will_waits_for_its_time_and_not_for_a_client_that_is_back() {
        let mut bench = Bench::new();
        bench.connect(1, 1);
        bench.end(2, 1, will(10));
        assert_eq!(bench.tick(11), []);
        assert!(matches!(bench.tick(12)[0], ClientEvent::Publish(_)));
        assert!(bench.clients.is_empty());

        bench.connect(20, 2);
        bench.end(21, 2, will(10));
        bench.connect(25, 3);
        assert_eq!(bench.tick(40), []);
    }

    #[test]
    fn without_a_delay_the_will_goes_at_once() {
        let mut bench = Bench::new();
        bench.connect(1, 1);
        let events = bench.end(2, 1, will(0));
        assert!(matches!(&events[..], [ClientEvent::Presence { kept: false, .. }, ClientEvent::Publish(_)]));
    }
}
