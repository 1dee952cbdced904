//! What was published, in the order that the broker gave it: seen by an observer of everything.
//!
//! Every publish takes the next offset of its shard, so a message that the observer missed shows as a gap.

use std::collections::{BTreeMap, HashMap};

use murre_core::testing::{Broker, Client, Said, live};
use murre_protocol::{Position, TopicFilter, TopicName};

/// A message in its shard's order.
pub(crate) struct Entry {
    /// Its topic's place in [`Record::topics`].
    pub(crate) topic: usize,
    /// The payload; empty where the topic's value was deleted.
    pub(crate) payload: String,
}

/// Everything that was published.
#[derive(Default)]
pub(crate) struct Record {
    observer: Option<Client>,
    seen: usize,
    /// By shard; the message of offset `n` is at `n - 1`.
    pub(crate) shards: BTreeMap<u8, Vec<Entry>>,
    /// The names of all topics.
    pub(crate) topics: Vec<String>,
    places: HashMap<String, usize>,
}

impl Record {
    /// Observes from now on. Nothing may have been published, but the observer's own presence.
    pub(crate) fn observing(broker: &Broker) -> Self {
        let observer = broker.connect_on(0, "observer");
        observer.subscribe("$murre/#");
        observer.subscribe_with("#", live());
        Self { observer: Some(observer), ..Self::default() }
    }

    /// Reads on. The broker must have come to rest.
    pub(crate) fn read(&mut self) {
        let Some(observer) = self.observer.clone() else { return };
        for said in observer.heard_since(&mut self.seen) {
            match said {
                Said::Message(message) => {
                    let topic = self.place(&message.topic);
                    let entries = self.shards.entry(message.position.shard()).or_default();
                    entries.push(Entry { topic, payload: message.text() });
                    let offset = entries.len() as u64;
                    assert_eq!(
                        message.position.offset(),
                        offset,
                        "the observer missed a message before this one: {} bytes waited, {} told",
                        observer.waiting_max(),
                        observer.dropped(1) + observer.dropped(2)
                    );
                }
                Said::Notice { .. } | Said::Disconnect { .. } => panic!("the observer is told {said:?}"),
                _ => {}
            }
        }
    }

    /// The observer leaves.
    pub(crate) fn end(&mut self) {
        self.read();
        if let Some(observer) = self.observer.take() {
            observer.disconnect();
        }
    }

    fn place(&mut self, topic: &str) -> usize {
        if let Some(place) = self.places.get(topic) {
            return *place;
        }
        self.topics.push(topic.to_owned());
        self.places.insert(topic.to_owned(), self.topics.len() - 1);
        self.topics.len() - 1
    }

    /// The message at a position.
    pub(crate) fn at(&self, position: Position) -> &Entry {
        let entries = self.shards.get(&position.shard());
        let entry = entries.and_then(|entries| entries.get(position.offset() as usize - 1));
        entry.unwrap_or_else(|| panic!("nothing was published at {position:?}"))
    }

    /// For each topic, whether `filter` wants it.
    pub(crate) fn wanted(&self, filter: &str) -> Vec<bool> {
        let filter = TopicFilter::parse(filter).unwrap_or_else(|why| panic!("{filter}: {why}"));
        let wants = |topic: &String| TopicName::parse(topic.as_str()).is_ok_and(|name| filter.matches(&name));
        self.topics.iter().map(wants).collect()
    }

    /// Topics that have a value at the end.
    pub(crate) fn kept(&self) -> usize {
        let mut last: HashMap<usize, bool> = HashMap::new();
        for entry in self.shards.values().flatten() {
            last.insert(entry.topic, !entry.payload.is_empty());
        }
        last.iter().filter(|(topic, kept)| **kept && !self.topics[**topic].starts_with("$murre/")).count()
    }

    /// All payloads of one topic, in order.
    pub(crate) fn payloads<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a str> {
        let place = self.places.get(topic).copied();
        let entries = self.shards.values().flatten();
        entries.filter(move |entry| Some(entry.topic) == place).map(|entry| entry.payload.as_str())
    }
}
