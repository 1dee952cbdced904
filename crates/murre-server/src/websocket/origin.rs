//! May a page from there talk to this broker: the check of a browser's `Origin` (RFC 6454; RFC 6455, 10.2).
//!
//! A browser lets any page open a WebSocket to any host, and says in `Origin` where the page came from. Whatever is
//! no browser needn't send one, and may claim any: this protects a person's browser from other people's pages, and
//! stands for no authentication.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use actix_http::{
    StatusCode,
    header::{self, HeaderMap, HeaderName},
};
use thiserror::Error;

use super::refusal::Refusal;

/// Where a page came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `null`: a sandboxed frame, a local file, some redirects. Anybody's page can bring it about.
    Null,
    /// `scheme://host[:port]`, in lower case.
    Place {
        /// Such as `https`.
        scheme: String,
        /// A name, an IPv4 address, or an IPv6 address in brackets.
        host: String,
        /// As written, or else the scheme's own: 80 or 443.
        port: Option<u16>,
    },
}

/// Text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{text:?} is not an origin; expected scheme://host or scheme://host:port without a path, `null`, or `*`"
)]
pub struct InvalidOrigin {
    /// The text, as it was given.
    pub text: String,
}

/// Why a request from a page was refused: answered 403.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OriginRefused {
    /// An `Origin` that can't be read, or several of them.
    #[error("the header Origin is malformed; expected one scheme://host[:port]")]
    Malformed,
    /// The page comes from somewhere else.
    #[error("pages from {0} may not use this broker; add that to its list of allowed origins")]
    Foreign(
        /// Where the page came from.
        Origin,
    ),
}

/// Which `Host` a request may name so that a page from the same host and port counts as the broker's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnHost {
    /// Any. Under a name that its owner points at this machine (DNS rebinding), a foreign page is taken for the
    /// broker's own; authentication has to stand behind it.
    #[default]
    AnyName,
    /// An IP address only, which can't be rebound. The right one for a broker that only this machine reaches.
    AddressOnly,
}

/// Where pages may come from that use this broker: from its own address, from localhost, and from a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    own_host: OwnHost,
    any: bool,
    listed: Vec<Origin>,
}

impl AllowedOrigins {
    /// The broker's own address and localhost alone.
    pub fn own(own_host: OwnHost) -> Self {
        Self { own_host, any: false, listed: Vec::new() }
    }

    /// The same and those listed: `scheme://host[:port]`, `null`, or `*` for any page at all.
    ///
    /// # Errors
    /// Names the first element that is none of these.
    pub fn and_listed<S: AsRef<str>>(mut self, listed: &[S]) -> Result<Self, InvalidOrigin> {
        for text in listed.iter().map(AsRef::as_ref) {
            if text == "*" {
                self.any = true;
            } else {
                self.listed.push(text.parse()?);
            }
        }
        Ok(self)
    }

    /// Judges a request by its headers: in order without an `Origin`, since then it is no page that asks.
    ///
    /// # Errors
    /// The page is from elsewhere, or its origin can't be read; [`Refusal::from`] makes the answer, a 403.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), OriginRefused> {
        if self.any || !headers.contains_key(header::ORIGIN) {
            return Ok(());
        }
        let origin: Origin = only(headers, &header::ORIGIN)
            .and_then(|text| text.parse().ok())
            .ok_or(OriginRefused::Malformed)?;
        if self.listed.contains(&origin) || origin.is_local() || self.is_own(&origin, headers) {
            return Ok(());
        }
        Err(OriginRefused::Foreign(origin))
    }

    fn is_own(&self, origin: &Origin, headers: &HeaderMap) -> bool {
        let Some(own) = only(headers, &header::HOST).and_then(Authority::parse) else { return false };
        (self.own_host == OwnHost::AnyName || own.is_address()) && origin.is_at(&own)
    }
}

impl Origin {
    const SCHEME_MAX: usize = 32;

    /// A web page of this machine, at any port.
    fn is_local(&self) -> bool {
        let Self::Place { scheme, host, .. } = self else { return false };
        is_web(scheme) && is_loopback(host)
    }

    /// A web page of that host and port.
    fn is_at(&self, own: &Authority) -> bool {
        let Self::Place { scheme, host, port } = self else { return false };
        is_web(scheme) && own.host == *host && own.port.or(default_port(scheme)) == *port
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "null" {
            return Ok(Self::Null);
        }
        let place = || {
            let (scheme, authority) = text.split_once("://")?;
            // Bounded, since it is shown in the refusal.
            if scheme.len() > Self::SCHEME_MAX {
                return None;
            }
            let first_is_letter = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
            let rest_is_valid = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
            let Authority { host, port } = Authority::parse(authority)?;
            let scheme = scheme.to_ascii_lowercase();
            let port = port.or(default_port(&scheme));
            (first_is_letter && rest_is_valid).then_some(Self::Place { scheme, host, port })
        };
        place().ok_or_else(|| InvalidOrigin { text: text.to_owned() })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Place { scheme, host, port: Some(port) } if default_port(scheme) != Some(*port) => {
                write!(f, "{scheme}://{host}:{port}")
            }
            Self::Place { scheme, host, .. } => write!(f, "{scheme}://{host}"),
        }
    }
}

impl From<OriginRefused> for Refusal {
    fn from(error: OriginRefused) -> Self {
        Self::new(StatusCode::FORBIDDEN, &error.to_string())
    }
}

/// `host[:port]`, the host in lower case.
struct Authority {
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// The longest name that DNS knows.
    const HOST_MAX: usize = 253;

    /// Strict, so that no two readers can take the same text for different hosts: no user, no path, no escapes.
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let is_valid = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
            if host.is_empty() || host.len() > Self::HOST_MAX || !is_valid {
                return None;
            }
            (host.to_ascii_lowercase(), port)
        };
        if port.is_empty() {
            return Some(Self { host, port: None });
        }
        let digits = port.strip_prefix(':')?;
        // `parse` alone would take a sign.
        let port = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
        Some(Self { host, port: Some(port) })
    }

    fn is_address(&self) -> bool {
        self.host.starts_with('[') || self.host.parse::<Ipv4Addr>().is_ok()
    }
}

/// Whether a request names this machine as its `Host` in a way that no name server can turn elsewhere.
pub(crate) fn is_host_local(headers: &HeaderMap) -> bool {
    only(headers, &header::HOST).and_then(Authority::parse).is_some_and(|own| is_loopback(&own.host))
}

/// Whether a request has no `Origin`, or that of the host and port that it names itself.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let origin = only(headers, &header::ORIGIN).and_then(|text| text.parse::<Origin>().ok());
    let own = only(headers, &header::HOST).and_then(Authority::parse);
    origin.zip(own).is_some_and(|(origin, own)| origin.is_at(&own))
}

/// Whether a host, as [`Authority`] has it, is this machine.
fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// The value of a header that is there exactly once and is text.
fn only<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Option<&'r str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok())?
}

fn is_web(scheme: &str) -> bool {
    default_port(scheme).is_some()
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
