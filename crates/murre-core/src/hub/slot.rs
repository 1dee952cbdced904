//! A session's place in its hub: the session, its outbox, and what it counts.

use core::net::{IpAddr, SocketAddr};
use std::fmt;

use murre_protocol::{Codec, Timestamp};

use super::degrade::Pace;
use crate::{engine::Outputs, ids::SessionKey, now::Tick, outbox::Outbox, session::Session};

pub(super) struct Slot {
    pub(super) key: SessionKey,
    pub(super) session: Session,
    pub(super) outbox: Outbox,
    /// How its client keeps up.
    pub(super) pace: Pace,
    /// Whether the shell has been woken and not attended yet.
    pub(super) woken: bool,
    /// Whether the shell has more to do than to send.
    pub(super) alarmed: bool,
    /// Whether messages were left out that no NOTICE has told.
    pub(super) owes_notice: bool,
    /// Whether it is a member of a group.
    pub(super) in_group: bool,
    /// Whether messages of an acknowledged subscription wait for room in the outbox.
    pub(super) waits_for_room: bool,
    /// Whether nothing that waits may be left out for another message: so until some of it went out.
    pub(super) stuck: bool,
    /// How full its outbox was when its full socket was last tried again, in eighths.
    pub(super) level: u8,
    /// Whether its socket took bytes since the session's time was last begun anew for not being read.
    pub(super) took_bytes: bool,
    /// Whether it is among those that may be slow.
    pub(super) watched: bool,
    /// What it has sent and lost.
    pub(super) tally: Tally,
    /// Where it comes from.
    pub(super) peer: Option<Peer>,
    /// When it was opened, by the calendar.
    pub(super) opened: Timestamp,
}

/// Where a connection comes from: an address and a port, in less memory than a [`SocketAddr`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    ip: IpAddr,
    port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip().to_canonical(), port: address.port() }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl From<Peer> for SocketAddr {
    fn from(Peer { ip, port }: Peer) -> Self {
        Self::new(ip, port)
    }
}

/// Messages and bytes, counted from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// How many messages.
    pub messages: u64,
    /// Their bytes, with all that was sent beside them.
    pub bytes: u64,
}

/// What a session has sent and lost since it was opened. What it got is counted by its outbox.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Publishes that were handled, and bytes of packets that came.
    pub(super) received: Traffic,
    /// What it lost; most sessions lose nothing.
    pub(super) losses: Option<Box<Losses>>,
}

/// What a session did not get.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Losses {
    /// Messages that were left out.
    pub(super) dropped: u64,
    /// Messages that a lower rate has left out for newer ones of their topics.
    pub(super) conflated: u64,
    /// When it was the last time.
    pub(super) last: Tick,
}

impl Slot {
    /// A session that has just begun.
    pub(super) fn new(
        key: SessionKey,
        session: Session,
        pace: Pace,
        peer: Option<Peer>,
        opened: Timestamp,
    ) -> Self {
        let codec = session.codec.unwrap_or(Codec::MessagePack);
        Self {
            key,
            session,
            outbox: Outbox::new(codec),
            pace,
            woken: false,
            alarmed: false,
            owes_notice: false,
            in_group: false,
            waits_for_room: false,
            stuck: false,
            level: 0,
            took_bytes: false,
            watched: false,
            tally: Tally::default(),
            peer,
            opened,
        }
    }

    /// Whether anything waits for room in the outbox.
    pub(super) fn waits(&self) -> bool {
        let session = &self.session;
        session.snapshot.is_some()
            || !session.snapshots_waiting.is_empty()
            || session.paused
            || !session.backlog.is_empty()
            || self.owes_notice
            || self.in_group
            || self.waits_for_room
    }
}

/// Tells the shell that its session ends, or is to be read again.
pub(super) fn alarm(slot: &mut Slot, out: &mut Outputs) {
    slot.alarmed = true;
    wake(slot, out);
}

/// Tells the shell that its session has something to do, once until it attends.
#[inline]
pub(super) fn wake(slot: &mut Slot, out: &mut Outputs) {
    if !slot.woken {
        slot.woken = true;
        out.woken.push(slot.key);
    }
}
