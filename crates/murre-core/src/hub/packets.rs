//! What each packet of a client does.

use std::borrow::Cow;

use murre_protocol::{
    ClientId, Code, Codec, DecodeError, Position, Problem, TopicName,
    packet::{
        BrokerPacket, ClientPacket, Connect, Connected, Disconnect, Notice, NoticeKind, Publish,
        PublishOptions, Published,
    },
};

use super::{BATCH_BYTES_MAX, Farewell, Hub};
use crate::{
    batch::{Content, Origin, owned_publish_options},
    engine::{Answer, EngineInput, Outputs},
    ids::SessionKey,
    kept::Welcome,
    now::Now,
    session::{Close, Phase, SessionKind, granted_keep_alive},
    shard::{Claim, Will},
};

/// A publish was answered at once, by its refusal.
struct WasRefused;

impl Hub {
    /// Handles the packets of a message, or of what was kept of it.
    pub(super) fn packets(
        &mut self,
        now: Now,
        key: SessionKey,
        codec: Codec,
        bytes: &[u8],
        out: &mut Outputs,
    ) {
        let mut publishes = 0;
        self.handle_packets(now, key, (codec, bytes), &mut publishes, out);
        self.counters.received.add(publishes);
        if let Some(slot) = self.slot_mut(key) {
            slot.tally.received.messages += publishes;
        }
    }

    fn handle_packets(
        &mut self,
        now: Now,
        key: SessionKey,
        (codec, bytes): (Codec, &[u8]),
        publishes: &mut u64,
        out: &mut Outputs,
    ) {
        let mut rest = bytes;
        let max_packet = self.limits.max_packet;
        loop {
            match codec.client_packet(rest, max_packet) {
                Ok(None) => return,
                Ok(Some((ClientPacket::Publish(publish), behind))) if self.is_open(key) => {
                    if self.is_announcing(key) {
                        return self.keep_for_later(key, rest);
                    }
                    rest = behind;
                    *publishes += 1;
                    let refused = self.publish(key, publish, out).is_err();
                    if refused && self.is_overfull(key) {
                        return self.keep_for_later(key, rest);
                    }
                    continue;
                }
                Ok(Some((packet, behind))) => {
                    rest = behind;
                    self.packet(now, key, packet, out);
                }
                Err(error) => {
                    self.malformed(now, key, &error, out);
                    return;
                }
            }
            match self.slot_mut(key).map(|slot| &mut slot.session) {
                Some(session) if session.phase == Phase::Open => {}
                Some(session) if session.phase == Phase::Connecting => return self.keep_for_later(key, rest),
                _ => return,
            }
            if self.is_overfull(key) {
                return self.keep_for_later(key, rest);
            }
        }
    }

    #[inline]
    fn is_open(&self, key: SessionKey) -> bool {
        self.slot(key).is_some_and(|slot| slot.session.is_open())
    }

    #[inline]
    fn is_announcing(&self, key: SessionKey) -> bool {
        self.slot(key).is_some_and(|slot| slot.session.announcing > 0)
    }

    /// Puts the rest of a message off: until CONNECTED or SUBSCRIBED is due no more, or until there is room for more
    /// answers, which may be many times as long as what they answer.
    fn keep_for_later(&mut self, key: SessionKey, bytes: &[u8]) {
        if let Some(slot) = self.slot_mut(key) {
            slot.session.backlog.extend_from_slice(bytes);
        }
    }

    /// Goes on with what had to wait.
    pub(super) fn resume(&mut self, now: Now, key: SessionKey, out: &mut Outputs) {
        let Some(slot) = self.slot_mut(key).filter(|slot| slot.session.is_open()) else { return };
        if slot.session.announcing > 0 {
            return;
        }
        let backlog = std::mem::take(&mut slot.session.backlog);
        if let Some(codec) = slot.session.codec
            && !backlog.is_empty()
        {
            self.packets(now, key, codec, &backlog, out);
        }
        // the shell reads on
        if let Some(slot) = self.slot_mut(key) {
            super::alarm(slot, out);
        }
    }

    #[inline]
    fn packet(&mut self, now: Now, key: SessionKey, packet: ClientPacket<'_>, out: &mut Outputs) {
        let Some(slot) = self.slot(key) else { return };
        let is_connect = matches!(packet, ClientPacket::Connect(_));
        if slot.session.is_open() == is_connect {
            let element = if is_connect {
                "only the first packet may be a CONNECT"
            } else {
                "CONNECT has to come first"
            };
            self.disconnect(now, key, Code::MALFORMED, format!("{}: {element}", name(&packet)), out);
            return;
        }
        match packet {
            ClientPacket::Publish(publish) => {
                // the loop over a message's packets has done it already; there it matters whether it was refused
                self.publish(key, publish, out).ok();
            }
            ClientPacket::Connect(connect) => self.connect(now, key, &connect, out),
            ClientPacket::Subscribe(subscribe) => self.subscribe(key, *subscribe, out),
            ClientPacket::Unsubscribe { sub } => self.unsubscribe(key, sub, out),
            ClientPacket::Ack { sub, position } => self.acknowledge(key, sub, position, out),
            ClientPacket::Ping => self.send(key, &BrokerPacket::Pong, out),
            ClientPacket::Pong => {}
            ClientPacket::Disconnect(_) => {
                self.end(now, key, "disconnected", Farewell::Said, Close::with(Code::OK, ""), out);
            }
            ClientPacket::Auth => {
                let reason = "AUTH: this broker does not renew credentials on an open connection";
                self.disconnect(now, key, Code::NOT_SUPPORTED, reason.into(), out);
            }
        }
    }

    fn malformed(&mut self, now: Now, key: SessionKey, error: &DecodeError, out: &mut Outputs) {
        let code = match error.problem {
            Problem::TooLarge { .. } => {
                self.counters.too_large.add(1);
                Code::TOO_LARGE
            }
            _ => {
                self.counters.malformed.add(1);
                Code::MALFORMED
            }
        };
        self.disconnect(now, key, code, error.to_string(), out);
    }

    fn connect(&mut self, now: Now, key: SessionKey, connect: &Connect<'_>, out: &mut Outputs) {
        let (client, will) = match self.read_connect(key, connect) {
            Ok(read) => read,
            Err(reason) => {
                self.disconnect(now, key, Code::INVALID, reason, out);
                return;
            }
        };
        let limits = &self.limits;
        let seconds = granted_keep_alive(
            connect.keep_alive,
            limits.keep_alive.as_secs(),
            limits.keep_alive_max.as_secs(),
        );
        let session = self.address(key);
        let worker = self.placement.worker(self.placement.client_shard(&client));
        let expiry = connect.session_expiry.unwrap_or_default().min(limits.session_expiry_max);
        let Some(slot) = self.slot_mut(key) else { return };
        slot.session.phase = Phase::Connecting;
        slot.session.client = Some(client.clone());
        slot.session.will = will;
        slot.session.last_heard = now.tick;
        slot.session.silence_max = seconds * 1500;
        self.ask(worker, EngineInput::Connect { client, claim: Claim { session, expiry } }, out);
    }

    /// The client id and the will of a CONNECT, or what is wrong with them.
    fn read_connect(
        &self,
        key: SessionKey,
        connect: &Connect<'_>,
    ) -> Result<(ClientId, Option<Box<Will>>), String> {
        let given = match &connect.client_id {
            Some(text) => Cow::Borrowed(text.as_ref()),
            None => {
                let hash = self.identity.seed ^ u64::from(self.worker.0) << 56;
                let number = u64::from(key.serial).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash;
                Cow::Owned(format!("murre-{number:016x}"))
            }
        };
        let client = ClientId::parse(&given).map_err(|why| format!("CONNECT.options.client_id: {why}"))?;
        let Some(will) = &connect.will else { return Ok((client, None)) };
        let topic = TopicName::parse(will.topic.as_ref())
            .map_err(|why| format!("CONNECT.options.will.topic: {why}"))?;
        if topic.is_reserved() {
            return Err("CONNECT.options.will.topic: topics under $murre are the broker's own".into());
        }
        let will = Will {
            topic: topic.as_str().into(),
            format: will.format,
            payload: will.payload.as_ref().into(),
            retain: will.retain,
            delay: will.delay,
        };
        Ok((client, Some(Box::new(will))))
    }

    /// The client id is the session's: CONNECTED, and on with what came meanwhile.
    pub(super) fn welcome(&mut self, now: Now, key: SessionKey, welcome: Welcome, out: &mut Outputs) {
        let identity = self.identity.clone();
        let limits = self.limits.clone();
        let Some(slot) = self.slot_mut(key).filter(|slot| slot.session.phase == Phase::Connecting) else {
            return;
        };
        let session = &mut slot.session;
        session.phase = Phase::Open;
        session.hear(now.tick);
        session.expiry = welcome.expiry;
        let Some(client) = session.client.clone() else { return };
        let silence_max = session.silence_max;
        let connected = Connected {
            client_id: client.as_str().into(),
            session_present: welcome.present.is_some(),
            session_expiry: welcome.expiry,
            durable: identity.durable,
            epoch: identity.epoch.as_str().into(),
            keep_alive: silence_max / 1500,
            max_packet: limits.max_packet as u64,
            max_message: limits.max_message as u64,
            server: identity.server.as_str().into(),
            time: Some(now.wall),
        };
        self.counters.durable_clients.add(u64::from(welcome.expiry > 0));
        self.send(key, &BrokerPacket::Connected(Box::new(connected)), out);
        self.supervise(now, key);
        for subscription in welcome.present.into_iter().flatten() {
            self.go_on(key, subscription, out);
        }
        self.resume(now, key, out);
    }

    #[inline]
    fn publish(
        &mut self,
        key: SessionKey,
        publish: Publish<'_>,
        out: &mut Outputs,
    ) -> Result<(), WasRefused> {
        let Publish { topic, format, payload, id, options } = publish;
        let again = self.publishing.get(self.recent.index()).is_some_and(|p| p.batch.ends_with(&topic));
        // a device sends its readings in runs; what is known of a topic needs no second look
        let hash = match again {
            true => None,
            false => match self.judge_topic(&topic) {
                Ok(hash) => Some(hash),
                Err((code, why)) => return self.refuse_publish(key, id, code, why, out),
            },
        };
        let options = match options.map(|options| checked_options(*options)).transpose() {
            Ok(options) => options,
            Err(why) => return self.refuse_publish(key, id, Code::INVALID, why, out),
        };
        if let Some(hash) = hash {
            self.recent = self.placement.worker(self.placement.shard(hash));
        }
        let worker = self.recent;
        let (own, session) = (worker == self.worker, self.address(key));
        let Some(waiting) = self.publishing.get_mut(worker.index()) else { return Ok(()) };
        let before = waiting.batch.len();
        let numbered = options.as_ref().is_some_and(|options| options.sequence.is_some());
        let content = Content { format, payload: &payload, options };
        let origin = Origin { session: Some(key), id };
        match hash {
            Some(hash) => waiting.batch.push(hash, origin, &topic, content),
            None => waiting.batch.push_again(origin, content),
        }
        if numbered
            && let Some(client) =
                self.sessions.get(key.slot as usize).and_then(|slot| slot.session.client.as_ref())
        {
            waiting.batch.set_sender(client.clone());
        }
        let (bytes, full) = (waiting.batch.len() - before, waiting.batch.len() >= BATCH_BYTES_MAX);
        if !own {
            match waiting.credits.last_mut().filter(|(last, _)| *last == session) {
                Some((_, sum)) => *sum += bytes,
                None => waiting.credits.push((session, bytes)),
            }
            if let Some(slot) = self.slot_mut(key) {
                slot.session.under_way += bytes;
            }
        }
        if full {
            self.flush_to(worker, out);
        }
        Ok(())
    }

    /// A topic's hash where a client may publish to it, or the refusal.
    fn judge_topic(&self, topic: &str) -> Result<u64, (Code, String)> {
        let topic =
            TopicName::parse(topic).map_err(|why| (Code::INVALID, format!("PUBLISH.topic: {why}")))?;
        if topic.as_str().starts_with('$') && topic.is_reserved() {
            let why =
                format!("PUBLISH.topic: {topic} is the broker's own; clients may not publish under $murre");
            return Err((Code::NOT_AUTHORISED, why));
        }
        Ok(self.placement.topic_hash(topic.as_str()))
    }

    /// Refuses a publish: by PUBLISHED where it has an id, else by NOTICE.
    #[cold]
    fn refuse_publish(
        &mut self,
        key: SessionKey,
        id: u64,
        code: Code,
        reason: String,
        out: &mut Outputs,
    ) -> Result<(), WasRefused> {
        self.counters.publishes_refused.add(1);
        self.answer_publish(key, id, code, Position::NONE, &reason, out);
        Err(WasRefused)
    }

    fn answer_publish(
        &mut self,
        key: SessionKey,
        id: u64,
        code: Code,
        position: Position,
        reason: &str,
        out: &mut Outputs,
    ) {
        let packet = if id > 0 {
            let reason = (!reason.is_empty()).then(|| reason.into());
            BrokerPacket::Published(Published { id, code, position, reason })
        } else {
            let (kind, reason) = (NoticeKind::Refused, reason.into());
            let notice =
                Notice { kind, sub: None, count: Some(1), topics: Vec::new(), reason, code: Some(code) };
            BrokerPacket::Notice(Box::new(notice))
        };
        self.send(key, &packet, out);
    }

    /// Answers from the shards.
    pub(super) fn published(&mut self, answers: Vec<Answer>, out: &mut Outputs) {
        for Answer { session, id, code, reason, position } in answers {
            self.answer_publish(session, id, code, position, reason, out);
        }
    }

    /// Says DISCONNECT and ends the session, as one that took no leave.
    pub(super) fn disconnect(
        &mut self,
        now: Now,
        key: SessionKey,
        code: Code,
        reason: String,
        out: &mut Outputs,
    ) {
        let packet = Disconnect { code, reason: reason.as_str().into(), retry_after: None };
        if self.slot(key).is_some_and(|slot| slot.session.codec.is_some()) {
            self.send(key, &BrokerPacket::Disconnect(packet), out);
        }
        self.end(now, key, "disconnected by the broker", Farewell::Lost, Close::with(code, reason), out);
    }

    /// Whether a session is a client's over the network.
    pub(super) fn is_client(&self, key: SessionKey) -> bool {
        self.slot(key).is_some_and(|slot| slot.session.kind == SessionKind::Client)
    }
}

/// A publish's options with what they name checked.
fn checked_options(options: PublishOptions<'_>) -> Result<PublishOptions<'static>, String> {
    if let Some(topic) = &options.reply_to {
        TopicName::parse(topic.as_ref()).map_err(|why| format!("PUBLISH.options.reply_to: {why}"))?;
    }
    Ok(owned_publish_options(options))
}

/// A packet's name, for errors.
fn name(packet: &ClientPacket<'_>) -> &'static str {
    match packet {
        ClientPacket::Connect(_) => "CONNECT",
        ClientPacket::Publish(_) => "PUBLISH",
        ClientPacket::Subscribe(_) => "SUBSCRIBE",
        ClientPacket::Unsubscribe { .. } => "UNSUBSCRIBE",
        ClientPacket::Ack { .. } => "ACK",
        ClientPacket::Ping => "PING",
        ClientPacket::Pong => "PONG",
        ClientPacket::Disconnect(_) => "DISCONNECT",
        ClientPacket::Auth => "AUTH",
    }
}
