//! Where a broker is.

use tokio_tungstenite::tungstenite::http::Uri;

use crate::error::ConnectError;

/// A broker's URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The whole URL, with a path.
    pub(crate) url: String,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Address {
    /// Checks `url`; the path is `/ws` where there is none, the port 80 or 443 as for HTTP.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let wrong = |problem: &str| ConnectError::Url { url: url.to_owned(), problem: problem.to_owned() };
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            Some(other) => return Err(wrong(&format!("the scheme is {other:?}"))),
            None => return Err(wrong("it has no scheme")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "it has a user or password, which belong into username(), password() or token()",
            ));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let port = match authority
            .as_str()
            .rsplit_once(']')
            .map_or(authority.as_str(), |(_, port)| port)
            .split_once(':')
        {
            Some((_, port)) => port.parse().map_err(|_| wrong(&format!("{port:?} is no port")))?,
            None if tls => 443,
            None => 80,
        };
        let path = match uri.path_and_query().map(|path| path.as_str()) {
            None | Some("" | "/") => "/ws",
            Some(path) => path,
        };
        let scheme = if tls { "wss" } else { "ws" };
        Ok(Self { url: format!("{scheme}://{authority}{path}"), host: host.to_owned(), port, tls })
    }
}

/// Host and port, as people write them.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_ws_where_the_url_has_none() {
        for (url, full) in [
            ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
            ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws"),
            ("ws://broker:1/murre/ws?x=1", "ws://broker:1/murre/ws?x=1"),
        ] {
            assert_eq!(Address::parse(url).unwrap().url, full);
        }
    }

    #[test]
    fn ports_are_those_of_http_where_the_url_has_none() {
        assert_eq!(Address::parse("ws://broker").unwrap().to_string(), "broker:80");
        assert_eq!(Address::parse("wss://broker/ws").unwrap().to_string(), "broker:443");
        assert_eq!(Address::parse("ws://[::1]:81").unwrap().to_string(), "[::1]:81");
        assert_eq!(Address::parse("wss://[::1]").unwrap().to_string(), "[::1]:443");
    }

    #[test]
    fn a_url_that_cannot_be_used_says_why_and_how_to_write_it() {
        for (url, why) in [
            ("http://a/ws", "scheme is \"http\""),
            ("127.0.0.1:8080", "no scheme"),
            ("", "empty"),
            ("ws://a:99999", "is no port"),
            ("ws://me:secret@a", "password()"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("ws://host:port/ws"), "{url}: {error}");
        }
    }
}
