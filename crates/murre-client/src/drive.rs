//! One connection, from CONNECTED to its end: moves bytes between the socket and the session.
//!
//! One loop reads, writes and keeps time. Reading never waits for writing, nor the other way round; at most one
//! frame is being written and one is being taken apart.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use murre_protocol::{
    Code, Codec, DecodeError,
    packet::{ClientPacket, Disconnect},
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{
    self, Utf8Bytes,
    protocol::{CloseFrame, Message, frame::coding::CloseCode},
};

use crate::{
    dial::{Connection, Socket, protocol_code},
    event::Event,
    feed::Feed,
    keep_alive::{Due, KeepAlive},
    session::Received,
    shared::Shared,
};

/// Packets that are handled before others get the processor and the session's lock.
const PACKETS_A_TURN: usize = 128;
/// How long the last words to a broker may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// The most bytes of a reason in a close frame.
const CLOSE_REASON_BYTES_MAX: usize = 123;

/// How a connection ended.
pub(crate) enum End {
    /// As the application wanted.
    Closed,
    /// In another way.
    Lost(Loss),
}

/// Why a connection is gone, or was not made.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) code: Option<Code>,
    pub(crate) reason: String,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) may_reconnect: bool,
}

/// Runs `connection` until it ends.
pub(crate) async fn drive(shared: &Shared, connection: Connection) -> End {
    let Connection { socket, info, rest } = connection;
    let (sink, stream) = socket.split();
    let keep_alive = KeepAlive::new(Duration::from_secs(info.keep_alive), Instant::now());
    let mut driver =
        Driver { shared, sink, stream, keep_alive, writing: false, inbound: rest, paused: None, packets: 0 };
    let ending = driver.run().await;
    if !matches!(ending, Ending::Closing) {
        shared.session().connection_lost();
        shared.poke_spool();
    }
    driver.say_farewell(&ending).await;
    match ending {
        Ending::Closing => End::Closed,
        Ending::Broken(reason) => End::Lost(Loss::broken(reason)),
        Ending::Restart => {
            End::Lost(Loss::broken("messages of the session that were let go here have to be sent again"))
        }
        Ending::ByBroker(loss) => End::Lost(loss),
        Ending::Malformed(error) => End::Lost(Loss {
            code: Some(Code::MALFORMED),
            reason: format!("the broker sent a packet that can't be read: {error}"),
            retry_after: None,
            may_reconnect: true,
        }),
    }
}

/// Why the loop ended, which decides what is said last.
enum Ending {
    Closing,
    Broken(String),
    ByBroker(Loss),
    Malformed(DecodeError),
    /// A new connection is needed.
    Restart,
}

struct Driver<'a> {
    shared: &'a Shared,
    sink: SplitSink<Socket, Message>,
    stream: SplitStream<Socket>,
    keep_alive: KeepAlive,
    writing: bool,
    /// What of the last message was not handled yet.
    inbound: Bytes,
    /// The feed whose reader has to take something before more is read.
    paused: Option<Arc<Feed>>,
    /// Packets handled since others had the processor.
    packets: usize,
}

impl Driver<'_> {
    async fn run(&mut self) -> Ending {
        loop {
            if let Err(ending) = self.turn().await {
                return ending;
            }
        }
    }

    /// Does what can be done at once, else waits for the next thing to happen.
    async fn turn(&mut self) -> Result<(), Ending> {
        if self.paused.is_none() && !self.inbound.is_empty() {
            self.handle_inbound()?;
        }
        if self.packets >= PACKETS_A_TURN {
            self.packets = 0;
            tokio::task::yield_now().await;
        }
        let mut due = self.keep_time()?;
        if !self.writing {
            self.begin_writing().await?;
            due = earliest(due, self.shared.session().spool().and_then(|drain| drain.due()));
        }
        self.shared.poke_spool();
        if self.is_done() {
            return Err(Ending::Closing);
        }
        if self.paused.is_none() && !self.inbound.is_empty() {
            return Ok(());
        }
        self.wait(due).await
    }

    /// Handles up to [`PACKETS_A_TURN`] packets under one lock.
    fn handle_inbound(&mut self) -> Result<(), Ending> {
        let mut events = Vec::new();
        let frame = std::mem::take(&mut self.inbound);
        let handled = self.handle_some(&frame, &mut events);
        events.into_iter().for_each(|event| self.shared.events.emit(event));
        handled
    }

    fn handle_some(&mut self, frame: &Bytes, events: &mut Vec<Event>) -> Result<(), Ending> {
        let now = Instant::now();
        let mut session = self.shared.session();
        let mut rest: &[u8] = frame;
        for _ in 0..PACKETS_A_TURN {
            let taken = Codec::MessagePack.broker_packet(rest, usize::MAX).map_err(Ending::Malformed)?;
            let Some((packet, after)) = taken else { return Ok(()) };
            rest = after;
            self.packets += 1;
            match session.receive(packet, frame, now, events) {
                Received::Nothing => {}
                Received::Pause(feed) => {
                    self.paused = Some(feed);
                    break;
                }
                Received::Disconnect { code, reason, retry_after } => {
                    let retry_after = retry_after.map(Duration::from_millis);
                    return Err(Ending::ByBroker(Loss::by_broker(code, reason, retry_after)));
                }
            }
        }
        self.inbound = frame.slice(frame.len() - rest.len()..);
        Ok(())
    }

    /// Sees to keep-alive; the time at which to look again.
    fn keep_time(&mut self) -> Result<Option<Instant>, Ending> {
        let now = Instant::now();
        if self.paused.is_some() || !self.inbound.is_empty() {
            // Who doesn't listen can't say that nothing was said.
            self.keep_alive.received(now);
        }
        loop {
            match self.keep_alive.poll(now) {
                Due::Later(at) => return Ok(at),
                Due::Ping => self.shared.session().ping(),
                Due::Dead => {
                    // What came while this process was stopped or starved counts.
                    if let Some(message) = self.stream.next().now_or_never() {
                        self.read(message)?;
                        continue;
                    }
                    let after = self.keep_alive.interval().unwrap_or_default();
                    return Err(Ending::Broken(format!("nothing came from the broker for {after:?}")));
                }
            }
        }
    }

    async fn begin_writing(&mut self) -> Result<(), Ending> {
        if self.shared.session().wants_restart() {
            return Err(Ending::Restart);
        }
        let (frame, too_large) = self.shared.session().take_frame(Instant::now());
        self.shared.dropped(too_large);
        self.shared.room_may_be();
        if frame.is_empty() {
            return Ok(());
        }
        self.writing = true;
        // Ready at once: the frame before is flushed.
        self.sink.feed(Message::Binary(frame.into())).await.map_err(broken)
    }

    /// Whether the application wants the end, and what was pending is through or its time is up.
    fn is_done(&self) -> bool {
        let Some(deadline) = self.shared.closing_deadline() else { return false };
        Instant::now() >= deadline || (!self.writing && self.shared.session().is_flushed())
    }

    async fn wait(&mut self, due: Option<Instant>) -> Result<(), Ending> {
        let paused = self.paused.clone();
        let closing = self.shared.closing_deadline();
        tokio::select! {
            message = self.stream.next(), if self.inbound.is_empty() && paused.is_none() => self.read(message),
            written = self.sink.flush(), if self.writing => self.written(written),
            () = self.shared.work(), if !self.writing => Ok(()),
            () = room(paused.as_deref()), if paused.is_some() => {
                self.paused = None;
                self.keep_alive.received(Instant::now());
                Ok(())
            }
            () = sleep_until(due), if due.is_some() => Ok(()),
            _ = self.shared.closing(), if closing.is_none() => Ok(()),
            () = sleep_until(closing), if closing.is_some() => Ok(()),
        }
    }

    fn written(&mut self, written: Result<(), tungstenite::Error>) -> Result<(), Ending> {
        written.map_err(broken)?;
        self.writing = false;
        self.shared.session().frame_written();
        self.keep_alive.sent(Instant::now());
        Ok(())
    }

    fn read(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Result<(), Ending> {
        self.keep_alive.received(Instant::now());
        match message {
            Some(Ok(Message::Binary(frame))) => self.inbound = frame,
            Some(Ok(Message::Close(frame))) => return Err(closed_by_broker(frame)),
            Some(Ok(Message::Text(_))) => return Err(Ending::Broken("the broker sent text".into())),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(broken(error)),
            None => return Err(Ending::Broken("the broker ended the connection without a word".into())),
        }
        Ok(())
    }

    /// Ends the connection in the way that fits; as well as it goes, in bounded time.
    async fn say_farewell(&mut self, ending: &Ending) {
        let words = match ending {
            Ending::Broken(_) => return,
            Ending::Closing | Ending::ByBroker(_) | Ending::Restart => (CloseCode::Normal, String::new()),
            Ending::Malformed(error) => (CloseCode::from(Code::MALFORMED.number()), error.to_string()),
        };
        let bye = async {
            if matches!(ending, Ending::Closing) {
                let mut packet = Vec::new();
                let farewell = Disconnect::default();
                Codec::MessagePack.write_client(&ClientPacket::Disconnect(farewell), &mut packet);
                self.sink.feed(Message::Binary(packet.into())).await?;
            }
            let reason = Utf8Bytes::from(shortened(words.1));
            // An error means that the broker closed first; its close is answered by the flush.
            let _ = self.sink.feed(Message::Close(Some(CloseFrame { code: words.0, reason }))).await;
            self.sink.flush().await?;
            // The other side's close, or its end.
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok::<_, tungstenite::Error>(())
        };
        match tokio::time::timeout(FAREWELL_MAX, bye).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the farewell was cut short"),
            Err(_) => tracing::debug!("the broker doesn't take the farewell"),
        }
    }
}

fn shortened(mut reason: String) -> String {
    let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

async fn room(feed: Option<&Feed>) {
    if let Some(feed) = feed {
        feed.inbox.room().await;
    }
}

async fn sleep_until(time: Option<Instant>) {
    if let Some(time) = time {
        tokio::time::sleep_until(time).await;
    }
}

fn broken(error: tungstenite::Error) -> Ending {
    Ending::Broken(format!("the connection broke: {error}"))
}

fn closed_by_broker(frame: Option<CloseFrame>) -> Ending {
    let Some(frame) = frame else {
        return Ending::Broken("the broker closed the connection".into());
    };
    let reason = frame.reason.to_string();
    match protocol_code(frame.code.into()) {
        Some(code) => Ending::ByBroker(Loss::by_broker(code, reason, None)),
        None => Ending::Broken(format!("the broker closed the connection with {} {reason}", frame.code)),
    }
}
