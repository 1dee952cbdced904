//! Which wills are owed: those of sessions that ended without a farewell and were not replaced meanwhile.
//!
//! Where an end and a new connection of the same client id cross each other, either order is right, and nothing
//! is expected.

use super::record::Record;

/// The will of one connection.
struct Will {
    id: usize,
    delay_ms: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The session lives, or what became of it is not known.
    Open,
    /// It ended without a farewell since the broker last came to rest.
    Ended,
    /// To be published at this time, unless the client is back.
    OwedAt(u64),
    /// It has to be in the record.
    Owed,
    /// It must not be.
    NotOwed,
    /// Either is right.
    Either,
}

/// All wills, by the number in their payload.
#[derive(Default)]
pub(crate) struct Wills {
    wills: Vec<Will>,
    /// Client ids for which connections came since the broker last came to rest.
    connecting: Vec<usize>,
}

/// The topic that all wills go to.
pub(crate) const TOPIC: &str = "wills/all";

impl Wills {
    /// A connection of `id` comes, with a will; gives the will's number.
    pub(crate) fn connect(&mut self, id: usize, delay_ms: u64) -> usize {
        self.connecting.push(id);
        self.wills.push(Will { id, delay_ms, state: State::Open });
        self.wills.len() - 1
    }

    /// The connection took its leave, or can't have had a will yet.
    pub(crate) fn leave(&mut self, will: usize) {
        self.set(will, State::NotOwed);
    }

    /// The connection ended without a farewell, and was the client's when the broker last came to rest.
    pub(crate) fn lose(&mut self, will: usize) {
        self.set(will, State::Ended);
    }

    /// Nobody can tell.
    pub(crate) fn either(&mut self, will: usize) {
        self.set(will, State::Either);
    }

    fn set(&mut self, will: usize, state: State) {
        if self.wills[will].state == State::Open {
            self.wills[will].state = state;
        }
    }

    /// The broker has come to rest. `is_online` says of a client id whether its newest connection is in order.
    pub(crate) fn settle(&mut self, now_ms: u64, is_online: impl Fn(usize) -> bool) {
        for will in &mut self.wills {
            let crossed = self.connecting.contains(&will.id);
            will.state = match will.state {
                State::Ended if crossed => State::Either,
                State::Ended if will.delay_ms == 0 => State::Owed,
                State::Ended => State::OwedAt(now_ms + will.delay_ms),
                State::OwedAt(due) if now_ms > due && !crossed => State::Owed,
                State::OwedAt(due) if crossed && now_ms + MARGIN_MS < due && is_online(will.id) => {
                    State::NotOwed
                }
                State::OwedAt(_) if crossed => State::Either,
                other => other,
            };
        }
        self.connecting.clear();
    }

    /// Checks the record at the end.
    pub(crate) fn check(&self, record: &Record) {
        let mut published = vec![0; self.wills.len()];
        for payload in record.payloads(TOPIC) {
            let number: usize = payload.parse().unwrap_or_else(|_| panic!("{payload} is no will"));
            published[number] += 1;
        }
        for (number, (will, times)) in self.wills.iter().zip(published).enumerate() {
            let right = match will.state {
                State::Owed => times == 1,
                State::NotOwed => times == 0,
                _ => times <= 1,
            };
            assert!(
                right,
                "will {number} of client {} was published {times} times: {:?}",
                will.id, will.state
            );
        }
    }
}

/// Time may pass between an end and the broker's coming to rest.
const MARGIN_MS: u64 = 4_000;
