//! A session that owns its socket: one future for each.
//!
//! It polls readable, writable and woken. A session that is not to be read polls no read, so TCP slows its
//! client down; a full socket still reads.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use actix_rt::time::{Sleep, sleep};
use murre_core::{
    hub::{self, Farewell},
    ids::SessionKey,
    session::Close,
};
use murre_protocol::Codec;

use super::{
    runtime::{Link, Local, is_little},
    session::{self, CLOSING_TIMEOUT, LINGER_TIMEOUT, NO_CLOSE_FRAME, State, message_kind},
    socket::{Read, Socket, Stream},
};
use crate::websocket::{Event, MessageKind, close};

/// A session and its socket.
pub(crate) struct Connection<IO> {
    local: Local,
    key: SessionKey,
    link: Rc<SocketLink<IO>>,
    /// The same, as the worker knows it.
    shared: Rc<dyn Link>,
    state: State,
    /// Bounds the time of closing.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// The socket, where the worker can reach it to send at the end of a turn.
struct SocketLink<IO> {
    key: SessionKey,
    socket: RefCell<Socket<IO>>,
    /// Whether the socket takes no more; its task waits until it does.
    blocked: Cell<bool>,
    /// Whether messages go out; false once the connection closes.
    open: Cell<bool>,
}

impl<IO: Stream> SocketLink<IO> {
    /// Fills the socket from the outbox and writes. Ready when nothing waits on either side.
    fn poll_write(&self, local: &Local, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.socket.borrow_mut();
        self.blocked.set(true);
        while self.fill(&mut socket, local) {
            ready!(socket.poll_write(cx, |block| local.sent(self.key, block)))?;
        }
        self.blocked.set(false);
        Poll::Ready(Ok(()))
    }

    /// Does the same with a socket that was full, without waiting until it says that it no longer is.
    fn write_now(&self, local: &Local) -> io::Result<()> {
        let mut socket = self.socket.borrow_mut();
        loop {
            // nothing more is taken before the socket has room: in the outbox it may still make way for what is newer
            socket.write_now(|block| local.sent(self.key, block))?;
            if !self.fill(&mut socket, local) {
                self.blocked.set(false);
                return Ok(());
            }
        }
    }

    /// Takes what waits to the socket, as much as that wants. False where nothing waits on either side.
    fn fill(&self, socket: &mut Socket<IO>, local: &Local) -> bool {
        let key = self.key;
        let mut took = false;
        while socket.wants_frames()
            && let Some((kind, block)) = local.peek_hub(|hub| Some((frame_kind(hub, key), hub.take(key)?)))
        {
            socket.send_block(kind, block);
            took = true;
        }
        took || !socket.is_flushed()
    }
}

impl<IO: Stream> Link for SocketLink<IO> {
    fn flush(&self, local: &Local) -> bool {
        if !self.open.get() {
            // its task comes by itself
            return true;
        }
        if self.blocked.get() {
            // its task comes when the system says so, which may be many reads from now
            return match local.peek_hub(|hub| hub.presses(self.key)) {
                true => !self.write_now(local).is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock),
                false => true,
            };
        }
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.poll_write(local, &mut cx), Poll::Ready(Ok(())))
    }
}

/// What came of a client's bytes that ends the session.
enum Ending {
    Closed { code: Option<u16> },
    HalfClosed,
    Failed(crate::websocket::DecodeError),
}

impl<IO: Stream + 'static> Connection<IO> {
    /// A connection for a session that the hub has opened.
    pub(crate) fn new(local: Local, key: SessionKey, socket: Socket<IO>) -> Self {
        let (socket, blocked, open) = (RefCell::new(socket), Cell::new(false), Cell::new(true));
        let link = Rc::new(SocketLink { key, socket, blocked, open });
        Self { local, key, shared: link.clone(), link, state: State::Open, deadline: None }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Option<Ending> {
        let mut scratch = self.local.take_scratch();
        let ending = self.read_into(cx, &mut scratch);
        self.local.give_scratch(scratch);
        ending
    }

    fn read_into(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Option<Ending> {
        let Self { local, key, link, .. } = self;
        let (mut closed, messages) = (None, Cell::new(0));
        // one look at the clock and one way to the hub for all that a read brings
        let read = local.with_hub(|now, hub, out| {
            let mut socket = link.socket.borrow_mut();
            let mut handle = |event: Event<'_>| match event {
                Event::Message { kind, bytes } => {
                    messages.set(messages.get() + 1);
                    hub.receive(now, *key, message_kind(kind), &bytes, out);
                    hub.takes_more(*key)
                }
                Event::Ping(_) => {
                    hub.heard(now, *key);
                    true
                }
                Event::Pong => true,
                Event::Close { code, .. } => {
                    closed = Some(code);
                    false
                }
            };
            match socket.poll_read(cx, scratch, &mut handle) {
                // under load the next poll comes in its turn, behind the others, which keeps reads large and fair
                Poll::Ready(Read::Emptied) if is_little(messages.get()) => {
                    socket.poll_read(cx, scratch, handle)
                }
                read => read,
            }
        });
        local.has_read(messages.get());
        match (closed, read) {
            (Some(code), _) => Some(Ending::Closed { code }),
            (None, Poll::Ready(Read::Ended)) => Some(Ending::HalfClosed),
            (None, Poll::Ready(Read::Failed(error))) => Some(Ending::Failed(error)),
            (None, Poll::Ready(Read::More | Read::Emptied)) => {
                // one read a turn: others are waiting too
                cx.waker().wake_by_ref();
                None
            }
            (None, Poll::Pending) => None,
        }
    }

    fn end(&mut self, ending: Ending) {
        let key = self.key;
        match ending {
            Ending::Closed { code } => {
                session::closed(&self.local, key, code);
                self.link.socket.borrow_mut().send_close(close::echo_code(code), "");
                self.close(State::Closing { linger: false });
            }
            Ending::HalfClosed => session::half_closed(&self.local, key),
            Ending::Failed(error) => {
                let reason = error.to_string();
                self.local.with_hub(|now, hub, out| hub.fail(now, key, error.close_code(), &reason, out));
            }
        }
    }

    fn close(&mut self, state: State) {
        self.state = state;
        self.link.open.set(false);
        let timeout = if state == State::Lingering { LINGER_TIMEOUT } else { CLOSING_TIMEOUT };
        self.deadline = Some(Box::pin(sleep(timeout)));
    }

    fn poll_write(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.poll_write(&self.local, cx)
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.state {
            State::Open => self.poll_open(cx),
            State::Draining => {
                ready!(self.poll_write(cx))?;
                let Close { code, reason } = session::close_of(&self.local, self.key);
                if code != NO_CLOSE_FRAME {
                    self.link.socket.borrow_mut().send_close(code, &reason);
                }
                self.state = State::Closing { linger: code != NO_CLOSE_FRAME };
                Poll::Ready(Ok(()))
            }
            State::Closing { linger } => {
                ready!(self.poll_write(cx))?;
                ready!(self.link.socket.borrow_mut().poll_shutdown(cx))?;
                if !linger {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                self.close(State::Lingering);
                Poll::Ready(Ok(()))
            }
            State::Lingering => {
                let mut scratch = self.local.take_scratch();
                let ended = self.link.socket.borrow_mut().poll_discard(cx, &mut scratch);
                self.local.give_scratch(scratch);
                ended.map(|()| Err(io::ErrorKind::ConnectionAborted.into()))
            }
        }
    }

    /// Reads and writes once. Ready when the state has changed.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let key = self.key;
        self.local.peek_hub(|hub| hub.attend(key));
        let status = self.local.peek_hub(|hub| hub.status(key));
        if status.wants_read
            && status.close.is_none()
            && let Some(ending) = self.read(cx)
        {
            self.end(ending);
        }
        if self.state == State::Open && self.local.peek_hub(|hub| hub.status(key)).close.is_some() {
            self.close(State::Draining);
        }
        if self.state != State::Open {
            return Poll::Ready(Ok(()));
        }
        match self.poll_write(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<IO: Stream + 'static> Future for Connection<IO> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.local.set_shell(this.key, cx.waker(), Some(&this.shared));
        loop {
            match this.poll_step(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        if let Some(deadline) = &mut this.deadline {
            return deadline.as_mut().poll(cx);
        }
        Poll::Pending
    }
}

impl<IO> Drop for Connection<IO> {
    fn drop(&mut self) {
        let key = self.key;
        self.local.forget_shell(key);
        for block in self.link.socket.borrow_mut().take_blocks() {
            self.local.sent(key, block);
        }
        self.local.with_hub(|now, hub, out| hub.closed(now, key, Farewell::Lost, out));
    }
}

fn frame_kind(hub: &hub::Hub, key: SessionKey) -> MessageKind {
    match hub.codec(key) {
        Codec::Json => MessageKind::Text,
        Codec::MessagePack => MessageKind::Binary,
    }
}
