//! A broker in the same test: every word of it is the test's own.
//!
//! Bytes go through memory, so that tests may use tokio's paused clock: time passes only when nobody has anything to
//! do.

mod peer;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use murre_protocol::packet::Connected;
use tokio::{
    io::DuplexStream,
    sync::{
        mpsc::{self, Receiver, Sender},
        oneshot,
    },
};

pub(crate) use peer::{Peer, message, message_at, text_of};

use crate::{
    Client, ClientBuilder,
    subscription_state::{Route, Wanted},
};

/// Bytes on their way in each direction before a writer has to wait.
const PIPE_BYTES: usize = 4096;

/// The way to a [`Broker`].
#[derive(Debug, Clone)]
pub(crate) struct Network {
    dials: Sender<DuplexStream>,
    refuses: Arc<AtomicBool>,
}

impl Network {
    pub(crate) async fn dial(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        if self.refuses.load(Ordering::Relaxed) || self.dials.send(theirs).await.is_err() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(ours)
    }
}

/// A broker that does what the test says.
pub(crate) struct Broker {
    network: Network,
    incoming: Receiver<DuplexStream>,
}

impl Broker {
    pub(crate) fn new() -> Self {
        let (dials, incoming) = mpsc::channel(8);
        Self { network: Network { dials, refuses: Arc::default() }, incoming }
    }

    /// A client of this broker, to be built.
    pub(crate) fn builder(&self) -> ClientBuilder {
        self.anonymous().client_id("device")
    }

    /// A client without a name, to be built.
    pub(crate) fn anonymous(&self) -> ClientBuilder {
        Client::builder("ws://broker").dialer(self.network.clone())
    }

    /// A client and its first connection.
    pub(crate) async fn connected(&mut self) -> (Client, Peer) {
        self.connect(self.builder()).await
    }

    /// What `builder` builds, and its first connection.
    pub(crate) async fn connect(&mut self, builder: ClientBuilder) -> (Client, Peer) {
        let (client, peer) = tokio::join!(builder.connect(), self.accept());
        (client.unwrap(), peer)
    }

    /// As [`connected`](Broker::connected), with other limits or another keep-alive.
    pub(crate) async fn connected_with(&mut self, info: Connected<'static>) -> (Client, Peer) {
        let (client, peer) = tokio::join!(self.builder().connect(), self.accept_with(info));
        (client.unwrap(), peer)
    }

    /// Whether connections are refused from now on, as if nothing listened.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.network.refuses.store(refuses, Ordering::Relaxed);
    }

    /// A client of this broker by TLS, to be built.
    pub(crate) fn tls_builder(&self) -> ClientBuilder {
        Client::builder("wss://broker").client_id("device").dialer(self.network.clone())
    }

    /// The next connection, as bytes.
    pub(crate) async fn raw(&mut self) -> DuplexStream {
        self.incoming.recv().await.unwrap()
    }

    /// The next connection, after the WebSocket handshake.
    pub(crate) async fn upgrade(&mut self) -> Peer {
        Peer::upgrade(self.raw().await).await
    }

    /// The next connection, after CONNECTED.
    pub(crate) async fn accept(&mut self) -> Peer {
        self.accept_with(info()).await
    }

    /// The next connection, after CONNECTED with `info`.
    pub(crate) async fn accept_with(&mut self, info: Connected<'static>) -> Peer {
        let mut peer = self.upgrade().await;
        peer.expect_connect().await;
        peer.send_connected(info).await;
        peer
    }
}

/// CONNECTED as most tests want it.
pub(crate) fn info() -> Connected<'static> {
    Connected {
        client_id: "device".into(),
        epoch: "e1".into(),
        keep_alive: 60,
        max_packet: 1 << 20,
        max_message: 1 << 20,
        server: "murre/test".into(),
        ..Default::default()
    }
}

/// Lets everybody else do what they can do, without any time passing.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_nanos(1)).await;
}

/// A subscription without anything special, for which nobody waits.
pub(crate) fn wanted(filter: &str, route: Route) -> Wanted {
    Wanted {
        filter: filter.to_owned(),
        options: Default::default(),
        after: None,
        resumes: false,
        route,
        answer: oneshot::channel().0,
    }
}
