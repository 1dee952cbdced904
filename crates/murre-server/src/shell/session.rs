//! What a session does alike over both shells: a socket of its own, and a connection of a person's own server.

use std::time::Duration;

use murre_core::{
    hub::{self, Farewell},
    ids::SessionKey,
    session::Close,
};

use super::runtime::Local;
use crate::websocket::MessageKind;

/// How long a client may take to receive what is pending, and to answer a close.
pub(super) const CLOSING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may take to end its side once it has been sent the close frame.
pub(super) const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// The close code that is never sent: the client has ended its side without a close frame.
pub(super) const NO_CLOSE_FRAME: u16 = 1006;

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Messages go both ways.
    Open,
    /// What is pending goes out, then the close frame.
    Draining,
    /// The close frame is on its way; `linger` says whether the client has yet to answer it.
    Closing { linger: bool },
    /// The client's close frame is awaited, or its end.
    Lingering,
}

/// The kind of a WebSocket message, as the hub has it.
pub(super) fn message_kind(kind: MessageKind) -> hub::MessageKind {
    match kind {
        MessageKind::Text => hub::MessageKind::Text,
        MessageKind::Binary => hub::MessageKind::Binary,
    }
}

/// The client sent a close frame.
pub(super) fn closed(local: &Local, key: SessionKey, code: Option<u16>) {
    let said = matches!(code, Some(1000 | 1001));
    let farewell = if said { Farewell::Said } else { Farewell::Lost };
    local.with_hub(|now, hub, out| hub.closed(now, key, farewell, out));
}

/// The client ended its side. Answers to what came before still go out.
pub(super) fn half_closed(local: &Local, key: SessionKey) {
    local.with_hub(|now, hub, out| hub.half_closed(now, key, out));
    local.finish();
}

/// How a session that is to be closed is closed.
pub(super) fn close_of(local: &Local, key: SessionKey) -> Close {
    let close = local.peek_hub(|hub| hub.status(key)).close;
    close.unwrap_or(Close { code: 1001, reason: String::new() })
}
