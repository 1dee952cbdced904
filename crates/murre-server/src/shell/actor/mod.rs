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
//! | `signal` | how the actor is called |
//!
//! # The traps of actix-http, and what closes them
//! - *Messages before a FIN are lost* when the payload is left unread. The payload is emptied by whoever runs first,
//!   the actor's task or the body's poll, also while the session isn't read: up to [`wire::BACKLOG_MAX`] wait in a
//!   backlog.
//! - *A frame's header makes the server buffer what it claims.* The decoder is the broker's own.
//! - *With 32 KiB unsent the body is polled no more, and all stands still.* The actor is a task of its own, and the
//!   body only takes from it what it has ready.
//! - *Wrong close codes, bad handshakes.* Judged and decoded as in the first shell.
//! - *TCP stays open for `client_disconnect_timeout` behind the close frames* (1 s in actix-web): only the person
//!   who makes the `HttpServer` can set that to zero. Nothing else waits for it: the session has ended.
//!
//! # What stays
//! The socket belongs to the dispatcher, so these can't be closed from here. They concern a client that does itself
//! harm, and nobody else.
//! - A client that ends its side with more than the backlog waiting for the broker may lose up to the last 40 KiB.
//!   It is told so (1011), and it is logged; what it published with an `id` has no answer then.
//! - A client that reads nothing keeps its TCP connection, and about 48 KiB of the dispatcher's memory, after its
//!   session has been ended: the dispatcher waits for its write without a bound in time.

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
