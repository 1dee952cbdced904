use proptest::prelude::*;

use super::*;

const BATCH: usize = 64;
const PACKET_MAX: usize = 1000;

fn outbound(id: u64, bytes: usize) -> Outbound<u64> {
    Outbound { id, packet: vec![b'x'; bytes], ticket: id }
}

fn numbered(outgoing: &mut Outgoing<u64>, ids: impl IntoIterator<Item = u64>) {
    for id in ids {
        // The packet's bytes are the id, to be found in frames.
        let packet = vec![id as u8];
        assert!(matches!(outgoing.push(Outbound { id, packet, ticket: id }), Push::Stored(_)));
    }
}

fn take(outgoing: &mut Outgoing<u64>) -> Vec<u8> {
    let mut frame = Vec::new();
    assert!(outgoing.take(&mut frame, BATCH, PACKET_MAX).is_empty());
    frame
}

#[test]
fn what_is_unanswered_goes_first_on_a_new_connection() {
    let mut outgoing = Outgoing::new(Buffer::messages(10));
    numbered(&mut outgoing, 1..4);
    assert_eq!(take(&mut outgoing), [1, 2, 3]);
    outgoing.frame_written();
    assert_eq!(outgoing.answered(2).unwrap().ticket, 2);
    numbered(&mut outgoing, 4..6);
    outgoing.connection_lost();
    assert_eq!(take(&mut outgoing), [1, 3, 4, 5]);
}

#[test]
fn an_answer_may_come_before_the_frame_is_known_to_be_written() {
    let mut outgoing = Outgoing::new(Buffer::messages(10));
    numbered(&mut outgoing, 1..3);
    take(&mut outgoing);
    assert_eq!(outgoing.answered(1).unwrap().ticket, 1);
    outgoing.frame_written();
    assert_eq!(outgoing.answered(2).unwrap().ticket, 2);
    assert_eq!(outgoing.pending(), 0);
}

#[test]
fn an_answer_to_nothing_is_nothing() {
    let mut outgoing = Outgoing::new(Buffer::messages(10));
    numbered(&mut outgoing, [0]);
    take(&mut outgoing);
    assert!(outgoing.answered(0).is_none());
    assert!(outgoing.answered(7).is_none());
}

#[test]
fn what_is_larger_than_the_buffer_is_refused_under_every_rule() {
    for rule in [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Wait] {
        let mut outgoing = Outgoing::new(Buffer::messages(10).bytes(5).when_full(rule));
        numbered(&mut outgoing, [1]);
        assert!(matches!(outgoing.push(outbound(2, 6)), Push::TooLarge(_)));
        assert_eq!(outgoing.pending(), 1);
    }
}

#[test]
fn what_is_on_its_way_is_never_dropped_for_newer_messages() {
    let mut outgoing = Outgoing::new(Buffer::messages(2));
    numbered(&mut outgoing, 1..3);
    take(&mut outgoing);
    outgoing.frame_written();
    outgoing.connection_lost();
    numbered(&mut outgoing, 3..8);
    assert_eq!(take(&mut outgoing), [1, 2, 6, 7]);
}

/// What may happen to the outgoing publishes.
#[derive(Debug, Clone)]
enum Step {
    Push {
        acknowledged: bool,
        bytes: usize,
    },
    Take,
    Written,
    Lost,
    /// Answers the n-th of the written ones.
    Answer(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (any::<bool>(), 2..40_usize).prop_map(|(acknowledged, bytes)| Step::Push { acknowledged, bytes }),
        3 => Just(Step::Take),
        3 => Just(Step::Written),
        1 => Just(Step::Lost),
        3 => any::<prop::sample::Index>().prop_map(|index| Step::Answer(index.index(8))),
    ];
    prop::collection::vec(step, 0..200)
}

/// A plain account of the same publishes.
#[derive(Default)]
struct Account {
    outgoing_next: u64,
    /// Acknowledged ones without an answer, not dropped.
    owed: std::collections::BTreeSet<u64>,
    /// Unacknowledged ones that were not written through.
    unwritten: usize,
    frame: Option<(Vec<u64>, usize)>,
    written: Vec<u64>,
}

/// Packets carry their id in two bytes and their length in one, so that frames can be read.
fn packet(id: u64, bytes: usize) -> Vec<u8> {
    let mut packet = vec![bytes as u8, (id >> 8) as u8, id as u8];
    packet.resize(bytes.max(3), 0);
    packet[0] = packet.len() as u8;
    packet
}

fn ids(mut frame: &[u8]) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(&bytes) = frame.first() {
        ids.push(u64::from(frame[1]) << 8 | u64::from(frame[2]));
        frame = &frame[bytes as usize..];
    }
    ids
}

impl Account {
    fn push(&mut self, outgoing: &mut Outgoing<u64>, acknowledged: bool, bytes: usize) {
        self.outgoing_next += 1;
        let id = if acknowledged { self.outgoing_next } else { 0 };
        let outbound = Outbound { id, packet: packet(id, bytes), ticket: id };
        let Push::Stored(dropped) = outgoing.push(outbound) else { panic!("the rule is to drop the oldest") };
        if acknowledged {
            self.owed.insert(id);
        } else {
            self.unwritten += 1;
        }
        for gone in dropped {
            if gone.id == 0 {
                self.unwritten -= 1;
            } else {
                assert!(self.owed.remove(&gone.id), "{} was dropped twice", gone.id);
            }
        }
    }

    fn take(&mut self, outgoing: &mut Outgoing<u64>) {
        if self.frame.is_some() {
            return;
        }
        let mut frame = Vec::new();
        assert!(outgoing.take(&mut frame, BATCH, PACKET_MAX).is_empty());
        assert!(frame.len() <= BATCH);
        if !frame.is_empty() {
            let ids = ids(&frame);
            let unacknowledged = ids.iter().filter(|&&id| id == 0).count();
            self.frame = Some((ids.into_iter().filter(|&id| id != 0).collect(), unacknowledged));
        }
    }

    fn written(&mut self, outgoing: &mut Outgoing<u64>) {
        let Some((acknowledged, unacknowledged)) = self.frame.take() else { return };
        assert_eq!(outgoing.frame_written().len(), unacknowledged);
        self.unwritten -= unacknowledged;
        for id in acknowledged {
            assert!(!self.written.contains(&id), "{id} was sent twice on one connection");
            assert!(self.written.last().is_none_or(|&last| last < id), "{id} was overtaken");
            self.written.push(id);
        }
    }

    fn answer(&mut self, outgoing: &mut Outgoing<u64>, n: usize) {
        let waiting: Vec<u64> = self.written.iter().copied().filter(|id| self.owed.contains(id)).collect();
        let Some(&id) = waiting.get(n) else { return };
        assert_eq!(outgoing.answered(id).map(|outbound| outbound.ticket), Some(id));
        self.owed.remove(&id);
    }

    fn step(&mut self, outgoing: &mut Outgoing<u64>, step: Step) {
        match step {
            Step::Push { acknowledged, bytes } => self.push(outgoing, acknowledged, bytes),
            Step::Take => self.take(outgoing),
            Step::Written => self.written(outgoing),
            Step::Answer(n) => self.answer(outgoing, n),
            Step::Lost => {
                outgoing.connection_lost();
                self.frame = None;
                self.written.clear();
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_but_what_was_dropped_and_nothing_sent_twice_on_a_connection(steps in steps()) {
        let limits = Buffer::messages(6).bytes(120).in_flight(4);
        let mut outgoing = Outgoing::new(limits);
        let mut account = Account::default();
        for step in steps {
            account.step(&mut outgoing, step);
            prop_assert_eq!(outgoing.pending(), account.owed.len() + account.unwritten);
            prop_assert!(outgoing.unanswered.len() <= limits.in_flight);
        }
        // A connection that works takes everything and answers it.
        account.step(&mut outgoing, Step::Lost);
        while outgoing.pending() > 0 {
            account.take(&mut outgoing);
            account.written(&mut outgoing);
            account.answer(&mut outgoing, 0);
        }
        prop_assert!(account.owed.is_empty());
        prop_assert_eq!((outgoing.waiting_bytes, outgoing.unanswered_bytes), (0, 0));
    }
}
