//! Which acknowledgements the broker has to be told.
//!
//! Pure. An acknowledgement is cumulative for its shard, so only the newest of each shard is ever sent: however many
//! messages were handled since the last frame, one ACK says it.

use std::collections::{BTreeMap, BTreeSet};

use murre_protocol::{Codec, Position, packet::ClientPacket};

use crate::resume::raise;

#[derive(Debug, Default)]
struct Acknowledged {
    /// The newest of each shard.
    positions: Vec<Position>,
    /// Those that were not sent on this connection.
    due: Vec<Position>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    subs: BTreeMap<u64, Acknowledged>,
    due: BTreeSet<u64>,
}

impl Acks {
    /// A message of `sub` at `position` was handled, and all before it; whether the broker has to be told.
    pub(crate) fn acknowledge(&mut self, sub: u64, position: Position) -> bool {
        let acknowledged = self.subs.entry(sub).or_default();
        let news = raise(&mut acknowledged.positions, position);
        if news {
            raise(&mut acknowledged.due, position);
            self.due.insert(sub);
        }
        news
    }

    /// Appends what is due to `frame`, as long as that has less than `frame_max` bytes.
    pub(crate) fn take(&mut self, frame: &mut Vec<u8>, frame_max: usize) {
        while let Some(&sub) = self.due.first() {
            let due = self.subs.get_mut(&sub).map(|acknowledged| &mut acknowledged.due);
            for position in due.into_iter().flat_map(|due| due.drain(..)) {
                Codec::MessagePack.write_client(&ClientPacket::Ack { sub, position }, frame);
            }
            self.due.remove(&sub);
            if frame.len() >= frame_max {
                break;
            }
        }
    }

    /// Whether the broker has to be told something.
    pub(crate) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The session goes on over a new connection. What was sent on the old one may not have arrived.
    pub(crate) fn repeat(&mut self) {
        for (&sub, acknowledged) in &mut self.subs {
            acknowledged.due.clone_from(&acknowledged.positions);
            self.due.insert(sub);
        }
    }

    /// Nothing that was acknowledged for `sub` means anything any longer.
    pub(crate) fn forget(&mut self, sub: u64) {
        self.subs.remove(&sub);
        self.due.remove(&sub);
    }

    /// As [`forget`](Acks::forget), for all.
    pub(crate) fn forget_all(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(acks: &mut Acks) -> Vec<(u64, Position)> {
        let mut frame = Vec::new();
        acks.take(&mut frame, 1000);
        let (mut rest, mut taken) = (frame.as_slice(), Vec::new());
        while let Some((packet, after)) = Codec::MessagePack.client_packet(rest, usize::MAX).unwrap() {
            let ClientPacket::Ack { sub, position } = packet else { panic!("unexpected {packet:?}") };
            taken.push((sub, position));
            rest = after;
        }
        taken
    }

    fn at(offset: u64, shard: u8) -> Position {
        Position::new(offset, shard)
    }

    #[test]
    fn many_messages_of_a_shard_are_one_acknowledgement() {
        let mut acks = Acks::default();
        for offset in 1..100 {
            acks.acknowledge(3, at(offset, 0));
        }
        acks.acknowledge(3, at(7, 1));
        acks.acknowledge(4, at(8, 0));
        assert_eq!(taken(&mut acks), [(3, at(99, 0)), (3, at(7, 1)), (4, at(8, 0))]);
        assert!(!acks.is_due());
    }

    #[test]
    fn what_was_acknowledged_already_is_not_said_again() {
        let mut acks = Acks::default();
        acks.acknowledge(3, at(9, 0));
        taken(&mut acks);
        assert!(!acks.acknowledge(3, at(9, 0)) && !acks.acknowledge(3, at(5, 0)));
        assert!(!acks.is_due());
    }

    #[test]
    fn a_session_that_goes_on_is_told_again_and_a_new_one_nothing() {
        let mut acks = Acks::default();
        acks.acknowledge(3, at(9, 0));
        taken(&mut acks);
        acks.repeat();
        assert_eq!(taken(&mut acks), [(3, at(9, 0))]);
        acks.forget_all();
        acks.repeat();
        assert!(!acks.is_due());
    }
}
