//! What a full outbox is full of, and taking half of it out.

use hashbrown::{HashMap, HashSet};
use murre_protocol::{Timestamp, packet::BrokerPacket};

use super::{Outbox, Pool, overflow::SlowRules};
use crate::session::LeftOut;

/// What of an outbox's messages could be left out.
#[derive(Debug, Default)]
pub struct Filling {
    /// Their bytes by subscription.
    pub bytes: HashMap<u64, usize>,
    /// When the broker took the first of them.
    pub oldest: Option<Timestamp>,
}

/// An outbox of whose messages half were taken out.
#[derive(Debug)]
pub struct Halved {
    /// The number of messages of each topic that would have been exactly half of all; those with more have fewer now.
    pub most: f64,
    /// What was taken out.
    pub left_out: HashMap<u64, LeftOut>,
}

impl Outbox {
    /// What the messages are of for which there is a rule.
    pub fn filling(&self, rules: &impl SlowRules) -> Filling {
        let mut filling = Filling::default();
        self.each_live(|live, _, packet| {
            if rules.rule(live.sub, live.place).is_none() {
                return;
            }
            *filling.bytes.entry(live.sub).or_default() += live.len;
            if filling.oldest.is_none()
                && let Ok(Some((BrokerPacket::Message { message, .. }, _))) =
                    self.codec.broker_packet(packet, usize::MAX)
            {
                filling.oldest = Some(message.time);
            }
        });
        filling
    }

    /// Takes half of the messages out for which there is a rule, of each subscription's topics those that have the
    /// most. What is left of a topic is spread evenly, and its newest message is among it.
    pub fn halve(&mut self, pool: &mut Pool, rules: &impl SlowRules) -> Halved {
        let (most, surplus) = self.surplus(rules);
        let mut left_out = HashMap::new();
        self.retain(pool, &mut left_out, |live| !surplus.contains(&live.number));
        Halved { most, left_out }
    }

    /// See [`Halved::most`], and the numbers, counted over all packets, of the messages to be taken out.
    fn surplus(&self, rules: &impl SlowRules) -> (f64, HashSet<usize>) {
        let mut counts: HashMap<(u64, &[u8]), u64> = HashMap::new();
        self.each_live(|live, topic, _| {
            if rules.rule(live.sub, live.place).is_some() {
                *counts.entry((live.sub, topic)).or_default() += 1;
            }
        });
        let most = halving(counts.values().copied().collect());
        let kept_max = most.ceil().max(1.0) as u64;
        let (mut seen, mut out): (HashMap<(u64, &[u8]), u64>, _) = (HashMap::new(), HashSet::new());
        self.each_live(|live, topic, _| {
            let of = (live.sub, topic);
            let Some(count) = counts.get(&of).filter(|_| rules.rule(live.sub, live.place).is_some()) else {
                return;
            };
            let kept = kept_max.min(*count);
            let before = seen.entry(of).or_default();
            let is_kept = (*before + 1) * kept / count > *before * kept / count;
            *before += 1;
            if !is_kept {
                out.insert(live.number);
            }
        });
        (most, out)
    }
}

/// The `most` for which `min(count, most)` over all counts adds up to half of them.
fn halving(mut counts: Vec<u64>) -> f64 {
    counts.sort_unstable();
    let mut half = counts.iter().sum::<u64>() as f64 / 2.0;
    let mut left = counts.len() as f64;
    for count in counts.into_iter().map(|count| count as f64) {
        if count * left >= half {
            return half / left;
        }
        half -= count;
        left -= 1.0;
    }
    0.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use murre_protocol::{Codec, packet::OnSlow};
    use proptest::prelude::*;

    use super::*;
    use crate::outbox::overflow::tests::{contents, push};

    proptest! {
        #[test]
        fn half_goes_and_the_newest_of_each_topic_stays(
            topics in prop::collection::vec((1u64..3, 0usize..5), 1..300),
            is_json in any::<bool>(),
        ) {
            let codec = if is_json { Codec::Json } else { Codec::MessagePack };
            let (mut pool, mut outbox) = (Pool::new(4), Outbox::new(codec));
            let mut newest = BTreeMap::new();
            for (offset, (sub, topic)) in (1..).zip(&topics) {
                let topic = ["a", "b", "c", "d\"e", "ü"][*topic];
                push(&mut outbox, &mut pool, *sub, topic, offset, false);
                newest.insert((*sub, topic), offset);
            }
            let before = contents(&outbox);
            // nothing of subscription 2 may be left out
            let halved = outbox.halve(&mut pool, &|sub, _| (sub == 1).then_some(OnSlow::DropOldest));
            let after = contents(&outbox);
            prop_assert!(after.iter().map(|(_, offset)| offset).is_sorted());
            let of = |list: &[(u64, u64)], sub| list.iter().filter(|(of, _)| *of == sub).count() as f64;
            prop_assert_eq!(of(&after, 2), of(&before, 2));
            prop_assert!(newest.iter().all(|((sub, _), offset)| after.contains(&(*sub, *offset))));
            let topics = newest.keys().filter(|(sub, _)| *sub == 1).count() as f64;
            let (left, half) = (of(&after, 1), of(&before, 1) / 2.0);
            prop_assert!(left >= half && left <= half + topics, "{left} of {}", 2.0 * half);
            let told: u64 = halved.left_out.values().map(|left_out| left_out.count()).sum();
            prop_assert_eq!(told as usize, before.len() - after.len());
        }
    }

    #[test]
    fn a_fast_topic_gives_way_before_slow_ones() {
        assert_eq!(halving(vec![100]), 50.0);
        assert_eq!(halving(vec![1, 2, 97]), 47.0);
        assert_eq!(halving(vec![10, 10, 10, 10]), 5.0);
        assert_eq!(halving(vec![1; 8]), 0.5);
        assert_eq!(halving(vec![]), 0.0);
    }

    #[test]
    fn an_outbox_says_what_fills_it() {
        let (mut pool, mut outbox) = (Pool::new(4), Outbox::new(Codec::Json));
        push(&mut outbox, &mut pool, 1, "a", 1, true);
        (2..12).for_each(|offset| push(&mut outbox, &mut pool, offset % 2, "a", offset, false));
        let filling = outbox.filling(&|_, _| Some(OnSlow::DropOldest));
        assert_eq!(filling.bytes[&0], filling.bytes[&1]);
        assert_eq!(filling.oldest, Some(Timestamp::from_millis(1)));
    }
}
