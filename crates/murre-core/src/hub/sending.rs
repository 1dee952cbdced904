//! How shells send what waits for their sessions, and what goes on when there is room again.

use super::{ANSWERS_SLACK, Close, Hub, Slot, Status, alarm, slow::watch};
use crate::{engine::Outputs, ids::SessionKey, limits::Limits, outbox::Block, session::Phase};

impl Hub {
    /// The shell looks after its session now; the next wake-up is a new one. True when there is more to it than
    /// bytes to send: the session ends, or is to be read again.
    pub fn attend(&mut self, key: SessionKey) -> bool {
        let Self { sessions, limits, watched, .. } = self;
        let Some(slot) = sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
            return true;
        };
        slot.woken = false;
        if slot.outbox.len() > limits.outbox_max / 2 {
            watch(slot, watched);
        }
        std::mem::take(&mut slot.alarmed)
    }

    /// Whether so many bytes were put into outboxes since [`Self::forget_fresh_bytes`] that they are to be sent before
    /// more come.
    pub fn has_portion(&self) -> bool {
        self.makes_portion(0)
    }

    /// Whether it is so once `bytes` more have come: 64 to 512 KiB, and half of what one outbox may hold, or as much as
    /// makes it degraded where that is less, less what 64 KiB of publishes become. Large writes cost less, up to what
    /// the processor's caches hold. An outbox that its socket has left full is due earlier, as [`Self::presses`] says.
    pub fn makes_portion(&self, bytes: usize) -> bool {
        let safe = (self.limits.outbox_max / 2).min(self.limits.plain_max()).saturating_sub(128 * 1024);
        self.crowded || self.fresh_bytes + bytes >= safe.clamp(64 * 1024, 512 * 1024)
    }

    /// The caller lets what is in the outboxes be sent.
    pub fn forget_fresh_bytes(&mut self) {
        self.fresh_bytes = 0;
        self.crowded = false;
    }

    /// The publishes on their way to this worker's shards are there.
    pub fn forget_handed_bytes(&mut self) {
        self.handed_bytes = 0;
    }

    /// Whether publishes wait to be handed on.
    pub fn has_publishes(&self) -> bool {
        self.publishing.iter().any(|waiting| !waiting.batch.is_empty())
    }

    /// Whether publishes wait for this worker's own shards.
    pub fn has_own_publishes(&self) -> bool {
        self.publishing.get(self.worker.index()).is_some_and(|own| !own.batch.is_empty())
    }

    /// Bytes of publishes that wait for this worker's shards.
    pub fn pending_bytes(&self) -> usize {
        self.handed_bytes + self.publishing.get(self.worker.index()).map_or(0, |own| own.batch.len())
    }

    /// Whether so much waits for the session that its socket is worth another try although it was full: a quarter of the
    /// outbox's bound before its client is degraded, or anything left out, and at each further eighth. So nothing is left
    /// out that the socket would take by now; a client that reads nothing costs a try for many messages, and one that
    /// reads gets large writes.
    pub fn presses(&mut self, key: SessionKey) -> bool {
        let Self { sessions, limits, .. } = self;
        let Some(slot) = sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
            return false;
        };
        let presses = is_crowded(slot, limits);
        if presses {
            slot.level = level(slot, limits);
        }
        presses
    }

    /// The next block to send.
    pub fn take(&mut self, key: SessionKey) -> Option<Block> {
        self.slot_mut(key)?.outbox.take()
    }

    /// A block went out.
    pub fn sent(&mut self, key: SessionKey, block: Block, out: &mut Outputs) {
        let Some(slot) = self.sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
            self.pool.give_back(block);
            return;
        };
        self.counters.sent_bytes.add(block.packets().len() as u64);
        slot.outbox.sent(&mut self.pool, block);
        slot.stuck = false;
        slot.took_bytes = true;
        if slot.waits() {
            self.room_came(key, out);
        }
    }

    /// What the shell has to know.
    pub fn status(&mut self, key: SessionKey) -> Status {
        let Self { sessions, limits, pressed, .. } = self;
        let Some(slot) = sessions.get_mut(key.slot as usize).filter(|slot| slot.key == key) else {
            return Status { wants_read: false, close: Some(Close { code: 1001, reason: String::new() }) };
        };
        if let Phase::Closing(close) = &slot.session.phase {
            return Status { wants_read: false, close: Some(close.clone()) };
        }
        let wants_read = wants_read(slot, limits, *pressed);
        let paused = !wants_read && !slot.session.paused;
        slot.session.paused = !wants_read;
        slot.session.unread |= !wants_read;
        if paused {
            self.counters.paused.add(1);
        }
        Status { wants_read, close: None }
    }

    /// Whether the session takes another message now; a shell that was told no keeps what it has read.
    pub fn takes_more(&self, key: SessionKey) -> bool {
        self.slot(key)
            .is_some_and(|slot| !slot.session.is_closing() && wants_read(slot, &self.limits, self.pressed))
    }

    /// Bytes of one session's outbox went out: what waited for room goes on.
    fn room_came(&mut self, key: SessionKey, out: &mut Outputs) {
        let outbox_max = self.limits.outbox_max;
        let (limits, pressed) = (self.limits.clone(), self.pressed);
        let Some(slot) = self.slot_mut(key) else { return };
        if slot.session.paused && wants_read(slot, &limits, pressed) {
            alarm(slot, out);
        }
        if slot.outbox.len() > outbox_max / 2 {
            return;
        }
        let (owes_notice, in_group) = (slot.owes_notice, slot.in_group);
        if owes_notice {
            self.tell_dropped(key, out);
        }
        if in_group {
            self.renew_loads(key);
        }
        self.pump_acknowledged(key, out);
        self.go_on_catching_up(key, out);
        if self.slot(key).is_some_and(|slot| !slot.session.backlog.is_empty()) {
            self.resume(self.now, key, out);
        }
    }

    /// Whether so many bytes wait for a session that nothing more of its own is to be handled.
    pub(super) fn is_overfull(&self, key: SessionKey) -> bool {
        self.slot(key).is_some_and(|slot| is_overfull(slot, &self.limits))
    }
}

/// Whether an outbox has come to another level than that at which its full socket was last tried: see [`Hub::presses`].
#[inline]
pub(super) fn is_crowded(slot: &Slot, limits: &Limits) -> bool {
    slot.outbox.len() + limits.outbox_max / 4 >= slot.pace.plain_max && is_another_level(slot, limits)
}

#[cold]
fn is_another_level(slot: &Slot, limits: &Limits) -> bool {
    let step = (limits.outbox_max / 8).max(1);
    let from = limits.plain_max().saturating_sub(2 * step).div_ceil(step);
    let level = level(slot, limits);
    usize::from(level) >= from && level != slot.level
}

/// Eighths of its bound that an outbox holds.
fn level(slot: &Slot, limits: &Limits) -> u8 {
    let step = (limits.outbox_max / 8).max(1);
    u8::try_from(slot.outbox.len() / step).unwrap_or(u8::MAX)
}

pub(super) fn is_overfull(slot: &Slot, limits: &Limits) -> bool {
    slot.outbox.len() >= limits.outbox_max + ANSWERS_SLACK
}

fn wants_read(slot: &Slot, limits: &Limits, pressed: u64) -> bool {
    slot.session.phase != Phase::Connecting
        && slot.session.backlog.is_empty()
        && slot.session.under_way < limits.publish_inflight_max
        && (pressed == 0 || slot.session.under_way == 0)
        && !is_overfull(slot, limits)
}
