//! The actor: a session whose connection belongs to actix-http.
//!
//! It does what [`Connection`](super::super::connection::Connection) does with a socket of its own, with the same
//! decoder. The context of actix-web-actors writes its frames; the crate's own decoder and handshake stand idle,
//! since they are where its traps are.

use std::time::Duration;

use actix::{Actor, ActorContext as _, AsyncContext as _, SpawnHandle, StreamHandler};
use actix_web_actors::ws::{CloseCode, CloseReason, Message, ProtocolError, WebsocketContext};
use bytes::{Bytes, BytesMut};
use murre_core::{hub::Farewell, ids::SessionKey, outbox::Block, session::Close};
use murre_protocol::Codec;

use super::{
    super::{
        runtime::Local,
        session::{self, CLOSING_TIMEOUT, LINGER_TIMEOUT, NO_CLOSE_FRAME, State, message_kind},
    },
    signal::Called,
    wire::Wire,
};
use crate::websocket::{Decoder, Event, close, frame::HEADER_ROOM};

/// Bytes that are decoded in one turn; others on the thread are waiting too.
const TURN_BYTES_MAX: usize = 64 * 1024;

/// A session and what its actor knows.
pub(super) struct Session {
    local: Local,
    key: SessionKey,
    wire: Wire,
    decoder: Decoder,
    /// The newest ping's payload: of several that wait for an answer only that one gets it.
    ping: Option<Bytes>,
    state: State,
    /// Bounds the time of closing.
    deadline: Option<SpawnHandle>,
}

/// What came of a client's bytes that ends the session.
enum Ending {
    Closed { code: Option<u16> },
    HalfClosed,
    CutShort,
    Failed(crate::websocket::DecodeError),
}

type Context = WebsocketContext<Session>;

impl Session {
    /// The actor of a session that the hub has opened.
    pub(super) fn new(local: Local, key: SessionKey, wire: Wire, decoder: Decoder) -> Self {
        Self { local, key, wire, decoder, ping: None, state: State::Open, deadline: None }
    }

    fn step(&mut self, context: &mut Context) {
        self.wire.pull();
        let mut state = None;
        while state != Some(self.state) {
            state = Some(self.state);
            match self.state {
                State::Open => self.open(context),
                State::Draining => self.drain(context),
                State::Closing { linger } => self.flush(linger, context),
                State::Lingering => self.linger(context),
            }
        }
    }

    fn open(&mut self, context: &mut Context) {
        let key = self.key;
        self.local.peek_hub(|hub| hub.attend(key));
        let status = self.local.peek_hub(|hub| hub.status(key));
        if status.wants_read
            && status.close.is_none()
            && let Some(ending) = self.read()
        {
            self.end(ending, context);
        }
        self.local.finish_if_full();
        if self.state != State::Open {
            return;
        }
        if self.local.peek_hub(|hub| hub.status(key)).close.is_some() {
            self.state = State::Draining;
            self.set_deadline(CLOSING_TIMEOUT, context);
        } else {
            self.write(context);
        }
    }

    /// Decodes a turn's worth of what has arrived, as far as the hub wants it. The end comes in a turn of its own,
    /// since the hub may want to finish with what came before.
    fn read(&mut self) -> Option<Ending> {
        if self.wire.is_read_to_end() {
            return Some(if self.wire.is_cut_short() { Ending::CutShort } else { Ending::HalfClosed });
        }
        let mut bytes = self.wire.take_backlog();
        let mut turn = bytes.split_to(bytes.len().min(TURN_BYTES_MAX));
        let (ending, left) = self.decode(&mut turn);
        let mut rest = turn.split_off(turn.len() - left);
        rest.unsplit(bytes);
        let goes_on = !rest.is_empty();
        self.wire.give_back(rest);
        if goes_on || self.wire.is_read_to_end() {
            self.wire.call_again();
        }
        ending
    }

    /// Hands on what the bytes say until the hub wants no more; says how many bytes are left then.
    fn decode(&mut self, bytes: &mut BytesMut) -> (Option<Ending>, usize) {
        let Self { local, key, decoder, ping, .. } = self;
        let mut input = bytes.as_mut();
        local.with_hub(|now, hub, out| {
            loop {
                match decoder.decode(&mut input) {
                    Ok(None) => return (None, 0),
                    Ok(Some(Event::Message { kind, bytes })) => {
                        hub.receive(now, *key, message_kind(kind), &bytes, out);
                        if !hub.takes_more(*key) {
                            return (None, input.len());
                        }
                    }
                    Ok(Some(Event::Ping(payload))) => {
                        *ping = Some(Bytes::copy_from_slice(&payload));
                        hub.heard(now, *key);
                    }
                    Ok(Some(Event::Pong)) => {}
                    Ok(Some(Event::Close { code, .. })) => return (Some(Ending::Closed { code }), 0),
                    Err(error) => return (Some(Ending::Failed(error)), 0),
                }
            }
        })
    }

    fn end(&mut self, ending: Ending, context: &mut Context) {
        let key = self.key;
        match ending {
            Ending::Closed { code } => {
                session::closed(&self.local, key, code);
                self.send_close(close::echo_code(code), "", context);
                self.state = State::Closing { linger: false };
                self.set_deadline(CLOSING_TIMEOUT, context);
            }
            Ending::HalfClosed => session::half_closed(&self.local, key),
            Ending::CutShort => {
                tracing::warn!("a client's last messages may be lost: it ended while it was not read");
                let reason = "the connection ended while it was not read; what has no answer may be lost";
                self.local.with_hub(|now, hub, out| hub.fail(now, key, close::INTERNAL_ERROR, reason, out));
            }
            Ending::Failed(error) => {
                // what follows is no answer to the close frame
                drop(self.wire.take_backlog());
                let reason = error.to_string();
                self.local.with_hub(|now, hub, out| hub.fail(now, key, error.close_code(), &reason, out));
            }
        }
    }

    /// Writes what waits, as far as there is room. True when nothing waits any more.
    fn write(&mut self, context: &mut Context) -> bool {
        let key = self.key;
        while self.wire.has_room() {
            if let Some(payload) = self.ping.take() {
                self.wire.wrote(payload.len() + HEADER_ROOM);
                context.pong(&payload);
            }
            let taken = self.local.peek_hub(|hub| Some((hub.codec(key), hub.take(key)?)));
            let Some((codec, block)) = taken else { return true };
            self.write_block(codec, block, context);
        }
        false
    }

    fn write_block(&self, codec: Codec, block: Block, context: &mut Context) {
        let packets = block.packets();
        self.wire.wrote(packets.len() + HEADER_ROOM);
        match codec {
            Codec::MessagePack => context.binary(Bytes::copy_from_slice(packets)),
            Codec::Json => context.text(String::from_utf8_lossy(packets).into_owned()),
        }
        self.local.sent(self.key, block);
    }

    fn drain(&mut self, context: &mut Context) {
        if !self.write(context) {
            return;
        }
        let Close { code, reason } = session::close_of(&self.local, self.key);
        if code != NO_CLOSE_FRAME {
            self.send_close(code, &reason, context);
        }
        self.state = State::Closing { linger: code != NO_CLOSE_FRAME };
    }

    fn send_close(&mut self, code: u16, reason: &str, context: &mut Context) {
        let description = close::fit_reason(reason);
        let description = (!description.is_empty()).then(|| description.to_owned());
        self.wire.wrote(close::REASON_MAX + HEADER_ROOM);
        context.close(Some(CloseReason { code: CloseCode::from(code), description }));
    }

    fn flush(&mut self, linger: bool, context: &mut Context) {
        if !self.wire.is_flushed() {
            return;
        }
        if linger {
            self.state = State::Lingering;
            self.set_deadline(LINGER_TIMEOUT, context);
        } else {
            context.stop();
        }
    }

    /// Reads and throws away, to hear the client's close frame. After a broken frame no other can be made out; then
    /// whatever comes counts as the answer.
    fn linger(&mut self, context: &mut Context) {
        let mut bytes = self.wire.take_backlog();
        let mut answered = self.decoder.is_ended() && !bytes.is_empty();
        let mut input = bytes.as_mut();
        while !input.is_empty() && !answered {
            answered = matches!(self.decoder.decode(&mut input), Ok(Some(Event::Close { .. })) | Err(_));
        }
        if answered || self.wire.is_read_to_end() {
            context.stop();
        }
    }

    fn set_deadline(&mut self, timeout: Duration, context: &mut Context) {
        let deadline = context.run_later(timeout, |session, context| {
            session.wire.abandon();
            context.stop();
        });
        if let Some(earlier) = self.deadline.replace(deadline) {
            context.cancel_future(earlier);
        }
    }
}

impl Actor for Session {
    type Context = Context;
}

impl StreamHandler<Called> for Session {
    fn handle(&mut self, _: Called, context: &mut Context) {
        self.step(context);
    }
}

/// The crate's decoder, which the context can't be made without, is given nothing to decode.
impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, _: Result<Message, ProtocolError>, _: &mut Context) {}

    fn finished(&mut self, _: &mut Context) {}
}

impl Drop for Session {
    fn drop(&mut self) {
        let key = self.key;
        self.local.forget_shell(key);
        self.local.with_hub(|now, hub, out| hub.closed(now, key, Farewell::Lost, out));
    }
}
