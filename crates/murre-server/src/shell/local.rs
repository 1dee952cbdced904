//! A session of this process: HTTP requests speak with the broker as every client does, without a socket.

use std::{
    future::poll_fn,
    net::SocketAddr,
    task::{Context, Poll},
};

use murre_core::{
    hub::{Farewell, MessageKind, Peer, Refused},
    ids::SessionKey,
    session::SessionKind,
};
use murre_protocol::{Codec, packet::ClientPacket};

use super::runtime::Local;

/// A session without a socket. Ends when it is dropped.
pub(crate) struct LocalSession {
    local: Local,
    key: SessionKey,
    codec: Codec,
}

impl LocalSession {
    /// Opens a session that speaks `codec`, for a request.
    pub(crate) fn open(local: &Local, codec: Codec) -> Result<Self, Refused> {
        Self::open_as(local, codec, SessionKind::Local, None)
    }

    /// Opens a session that speaks JSON, for a stream that goes on.
    pub(crate) fn stream(local: &Local, peer: Option<SocketAddr>) -> Result<Self, Refused> {
        Self::open_as(local, Codec::Json, SessionKind::Events, peer)
    }

    fn open_as(
        local: &Local,
        codec: Codec,
        kind: SessionKind,
        peer: Option<SocketAddr>,
    ) -> Result<Self, Refused> {
        let peer = peer.map(Peer::from);
        let key = local.with_hub(|now, hub, _| hub.open(now, kind, Some(codec), peer))?;
        Ok(Self { local: local.clone(), key, codec })
    }

    /// Sends a packet.
    pub(crate) fn send(&self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        self.codec.write_client(packet, &mut bytes);
        let kind = match self.codec {
            Codec::Json => MessageKind::Text,
            Codec::MessagePack => MessageKind::Binary,
        };
        self.local.with_hub(|now, hub, out| hub.receive(now, self.key, kind, &bytes, out));
    }

    /// The next packets, back to back; none when the session has ended.
    pub(crate) async fn receive(&self) -> Option<Vec<u8>> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// See [`Self::receive`].
    pub(crate) fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let key = self.key;
        self.local.set_shell(key, cx.waker(), None);
        let taken = self.local.with_hub(|_, hub, out| {
            hub.attend(key);
            let block = hub.take(key)?;
            let packets = block.packets().to_vec();
            hub.sent(key, block, out);
            Some(packets)
        });
        match taken {
            Some(packets) => Poll::Ready(Some(packets)),
            None if self.local.peek_hub(|hub| hub.status(key)).close.is_some() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Drop for LocalSession {
    fn drop(&mut self) {
        let key = self.key;
        self.local.forget_shell(key);
        self.local.with_hub(|now, hub, out| hub.closed(now, key, Farewell::Said, out));
    }
}
