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

use actix_rt::net::{ActixStream, TcpStream};
use murre_core::outbox::{Block, HEADER_ROOM};
use socket2::SockRef;
use tokio::io::ReadBuf;

use crate::websocket::{DecodeError, Decoder, Event, Limits, MessageKind, PendingPong, frame};

/// A stream of bytes to and from a client.
pub(crate) trait Stream: ActixStream {
    /// Writes to the system's socket, also where that said that it was full and has not said otherwise since.
    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl Stream for TcpStream {
    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(self).send_vectored(slices)
    }
}

/// Slices of one vectored write: as many as the blocks that are sent at once where much comes.
const SLICES_MAX: usize = 32;

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
    /// It was all that there was. The next poll, best at once, only leaves the waker.
    Emptied,
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
            // the socket has not been looked at
            return Poll::Ready(if read == Read::Emptied { Read::More } else { read });
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
        let is_full = len == scratch.len();
        if left > 0 {
            self.unread = scratch.get(len - left..len).unwrap_or_default().to_vec();
        }
        Poll::Ready(if read == Read::Emptied && is_full { Read::More } else { read })
    }

    fn decode(&mut self, bytes: &mut [u8], handle: &mut impl FnMut(Event<'_>) -> bool) -> (Read, usize) {
        let mut input = bytes;
        loop {
            match self.decoder.decode(&mut input) {
                Ok(None) => return (Read::Emptied, 0),
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
        self.send_pong();
        while let Some(first) = self.sending.front() {
            let written = if self.sending.len() == 1 {
                ready!(Pin::new(&mut self.io).poll_write(cx, first.rest()))?
            } else {
                ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices(&self.sending)))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written(written, &mut done);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes as much as the socket takes, without waiting to be told that it takes more.
    pub(crate) fn write_now(&mut self, mut done: impl FnMut(Block)) -> io::Result<()>
    where
        IO: Stream,
    {
        self.send_pong();
        while !self.sending.is_empty() {
            let written = self.io.write_now(&slices(&self.sending))?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.written(written, &mut done);
        }
        Ok(())
    }

    fn send_pong(&mut self) {
        if self.pong.is_owed() {
            let mut bytes = Vec::new();
            self.pong.write_to(&mut bytes);
            self.send_bytes(bytes);
        }
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

/// What is to be written first.
fn slices(sending: &VecDeque<Segment>) -> [IoSlice<'_>; SLICES_MAX] {
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    for (slice, segment) in slices.iter_mut().zip(sending) {
        *slice = IoSlice::new(segment.rest());
    }
    slices
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

#[cfg(test)]
mod tests {
    use std::{io::Read as _, task::Waker};

    use murre_core::outbox::{Outbox, Pool};
    use murre_protocol::{Codec, packet::BrokerPacket};

    use super::*;

    /// A socket, and its client's end.
    fn connected() -> (Socket<TcpStream>, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        client.set_nonblocking(true).unwrap();
        let server = TcpStream::from_std(server).unwrap();
        (Socket::new(server, Limits::default(), Vec::new(), Vec::new()), client)
    }

    fn block() -> Block {
        let (mut outbox, mut pool) = (Outbox::new(Codec::MessagePack), Pool::new(0));
        (0..1000).for_each(|_| outbox.packet(&mut pool, &BrokerPacket::Pong));
        outbox.take().unwrap()
    }

    /// Writes until the socket is full, and the event loop has been told so.
    fn fill(socket: &mut Socket<TcpStream>) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut told = false;
        loop {
            socket.send_block(MessageKind::Binary, block());
            told = told || socket.poll_write(&mut cx, |_| {}).is_pending();
            if told && socket.write_now(|_| {}).is_err() {
                return;
            }
        }
    }

    #[actix_rt::test]
    async fn a_full_socket_that_was_read_takes_more_before_the_event_loop_says_so() {
        let (mut socket, mut client) = connected();
        actix_rt::task::yield_now().await;
        fill(&mut socket);

        let (mut read, mut sent) = (vec![0; 64 * 1024], 0);
        loop {
            while client.read(&mut read).is_ok() {}
            let mut cx = Context::from_waker(Waker::noop());
            assert!(socket.poll_write(&mut cx, |_| {}).is_pending(), "the event loop has had no turn");
            match socket.write_now(|_| sent += 1) {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert!(sent > 0 && socket.is_flushed());
    }
}
