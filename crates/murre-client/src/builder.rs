//! Building a client.

use std::{sync::Arc, time::Duration};

use murre_protocol::ClientId;
use tokio::runtime::Handle;

use crate::{
    address::Address,
    backoff::Backoff,
    buffer::Buffer,
    client::Client,
    config::Config,
    dial::{self, Connection, Dialer},
    error::ConnectError,
    event::Event,
    shared::Shared,
    spool::{
        Spool, SpoolError,
        worker::{self, Opened},
    },
    task, tls,
    will::Will,
};

/// Builds a [`Client`]: from [`Client::builder`] to [`connect`](ClientBuilder::connect) or
/// [`start`](ClientBuilder::start).
#[derive(Clone)]
#[must_use = "a builder does nothing before connect() or start()"]
pub struct ClientBuilder {
    url: String,
    client_id: Option<String>,
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    agent: String,
    keep_alive: Duration,
    session_expiry: Duration,
    will: Option<Will>,
    spool: Option<Spool>,
    buffer: Buffer,
    backoff: Backoff,
    connect_timeout: Duration,
    close_timeout: Duration,
    ca_certificates: Vec<u8>,
    dialer: Dialer,
}

impl ClientBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            client_id: None,
            username: None,
            password: None,
            token: None,
            agent: concat!("murre-client/", env!("CARGO_PKG_VERSION")).into(),
            keep_alive: Duration::from_secs(60),
            session_expiry: Duration::ZERO,
            will: None,
            spool: None,
            buffer: Buffer::default(),
            backoff: Backoff::default(),
            connect_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            ca_certificates: Vec::new(),
            dialer: Dialer::Tcp,
        }
    }

    /// The name to be known by: 1 to 128 bytes, without `/`, `+`, `#` and control characters. Two clients with one
    /// name put each other out. Without it the broker gives a name, which the client keeps.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// For authentication by token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// For authentication by password.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// For authentication by password.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// What the client is, for people who look at the broker: `murre-client/<version>` where it isn't given.
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = agent.into();
        self
    }

    /// After how much silence the connection counts as dead, on both sides; whole seconds, rounded up, 60 where it
    /// isn't given. The broker may grant another time. Zero: never.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// How long the broker keeps the session after a disconnect: the [acknowledged](crate::SubscribeBuilder::acknowledge)
    /// subscriptions of this client, with what it has not acknowledged and what is published meanwhile. Whole
    /// seconds, rounded up; none where it isn't given, which also ends a session that the broker has. The broker
    /// may grant less. For a session to go on in a later process, give a [`client_id`](ClientBuilder::client_id).
    pub fn session_expiry(mut self, after: Duration) -> Self {
        self.session_expiry = after;
        self
    }

    /// What the broker publishes when this client is gone without a farewell.
    pub fn will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    /// How much may wait to be sent, and what happens when that is full.
    pub fn buffer(mut self, buffer: Buffer) -> Self {
        self.buffer = buffer;
        self
    }

    /// Keeps acknowledged publishes on disk until the broker has answered them: a directory, or a [`Spool`] that says
    /// more. Needs a [`client_id`](ClientBuilder::client_id), which has to stay the same. The files are read when the
    /// client is built.
    pub fn spool(mut self, spool: impl Into<Spool>) -> Self {
        self.spool = Some(spool.into());
        self
    }

    /// How long to wait between attempts to connect again.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long one attempt may take, from the first packet to CONNECTED; 10 s where it isn't given.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long what is pending may still be sent when the client is closed; 5 s where it isn't given.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Certificates (PEM) of authorities to trust beside the system's, for `wss://` with a private authority.
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates = pem.into();
        self
    }

    /// Connects, and gives the client when the broker has accepted it. After that it connects again by itself.
    ///
    /// # Errors
    /// Why there is no connection; nothing goes on in the background then. Dropping the future stops the attempt.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let (shared, spool) = self.shared()?;
        // The timers of an attempt need a runtime already.
        Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        shared.events.emit(Event::Connecting { attempt: 1 });
        let first = dial::connect(&shared.config, shared.config.client_id.as_deref()).await?;
        shared.connected(&first.info);
        spawn(shared, spool, Some(first))
    }

    /// Gives the client at once, and connects in the background, again and again where needed. What is published
    /// meanwhile waits in the buffer; [`Client::events`] tells how it goes.
    ///
    /// # Errors
    /// What the builder was given can't be right, or there is no tokio runtime.
    pub fn start(self) -> Result<Client, ConnectError> {
        let (shared, spool) = self.shared()?;
        spawn(shared, spool, None)
    }

    /// Checks what was given.
    fn shared(self) -> Result<(Shared, Option<Opened>), ConnectError> {
        let address = Address::parse(&self.url)?;
        if let Some(client_id) = &self.client_id {
            ClientId::parse(client_id)
                .map_err(|source| ConnectError::ClientId { client_id: client_id.clone(), source })?;
        }
        self.will.as_ref().map_or(Ok(()), Will::check)?;
        let tls = match address.tls {
            true => Some(
                tls::client_config(&self.ca_certificates)
                    .map_err(|problem| ConnectError::Tls { address: address.to_string(), problem })?,
            ),
            false => None,
        };
        let (opened, spool) = match &self.spool {
            Some(spool) => {
                let client_id = self.client_id.as_deref().ok_or(SpoolError::NoClientId)?;
                let (handle, opened, drain) = worker::open(spool, client_id)?;
                (Some(opened), Some((handle, drain)))
            }
            None => (None, None),
        };
        let config = Config {
            address,
            dialer: self.dialer,
            tls,
            client_id: self.client_id,
            username: self.username,
            password: self.password,
            token: self.token,
            agent: self.agent,
            keep_alive: self.keep_alive,
            session_expiry: self.session_expiry,
            will: self.will,
            buffer: self.buffer,
            backoff: self.backoff,
            connect_timeout: self.connect_timeout,
            close_timeout: self.close_timeout,
        };
        Ok((Shared::new(config, spool), opened))
    }

    /// Connects to a broker in the same test.
    #[cfg(test)]
    pub(crate) fn dialer(mut self, network: crate::testing::Network) -> Self {
        self.dialer = Dialer::Memory(network);
        self
    }
}

fn spawn(shared: Shared, spool: Option<Opened>, first: Option<Connection>) -> Result<Client, ConnectError> {
    let runtime = Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
    let shared = Arc::new(shared);
    if let Some(opened) = spool {
        opened.start(&shared).map_err(SpoolError::Thread)?;
    }
    runtime.spawn(task::run(Arc::clone(&shared), first));
    Ok(Client::new(shared))
}

/// Without credentials, which must not reach a log.
impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}
