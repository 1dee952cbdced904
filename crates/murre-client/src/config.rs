//! What a client was built with.

use std::{sync::Arc, time::Duration};

use murre_protocol::packet::Connect;

use crate::{
    address::Address, backoff::Backoff, buffer::Buffer, dial::Dialer, will::Will, will::seconds_rounded_up,
};

/// See the module.
pub(crate) struct Config {
    pub(crate) address: Address,
    pub(crate) dialer: Dialer,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) client_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) agent: String,
    pub(crate) keep_alive: Duration,
    pub(crate) session_expiry: Duration,
    pub(crate) will: Option<Will>,
    pub(crate) buffer: Buffer,
    pub(crate) backoff: Backoff,
    pub(crate) connect_timeout: Duration,
    pub(crate) close_timeout: Duration,
}

impl Config {
    /// CONNECT, for the name that the client has by now.
    pub(crate) fn connect<'a>(&'a self, client_id: Option<&'a str>) -> Connect<'a> {
        Connect {
            client_id: client_id.map(Into::into),
            username: self.username.as_deref().map(Into::into),
            password: self.password.as_deref().map(Into::into),
            token: self.token.as_deref().map(Into::into),
            keep_alive: Some(seconds_rounded_up(self.keep_alive)),
            session_expiry: (!self.session_expiry.is_zero()).then(|| seconds_rounded_up(self.session_expiry)),
            will: self.will.as_ref().map(Will::to_wire),
            agent: Some(self.agent.as_str().into()),
        }
    }
}

/// Without credentials, which must not reach a log.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("address", &self.address).finish_non_exhaustive()
    }
}
