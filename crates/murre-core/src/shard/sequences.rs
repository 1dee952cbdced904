//! The sequence numbers that devices give their readings, so that one that is sent again is logged once.
//!
//! What is not greater than the greatest that was logged for a client is a repeat. A number whose batch failed may
//! come again although greater ones were logged since, so those are remembered too, on disk with the next one.

use hashbrown::HashMap;
use murre_protocol::{ClientId, Timestamp};

/// Numbers of one client that failed and may come again. Past it the client is refused until they did.
const FAILED_MAX: usize = 1024;
/// A client that was not heard of for so long makes room for others when there are too many.
const UNUSED_MILLIS_MAX: u64 = 30 * 24 * 3600 * 1000;

/// The sequence numbers of one shard.
#[derive(Debug, Default)]
pub struct Sequences {
    clients: HashMap<ClientId, Sequence>,
    clients_max: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sequence {
    greatest: u64,
    used: Timestamp,
    failed: Vec<u64>,
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
        Self { clients: HashMap::new(), clients_max }
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
            Some(known) if known.failed.len() >= FAILED_MAX && !known.failed.contains(&number) => {
                Seen::TooMany
            }
            Some(known) if number > known.greatest || known.failed.contains(&number) => Seen::New,
            Some(_) => Seen::Repeat,
            None => {
                if self.clients.len() >= self.clients_max {
                    let young = |known: &Sequence| known.used.millis() + UNUSED_MILLIS_MAX > now.millis();
                    self.clients.retain(|_, known| young(known));
                }
                if self.clients.len() >= self.clients_max { Seen::TooMany } else { Seen::New }
            }
        }
    }

    /// Notes a number that is on its way into the log; gives the value to be stored with it.
    pub fn note(&mut self, now: Timestamp, client: &ClientId, number: u64) -> Vec<u8> {
        let known = self.clients.entry(client.clone()).or_default();
        known.greatest = known.greatest.max(number);
        known.failed.retain(|failed| *failed != number);
        known.used = now;
        known.encode()
    }

    /// A number was not logged: it may come again.
    pub fn take_back(&mut self, client: &ClientId, number: u64) {
        if let Some(known) = self.clients.get_mut(client)
            && !known.failed.contains(&number)
        {
            known.failed.push(number);
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
    fn encode(&self) -> Vec<u8> {
        let numbers = [self.greatest, self.used.millis()].into_iter().chain(self.failed.iter().copied());
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (chunks, []) = value.as_chunks::<8>() else { return None };
        let mut numbers = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
        let (greatest, used) = (numbers.next()?, Timestamp::from_millis(numbers.next()?));
        Some(Self { greatest, used, failed: numbers.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str) -> ClientId {
        ClientId::parse(id).unwrap()
    }

    #[test]
    fn a_number_that_was_logged_is_a_repeat_also_after_a_restart() {
        let (now, device) = (Timestamp::from_millis(1), client("device"));
        let mut before = Sequences::new(10);
        assert_eq!(before.look(now, &device, 5), Seen::New);
        let stored = before.note(now, &device, 5);
        let mut after = Sequences::new(10);
        assert!(after.restore(device.clone(), &stored));
        assert_eq!([4, 5, 6].map(|n| after.look(now, &device, n)), [Seen::Repeat, Seen::Repeat, Seen::New]);
    }

    #[test]
    fn a_number_that_failed_may_come_again_behind_greater_ones() {
        let (now, device) = (Timestamp::from_millis(1), client("device"));
        let mut sequences = Sequences::new(10);
        sequences.note(now, &device, 5);
        sequences.take_back(&device, 5);
        let stored = sequences.note(now, &device, 6);
        let mut after = Sequences::new(10);
        after.restore(device.clone(), &stored);
        for sequences in [&mut sequences, &mut after] {
            assert_eq!([5, 6].map(|n| sequences.look(now, &device, n)), [Seen::New, Seen::Repeat]);
            sequences.note(now, &device, 5);
            assert_eq!(sequences.look(now, &device, 5), Seen::Repeat);
        }
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
}
