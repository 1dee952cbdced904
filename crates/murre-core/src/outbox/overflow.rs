//! Making room in a full outbox, by the rules of the subscriptions whose messages wait in it.
//!
//! Only a session that reads too slowly comes here, so this may walk the packets; it frees a good part of the
//! outbox at once, so that each message is walked over a bounded number of times.

use hashbrown::{HashMap, HashSet};
use murre_protocol::packet::OnSlow;

use super::{Outbox, Pool};
use crate::session::LeftOut;

/// Messages that were left out, by subscription.
pub type Dropped = HashMap<u64, LeftOut>;

/// The rule of each message; none where it must not be dropped (`ack`, history).
pub trait SlowRules {
    /// The rule of subscription `sub` for a message at a place, as [`Outbox::end`] gave it before the message came.
    fn rule(&self, sub: u64, place: u64) -> Option<OnSlow>;
}

impl<F: Fn(u64, u64) -> Option<OnSlow>> SlowRules for F {
    fn rule(&self, sub: u64, place: u64) -> Option<OnSlow> {
        self(sub, place)
    }
}

/// A live message among the packets.
pub(super) struct Live {
    pub(super) sub: u64,
    /// Counted over all packets.
    pub(super) number: usize,
    /// See [`Outbox::end`].
    pub(super) place: u64,
    pub(super) len: usize,
}

impl Outbox {
    /// Brings what waits down to `target` bytes if that can be had: first, older values of topics whose
    /// subscription conflates go, then the oldest messages that may be dropped. Kept values of a snapshot and
    /// all other packets stay. Says what was left out.
    pub fn make_room(&mut self, pool: &mut Pool, target: usize, rules: &impl SlowRules) -> Dropped {
        let mut dropped = Dropped::default();
        let superseded = self.superseded(rules);
        if !superseded.is_empty() {
            self.retain(pool, &mut dropped, |live| !superseded.contains(&live.number));
        }
        if self.len() > target {
            let mut excess = self.len() - target;
            self.retain(pool, &mut dropped, |live| {
                if excess == 0 || rules.rule(live.sub, live.place).is_none() {
                    return true;
                }
                excess = excess.saturating_sub(live.len);
                false
            });
        }
        dropped
    }

    /// The numbers, counted over all packets, of messages that a newer one of the same topic and subscription
    /// makes needless.
    fn superseded(&self, rules: &impl SlowRules) -> HashSet<usize> {
        let mut newest: HashMap<(u64, &[u8]), usize> = HashMap::new();
        let mut superseded = HashSet::new();
        self.each_live(|live, topic, _| {
            if rules.rule(live.sub, live.place) == Some(OnSlow::Conflate)
                && let Some(older) = newest.insert((live.sub, topic), live.number)
            {
                superseded.insert(older);
            }
        });
        superseded
    }

    /// Looks at each live message: what it is, its topic as it is encoded, its packet.
    pub(super) fn each_live<'a>(&'a self, mut look: impl FnMut(Live, &'a [u8], &'a [u8])) {
        let codec = self.codec;
        let (mut number, mut place) = (0, self.gone);
        for block in &self.blocks {
            let mut rest = block.packets();
            while let Some((packet, behind)) = codec.split_packet(rest) {
                let len = packet.len();
                if let Some(peek) = codec.peek_message(packet).filter(|peek| !peek.retain) {
                    look(Live { sub: peek.sub, number, place, len }, peek.topic, packet);
                }
                number += 1;
                place += len as u64;
                rest = behind;
            }
        }
    }

    /// Keeps the packets that are no live messages, and of those the ones that `keep` wants.
    pub(super) fn retain(
        &mut self,
        pool: &mut Pool,
        dropped: &mut HashMap<u64, LeftOut>,
        mut keep: impl FnMut(Live) -> bool,
    ) {
        let codec = self.codec;
        let blocks = std::mem::take(&mut self.blocks);
        self.waiting = 0;
        let (mut number, mut place) = (0, self.gone);
        for block in blocks {
            let mut rest = block.packets();
            while let Some((packet, behind)) = codec.split_packet(rest) {
                let (live, len) = (codec.peek_message(packet).filter(|peek| !peek.retain), packet.len());
                match live {
                    Some(peek) if !keep(Live { sub: peek.sub, number, place, len }) => {
                        dropped.entry(peek.sub).or_default().add(&codec.peeked_topic(peek.topic), 1);
                    }
                    _ => self.messages(pool, packet),
                }
                number += 1;
                place += len as u64;
                rest = behind;
            }
            pool.give_back(block);
        }
        self.blocks.shrink_to(self.blocks.len());
    }

    /// The blocks, for tests that look inside.
    #[cfg(test)]
    pub(super) fn blocks(&self) -> &std::collections::VecDeque<super::Block> {
        &self.blocks
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::VecDeque;

    use murre_protocol::{
        Codec, Format, Position, Timestamp,
        packet::{BrokerPacket, Message, MessageOptions},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::outbox::Block;

    pub(crate) fn push(
        outbox: &mut Outbox,
        pool: &mut Pool,
        sub: u64,
        topic: &str,
        offset: u64,
        retain: bool,
    ) {
        let options = retain.then(|| Box::new(MessageOptions { retain, ..Default::default() }));
        let message = Message {
            topic: topic.into(),
            format: Format::Text,
            payload: vec![b'x'; 100].into(),
            time: Timestamp::from_millis(1),
            position: Position::new(offset, 0),
            options,
        };
        let mut tail = Vec::new();
        let has_options = outbox.codec().message_tail(&message, &mut tail);
        outbox.message(pool, sub, has_options, &tail);
    }

    /// Subscription and offset of each message.
    pub(crate) fn contents(outbox: &Outbox) -> Vec<(u64, u64)> {
        let codec = outbox.codec();
        let mut found = Vec::new();
        for block in outbox.blocks() {
            let mut rest = block.packets();
            while let Some((packet, behind)) = codec.broker_packet(rest, usize::MAX).unwrap() {
                if let BrokerPacket::Message { sub, message } = packet {
                    found.push((sub, message.position.offset()));
                }
                rest = behind;
            }
        }
        found
    }

    #[test]
    fn the_oldest_live_messages_go_and_kept_values_stay() {
        let (mut pool, mut outbox) = (Pool::new(4), Outbox::new(Codec::MessagePack));
        push(&mut outbox, &mut pool, 1, "a", 1, true);
        (2..=100).for_each(|offset| push(&mut outbox, &mut pool, 1, "a", offset, false));
        let half = outbox.len() / 2;
        let dropped = outbox.make_room(&mut pool, half, &|_, _| Some(OnSlow::DropOldest));
        let left = contents(&outbox);
        assert_eq!(left[0], (1, 1), "the kept value is still first");
        assert_eq!(left.last(), Some(&(1, 100)), "the newest is still last");
        assert_eq!(dropped[&1].count() as usize + left.len(), 100);
        assert!(outbox.len() <= half);
    }

    #[test]
    fn what_stands_in_front_of_a_place_can_be_kept_whatever_has_gone_out() {
        let (mut pool, mut outbox) = (Pool::new(4), Outbox::new(Codec::MessagePack));
        (1..=300).for_each(|offset| push(&mut outbox, &mut pool, 1, "a", offset, false));
        let history_end = outbox.end();
        (301..=600).for_each(|offset| push(&mut outbox, &mut pool, 1, "a", offset, false));
        let block = outbox.take().unwrap();
        outbox.sent(&mut pool, block);
        let before = contents(&outbox);
        outbox.make_room(&mut pool, 0, &|_, place| (place >= history_end).then_some(OnSlow::DropOldest));
        assert!(before[0].1 > 1 && before[0].1 < 300, "a part of the history has gone out");
        assert_eq!(contents(&outbox).last(), Some(&(1, 300)));
        assert_eq!(contents(&outbox)[..], before[..contents(&outbox).len()]);
    }

    #[test]
    fn a_conflating_subscription_keeps_the_newest_of_each_topic() {
        for codec in [Codec::MessagePack, Codec::Json] {
            let (mut pool, mut outbox) = (Pool::new(4), Outbox::new(codec));
            for offset in 1..=100 {
                push(&mut outbox, &mut pool, 1, if offset % 2 == 0 { "a" } else { "b" }, offset, false);
            }
            let dropped = outbox.make_room(&mut pool, 1000, &|_, _| Some(OnSlow::Conflate));
            assert_eq!(contents(&outbox), [(1, 99), (1, 100)]);
            assert_eq!(dropped[&1].count(), 98);
        }
    }

    #[test]
    fn what_must_not_be_dropped_stays_even_if_there_is_no_room() {
        let (mut pool, mut outbox) = (Pool::new(4), Outbox::new(Codec::MessagePack));
        (1..=50).for_each(|offset| push(&mut outbox, &mut pool, 1 + offset % 2, "a", offset, false));
        outbox.make_room(&mut pool, 0, &|sub, _| (sub == 2).then_some(OnSlow::DropOldest));
        assert!(contents(&outbox).iter().all(|(sub, _)| *sub == 1));
        assert_eq!(contents(&outbox).len(), 25);
    }

    proptest! {
        #[test]
        fn bytes_waiting_are_always_the_bytes_of_the_blocks(
            steps in prop::collection::vec((0u8..4, 0u64..3, 0usize..4), 1..200),
        ) {
            let (mut pool, mut outbox) = (Pool::new(2), Outbox::new(Codec::Json));
            let mut taken = VecDeque::new();
            for (step, sub, topic) in steps {
                match step {
                    0 | 1 => push(&mut outbox, &mut pool, sub, ["a", "b", "c", "d"][topic], 1, step == 1),
                    2 => taken.extend(outbox.take()),
                    _ => {
                        if let Some(block) = taken.pop_front() {
                            outbox.sent(&mut pool, block);
                        }
                        let target = outbox.len() / 2;
                        outbox.make_room(&mut pool, target, &|sub, _| (sub > 0).then_some(OnSlow::Conflate));
                    }
                }
                let held: usize = outbox.blocks().iter().chain(&taken).map(Block::len).sum();
                prop_assert_eq!(outbox.len(), held);
            }
        }
    }
}
