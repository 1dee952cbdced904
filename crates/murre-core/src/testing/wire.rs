//! A connection between its client and its session: what the server's shell and the socket are in a real broker.

use std::collections::VecDeque;

use murre_protocol::Codec;

use super::{
    random::Random,
    said::{Said, read_all},
};
use crate::{
    embedded::Embedded,
    hub::{Farewell, MessageKind},
    ids::{SessionKey, WorkerId},
    now::{Now, Tick},
    outbox::Block,
    session::Close,
    worker::Worker,
};

/// What a client sends over its WebSocket.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    Message(MessageKind, Vec<u8>),
    Ping,
    Close(u16),
    /// The client ends its side without a close frame.
    End,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) worker: WorkerId,
    pub(super) key: SessionKey,
    pub(super) codec: Codec,
    /// What the client has sent and the broker has not read.
    pub(super) outgoing: VecDeque<Sent>,
    /// Blocks that the socket holds since the client doesn't read.
    socket: VecDeque<Block>,
    /// How many blocks the client will read; none: all.
    pub(super) appetite: Option<usize>,
    /// The connection broke.
    pub(super) broken: bool,
    /// What came, in order.
    pub(super) heard: Vec<Said>,
    /// How the broker closed it.
    pub(super) closed: Option<Close>,
    /// The session is gone.
    pub(super) gone: bool,
    /// When a client that doesn't read is cut off.
    pub(super) cut_off: Option<Tick>,
    /// The most bytes that ever waited in the outbox.
    pub(super) waiting_max: usize,
}

/// Blocks that a socket takes although its client doesn't read.
const SOCKET_BLOCKS: usize = 2;
/// Bytes that one read takes at most, but for the message that it ends in.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Milliseconds that a closing session waits for a client that doesn't read.
const CUT_OFF: u64 = 5000;

impl Wire {
    pub(super) fn new(worker: WorkerId, key: SessionKey, codec: Codec) -> Self {
        Self {
            worker,
            key,
            codec,
            outgoing: VecDeque::new(),
            socket: VecDeque::new(),
            appetite: None,
            broken: false,
            heard: Vec::new(),
            closed: None,
            gone: false,
            cut_off: None,
            waiting_max: 0,
        }
    }

    /// The shell's turn for this session: reads what the session wants read, writes what the socket takes. Says
    /// whether more could be read at once.
    pub(super) fn attend(&mut self, now: Now, worker: &mut Worker<Embedded>, random: &mut Random) -> bool {
        if self.gone {
            return false;
        }
        worker.with_hub(|hub, _| hub.attend(self.key));
        if self.broken || self.cut_off.is_some_and(|due| due <= now.tick) {
            self.close(now, worker, Farewell::Lost);
            return false;
        }
        let more = self.read(now, worker, 1 + random.below(4));
        if !self.gone {
            self.flush(worker);
            self.close_if_wanted(now, worker);
        }
        more && !self.gone
    }

    fn read(&mut self, now: Now, worker: &mut Worker<Embedded>, messages_max: u64) -> bool {
        let key = self.key;
        let mut bytes_left = READ_BYTES_MAX;
        for _ in 0..messages_max {
            let status = worker.with_hub(|hub, _| hub.status(key));
            if !status.wants_read || status.close.is_some() {
                return false;
            }
            match self.outgoing.pop_front() {
                None => return false,
                Some(Sent::Message(kind, bytes)) => {
                    bytes_left = bytes_left.saturating_sub(bytes.len());
                    worker.with_hub(|hub, out| hub.receive(now, key, kind, &bytes, out));
                }
                Some(Sent::Ping) => worker.with_hub(|hub, _| hub.heard(now, key)),
                Some(Sent::Close(code)) => {
                    let farewell = if matches!(code, 1000 | 1001) { Farewell::Said } else { Farewell::Lost };
                    self.close(now, worker, farewell);
                    return false;
                }
                Some(Sent::End) => worker.with_hub(|hub, out| hub.half_closed(now, key, out)),
            }
            if bytes_left == 0 {
                break;
            }
        }
        !self.outgoing.is_empty()
    }

    /// Writes what the socket takes. True when something follows from it.
    pub(super) fn flush(&mut self, worker: &mut Worker<Embedded>) -> bool {
        let key = self.key;
        let mut follows = false;
        loop {
            while self.socket.len() < SOCKET_BLOCKS
                && let Some(block) = worker.with_hub(|hub, _| hub.take(key))
            {
                self.socket.push_back(block);
            }
            match &mut self.appetite {
                Some(0) => break,
                Some(blocks) if !self.socket.is_empty() => *blocks -= 1,
                _ => {}
            }
            let Some(block) = self.socket.pop_front() else { break };
            read_all(self.codec, block.packets(), &mut self.heard);
            follows |= worker.with_hub(|hub, out| {
                hub.sent(key, block, out);
                !out.is_empty()
            });
        }
        follows
    }

    fn close_if_wanted(&mut self, now: Now, worker: &mut Worker<Embedded>) {
        let key = self.key;
        if let Some(close) = worker.with_hub(|hub, _| hub.status(key)).close {
            if self.socket.is_empty() {
                self.closed = Some(close);
                self.close(now, worker, Farewell::Lost);
            } else if self.cut_off.is_none() {
                self.cut_off = Some(Tick(now.tick.0 + CUT_OFF));
            }
        }
    }

    fn close(&mut self, now: Now, worker: &mut Worker<Embedded>, farewell: Farewell) {
        self.gone = true;
        let key = self.key;
        for block in self.socket.drain(..) {
            worker.with_hub(|hub, out| hub.sent(key, block, out));
        }
        worker.with_hub(|hub, out| hub.closed(now, key, farewell, out));
    }
}
