//! The records of the client ids that hash to a shard: who is online where, who waits to take over, whose will
//! is due.
//!
//! One place for each id puts connects and ends in one order. A session that is online ends exactly once, and
//! says so here; a newer connection waits for that.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
};

use dashmap::DashMap;
use hashbrown::HashMap;
use murre_protocol::{ClientId, Format};

use crate::{
    ids::{SessionAddress, WorkerId},
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

/// What the records want done.
#[derive(Debug, PartialEq)]
pub enum ClientEvent {
    /// The session may go on: it is the client's now.
    Welcome {
        /// Which session.
        session: SessionAddress,
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
}

#[derive(Debug)]
struct Record {
    generation: u64,
    online: Option<SessionAddress>,
    waiting: Option<SessionAddress>,
    will: Option<(Tick, Box<Will>)>,
}

/// The client records of one shard.
#[derive(Debug)]
pub struct Clients {
    records: HashMap<ClientId, Record>,
    wills: BinaryHeap<Reverse<(Tick, ClientId)>>,
    generation: u64,
    directory: Directory,
}

impl Clients {
    /// No records yet; the online ones are also told to `directory`.
    pub fn new(directory: Directory) -> Self {
        Self { records: HashMap::new(), wills: BinaryHeap::new(), generation: 0, directory }
    }

    /// A connection claims `client`.
    pub fn connect(
        &mut self,
        now: Now,
        client: ClientId,
        session: SessionAddress,
        out: &mut VecDeque<ClientEvent>,
    ) {
        let record = self.records.entry(client.clone()).or_insert(Record {
            generation: 0,
            online: None,
            waiting: None,
            will: None,
        });
        if let Some(old) = record.online {
            match record.waiting.replace(session) {
                // another one was waiting for the same: it is taken over before it began
                Some(earlier) => out.push_back(ClientEvent::LetGo { session: earlier }),
                None => out.push_back(ClientEvent::LetGo { session: old }),
            }
            return;
        }
        self.welcome(now, client, session, out);
    }

    /// A session that was online, or waited to be, has ended.
    pub fn end(&mut self, now: Now, client: ClientId, ended: Ended, out: &mut VecDeque<ClientEvent>) {
        let Some(record) = self.records.get_mut(&client) else { return };
        if record.waiting == Some(ended.session) {
            record.waiting = None;
        }
        if record.online != Some(ended.session) {
            return;
        }
        record.online = None;
        if let Some(next) = record.waiting.take() {
            self.welcome(now, client, next, out);
            return;
        }
        self.directory.remove(&client);
        let payload = presence("offline", now, Some(ended.reason));
        match ended.will {
            Some(will) if will.delay > 0 => {
                let due = now.tick + std::time::Duration::from_secs(will.delay);
                record.will = Some((due, will));
                self.schedule(due, client.clone());
                out.push_back(ClientEvent::Presence { client, payload, kept: true });
            }
            will => {
                self.records.remove(&client);
                out.push_back(ClientEvent::Presence { client, payload, kept: false });
                out.extend(will.map(ClientEvent::Publish));
            }
        }
    }

    fn welcome(
        &mut self,
        now: Now,
        client: ClientId,
        session: SessionAddress,
        out: &mut VecDeque<ClientEvent>,
    ) {
        self.generation += 1;
        if let Some(record) = self.records.get_mut(&client) {
            record.generation = self.generation;
            record.online = Some(session);
            record.will = None;
        }
        self.directory.insert(client.clone(), (session.worker, self.generation));
        out.push_back(ClientEvent::Welcome { session });
        out.push_back(ClientEvent::Presence { client, payload: presence("online", now, None), kept: true });
    }

    /// Notes when to look at a client's will. Entries of clients that came back are left behind in the heap; when
    /// they are the most of it, it is made anew, so that a client that comes and goes can't make it grow.
    fn schedule(&mut self, due: Tick, client: ClientId) {
        self.wills.push(Reverse((due, client)));
        if self.wills.len() > 64 + 2 * self.records.len() {
            let live = self.records.iter();
            let live = live.filter_map(|(id, record)| Some(Reverse((record.will.as_ref()?.0, id.clone()))));
            self.wills = live.collect();
        }
    }

    /// When the next will is due.
    pub fn next_due(&self) -> Option<Tick> {
        self.wills.peek().map(|Reverse((due, _))| *due)
    }

    /// Publishes the wills that are due; forgets the clients whose they were.
    pub fn tick(&mut self, now: Now, out: &mut VecDeque<ClientEvent>) {
        while self.next_due().is_some_and(|due| due <= now.tick) {
            let Some(Reverse((due, client))) = self.wills.pop() else { return };
            let Some(record) = self.records.get_mut(&client) else { continue };
            // a client that was back meanwhile has no will here, or a later one
            if record.will.as_ref().is_none_or(|(wanted, _)| *wanted != due) {
                continue;
            }
            if let Some((_, will)) = record.will.take() {
                out.push_back(ClientEvent::Publish(will));
            }
            if record.online.is_none() {
                self.records.remove(&client);
                let payload = presence("offline", now, Some("expired"));
                out.push_back(ClientEvent::Presence { client, payload, kept: false });
            }
        }
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
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
            Self { clients: Clients::new(Directory::default()), id, events: VecDeque::new() }
        }

        fn connect(&mut self, now: u64, serial: u32) -> Vec<ClientEvent> {
            self.clients.connect(at(now), self.id.clone(), session(serial), &mut self.events);
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
        assert_eq!(events[0], ClientEvent::Welcome { session: session(2) });
        assert!(!events.iter().any(|e| matches!(e, ClientEvent::Publish(_))), "its will is not sent");
    }

    #[test]
    fn of_two_that_wait_the_later_one_wins() {
        let mut bench = Bench::new();
        bench.connect(1, 1);
        bench.connect(2, 2);
        assert_eq!(bench.connect(2, 3), [ClientEvent::LetGo { session: session(2) }]);
        assert_eq!(bench.end(3, 2, None), []);
        assert_eq!(bench.end(3, 1, None)[0], ClientEvent::Welcome { session: session(3) });
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
