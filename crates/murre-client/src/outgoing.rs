//! The outgoing publishes: waiting, being written, and written but not answered.
//!
//! Pure: packets go in as bytes with a ticket (whatever the caller wants back when their fate is known), frames
//! come out. Methods are of three kinds: the application's ([`push`](Outgoing::push)), the connection's
//! ([`take`](Outgoing::take), [`frame_written`](Outgoing::frame_written), [`connection_lost`](Outgoing::connection_lost),
//! [`answered`](Outgoing::answered)), and the end ([`drain`](Outgoing::drain)).

use std::collections::VecDeque;

use crate::buffer::{Buffer, WhenFull};

/// A publish on its way.
#[derive(Debug)]
pub(crate) struct Outbound<T> {
    /// The number that the broker answers with; 0 where no answer is wanted.
    pub(crate) id: u64,
    /// The whole packet.
    pub(crate) packet: Vec<u8>,
    /// What the caller wants back.
    pub(crate) ticket: T,
}

impl<T> Outbound<T> {
    fn is_acknowledged(&self) -> bool {
        self.id != 0
    }
}

/// What became of a push.
#[derive(Debug)]
pub(crate) enum Push<T> {
    /// It waits to be sent; these had to go for it.
    Stored(Vec<Outbound<T>>),
    /// There is no room, and the rule is not to make any.
    Full(Outbound<T>),
    /// Larger than the whole buffer.
    TooLarge(Outbound<T>),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Outgoing<T> {
    limits: Buffer,
    waiting: VecDeque<Outbound<T>>,
    waiting_bytes: usize,
    /// In the frame that is being written.
    writing: Vec<Outbound<T>>,
    /// Acknowledged publishes that were written on this connection or an earlier one; the first `resent` of them
    /// on this one.
    unanswered: VecDeque<Outbound<T>>,
    unanswered_bytes: usize,
    resent: usize,
    /// Acknowledged ones in `writing`, and their bytes.
    writing_acknowledged: (usize, usize),
}

impl<T> Outgoing<T> {
    pub(crate) fn new(limits: Buffer) -> Self {
        Self {
            limits,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            writing: Vec::new(),
            unanswered: VecDeque::new(),
            unanswered_bytes: 0,
            resent: 0,
            writing_acknowledged: (0, 0),
        }
    }

    /// Takes a publish into the buffer, by the buffer's rule.
    pub(crate) fn push(&mut self, outbound: Outbound<T>) -> Push<T> {
        let bytes = outbound.packet.len();
        if bytes > self.limits.bytes {
            return Push::TooLarge(outbound);
        }
        let mut dropped = Vec::new();
        while !self.has_room(bytes) {
            match self.pop_waiting(self.limits.when_full == WhenFull::DropOldest) {
                Some(oldest) => dropped.push(oldest),
                None => return Push::Full(outbound),
            }
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(outbound);
        Push::Stored(dropped)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.len() < self.limits.messages && self.waiting_bytes + bytes <= self.limits.bytes
    }

    fn pop_waiting(&mut self, allowed: bool) -> Option<Outbound<T>> {
        let oldest = if allowed { self.waiting.pop_front() } else { None }?;
        self.waiting_bytes -= oldest.packet.len();
        Some(oldest)
    }

    /// Appends what is to be sent next to `frame`, up to `frame_max` bytes of it (always at least one packet to an
    /// empty frame): first what was sent on an earlier connection, then what waits. Gives back what is larger than
    /// `packet_max`, which the broker would not take.
    pub(crate) fn take(
        &mut self,
        frame: &mut Vec<u8>,
        frame_max: usize,
        packet_max: usize,
    ) -> Vec<Outbound<T>> {
        let fits =
            |frame: &Vec<u8>, packet: &Vec<u8>| frame.is_empty() || frame.len() + packet.len() <= frame_max;
        let mut too_large = Vec::new();
        while let Some(again) = self.unanswered.get(self.resent) {
            if again.packet.len() > packet_max {
                too_large.extend(self.remove_unanswered(self.resent));
                continue;
            }
            if !fits(frame, &again.packet) {
                return too_large;
            }
            frame.extend_from_slice(&again.packet);
            self.resent += 1;
        }
        while let Some(next) = self.waiting.front() {
            let oversized = next.packet.len() > packet_max;
            if !oversized
                && (!fits(frame, &next.packet)
                    || (next.is_acknowledged() && !self.may_fly(next.packet.len())))
            {
                break;
            }
            let Some(next) = self.pop_waiting(true) else { break };
            if oversized {
                too_large.push(next);
                continue;
            }
            frame.extend_from_slice(&next.packet);
            if next.is_acknowledged() {
                self.writing_acknowledged.0 += 1;
                self.writing_acknowledged.1 += next.packet.len();
            }
            self.writing.push(next);
        }
        too_large
    }

    /// Whether one more acknowledged publish may be on its way. One always may, however large.
    fn may_fly(&self, bytes: usize) -> bool {
        let (count, held) = self.writing_acknowledged;
        let (count, held) = (count + self.unanswered.len(), held + self.unanswered_bytes);
        count == 0 || (count < self.limits.in_flight && held + bytes <= self.limits.bytes)
    }

    /// The frame that was taken last is out. Gives back what needs no answer.
    pub(crate) fn frame_written(&mut self) -> Vec<Outbound<T>> {
        let mut done = Vec::new();
        for outbound in self.writing.drain(..) {
            if outbound.is_acknowledged() {
                self.unanswered_bytes += outbound.packet.len();
                self.unanswered.push_back(outbound);
                self.resent += 1;
            } else {
                done.push(outbound);
            }
        }
        self.writing_acknowledged = (0, 0);
        done
    }

    /// The connection is gone: a frame that was not written through goes back in front of what waits (the broker
    /// can't have handled any of it), and what has no answer is to be sent again.
    pub(crate) fn connection_lost(&mut self) {
        for outbound in self.writing.drain(..).rev() {
            self.waiting_bytes += outbound.packet.len();
            self.waiting.push_front(outbound);
        }
        self.writing_acknowledged = (0, 0);
        self.resent = 0;
    }

    /// The broker answered; the publish, where it is known.
    pub(crate) fn answered(&mut self, id: u64) -> Option<Outbound<T>> {
        // Answers come nearly in the order of sending, so the search ends at the front.
        if let Some(at) = self.unanswered.iter().position(|outbound| outbound.id == id) {
            return self.remove_unanswered(at);
        }
        let at = self.writing.iter().position(|outbound| outbound.id == id && id != 0)?;
        let outbound = self.writing.remove(at);
        self.writing_acknowledged.0 -= 1;
        self.writing_acknowledged.1 -= outbound.packet.len();
        Some(outbound)
    }

    fn remove_unanswered(&mut self, at: usize) -> Option<Outbound<T>> {
        let outbound = self.unanswered.remove(at)?;
        self.unanswered_bytes -= outbound.packet.len();
        if at < self.resent {
            self.resent -= 1;
        }
        Some(outbound)
    }

    /// How many publishes are not known to be through: waiting, being written, or not answered.
    pub(crate) fn pending(&self) -> usize {
        self.waiting.len() + self.writing.len() + self.unanswered.len()
    }

    /// Gives everything back, oldest first: nothing will be sent any more.
    pub(crate) fn drain(&mut self) -> Vec<Outbound<T>> {
        self.resent = 0;
        (self.waiting_bytes, self.unanswered_bytes, self.writing_acknowledged) = (0, 0, (0, 0));
        let unanswered = self.unanswered.drain(..);
        unanswered.chain(self.writing.drain(..)).chain(self.waiting.drain(..)).collect()
    }
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
