//! The sequence numbers that devices give their readings, so that one that is sent again is logged once.
//!
//! What is not greater than the greatest that was logged for a client is a repeat, save the numbers that are *open*:
//! those that were refused or whose batch failed. They are logged when they come again, behind greater ones. Which are
//! open is stored with each number that is logged, so it is known after a crash too.
//!
//! Where a client has left very many of them open, others may count as open too: then a number may be logged twice,
//! but none is taken for logged that isn't.

use hashbrown::HashMap;
use murre_protocol::{ClientId, Timestamp};

use ranges::Ranges;

mod ranges;

/// A client that was not heard of for so long makes room for others when there are too many.
const UNUSED_MILLIS_MAX: u64 = 30 * 24 * 3600 * 1000;

/// The sequence numbers of one shard.
#[derive(Debug, Default)]
pub struct Sequences {
    clients: HashMap<ClientId, Sequence>,
    clients_max: usize,
    /// Nobody makes room before; so that not each refusal looks at all clients.
    none_unused_before: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sequence {
    /// The greatest that was logged; none yet.
    greatest: Option<u64>,
    used: Timestamp,
    open: Ranges,
}

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was not logged before.
    New,
    /// It was logged before, or is on its way.
    Repeat,
    /// There are as many clients with numbers as there may be.
    TooMany,
}

/// A number that was noted, to be taken back if it is not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceChange {
    /// In which shard.
    pub shard: u8,
    /// Whose.
    pub client: ClientId,
    /// The number.
    pub number: u64,
}

impl Sequences {
    /// No clients; at most `clients_max`.
    pub fn new(clients_max: usize) -> Self {
        Self { clients: HashMap::new(), clients_max, none_unused_before: Timestamp::default() }
    }

    /// How many clients have numbers.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// What a number is.
    pub fn look(&mut self, now: Timestamp, client: &ClientId, number: u64) -> Seen {
        match self.clients.get(client) {
            Some(known) if known.is_greater(number) || known.open.contains(number) => Seen::New,
            Some(_) => Seen::Repeat,
            None => {
                if self.has_room(now) {
                    Seen::New
                } else {
                    Seen::TooMany
                }
            }
        }
    }

    /// Whether there may be one more client.
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.clients.len() >= self.clients_max && now >= self.none_unused_before {
            self.make_room(now);
        }
        self.clients.len() < self.clients_max
    }

    fn make_room(&mut self, now: Timestamp) {
        let mut oldest = now.millis();
        self.clients.retain(|_, known| {
            let is_young = known.used.millis() + UNUSED_MILLIS_MAX > now.millis();
            oldest = if is_young { oldest.min(known.used.millis()) } else { oldest };
            is_young
        });
        self.none_unused_before = Timestamp::from_millis(oldest + UNUSED_MILLIS_MAX);
    }

    /// Notes a number that is on its way into the log; gives the value to be stored with it.
    pub fn note(&mut self, now: Timestamp, client: &ClientId, number: u64) -> Vec<u8> {
        let known = self.clients.entry(client.clone()).or_default();
        known.greatest = known.greatest.max(Some(number));
        known.open.remove(number);
        known.used = now;
        known.encode()
    }

    /// A number was noted and then not logged: it may come again behind greater ones.
    pub fn take_back(&mut self, client: &ClientId, number: u64) {
        if let Some(known) = self.clients.get_mut(client) {
            known.open.insert(number);
        }
    }

    /// A number was refused: unless it is a repeat, it may come again behind greater ones.
    pub fn refused(&mut self, now: Timestamp, client: &ClientId, number: u64) {
        if !self.clients.contains_key(client) && !self.has_room(now) {
            return;
        }
        let known = self.clients.entry(client.clone()).or_default();
        known.used = now;
        if known.is_greater(number) {
            known.open.insert(number);
        }
    }

    /// Takes in a value that was stored; false where it is none.
    pub fn restore(&mut self, client: ClientId, value: &[u8]) -> bool {
        let Some(known) = Sequence::decode(value) else { return false };
        self.clients.insert(client, known);
        true
    }
}

impl Sequence {
    /// Whether none was logged that is as great.
    fn is_greater(&self, number: u64) -> bool {
        self.greatest.is_none_or(|greatest| number > greatest)
    }

    fn encode(&self) -> Vec<u8> {
        let numbers =
            [self.greatest.unwrap_or_default(), self.used.millis()].into_iter().chain(self.open.bounds());
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (chunks, []) = value.as_chunks::<8>() else { return None };
        let numbers: Vec<u64> = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
        let [greatest, used, open @ ..] = numbers.as_slice() else { return None };
        let (used, open) = (Timestamp::from_millis(*used), Ranges::from_bounds(open)?);
        Some(Self { greatest: Some(*greatest), used, open })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn client(id: &str) -> ClientId {
        ClientId::parse(id).unwrap()
    }

    #[test]
    fn a_number_that_was_logged_is_a_repeat_also_after_a_restart() {
        let device = client("device");
        let mut before = Sequences::new(10);
        assert_eq!(before.look(NOW, &device, 5), Seen::New);
        before.note(NOW, &device, 5);
        let stored = before.note(NOW, &device, 7);
        let mut after = Sequences::new(10);
        assert!(after.restore(device.clone(), &stored));
        let seen = [5, 6, 7, 8].map(|n| after.look(NOW, &device, n));
        assert_eq!(seen, [Seen::Repeat, Seen::Repeat, Seen::Repeat, Seen::New]);
    }

    #[test]
    fn a_number_below_the_first_that_was_logged_is_a_repeat() {
        let mut sequences = Sequences::new(10);
        sequences.note(NOW, &client("device"), 10);
        assert_eq!(sequences.look(NOW, &client("device"), 9), Seen::Repeat);
    }

    #[test]
    fn a_client_whose_first_numbers_were_refused_may_send_them_again() {
        let device = client("device");
        let mut sequences = Sequences::new(10);
        sequences.refused(NOW, &device, 3);
        sequences.note(NOW, &device, 4);
        assert_eq!(sequences.look(NOW, &device, 3), Seen::New);
        sequences.note(NOW, &device, 3);
        assert_eq!(sequences.look(NOW, &device, 3), Seen::Repeat);
    }

    #[test]
    fn clients_that_were_not_heard_of_for_long_make_room() {
        let mut sequences = Sequences::new(1);
        sequences.note(Timestamp::from_millis(0), &client("old"), 1);
        let soon = Timestamp::from_millis(UNUSED_MILLIS_MAX - 1);
        assert_eq!(sequences.look(soon, &client("new"), 1), Seen::TooMany);
        let later = Timestamp::from_millis(UNUSED_MILLIS_MAX);
        assert_eq!(sequences.look(later, &client("new"), 1), Seen::New);
    }

    /// What becomes of a number that isn't a repeat.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Logged,
        Refused,
        Failed,
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// The device's next number, so many behind the last.
        Next(u64, Fate),
        /// One that it has sent before, the so-manieth from the end.
        Again(usize, Fate),
        /// The broker dies. The device sends all again that was not logged.
        Crash,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let fate = || prop_oneof![3 => Just(Fate::Logged), 1 => Just(Fate::Refused), 1 => Just(Fate::Failed)];
        let step = prop_oneof![
            5 => (1u64..4, fate()).prop_map(|(gap, fate)| Step::Next(gap, fate)),
            5 => (0usize..12, fate()).prop_map(|(back, fate)| Step::Again(back, fate)),
            1 => Just(Step::Crash),
        ];
        prop::collection::vec(step, 1..80)
    }

    /// A shard's numbers and what its log has.
    struct World {
        sequences: Sequences,
        stored: Option<Vec<u8>>,
        sent: Vec<u64>,
        logged: BTreeSet<u64>,
    }

    impl World {
        fn send(&mut self, number: u64, fate: Fate) -> Result<(), TestCaseError> {
            let device = client("device");
            let is_logged = self.logged.contains(&number);
            let seen = self.sequences.look(NOW, &device, number);
            prop_assert_eq!(seen, if is_logged { Seen::Repeat } else { Seen::New }, "{}", number);
            match fate {
                Fate::Refused => self.sequences.refused(NOW, &device, number),
                _ if is_logged => {}
                Fate::Failed => {
                    self.sequences.note(NOW, &device, number);
                    self.sequences.take_back(&device, number);
                }
                Fate::Logged => {
                    self.stored = Some(self.sequences.note(NOW, &device, number));
                    self.logged.insert(number);
                }
            }
            Ok(())
        }

        fn crash(&mut self) -> Result<(), TestCaseError> {
            self.sequences = Sequences::new(10);
            if let Some(stored) = &self.stored {
                prop_assert!(self.sequences.restore(client("device"), stored));
            }
            let unanswered: Vec<u64> =
                self.sent.iter().copied().filter(|number| !self.logged.contains(number)).collect();
            unanswered.into_iter().try_for_each(|number| self.send(number, Fate::Refused))
        }
    }

    proptest! {
        #[test]
        fn a_number_is_a_repeat_if_and_only_if_it_was_logged(steps in steps()) {
            let sequences = Sequences::new(10);
            let mut world = World { sequences, stored: None, sent: Vec::new(), logged: BTreeSet::new() };
            for step in steps {
                match step {
                    Step::Next(gap, fate) => {
                        let number = world.sent.last().map_or(0, |last| last + gap);
                        world.sent.push(number);
                        world.send(number, fate)?;
                    }
                    Step::Again(back, fate) => {
                        if let Some(number) = world.sent.iter().rev().nth(back).copied() {
                            world.send(number, fate)?;
                        }
                    }
                    Step::Crash => world.crash()?,
                }
            }
        }
    }
}
