//! What a handler of actix-http has of a connection: the request's payload, and the response's body.
//!
//! The dispatcher owns the socket. What it reads it puts into the payload, up to 32 KiB; with that much unread it
//! goes on reading into its own buffer, up to 32 KiB more, and should the client's FIN be among that, it throws its
//! buffer away. So the payload is emptied at once, whether the session is read or not, into a backlog. Only when that
//! is full the payload stays unread, and TCP slows the client down.

use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use actix_web::{
    body::{BodySize, MessageBody},
    dev::Payload,
};
use bytes::{Bytes, BytesMut};
use futures_util::Stream as _;

use super::{backlog::Backlog, signal::Signal};

/// Bytes that wait for the dispatcher, from which on no more are made.
const OUTGOING_MAX: usize = 32 * 1024;
/// Bytes that the dispatcher gets at once: it copies them behind what its write buffer (32 KiB) has.
const PIECE_MAX: usize = 16 * 1024;
/// Bytes of an unread payload, from which on the dispatcher may throw away what it reads.
const UNREAD_MAX: usize = 32 * 1024;

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;

/// A connection as its handler has it.
#[derive(Clone)]
pub(super) struct Wire(Rc<RefCell<State>>);

struct State {
    signal: Arc<Signal>,
    /// The signal as the payload's waker.
    waker: Waker,
    /// None once the client's side has ended.
    payload: Option<Payload>,
    backlog: Backlog,
    /// While the payload was left unread: what came out of it since.
    left_unread: Option<usize>,
    /// Whether the client's side may have had more than what came.
    cut_short: bool,
    /// Bytes that the actor wrote and that have not come to `outgoing` yet.
    written: usize,
    outgoing: VecDeque<Bytes>,
    outgoing_bytes: usize,
    /// Whether the actor waits until something has gone out.
    awaited: bool,
    /// The dispatcher's, while there is nothing for it.
    body: Option<Waker>,
    /// The actor writes no more.
    finished: bool,
    /// The dispatcher takes no more.
    gone: bool,
}

impl Wire {
    /// The connection of a request with this payload. Who has something to do with it is called by the signal.
    pub(super) fn new(payload: Payload, signal: &Arc<Signal>) -> Self {
        Self(Rc::new(RefCell::new(State {
            signal: signal.clone(),
            waker: Waker::from(signal.clone()),
            payload: Some(payload),
            backlog: Backlog::default(),
            left_unread: None,
            cut_short: false,
            written: 0,
            outgoing: VecDeque::new(),
            outgoing_bytes: 0,
            awaited: false,
            body: None,
            finished: false,
            gone: false,
        })))
    }

    /// The response's body.
    pub(super) fn body(&self) -> Body {
        Body(self.clone())
    }

    /// Takes what has arrived out of the payload.
    pub(super) fn pull(&self) {
        self.0.borrow_mut().pull();
    }

    /// Everything that has arrived and is unhandled; what stays so is given back.
    pub(super) fn take_backlog(&self) -> BytesMut {
        self.0.borrow_mut().backlog.take()
    }

    /// Gives back what can't be handled yet.
    pub(super) fn give_back(&self, rest: BytesMut) {
        self.0.borrow_mut().backlog.give_back(rest);
    }

    /// Calls the actor once more, behind others.
    pub(super) fn call_again(&self) {
        self.0.borrow().signal.call();
    }

    /// Whether the client's side has ended and everything of it has been handled.
    pub(super) fn is_read_to_end(&self) -> bool {
        let state = self.0.borrow();
        state.payload.is_none() && state.backlog.is_empty()
    }

    /// Whether the client's side ended while it was left unread, so that its last bytes may be missing.
    pub(super) fn is_cut_short(&self) -> bool {
        self.0.borrow().cut_short
    }

    /// Whether the actor may write; if not, it is called when it may.
    pub(super) fn has_room(&self) -> bool {
        let state = &mut *self.0.borrow_mut();
        let has_room = state.gone || state.written + state.outgoing_bytes < OUTGOING_MAX;
        state.awaited |= !has_room;
        has_room
    }

    /// Whether the dispatcher has taken everything; if not, the actor is called when it has.
    pub(super) fn is_flushed(&self) -> bool {
        let state = &mut *self.0.borrow_mut();
        let flushed = state.gone || state.written + state.outgoing_bytes == 0;
        state.awaited |= !flushed;
        flushed
    }

    /// The actor writes so many bytes to its context.
    pub(super) fn wrote(&self, bytes: usize) {
        self.0.borrow_mut().written += bytes;
    }

    /// What the actor's context made of all that was written to it.
    pub(super) fn send(&self, frames: Bytes) {
        let state = &mut *self.0.borrow_mut();
        state.written = 0;
        if state.gone {
            return;
        }
        state.outgoing_bytes += frames.len();
        state.outgoing.push_back(frames);
        state.wake_body();
    }

    /// Nothing more is sent behind what is on its way.
    pub(super) fn finish(&self) {
        let state = &mut *self.0.borrow_mut();
        state.finished = true;
        state.written = 0;
        state.payload = None;
        state.backlog = Backlog::default();
        state.wake_body();
    }

    /// Throws away what the dispatcher has not taken.
    pub(super) fn abandon(&self) {
        let state = &mut *self.0.borrow_mut();
        state.outgoing.clear();
        state.outgoing_bytes = 0;
    }
}

impl State {
    fn pull(&mut self) {
        let Some(payload) = &mut self.payload else { return };
        let mut cx = Context::from_waker(&self.waker);
        while self.backlog.has_room() {
            match Pin::new(&mut *payload).poll_next(&mut cx) {
                Poll::Ready(Some(Ok(bytes))) => {
                    self.backlog.push(&bytes);
                    if let Some(unread) = &mut self.left_unread {
                        *unread += bytes.len();
                    }
                    self.signal.call();
                }
                Poll::Ready(None | Some(Err(_))) => {
                    self.cut_short = self.left_unread.is_some_and(|unread| unread >= UNREAD_MAX);
                    self.payload = None;
                    self.signal.call();
                    return;
                }
                Poll::Pending => {
                    self.left_unread = None;
                    return;
                }
            }
        }
        // it may have no more; then nothing comes of this
        self.left_unread.get_or_insert_default();
    }

    /// The next bytes for the dispatcher.
    fn next_piece(&mut self) -> Option<Bytes> {
        let first = self.outgoing.front_mut()?;
        let piece = first.split_to(first.len().min(PIECE_MAX));
        if first.is_empty() {
            self.outgoing.pop_front();
        }
        self.outgoing_bytes -= piece.len();
        if self.awaited && self.outgoing_bytes < OUTGOING_MAX {
            self.awaited = false;
            self.signal.call();
        }
        Some(piece)
    }

    fn wake_body(&mut self) {
        if let Some(body) = self.body.take() {
            body.wake();
        }
    }
}

/// The response's body: what goes out. The dispatcher polls it in the same turn in which it has read, unless its
/// write buffer is full, so this too empties the payload.
pub(super) struct Body(Wire);

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let state = &mut *self.0.0.borrow_mut();
        state.pull();
        if let Some(piece) = state.next_piece() {
            return Poll::Ready(Some(Ok(piece)));
        }
        if state.finished {
            return Poll::Ready(None);
        }
        state.body = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let state = &mut *self.0.0.borrow_mut();
        state.gone = true;
        state.written = 0;
        state.outgoing.clear();
        state.outgoing_bytes = 0;
        state.signal.call();
    }
}
