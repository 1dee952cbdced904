//! What one connection said and heard.

use std::collections::{BTreeMap, HashMap, VecDeque};

use murre_core::testing::{Client, Said};
use murre_protocol::{Code, Position, packet::NoticeKind};

/// How a connection's client ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It took its leave.
    Clean,
    /// It did not.
    Abrupt,
}

/// One connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// Its client id, by number.
    pub(crate) id: usize,
    pub(crate) stalled: bool,
    /// Whether it ever read slowly: then its last words may be unread.
    pub(crate) ever_stalled: bool,
    pub(crate) ended: Option<End>,
    /// Whether CONNECTED has come.
    pub(crate) connected: bool,
    /// The code of a DISCONNECT.
    pub(crate) disconnected: Option<Code>,
    pub(crate) subscriptions: BTreeMap<u64, Subscription>,
    /// Payloads of publishes that want an answer, by number.
    pub(crate) asked: HashMap<u64, String>,
    /// Answers: numbers and positions.
    pub(crate) answers: Vec<(u64, Position)>,
    /// How many publishes with a payload it has sent.
    pub(crate) published: usize,
    seen: usize,
}

/// One subscription.
#[derive(Default)]
pub(crate) struct Subscription {
    /// The filter of SUBSCRIBE.
    pub(crate) text: String,
    /// The same without its group.
    pub(crate) filter: String,
    /// The group that it is a member of.
    pub(crate) group: Option<String>,
    pub(crate) ack: bool,
    /// What SUBSCRIBEs that are not answered have said of `from`: whether the last values come, if it was said.
    pub(crate) unanswered: VecDeque<Option<bool>>,
    pub(crate) replays: Vec<Replay>,
    /// UNSUBSCRIBE was sent.
    pub(crate) leaving: bool,
    pub(crate) unsubscribed: bool,
    /// Messages that it was told to have been left out.
    pub(crate) dropped: u64,
    /// Received and not acknowledged.
    pub(crate) unacknowledged: Vec<Position>,
}

/// What came from a SUBSCRIBE with `from` on.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) is_of_last_values: bool,
    pub(crate) caught_up: Option<Vec<Position>>,
    pub(crate) messages: Vec<Received>,
}

/// A message as it came.
pub(crate) struct Received {
    pub(crate) position: Position,
    pub(crate) topic: String,
    pub(crate) payload: String,
}

impl Session {
    /// A connection that has said CONNECT.
    pub(crate) fn new(client: Client, id: usize) -> Self {
        Self {
            client,
            id,
            stalled: false,
            ever_stalled: false,
            ended: None,
            connected: false,
            disconnected: None,
            subscriptions: BTreeMap::new(),
            asked: HashMap::new(),
            answers: Vec::new(),
            published: 0,
            seen: 0,
        }
    }

    /// Whether it goes on, as far as its client knows.
    pub(crate) fn is_open(&self) -> bool {
        self.ended.is_none() && self.disconnected.is_none() && !self.client.is_gone()
    }

    /// Reads what came, and checks what can be seen from it alone.
    pub(crate) fn read(&mut self) {
        for said in self.client.heard_since(&mut self.seen) {
            // answers to publishes that were on their way may still come
            let late = self.disconnected.is_some() && !matches!(said, Said::Published(_));
            assert!(!late, "{said:?} came after DISCONNECT");
            match said {
                Said::Connected { .. } => {
                    assert!(!self.connected, "CONNECTED came twice");
                    self.connected = true;
                }
                Said::Published(answer) => {
                    assert!(answer.code.is_ok(), "{answer:?}");
                    self.answers.push((answer.id, answer.position));
                }
                Said::Subscribed { sub, code, .. } => {
                    assert!(code.is_ok(), "SUBSCRIBE {sub}: {code}");
                    self.subscription(sub).subscribed();
                }
                Said::Unsubscribed { sub, code } => {
                    assert!(code.is_ok(), "UNSUBSCRIBE {sub}: {code}");
                    self.subscription(sub).unsubscribed = true;
                }
                Said::Message(message) => {
                    let (position, payload) = (message.position, message.text());
                    let received = Received { position, topic: message.topic, payload };
                    self.subscription(message.sub).receive(received);
                }
                Said::CaughtUp { sub, positions, .. } => self.subscription(sub).caught_up(positions),
                Said::Notice { kind: NoticeKind::Dropped, sub: Some(sub), count, .. } => {
                    self.subscription(sub).dropped += count;
                }
                Said::Disconnect { code, .. } => self.disconnected = Some(code),
                Said::Notice { .. } | Said::Pong => panic!("nobody asked for {said:?}"),
            }
        }
    }

    fn subscription(&mut self, sub: u64) -> &mut Subscription {
        assert!(self.connected, "CONNECTED comes first");
        let subscription = self.subscriptions.get_mut(&sub);
        let subscription = subscription.unwrap_or_else(|| panic!("there is no subscription {sub}"));
        assert!(!subscription.unsubscribed, "subscription {sub} has ended");
        subscription
    }
}

impl Subscription {
    fn subscribed(&mut self) {
        let begins = self.unanswered.pop_front().unwrap_or_else(|| panic!("SUBSCRIBED came once too often"));
        if let Some(is_of_last_values) = begins {
            self.replays.push(Replay { is_of_last_values, ..Default::default() });
        }
    }

    fn receive(&mut self, message: Received) {
        let replay = self.replays.last_mut().unwrap_or_else(|| panic!("a message came before SUBSCRIBED"));
        let shard = message.position.shard();
        let before = replay.messages.iter().rfind(|before| before.position.shard() == shard);
        if let Some(before) = before.map(|before| before.position) {
            assert!(message.position > before, "{:?} came after {before:?}", message.position);
        }
        let seam = replay.caught_up.iter().flatten().find(|seam| seam.shard() == shard);
        if let Some(seam) = seam {
            assert!(message.position > *seam, "{:?} came after CAUGHT_UP with {seam:?}", message.position);
        }
        if self.ack {
            self.unacknowledged.push(message.position);
        }
        replay.messages.push(message);
    }

    fn caught_up(&mut self, positions: Vec<Position>) {
        let replay = self.replays.last_mut().unwrap_or_else(|| panic!("CAUGHT_UP came before SUBSCRIBED"));
        assert!(replay.caught_up.is_none(), "CAUGHT_UP came twice");
        replay.caught_up = Some(positions);
    }

    /// What an ACK of `position` covers is acknowledged.
    pub(crate) fn acknowledge(&mut self, position: Position) {
        self.unacknowledged.retain(|sent| sent.shard() != position.shard() || *sent > position);
    }
}
