//! The second shell: a session as an actor of actix-web-actors, on a connection of a person's own actix-web server.
//!
//! The only place that knows actix-web-actors. Upstream has deprecated that crate in favour of actix-ws; its context
//! is taken for what it is good at, an actor that lives with a connection. The trait of its own decoder has to be
//! implemented, and is given nothing.
//!
//! | module | is |
//! |---|---|
//! | `session` | the actor, with the states of a connection's life |
//! | `wire` | the request's payload and the response's body, between the actor and the dispatcher of actix-http |
//! | `backlog` | what has arrived while the session isn't read |
//! | `signal` | how the actor is called |
//!
//! # The traps of actix-http, and what closes them
//! - *Messages before a FIN are lost* when the payload is left unread. It is emptied by whoever runs first, the
//!   actor's task or the body's poll, also while the session isn't read; 16 MiB may wait for that.
//! - *A frame's header makes the server buffer what it claims.* The decoder is the broker's own.
//! - *With 32 KiB unsent the body is polled no more, and all stands still.* The actor is a task of its own, and the
//!   body only takes from it what it has ready.
//! - *Wrong close codes, bad handshakes.* Judged and decoded as in the first shell.
//! - *TCP stays open for `client_disconnect_timeout` behind the close frames.* Only who makes the `HttpServer` can set
//!   that to zero: TCP ended 0.2 ms after the client's close frame then, and 998 ms with the default of 1 s (medians
//!   of 30). Nothing but the client's socket waits for it: the session has ended.
//!
//! # What can't be closed from inside an App
//! The socket belongs to the dispatcher. What follows from that concerns the client that brings it about, and nobody
//! else.
//! - A client that ends its side without waiting for the answer to a close frame, while its backlog is full, may lose
//!   up to its last 32 KiB: those that are in the dispatcher's buffer when the FIN comes. Of 10 floods of 8 MiB each
//!   that were faster than the broker and ended so, none lost anything; of 10 of 32 MiB, each lost its end. The client
//!   is told (1011), and it is logged; a publish with an `id` has no answer then. The first shell loses nothing.
//! - A client that reads nothing keeps its TCP connection, and up to 48 KiB in the dispatcher, after its session has
//!   been ended, since the dispatcher waits for a write without a bound in time: 200 of 200 were still there 12 s
//!   later. [`crate::embed::on_connect`] lets the system bound it, to 15 minutes as in the first shell.

mod backlog;
mod session;
mod signal;
mod wire;

use std::{future::poll_fn, pin::pin, sync::Arc, task::Waker};

use actix_web::{body::MessageBody, dev::Payload};
use actix_web_actors::ws::WebsocketContext;
use futures_util::{Stream as _, stream};
use murre_core::ids::SessionKey;

use self::{
    session::Session,
    signal::{Calls, Signal},
    wire::Wire,
};
use super::runtime::Local;
use crate::websocket::{Decoder, Limits};

/// Starts the actor of a session that the hub has opened, on the connection of a request with this payload. Gives
/// the body of the 101 answer.
pub(crate) fn start(
    local: Local,
    key: SessionKey,
    limits: Limits,
    payload: Payload,
) -> impl MessageBody + use<> {
    let signal = Arc::new(Signal::default());
    local.set_shell(key, &Waker::from(signal.clone()), None);
    let wire = Wire::new(payload, &signal);
    let session = Session::new(local, key, wire.clone(), Decoder::new(limits));
    let calls = Calls::new(signal.clone());
    let frames = WebsocketContext::with_factory(stream::pending(), move |context| {
        actix::AsyncContext::add_stream(context, calls);
        session
    });
    signal.call();
    let finish = Finish(wire.clone());
    actix_rt::spawn(async move {
        let Finish(wire) = &finish;
        let mut frames = pin!(frames);
        while let Some(Ok(frame)) = poll_fn(|cx| frames.as_mut().poll_next(cx)).await {
            wire.send(frame);
        }
    });
    wire.body()
}

/// Ends the body when the actor's task ends, however it does.
struct Finish(Wire);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}
