//! What an engine part knows of topics and clients, for those who run the broker.

use murre_protocol::{ClientId, TopicName};

use super::{Embedded, Interest};
use crate::{
    ids::{GroupId, SessionAddress},
    shard::Publisher,
};

/// What the shard of a topic knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicReport {
    /// Who has published there, as far as it is remembered, the last one first.
    pub publishers: Vec<Publisher>,
    /// The groups whose filter matches it.
    pub groups: Vec<GroupId>,
}

impl Embedded {
    /// What is known of a topic, which has to be one of this worker's shards.
    pub fn report_topic(&self, topic: &TopicName<'_>) -> TopicReport {
        let hash = self.placement.topic_hash(topic.as_str());
        let place = self.place(self.placement.shard(hash));
        let shard = self.shards.get(place);
        let publishers = shard.map(|shard| shard.topics.publishers(hash, topic.as_str()));
        let mut groups = Vec::new();
        self.interest.for_each_match(topic.as_str(), |who| {
            if let Interest::Group(group) = who {
                groups.push(*group);
            }
        });
        TopicReport { publishers: publishers.unwrap_or_default(), groups }
    }

    /// The session that a client id of this worker's shards is online with.
    pub fn session_of(&self, client: &ClientId) -> Option<SessionAddress> {
        let place = self.place(self.placement.client_shard(client));
        self.shards.get(place)?.clients.online(client)
    }
}
