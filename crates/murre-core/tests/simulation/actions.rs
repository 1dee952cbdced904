//! What a client may do at random.

use murre_core::testing::subscribing;
use murre_protocol::{
    Format, Position,
    packet::{ClientPacket, Disconnect, From, OnSlow, Publish, PublishOptions, SubscribeOptions},
};

use super::{
    crowd::Crowd,
    session::{End, Subscription},
};

const SUBSCRIPTIONS: usize = 4;
/// Filters that clients choose from.
const FILTERS: &[&str] = &[
    "a/0",
    "a/1",
    "a/+",
    "a/#",
    "b/+/x",
    "b/#",
    "+/3",
    "#",
    "wills/#",
    "$murre/#",
    "$murre/clients/client1",
    "c/0",
];
const GROUPS: &[(&str, &str)] = &[("$share/g/a/+", "a/+"), ("$share/g/#", "#"), ("$share/h/#", "#")];

impl Crowd {
    pub(crate) fn act(&mut self, at: usize) {
        match self.random.below(100) {
            0..45 => self.publish(at),
            45..60 => self.subscribe(at),
            60..66 => self.subscribe_again(at),
            66..72 => self.unsubscribe(at),
            72..80 => self.stall_or_resume(at),
            80..92 => self.acknowledge(at),
            92..94 => self.leave(at),
            94..96 => self.lose(at),
            96..98 => self.flood(at),
            _ => {}
        }
    }

    fn publish(&mut self, at: usize) {
        for _ in 0..1 + self.random.below(3) {
            let size = if self.random.chance(10) { 1_500 } else { 20 };
            self.publish_one(at, size);
        }
    }

    fn flood(&mut self, at: usize) {
        for _ in 0..100 {
            self.publish_one(at, 3_000);
        }
    }

    fn publish_one(&mut self, at: usize, size: usize) {
        let topic = match self.random.below(4) {
            0 | 1 => format!("a/{}", self.random.below(6)),
            2 => format!("b/{}/x", self.random.below(3)),
            _ => format!("c/{}", self.random.below(4)),
        };
        let deletes = self.random.chance(5);
        let session = &mut self.sessions[at];
        let payload = if deletes {
            String::new()
        } else {
            session.published += 1;
            format!("{at}:{}.{}", session.published, "x".repeat(self.random.place(size)))
        };
        let id = if self.random.chance(30) { session.client.number() } else { 0 };
        if id > 0 {
            session.asked.insert(id, payload.clone());
        }
        let options = deletes.then(|| Box::new(PublishOptions { retain: true, ..Default::default() }));
        let (topic, payload) = (topic.into(), payload.into_bytes().into());
        session.client.send(&ClientPacket::Publish(Publish {
            topic,
            format: Format::Text,
            payload,
            id,
            options,
        }));
    }

    fn options(&mut self) -> SubscribeOptions<'static> {
        let from = match self.random.below(3) {
            0 => None,
            1 => Some(From::Last),
            _ => Some(From::Live),
        };
        let on_slow = match self.random.below(8) {
            0 => Some(OnSlow::Disconnect),
            1 | 2 => Some(OnSlow::Conflate),
            _ => None,
        };
        SubscribeOptions { from, on_slow, ..Default::default() }
    }

    fn subscribe(&mut self, at: usize) {
        let open = self.sessions[at].subscriptions.values().filter(|one| !one.unsubscribed && !one.leaving);
        if open.count() >= SUBSCRIPTIONS {
            return;
        }
        let mut options = self.options();
        let (text, filter, group) = if self.random.chance(15) {
            let (text, filter) = *self.random.pick(GROUPS);
            options.from = None;
            (text, filter, Some(text.to_owned()))
        } else {
            options.ack = self.random.chance(20).then_some(true);
            let filter = *self.random.pick(FILTERS);
            (filter, filter, None)
        };
        let session = &mut self.sessions[at];
        let sub = session.client.number();
        let last = group.is_none() && options.from != Some(From::Live);
        let subscription = Subscription {
            text: text.to_owned(),
            filter: filter.to_owned(),
            group,
            ack: options.ack == Some(true),
            unanswered: [Some(last)].into(),
            ..Default::default()
        };
        session.subscriptions.insert(sub, subscription);
        session.client.send(&subscribing(sub, text, options));
    }

    fn subscribe_again(&mut self, at: usize) {
        let mut options = self.options();
        let Some(sub) = self.any_subscription(at) else { return };
        let session = &mut self.sessions[at];
        let Some(subscription) = session.subscriptions.get_mut(&sub) else { return };
        if subscription.group.is_some() {
            options.from = None;
        }
        subscription.unanswered.push_back(options.from.as_ref().map(|from| *from == From::Last));
        session.client.send(&subscribing(sub, &subscription.text, options));
    }

    fn unsubscribe(&mut self, at: usize) {
        let Some(sub) = self.any_subscription(at) else { return };
        let session = &mut self.sessions[at];
        if let Some(subscription) = session.subscriptions.get_mut(&sub) {
            subscription.leaving = true;
        }
        session.client.send(&ClientPacket::Unsubscribe { sub });
    }

    fn any_subscription(&mut self, at: usize) -> Option<u64> {
        let open =
            self.sessions[at].subscriptions.iter().filter(|(_, one)| !one.unsubscribed && !one.leaving);
        let open: Vec<u64> = open.map(|(sub, _)| *sub).collect();
        (!open.is_empty()).then(|| *self.random.pick(&open))
    }

    fn stall_or_resume(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        session.stalled = !session.stalled;
        session.ever_stalled = true;
        let blocks = if self.random.chance(30) { 3 } else { 0 };
        session.client.send_appetite(session.stalled.then_some(blocks));
    }

    fn acknowledge(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        session.read();
        for (sub, subscription) in &mut session.subscriptions {
            if subscription.unacknowledged.is_empty() || subscription.unsubscribed || subscription.leaving {
                continue;
            }
            let position: Position = *self.random.pick(&subscription.unacknowledged);
            subscription.acknowledge(position);
            session.client.send(&ClientPacket::Ack { sub: *sub, position });
        }
    }

    pub(crate) fn leave(&mut self, at: usize) {
        if self.is_surely_online(at) {
            self.wills.leave(at);
        } else {
            // the broker may have ended it before
            self.wills.either(at);
        }
        let session = &mut self.sessions[at];
        session.ended = Some(End::Clean);
        match self.random.below(3) {
            0 => session.client.send_close(1000),
            1 => session.client.send_close(1001),
            _ => session.client.send(&ClientPacket::Disconnect(Disconnect::default())),
        }
    }

    pub(crate) fn lose(&mut self, at: usize) {
        if self.is_surely_online(at) {
            self.wills.lose(at);
        } else {
            self.wills.either(at);
        }
        let session = &mut self.sessions[at];
        session.ended = Some(End::Abrupt);
        match self.random.below(4) {
            0 => session.client.send_close(1011),
            1 => session.client.send_end(),
            2 => session.client.send_bytes(b"\xc1"),
            _ => session.client.send_break_off(),
        }
    }
}
