//! The window of a subscription with `ack`: what was sent and not acknowledged, and what waits behind it.

use std::collections::VecDeque;

use murre_protocol::{Position, codec::HasOptions};

use crate::{
    batch::{MessageBatch, MessageEntry},
    ids::WorkerId,
};

/// What a subscription with `ack` has under way.
///
/// Messages are offered in order. Up to `inflight_max` are sent without an acknowledgement; what comes after
/// waits here, up to a bound of bytes.
#[derive(Debug)]
pub struct AckWindow {
    inflight_max: usize,
    bytes_max: usize,
    /// What was sent and not acknowledged, in the order of sending.
    unacknowledged: VecDeque<Sent>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Whether messages are kept until they are acknowledged, so that another member of the group can have them.
    is_shared: bool,
    /// Bytes of those that were sent.
    sent_bytes: usize,
    /// How many of those that wait are in front of the end of a snapshot.
    in_front: Option<usize>,
    /// Whether a message always finds room to wait: whoever offers stops in time.
    takes_all: bool,
}

/// What a message waits for before it may be sent: a commit of the log of one worker's shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Whose shards.
    pub from: WorkerId,
    /// The batch; 0: nothing to wait for.
    pub serial: u64,
}

/// A message that waits, in the session's encoding.
#[derive(Debug)]
pub struct Waiting {
    /// Where it stands.
    pub position: Position,
    /// How its head has to be written.
    pub has_options: HasOptions,
    /// What has to be committed first.
    pub gate: Gate,
    /// All after the head.
    pub tail: Box<[u8]>,
    message: Option<Box<Left>>,
}

#[derive(Debug)]
struct Sent {
    position: Position,
    message: Option<Box<Left>>,
}

/// A message in MessagePack, for another member of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// How its head has to be written.
    pub has_options: HasOptions,
    /// All after the head.
    pub tail: Box<[u8]>,
}

impl Sent {
    /// Bytes of the message, if it is kept.
    fn bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |left| left.tail.len())
    }
}

impl Left {
    /// A message of a batch.
    pub fn of(batch: &MessageBatch, entry: &MessageEntry) -> Self {
        Self { has_options: entry.has_options, tail: batch.tail(entry).into() }
    }
}

/// What becomes of an offered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Send it now.
    Send,
    /// It waits.
    Wait,
    /// There is no room to wait.
    Drop,
}

impl AckWindow {
    /// A window without messages.
    pub fn new(inflight_max: usize, bytes_max: usize) -> Self {
        let (unacknowledged, waiting) = (VecDeque::new(), VecDeque::new());
        Self {
            inflight_max,
            bytes_max,
            unacknowledged,
            waiting,
            bytes: 0,
            is_shared: false,
            sent_bytes: 0,
            in_front: None,
            takes_all: false,
        }
    }

    /// The window of a group's member.
    pub fn shared(inflight_max: usize, bytes_max: usize) -> Self {
        Self { is_shared: true, ..Self::new(inflight_max, bytes_max) }
    }

    /// From now on a message always finds room to wait; who offers has to stop where it
    /// [is overfull](Self::is_overfull).
    pub fn take_all(&mut self) {
        self.takes_all = true;
    }

    /// Whether a message always finds room.
    pub fn takes_all(&self) -> bool {
        self.takes_all
    }

    /// Whether more waits than may.
    pub fn is_overfull(&self) -> bool {
        self.bytes > self.bytes_max && !self.waiting.is_empty()
    }

    /// Whether messages have to be kept for others: see [`Self::keep`].
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Takes the next message; `can_send` is false while the outbox is full or its gate is closed.
    pub fn offer(
        &mut self,
        position: Position,
        gate: Gate,
        (has_options, tail): (HasOptions, &[u8]),
        can_send: bool,
    ) -> Offer {
        if can_send && self.waiting.is_empty() && self.has_room() {
            self.unacknowledged.push_back(Sent { position, message: None });
            return Offer::Send;
        }
        let cost = tail.len() + size_of::<Waiting>();
        // one message always finds room, or it could never be sent
        if self.bytes + cost > self.bytes_max && !self.waiting.is_empty() && !self.takes_all {
            return Offer::Drop;
        }
        self.bytes += cost;
        self.waiting.push_back(Waiting { position, has_options, gate, tail: tail.into(), message: None });
        Offer::Wait
    }

    fn has_room(&self) -> bool {
        self.unacknowledged.len() < self.inflight_max && self.sent_bytes < self.bytes_max
    }

    /// Keeps the message that was taken last until it is acknowledged.
    pub fn keep(&mut self, has_options: HasOptions, tail: &[u8]) {
        let message = Some(Box::new(Left { has_options, tail: tail.into() }));
        match (self.waiting.back_mut(), self.unacknowledged.back_mut()) {
            (Some(waiting), _) => waiting.message = message,
            (None, Some(sent)) => {
                sent.message = message;
                self.sent_bytes += tail.len();
            }
            (None, None) => {}
        }
    }

    /// All that was not acknowledged, in order, for other members of the group.
    pub fn into_left(self) -> impl Iterator<Item = Left> {
        let sent = self.unacknowledged.into_iter().map(|sent| sent.message);
        let all = sent.chain(self.waiting.into_iter().map(|waiting| waiting.message));
        all.flatten().map(|left| *left)
    }

    /// Bytes of messages that wait, or are kept until they are acknowledged.
    pub fn pending(&self) -> usize {
        self.bytes + self.sent_bytes
    }

    /// Everything of the position's shard up to it was handled.
    pub fn acknowledge(&mut self, position: Position) {
        // mostly the oldest ones, so look from the front and stop as soon as nothing older can follow
        let mut bytes = 0;
        while let Some(sent) = self.unacknowledged.pop_front_if(|sent| covers(position, sent.position)) {
            bytes += sent.bytes();
        }
        self.unacknowledged.retain(|sent| {
            let covered = covers(position, sent.position);
            bytes += if covered { sent.bytes() } else { 0 };
            !covered
        });
        self.sent_bytes -= bytes;
        self.unacknowledged.shrink_to(self.unacknowledged.len().max(16));
    }

    /// The next message that waits, once there is room for it and its gate is open.
    pub fn send_next(&mut self, is_open: impl Fn(Gate) -> bool) -> Option<Waiting> {
        if !self.has_room() {
            return None;
        }
        let mut next = self.waiting.pop_front_if(|next| is_open(next.gate))?;
        self.bytes -= next.tail.len() + size_of::<Waiting>();
        let sent = Sent { position: next.position, message: next.message.take() };
        self.sent_bytes += sent.bytes();
        self.unacknowledged.push_back(sent);
        self.in_front = self.in_front.map(|left| left.saturating_sub(1));
        Some(next)
    }

    /// A snapshot ends behind what waits now. False where nothing waits.
    pub fn end_snapshot(&mut self) -> bool {
        self.in_front = Some(self.waiting.len()).filter(|left| *left > 0);
        self.in_front.is_some()
    }

    /// Whether the last message in front of the snapshot's end has just been sent; says so once.
    pub fn takes_snapshot_end(&mut self) -> bool {
        self.in_front.take_if(|left| *left == 0).is_some()
    }

    /// The snapshot was cut.
    pub fn forget_snapshot_end(&mut self) {
        self.in_front = None;
    }

    /// The subscription begins anew, with a snapshot: what waits is of no use any more.
    pub fn begin_anew(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
        self.in_front = None;
    }

    /// Whether a message of the position's shard up to it was not acknowledged.
    pub fn owes(&self, position: Position) -> bool {
        let waiting = self.waiting.iter().map(|waiting| waiting.position);
        self.unacknowledged.iter().map(|sent| sent.position).chain(waiting).any(|owed| covers(position, owed))
    }

    /// Whether messages wait.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many messages were sent and not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.unacknowledged.len()
    }
}

fn covers(acknowledged: Position, sent: Position) -> bool {
    sent.shard() == acknowledged.shard() && sent <= acknowledged
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: HasOptions = HasOptions(false);
    const OPEN: Gate = Gate { from: WorkerId(0), serial: 0 };

    fn offer(window: &mut AckWindow, offset: u64, shard: u8) -> Offer {
        window.offer(Position::new(offset, shard), OPEN, (PLAIN, b"0123456789"), true)
    }

    #[test]
    fn past_the_window_messages_wait_and_follow_in_order() {
        let mut window = AckWindow::new(2, 1000);
        assert_eq!(
            [1, 2, 3, 4].map(|n| offer(&mut window, n, 0)),
            [Offer::Send, Offer::Send, Offer::Wait, Offer::Wait]
        );
        assert!(window.send_next(|_| true).is_none());
        window.acknowledge(Position::new(2, 0));
        let follow: Vec<u64> =
            std::iter::from_fn(|| window.send_next(|_| true)).map(|w| w.position.offset()).collect();
        assert_eq!(follow, [3, 4]);
    }

    #[test]
    fn an_acknowledgement_covers_its_own_shard_only() {
        let mut window = AckWindow::new(10, 1000);
        offer(&mut window, 5, 0);
        offer(&mut window, 3, 1);
        offer(&mut window, 6, 0);
        window.acknowledge(Position::new(6, 0));
        assert_eq!(window.unacknowledged(), 1);
    }

    #[test]
    fn nothing_waits_past_the_bound_of_bytes() {
        let mut window = AckWindow::new(1, 2 * (10 + size_of::<Waiting>()) + 5);
        let offers: Vec<Offer> = (1..6).map(|n| offer(&mut window, n, 0)).collect();
        assert_eq!(offers, [Offer::Send, Offer::Wait, Offer::Wait, Offer::Drop, Offer::Drop]);
    }

    #[test]
    fn the_end_of_a_snapshot_comes_behind_what_waited_and_before_the_rest() {
        let mut window = AckWindow::new(1, 1000);
        (1..=2).for_each(|n| _ = offer(&mut window, n, 0));
        assert!(window.end_snapshot());
        offer(&mut window, 3, 0);
        assert!(!window.takes_snapshot_end());
        window.acknowledge(Position::new(1, 0));
        window.send_next(|_| true);
        assert!(window.takes_snapshot_end());
        assert!(!window.takes_snapshot_end());
    }

    #[test]
    fn a_message_waits_for_its_commit_and_those_behind_it_too() {
        let mut window = AckWindow::new(10, 1000);
        let gate = |serial| Gate { from: WorkerId(0), serial };
        let mut offer =
            |offset, serial, open| window.offer(Position::new(offset, 0), gate(serial), (PLAIN, b"x"), open);
        assert_eq!([offer(1, 7, false), offer(2, 0, true)], [Offer::Wait, Offer::Wait]);
        assert!(window.send_next(|gate| gate.serial < 7).is_none());
        let through = std::iter::from_fn(|| window.send_next(|gate| gate.serial <= 7)).count();
        assert_eq!(through, 2);
    }

    #[test]
    fn what_a_member_has_not_acknowledged_is_left_to_others() {
        let mut window = AckWindow::shared(2, 1000);
        for offset in 1..=4 {
            offer(&mut window, offset, 0);
            window.keep(PLAIN, &[offset as u8]);
        }
        window.acknowledge(Position::new(1, 0));
        window.send_next(|_| true);
        assert_eq!(window.pending(), 2 + 10 + size_of::<Waiting>());
        assert_eq!(window.into_left().map(|left| left.tail[0]).collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn a_later_message_never_passes_one_that_waits() {
        let mut window = AckWindow::new(1, 1000);
        offer(&mut window, 1, 0);
        offer(&mut window, 2, 0);
        window.acknowledge(Position::new(1, 0));
        assert_eq!(offer(&mut window, 3, 0), Offer::Wait);
    }
}
