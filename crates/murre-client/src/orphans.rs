//! Messages of subscriptions that the broker kept with the session and that nobody here has asked for yet.
//!
//! A process that starts again gets them at once, before it can subscribe. They are held until it does, within a
//! bound; past it they are let go, and the connection has to be made again for the broker to send them again, as
//! nobody has acknowledged them.

use std::collections::HashMap;

use crate::{feed::Item, subscriptions::SUBSCRIPTIONS_MAX};

/// Messages that are held at most.
const MESSAGES_MAX: usize = 16_384;
/// Bytes that are held at most.
const BYTES_MAX: usize = 32 << 20;

/// What became of one subscription's messages.
#[derive(Debug)]
pub(crate) enum Orphan {
    /// All that came.
    Held(Vec<Item>),
    /// Some or all were let go.
    LetGo,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    subs: HashMap<u64, Orphan>,
    messages: usize,
    bytes: usize,
}

impl Orphans {
    /// Holds one more item of `sub`.
    pub(crate) fn hold(&mut self, sub: u64, item: Item) {
        if self.subs.len() >= SUBSCRIPTIONS_MAX && !self.subs.contains_key(&sub) {
            return;
        }
        let weight = weight(&item);
        if self.messages >= MESSAGES_MAX || self.bytes + weight > BYTES_MAX {
            return self.let_go(sub);
        }
        match self.subs.entry(sub).or_insert_with(|| Orphan::Held(Vec::new())) {
            Orphan::LetGo => {}
            Orphan::Held(items) => {
                items.push(item);
                self.messages += 1;
                self.bytes += weight;
            }
        }
    }

    /// Messages of `sub` are not there any more.
    pub(crate) fn let_go(&mut self, sub: u64) {
        self.take(sub);
        self.subs.insert(sub, Orphan::LetGo);
    }

    /// Hands out what there is of `sub`.
    pub(crate) fn take(&mut self, sub: u64) -> Option<Orphan> {
        let orphan = self.subs.remove(&sub)?;
        if let Orphan::Held(items) = &orphan {
            self.messages -= items.len();
            self.bytes -= items.iter().map(weight).sum::<usize>();
        }
        Some(orphan)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn weight(item: &Item) -> usize {
    match item {
        Item::Message(_, message) => message.weight(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn mark() -> Item {
        Item::CaughtUp { run: 0, positions: Vec::new(), epoch: Arc::from("e"), count: 0 }
    }

    #[test]
    fn what_is_held_is_handed_out_once() {
        let mut orphans = Orphans::default();
        orphans.hold(1, mark());
        orphans.hold(1, mark());
        assert!(matches!(orphans.take(1), Some(Orphan::Held(items)) if items.len() == 2));
        assert!(orphans.take(1).is_none());
        assert_eq!((orphans.messages, orphans.bytes), (0, 0));
    }

    #[test]
    fn past_the_bound_a_subscription_is_let_go_as_a_whole() {
        let mut orphans = Orphans::default();
        for _ in 0..=MESSAGES_MAX {
            orphans.hold(1, mark());
        }
        orphans.hold(1, mark());
        assert!(matches!(orphans.take(1), Some(Orphan::LetGo)));
        assert_eq!((orphans.messages, orphans.bytes), (0, 0));
    }
}
