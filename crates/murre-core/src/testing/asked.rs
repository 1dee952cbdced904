//! What those who run a broker ask, asked as the server does it.

use murre_protocol::{ClientId, TopicName};

use super::Broker;
use crate::{
    hub::{ClientPage, ClientReport, ListQuery, Listing, SubscriptionReport},
    ids::SessionAddress,
    shard::Publisher,
};

impl Broker {
    /// A page of the clients.
    pub fn list(&self, query: &ListQuery) -> ClientPage {
        let world = self.world.borrow();
        let pages = world.workers().map(|worker| {
            let mut listing = Listing::new(query.clone());
            while !listing.look(&worker.hub, world.now()) {}
            listing.finish()
        });
        ClientPage::merge(pages, query.limit)
    }

    /// A client that is connected.
    pub fn report(&self, id: &str) -> Option<ClientReport> {
        let SessionAddress { worker, key } = self.session_of(id)?;
        let world = self.world.borrow();
        world.workers().nth(worker.index())?.hub.report(world.now(), key)
    }

    /// The subscriptions of a client that is connected.
    pub fn report_subscriptions(&self, id: &str) -> Vec<SubscriptionReport> {
        let Some(SessionAddress { worker, key }) = self.session_of(id) else { return Vec::new() };
        let world = self.world.borrow();
        let worker = world.workers().nth(worker.index());
        worker.map(|worker| worker.hub.report_subscriptions(key, usize::MAX)).unwrap_or_default()
    }

    /// Who has published to a topic and is connected, the last one first.
    pub fn publishers(&self, topic: &str) -> Vec<String> {
        let Ok(topic) = TopicName::parse(topic) else { return Vec::new() };
        let world = self.world.borrow();
        let name = |publisher: &Publisher| {
            let SessionAddress { worker, key } = publisher.session;
            Some(world.workers().nth(worker.index())?.hub.report_party(key)?.name)
        };
        // all but one worker have other shards, which know nothing of it
        let known = world.workers().flat_map(|worker| worker.engine().report_topic(&topic).publishers);
        known.filter_map(|publisher| name(&publisher)).collect()
    }

    /// Who is subscribed to a topic, by client id and number.
    pub fn subscribers(&self, topic: &str) -> Vec<(String, SubscriptionReport)> {
        let Ok(topic) = TopicName::parse(topic) else { return Vec::new() };
        let world = self.world.borrow();
        let of_worker = world.workers().flat_map(|worker| {
            let groups = worker.engine().report_topic(&topic).groups;
            worker.hub.report_subscribers(&topic, &groups, usize::MAX)
        });
        let mut found: Vec<_> = of_worker.map(|(party, report)| (party.name, report)).collect();
        found.sort_by_key(|(name, report)| (name.clone(), report.sub));
        found
    }

    /// Disconnects a client; false where it is not connected.
    pub fn expel(&self, id: &str, reason: &str) -> bool {
        let Some(SessionAddress { worker, key }) = self.session_of(id) else { return false };
        let expelled = self
            .world
            .borrow_mut()
            .with_hub(worker, |now, hub, out| hub.expel(now, key, reason.to_owned(), out));
        self.settle();
        expelled
    }

    /// Counts the clients that read too slowly, as each worker does once a second.
    pub fn count_slow(&self) -> u64 {
        let workers = self.world.borrow().all_workers();
        for worker in workers {
            self.world.borrow_mut().with_hub(worker, |now, hub, _| hub.count_slow(now));
        }
        self.count(|counters| &counters.slow)
    }

    fn session_of(&self, id: &str) -> Option<SessionAddress> {
        let client = ClientId::parse(id).ok()?;
        self.world.borrow().workers().find_map(|worker| worker.engine().session_of(&client))
    }
}
