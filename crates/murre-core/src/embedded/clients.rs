//! Connects and ends of clients, and what their records want published.

use std::collections::VecDeque;

use murre_protocol::{ClientId, Format, packet::PublishOptions};

use super::Embedded;
use crate::{
    batch::{Content, Origin, PublishBatch},
    counters::Counters,
    engine::{Engine, EngineInput, HubInput, Outputs},
    now::Now,
    placement::Placement,
    shard::{Claim, ClientEvent, Clients, Ended, Will},
};

impl Embedded {
    /// A connection claims a client id.
    pub(super) fn client_connects(&mut self, now: Now, client: ClientId, claim: Claim, out: &mut Outputs) {
        self.with_clients(&client.clone(), |clients, events| clients.connect(now, client, claim, events));
        self.pass_events(now, out);
    }

    /// A session that had claimed a client id has ended.
    pub(super) fn client_ended(&mut self, now: Now, client: ClientId, ended: Ended, out: &mut Outputs) {
        self.with_clients(&client.clone(), |clients, events| clients.end(now, client, ended, events));
        self.pass_events(now, out);
    }

    pub(super) fn with_clients(
        &mut self,
        client: &ClientId,
        act: impl FnOnce(&mut Clients, &mut VecDeque<ClientEvent>),
    ) {
        let shard = self.placement.client_shard(client);
        self.with_clients_of(shard, act);
    }

    pub(super) fn with_clients_of(
        &mut self,
        shard: u8,
        act: impl FnOnce(&mut Clients, &mut VecDeque<ClientEvent>),
    ) {
        let place = self.place(shard);
        if let Some(shard) = self.shards.get_mut(place) {
            let before = shard.clients.kept();
            act(&mut shard.clients, &mut self.events);
            count_kept(&self.counters, before, shard.clients.kept());
        }
    }

    /// Publishes what the client records want published, and passes on the rest.
    pub(super) fn pass_events(&mut self, now: Now, out: &mut Outputs) {
        while let Some(event) = self.events.pop_front() {
            match event {
                ClientEvent::Welcome { session, welcome } => {
                    out.hub(session.worker, HubInput::Welcome(session.key, welcome));
                }
                ClientEvent::LetGo { session } => out.hub(session.worker, HubInput::LetGo(session.key)),
                ClientEvent::Presence { client, payload, kept } => {
                    self.publish_own(now, &Placement::presence_topic(&client), &payload, kept, out);
                }
                ClientEvent::Publish(will) => self.publish_will(&will, out),
                ClientEvent::Changed(change) => {
                    let shard = self.placement.client_shard(&change.client);
                    self.logging.note_session(shard, change);
                }
                ClientEvent::Keep(input) => self.tell_shards(input, out),
                ClientEvent::Answer { client, session, answer } => {
                    self.tell_committed(client, session, answer, out);
                }
                ClientEvent::Tell { session, answer } => {
                    out.hub(session.worker, HubInput::Kept(session.key, answer));
                }
            }
        }
        // what a publish of presence has not taken along
        self.logging.flush(&mut out.log);
    }

    /// Publishes JSON to a topic of this worker's shards, as the broker's own.
    pub(super) fn publish_own(
        &mut self,
        now: Now,
        topic: &str,
        payload: &str,
        kept: bool,
        out: &mut Outputs,
    ) {
        let content = Content { format: Format::Json, payload: payload.as_bytes(), options: None };
        let me = self.worker;
        let mut publishes = PublishBatch::default();
        let hash = self.placement.topic_hash(topic);
        publishes.push(hash, Origin { session: None, id: 0 }, topic, content);
        let mut messages = self.batch();
        for entry in publishes.entries() {
            // past the bound on topics, presence is told live and not kept
            if self.take_one(now, (me, entry), &publishes, kept, &mut messages).is_err() {
                let _ = self.take_one(now, (me, entry), &publishes, false, &mut messages);
            }
        }
        self.close_batch(&mut messages, out);
        self.spread(messages, out);
    }

    /// A will goes the way of every publish, to the shard of its topic.
    fn publish_will(&mut self, will: &Will, out: &mut Outputs) {
        self.counters.wills.add(1);
        let options = will.retain.then(|| PublishOptions { retain: true, ..Default::default() });
        let content = Content { format: will.format, payload: &will.payload, options };
        let hash = self.placement.topic_hash(&will.topic);
        let mut batch = Box::new(PublishBatch::default());
        batch.push(hash, Origin { session: None, id: 0 }, &will.topic, content);
        let worker = self.placement.worker(self.placement.shard(hash));
        out.engine(worker, EngineInput::Publish { origin: self.worker, batch, credits: Vec::new() });
    }
}

/// Counts the kept sessions that came or went.
pub(super) fn count_kept(counters: &Counters, before: usize, after: usize) {
    counters.kept_sessions.add((after as u64).wrapping_sub(before as u64));
}
