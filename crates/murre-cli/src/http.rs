//! The broker's HTTP, for what is not asked for over WebSocket.

use std::{
    io::{BufRead, BufReader},
    time::Duration,
};

use serde::Deserialize;
use ureq::{Agent, Body, http::Response};

use crate::failure::Failure;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an error's body that are read.
const PROBLEM_BYTES_MAX: u64 = 64 * 1024;

/// A broker's HTTP.
pub(crate) struct Http {
    agent: Agent,
    base: String,
}

impl Http {
    /// At the host that `broker` names, the address for WebSocket.
    ///
    /// # Errors
    /// That is none.
    pub(crate) fn of(broker: &str) -> Result<Self, Failure> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("murre-cli/", env!("CARGO_PKG_VERSION")))
            .max_redirects(0)
            .build();
        Ok(Self { agent: agent.into(), base: base(broker)? })
    }

    /// What is under a path with its query, as the body comes.
    ///
    /// # Errors
    /// There is no broker, or it refuses.
    pub(crate) fn get(&self, path: &str, accept: &str) -> Result<impl BufRead + use<>, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base)).header("accept", accept);
        let response = self.answered(request.call())?;
        Ok(BufReader::with_capacity(256 * 1024, response.into_body().into_reader()))
    }

    /// Posts nothing to a path with its query, and gives the answer's JSON.
    ///
    /// # Errors
    /// There is no broker, or it refuses.
    pub(crate) fn post<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, Failure> {
        read(self.answered(self.agent.post(format!("{}{path}", self.base)).send_empty())?)
    }

    /// Gives the JSON under a path with its query.
    ///
    /// # Errors
    /// There is no broker, or it refuses.
    pub(crate) fn json<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, Failure> {
        read(self.answered(self.agent.get(format!("{}{path}", self.base)).call())?)
    }

    fn answered(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, Failure> {
        let mut response =
            answer.map_err(|error| Failure::Unreachable(format!("no answer from {}: {error}", self.base)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.body_mut().with_config().limit(PROBLEM_BYTES_MAX).read_to_string();
        let problem = body.ok().and_then(|text| serde_json::from_str::<Problem>(&text).ok());
        let detail = problem.map_or_else(|| "is there a murre broker?".to_owned(), |problem| problem.detail);
        Err(Failure::Refused(format!("the broker at {} answered {}: {detail}", self.base, status.as_u16())))
    }
}

fn read<T: for<'de> Deserialize<'de>>(mut answer: Response<Body>) -> Result<T, Failure> {
    let text = answer.body_mut().read_to_string().map_err(Failure::failed)?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Failed(format!("the answer makes no sense: {error}")))
}

/// An error as the broker writes it (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// `http://host:port` of `ws://host:port/ws`, with what a proxy has before `/ws`.
fn base(broker: &str) -> Result<String, Failure> {
    let (scheme, rest) = match broker.split_once("://") {
        Some(("ws" | "http", rest)) => ("http", rest),
        Some(("wss" | "https", rest)) => ("https", rest),
        _ => {
            return Err(Failure::Usage(format!(
                "{broker:?} is no address of a broker; expected ws://host:port/ws or wss://host:port/ws"
            )));
        }
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let rest = rest.strip_suffix("/ws").unwrap_or(rest);
    Ok(format!("{scheme}://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_where_websocket_is() {
        assert_eq!(base("ws://127.0.0.1:8080/ws").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(base("wss://example.org").unwrap(), "https://example.org");
        assert_eq!(base("wss://example.org/murre/ws?x=1").unwrap(), "https://example.org/murre");
        assert_eq!(base("http://[::1]:81/").unwrap(), "http://[::1]:81");
        assert!(base("127.0.0.1:8080").is_err());
    }
}
