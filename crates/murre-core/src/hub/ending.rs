//! How sessions end: by the client, by a newer connection, by silence, with the broker.

use std::{cmp::Reverse, time::Duration};

use murre_protocol::{
    Code,
    packet::{BrokerPacket, Disconnect, Notice, NoticeKind},
};

use super::{Farewell, Hub};
use crate::{
    engine::{EngineInput, Outputs},
    ids::SessionKey,
    now::{Now, Tick},
    session::{Close, Phase},
    shard::Ended,
};

impl Hub {
    /// Ends a session: its subscriptions go, its client id is let go of, and its connection is closed once what
    /// waits was sent.
    pub(super) fn end(
        &mut self,
        _now: Now,
        key: SessionKey,
        reason: &'static str,
        farewell: Farewell,
        close: Close,
        out: &mut Outputs,
    ) {
        let address = self.address(key);
        if self.slot(key).is_none_or(|slot| slot.session.is_closing()) {
            return;
        }
        // as long as it can be seen whose they are
        self.tell_acknowledged(out);
        let Some(slot) = self.slot_mut(key) else { return };
        slot.session.phase = Phase::Closing(close);
        slot.session.backlog = Vec::new();
        slot.owes_notice = false;
        slot.in_group = false;
        let subscriptions = std::mem::take(&mut slot.session.subscriptions);
        slot.session.snapshots_waiting.clear();
        let client = slot.session.client.take();
        let will = slot.session.will.take().filter(|_| farewell == Farewell::Lost);
        super::alarm(slot, out);
        let is_durable = std::mem::take(&mut slot.session.expiry) > 0;
        self.counters.durable_clients.sub(u64::from(is_durable));
        for (_, place) in subscriptions {
            self.drop_subscription(key, place, out);
        }
        if let Some(client) = client {
            if will.is_some() {
                // the will comes behind what the client published
                self.flush(out);
            }
            let worker = self.placement.worker(self.placement.client_shard(&client));
            let ended = Ended { session: address, reason, will };
            self.ask(worker, EngineInput::Ended { client, ended }, out);
        }
    }

    /// The connection is gone, and its shell with it.
    pub fn closed(&mut self, now: Now, key: SessionKey, farewell: Farewell, out: &mut Outputs) {
        if self.slot(key).is_none() {
            return;
        }
        let reason = if farewell == Farewell::Said { "disconnected" } else { "connection lost" };
        self.end(now, key, reason, farewell, Close::with(Code::OK, ""), out);
        let mut slot = self.sessions.remove(key.slot as usize);
        slot.outbox.clear(&mut self.pool);
        self.counters.sessions.sub(1);
    }

    /// The client has ended its side without a close frame: what came before is handled, the answers go out, then
    /// the connection ends.
    pub fn half_closed(&mut self, now: Now, key: SessionKey, out: &mut Outputs) {
        let close = Close { code: 1006, reason: String::new() };
        self.end(now, key, "connection lost", Farewell::Lost, close, out);
    }

    /// What came is no valid WebSocket: the session ends with this close code.
    pub fn fail(&mut self, now: Now, key: SessionKey, code: u16, reason: &str, out: &mut Outputs) {
        match code {
            1009 => self.counters.too_large.add(1),
            _ => self.counters.malformed.add(1),
        }
        let close = Close { code, reason: reason.to_owned() };
        self.end(now, key, "connection failed", Farewell::Lost, close, out);
    }

    /// The client id belongs to a newer connection.
    pub(super) fn let_go(&mut self, now: Now, key: SessionKey, out: &mut Outputs) {
        if self.slot(key).is_none_or(|slot| slot.session.is_closing()) {
            return;
        }
        self.counters.taken_over.add(1);
        let reason = "another connection came with the same client id";
        let packet = Disconnect { code: Code::TAKEN_OVER, reason: reason.into(), retry_after: None };
        self.send(key, &BrokerPacket::Disconnect(packet), out);
        let close = Close::with(Code::TAKEN_OVER, reason);
        self.end(now, key, "taken over", Farewell::Said, close, out);
    }

    /// Watches over a session's silence from now on.
    pub(super) fn supervise(&mut self, now: Now, key: SessionKey) {
        let Some(slot) = self.slot(key) else { return };
        let due = now.tick + Duration::from_millis(slot.session.silence_max);
        if slot.session.silence_max > 0 && due < slot.session.timer {
            self.schedule(key, due);
        }
    }

    /// Looks after a session at `due`, and not before. Entries of ended sessions are left behind in the heap; when
    /// they are the most of it, it is made anew, so that short-lived connections can't make it grow.
    pub(super) fn schedule(&mut self, key: SessionKey, due: Tick) {
        let Some(slot) = self.slot_mut(key) else { return };
        slot.session.timer = due;
        self.timers.push(Reverse((due, key)));
        if self.timers.len() > 1024 + 2 * self.sessions.len() {
            let timed = self.sessions.iter().filter(|(_, slot)| slot.session.timer < Tick(u64::MAX));
            self.timers = timed.map(|(_, slot)| Reverse((slot.session.timer, slot.key))).collect();
        }
    }

    /// When [`Self::tick`] wants to be called at the latest.
    pub fn next_due(&self) -> Option<Tick> {
        let session = self.timers.peek().map(|Reverse((due, _))| *due);
        [session, self.views_due(), self.degraded_due()].into_iter().flatten().min()
    }

    /// Sends what views and lower rates held back until now, and ends the sessions that were silent for too long.
    pub fn tick(&mut self, now: Now, out: &mut Outputs) {
        self.now = now;
        self.tick_views(now, out);
        self.tick_degraded(now, out);
        self.end_slow(now, out);
        while let Some(&Reverse((due, key))) = self.timers.peek()
            && due <= now.tick
        {
            self.timers.pop();
            if let Some(slot) = self.slot_mut(key).filter(|slot| slot.session.timer == due) {
                slot.session.timer = Tick(u64::MAX);
                self.look_after(now, key, out);
            }
        }
    }

    /// Puts the timer on for as long as the session was heard since, or ends the session.
    fn look_after(&mut self, now: Now, key: SessionKey, out: &mut Outputs) {
        let hello_timeout = self.limits.hello_timeout;
        let Some(slot) = self.slot_mut(key) else { return };
        let session = &mut slot.session;
        let was_read = !(session.paused || session.unread);
        // a client that has taken nothing of what waits for it, all this time, is as silent as one that sends nothing
        if !was_read && (std::mem::take(&mut slot.took_bytes) || slot.outbox.is_empty()) {
            // nobody was listening all the time: the client gets the whole of it again
            session.last_heard = now.tick;
            session.unread = session.paused;
        }
        let (allowed, is_new) = match session.phase {
            Phase::New => (hello_timeout, true),
            Phase::Open => (Duration::from_millis(session.silence_max), false),
            Phase::Connecting | Phase::Closing(_) => return,
        };
        if !is_new && session.silence_max == 0 {
            return;
        }
        let due = session.last_heard + allowed;
        if due > now.tick {
            return self.schedule(key, due);
        }
        let (counter, reason) = if is_new {
            (&self.counters.hello_timeouts, format!("no CONNECT came within {} s", allowed.as_secs_f64()))
        } else {
            (&self.counters.keep_alive_timeouts, format!("nothing was heard for {} s", allowed.as_secs_f64()))
        };
        counter.add(1);
        let packet =
            Disconnect { code: Code::KEEP_ALIVE_TIMEOUT, reason: reason.as_str().into(), retry_after: None };
        self.send(key, &BrokerPacket::Disconnect(packet), out);
        let close = Close::with(Code::KEEP_ALIVE_TIMEOUT, reason);
        self.end(now, key, "keep-alive timeout", Farewell::Lost, close, out);
    }

    /// Says farewell to all clients, and takes no more. Their returns are spread over `spread`, so that they don't
    /// all come back at once.
    pub fn shut_down(&mut self, now: Now, spread: Duration, out: &mut Outputs) {
        self.shutting_down = true;
        let keys: Vec<SessionKey> = self.sessions.iter().map(|(_, slot)| slot.key).collect();
        let count = keys.len().max(1) as u64;
        for (place, key) in keys.into_iter().enumerate() {
            let spoken = self.slot(key).is_some_and(|slot| slot.session.is_open());
            if spoken && self.is_client(key) {
                // half of the spread for all, the other half in turn: nobody comes back at once
                let spread = spread.as_millis() as u64;
                let (workers, worker) = (u64::from(self.placement.workers), u64::from(self.worker.0));
                let turn = place as u64 * workers + worker;
                let retry_after = Some(spread / 2 + spread * turn / (2 * count * workers));
                let (kind, reason) = (NoticeKind::Shutdown, "the broker is shutting down".into());
                let notice = Notice {
                    kind,
                    sub: None,
                    count: None,
                    topics: Vec::new(),
                    reason,
                    code: Some(Code::SHUTTING_DOWN),
                };
                self.send(key, &BrokerPacket::Notice(Box::new(notice)), out);
                let reason = "the broker is shutting down".into();
                let packet = Disconnect { code: Code::SHUTTING_DOWN, reason, retry_after };
                self.send(key, &BrokerPacket::Disconnect(packet), out);
                let close = Close::with(Code::SHUTTING_DOWN, "shutting down");
                self.end(now, key, "broker shut down", Farewell::Said, close, out);
            } else {
                let close = Close { code: 1001, reason: "shutting down".into() };
                self.end(now, key, "broker shut down", Farewell::Said, close, out);
            }
        }
    }
}
