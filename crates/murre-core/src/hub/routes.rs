//! Topic → receivers, remembered until a subscription changes.

use hashbrown::HashTable;
use slab::Slab;

use crate::{index::FilterIndex, session::Subscription};

/// A subscription that gets a topic's messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver {
    /// The session's place.
    pub session: u32,
    /// The subscription's place.
    pub place: u32,
    /// The client's number for the subscription.
    pub sub: u64,
    /// The shards whose messages it gets.
    pub live: u64,
    /// Whether its messages are acknowledged.
    pub ack: bool,
}

/// Remembered receivers. Bounded: when it is full it begins anew, which costs the look-ups that it saved.
#[derive(Debug, Default)]
pub(super) struct Routes {
    known: HashTable<Known>,
    /// Counts the changes; what was remembered under another number is looked up anew.
    generation: u64,
    receivers: usize,
}

#[derive(Debug)]
struct Known {
    hash: u64,
    topic: Box<str>,
    generation: u64,
    receivers: Vec<Receiver>,
    /// Views that want the topic, each once however many share it.
    views: Vec<u32>,
}

const TOPICS_MAX: usize = 1 << 17;
const RECEIVERS_MAX: usize = 1 << 21;

impl Routes {
    /// A subscription came, went or changed.
    pub(super) fn void(&mut self) {
        self.generation += 1;
    }

    /// Who gets the messages of `topic`, and the views that want it.
    #[inline]
    pub(super) fn receivers(
        &mut self,
        hash: u64,
        topic: &[u8],
        index: &FilterIndex<u32>,
        subscriptions: &Slab<Subscription>,
    ) -> (&[Receiver], &[u32]) {
        if self.known.len() >= TOPICS_MAX || self.receivers >= RECEIVERS_MAX {
            self.known.clear();
            self.receivers = 0;
        }
        let generation = self.generation;
        let found = self.known.entry(
            hash,
            |known| known.hash == hash && known.topic.as_bytes() == topic,
            |known| known.hash,
        );
        let known = found
            .or_insert_with(|| Known {
                hash,
                topic: std::str::from_utf8(topic).unwrap_or_default().into(),
                generation: generation.wrapping_sub(1),
                receivers: Vec::new(),
                views: Vec::new(),
            })
            .into_mut();
        if known.generation != generation {
            self.receivers -= known.receivers.len();
            known.generation = generation;
            known.receivers.clear();
            known.views.clear();
            let Known { topic, receivers, views, .. } = known;
            index.for_each_match(topic, |place| {
                let Some(subscription) = subscriptions.get(*place as usize) else { return };
                if let Some(view) = &subscription.view {
                    views.extend(view.at_work.filter(|view| !views.contains(view)));
                } else {
                    receivers.push(Receiver {
                        session: subscription.session,
                        place: *place,
                        sub: subscription.sub,
                        live: subscription.live,
                        ack: subscription.ack.is_some(),
                    });
                }
            });
            // near each other in memory, near each other in time
            known.receivers.sort_unstable_by_key(|receiver| (receiver.session, receiver.sub));
            self.receivers += known.receivers.len();
        }
        (&known.receivers, &known.views)
    }
}
