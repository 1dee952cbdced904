//! The flags that say which broker, and the connection to it.

use murre_client::{Buffer, Client, ClientClosed, ConnectError, PublishError, SubscribeError, WhenFull};

use crate::failure::Failure;

/// Where `murre serve` listens by default.
pub(crate) const DEFAULT_BROKER: &str = "ws://127.0.0.1:8080/ws";

/// Bytes that wait to be sent; whoever publishes waits with them.
const BUFFER_BYTES: usize = 32 << 20;

/// Which broker.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BrokerFlags {
    /// The broker's address
    #[arg(long, env = "MURRE_BROKER", default_value = DEFAULT_BROKER, value_name = "URL")]
    pub(crate) broker: String,
}

impl BrokerFlags {
    /// A connection to the broker.
    ///
    /// # Errors
    /// It can't be reached, or refuses.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        connect(&self.broker).await
    }
}

/// A connection to the broker at `url`.
///
/// # Errors
/// It can't be reached, or refuses.
pub(crate) async fn connect(url: &str) -> Result<Client, Failure> {
    // A command publishes what it was given: nothing is left out for newer messages.
    let buffer = Buffer::messages(100_000).bytes(BUFFER_BYTES).when_full(WhenFull::Wait);
    let agent = concat!("murre-cli ", env!("CARGO_PKG_VERSION"));
    Ok(Client::builder(url).agent(agent).buffer(buffer).connect().await?)
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let text = error.to_string();
        match error {
            ConnectError::Url { .. } => Self::Usage(text),
            ConnectError::Refused { .. } | ConnectError::Http { status: 401 | 403, .. } => {
                Self::Refused(text)
            }
            ConnectError::ClientId { .. } | ConnectError::NoRuntime => Self::Failed(text),
            _ => Self::Unreachable(text),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let text = error.to_string();
        match error {
            PublishError::Topic { .. } => Self::Usage(text),
            PublishError::Refused { .. } => Self::Refused(text),
            PublishError::Closed(closed) => closed.into(),
            _ => Self::Failed(text),
        }
    }
}

impl From<SubscribeError> for Failure {
    fn from(error: SubscribeError) -> Self {
        let text = error.to_string();
        match error {
            SubscribeError::Filter { .. } => Self::Usage(text),
            SubscribeError::Refused { .. } => Self::Refused(text),
            SubscribeError::Closed(closed) => closed.into(),
            _ => Self::Failed(text),
        }
    }
}

impl From<ClientClosed> for Failure {
    fn from(closed: ClientClosed) -> Self {
        match closed.code {
            Some(_) => Self::Refused(closed.to_string()),
            None => Self::Failed(closed.to_string()),
        }
    }
}
