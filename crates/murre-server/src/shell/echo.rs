//! `/echo`: every message goes back as it came, over the same WebSocket layer.
//!
//! For checking a path through proxies, and for conformance suites that need an echo. Off unless `server.echo`.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::{
    net::ActixStream,
    time::{Sleep, sleep},
};

use super::socket::{Read, Socket};
use crate::websocket::{
    Event, close,
    frame::{HEADER_ROOM, write_header},
};

/// A connection is closed after this, whatever it does: an echo is a test, not a service.
const LIFE_MAX: Duration = Duration::from_secs(600);

/// A connection that echoes.
pub(crate) struct Echo<IO> {
    socket: Socket<IO>,
    scratch: Box<[u8]>,
    /// Nothing more is read; what is pending goes out, then the connection ends.
    closing: bool,
    deadline: Pin<Box<Sleep>>,
}

impl<IO: ActixStream> Echo<IO> {
    /// An echo on a socket.
    pub(crate) fn new(socket: Socket<IO>) -> Self {
        let scratch = vec![0; 16 * 1024].into_boxed_slice();
        Self { socket, scratch, closing: false, deadline: Box::pin(sleep(LIFE_MAX)) }
    }

    /// Reads once, and puts what is to go back among what is sent. False when there is nothing to read.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let mut echoes = Vec::new();
        let mut closed = None;
        let read = self.socket.poll_read(cx, &mut self.scratch, |event| {
            match event {
                Event::Message { kind, bytes } => {
                    let mut room = [0; HEADER_ROOM];
                    let start = write_header(&mut room, kind, bytes.len());
                    let mut frame = room.get(start..).unwrap_or_default().to_vec();
                    frame.extend_from_slice(&bytes);
                    echoes.push(frame);
                }
                Event::Close { code, .. } => closed = Some(close::echo_code(code)),
                Event::Ping(_) | Event::Pong => {}
            }
            closed.is_none() && echoes.len() < 16
        });
        for frame in echoes {
            self.socket.send_bytes(frame);
        }
        match (closed, read) {
            (Some(code), _) => self.end(code, ""),
            (None, Poll::Ready(Read::Failed(error))) => self.end(error.close_code(), &error.to_string()),
            (None, Poll::Ready(Read::Ended)) => self.closing = true,
            (None, Poll::Ready(Read::More | Read::Emptied)) => {}
            (None, Poll::Pending) => return false,
        }
        true
    }

    fn end(&mut self, code: u16, reason: &str) {
        self.closing = true;
        self.socket.send_close(code, reason);
        self.deadline = Box::pin(sleep(Duration::from_secs(2)));
    }
}

impl<IO: ActixStream> Future for Echo<IO> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match this.socket.poll_write(cx, |_| {}) {
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if this.closing => {
                    return this.socket.poll_shutdown(cx).map(|_| ());
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            if this.closing || !this.socket.wants_frames() || !this.read(cx) {
                break;
            }
        }
        this.deadline.as_mut().poll(cx)
    }
}
