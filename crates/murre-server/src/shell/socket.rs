//! A WebSocket on a socket: frames in, frames out, both closing directions.
//!
//! What a connection is for stands elsewhere (`connection`, `echo`); this knows frames and bytes. Reads go to the
//! worker's scratch buffer; what was read and can't be handled yet is kept, and nothing else.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_rt::net::ActixStream;
use murre_core::outbox::{Block, HEADER_ROOM};
use tokio::io::ReadBuf;

use crate::websocket::{DecodeError, Decoder, Event, Limits, MessageKind, PendingPong, frame};

/// Slices of one vectored write.
const SLICES_MAX: usize = 16;

/// Bytes on their way out.
enum Segment {
    /// A frame around a block, from `start` on in the block with its room.
    Block { block: Block, start: usize },
    /// Whatever else: the handshake's answer, control frames.
    Bytes { bytes: Vec<u8>, start: usize },
}

impl Segment {
    fn rest(&self) -> &[u8] {
        match self {
            Self::Block { block, start } => block.whole().get(*start..),
            Self::Bytes { bytes, start } => bytes.get(*start..),
        }
        .unwrap_or_default()
    }

    fn skip(&mut self, n: usize) {
        match self {
            Self::Block { start, .. } | Self::Bytes { start, .. } => *start += n,
        }
    }
}

/// What reading came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Read {
    /// There may be more at once.
    More,
    /// The client has ended its side, or the socket is gone.
    Ended,
    /// What came is no valid WebSocket.
    Failed(DecodeError),
}

/// A socket that speaks WebSocket.
pub(crate) struct Socket<IO> {
    io: IO,
    decoder: Decoder,
    /// Read, and not handled yet.
    unread: Vec<u8>,
    sending: VecDeque<Segment>,
    pong: PendingPong,
}

impl<IO: ActixStream> Socket<IO> {
    /// A socket whose handshake is about to be answered with `answer`; `unread` came behind the request.
    pub(crate) fn new(io: IO, limits: Limits, unread: Vec<u8>, answer: Vec<u8>) -> Self {
        let sending = VecDeque::from([Segment::Bytes { bytes: answer, start: 0 }]);
        Self { io, decoder: Decoder::new(limits), unread, sending, pong: PendingPong::default() }
    }

    /// Reads once and hands out what came, until `handle` says no; then the rest is kept.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        mut handle: impl FnMut(Event<'_>) -> bool,
    ) -> Poll<Read> {
        if !self.unread.is_empty() {
            let mut unread = mem::take(&mut self.unread);
            let (read, left) = self.decode(&mut unread, &mut handle);
            let used = unread.len() - left;
            unread.drain(..used);
            self.unread = unread;
            return Poll::Ready(read);
        }
        let mut buffer = ReadBuf::new(scratch);
        if ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)).is_err() {
            return Poll::Ready(Read::Ended);
        }
        let filled = buffer.filled_mut();
        if filled.is_empty() {
            return Poll::Ready(Read::Ended);
        }
        let len = filled.len();
        let (read, left) = self.decode(filled, &mut handle);
        if left > 0 {
            self.unread = scratch.get(len - left..len).unwrap_or_default().to_vec();
        }
        Poll::Ready(read)
    }

    fn decode(&mut self, bytes: &mut [u8], handle: &mut impl FnMut(Event<'_>) -> bool) -> (Read, usize) {
        let mut input = bytes;
        loop {
            match self.decoder.decode(&mut input) {
                Ok(None) => return (Read::More, 0),
                Ok(Some(event)) => {
                    if let Event::Ping(payload) = &event {
                        self.pong.ping(payload);
                    }
                    if !handle(event) {
                        return (Read::More, input.len());
                    }
                }
                Err(error) => return (Read::Failed(error), 0),
            }
        }
    }

    /// Reads and throws away, to hear the client's side end. Ready when it has.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<()> {
        loop {
            let mut closed = false;
            let read = ready!(self.poll_read(cx, scratch, |event| {
                closed |= matches!(event, Event::Close { .. });
                true
            }));
            if closed || read == Read::Ended {
                return Poll::Ready(());
            }
        }
    }

    /// Whether the socket can take the next frame, or has enough to do.
    pub(crate) fn wants_frames(&self) -> bool {
        self.sending.len() < SLICES_MAX
    }

    /// Whether nothing is on its way out.
    pub(crate) fn is_flushed(&self) -> bool {
        self.sending.is_empty() && !self.pong.is_owed()
    }

    /// Sends a block as one message.
    pub(crate) fn send_block(&mut self, kind: MessageKind, mut block: Block) {
        let len = block.packets().len();
        let start = match block.with_room().first_chunk_mut::<HEADER_ROOM>() {
            Some(room) => frame::write_header(room, kind, len),
            None => 0,
        };
        self.sending.push_back(Segment::Block { block, start });
    }

    /// Sends bytes that are framed already.
    pub(crate) fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.sending.push_back(Segment::Bytes { bytes, start: 0 });
    }

    /// Sends a close frame, behind what is on its way.
    pub(crate) fn send_close(&mut self, code: u16, reason: &str) {
        self.pong = PendingPong::default();
        let mut bytes = Vec::new();
        frame::write_close(&mut bytes, code, reason);
        self.send_bytes(bytes);
    }

    /// Writes as much as the socket takes; `done` gets each block that went out. Ready when all is out.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut done: impl FnMut(Block),
    ) -> Poll<io::Result<()>> {
        if self.pong.is_owed() {
            let mut bytes = Vec::new();
            self.pong.write_to(&mut bytes);
            self.send_bytes(bytes);
        }
        while let Some(first) = self.sending.front() {
            let written = if self.sending.len() == 1 {
                ready!(Pin::new(&mut self.io).poll_write(cx, first.rest()))?
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                for (slice, segment) in slices.iter_mut().zip(&self.sending) {
                    *slice = IoSlice::new(segment.rest());
                }
                ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written(written, &mut done);
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut n: usize, done: &mut impl FnMut(Block)) {
        while n > 0
            && let Some(first) = self.sending.front_mut()
        {
            let rest = first.rest().len();
            if n < rest {
                first.skip(n);
                return;
            }
            n -= rest;
            if let Some(Segment::Block { block, .. }) = self.sending.pop_front() {
                done(block);
            }
        }
    }

    /// Ends this side of the connection.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<IO> Socket<IO> {
    /// Takes back the blocks that did not go out.
    pub(crate) fn take_blocks(&mut self) -> impl Iterator<Item = Block> + use<IO> {
        mem::take(&mut self.sending).into_iter().filter_map(|segment| match segment {
            Segment::Block { block, .. } => Some(block),
            Segment::Bytes { .. } => None,
        })
    }
}
