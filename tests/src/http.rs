//! HTTP requests and Server-Sent Events.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use ureq::Agent;
use ureq::http::{Request, Response};

use crate::load::narrow;
use crate::{Broker, DEADLINE};

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads status line and headers.
    pub(crate) fn from_head(head: &str) -> Self {
        let mut lines = head.lines();
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { status: status.expect("a status line"), headers, body: Vec::new() }
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `Content-Type` without its parameters.
    pub fn media_type(&self) -> &str {
        self.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// Asserts that this is an error of this status as `application/problem+json`, and gives its detail.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!((self.status, self.media_type()), (status, "application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        problem["detail"].as_str().or(problem["title"].as_str()).expect("what was wrong, in words").to_owned()
    }
}

impl Broker {
    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    /// Any request; `path` begins with a slash.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let response = send(self, method, path, headers, body.as_ref());
        let (head, mut body) = response.into_parts();
        Answer {
            status: head.status.as_u16(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect(),
            body: body.read_to_vec().expect("a body"),
        }
    }

    /// Asks for a body that is read a line at a time, or not at all for a while: over a [`narrow`] connection.
    pub fn download(&self, path: &str, accept: &str) -> Download {
        let mut stream = narrow(self);
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let host = self.address();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\n\r\n").expect("a request");
        let mut body = Chunked { stream: BufReader::new(stream), left: 0, has_ended: false };
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(body.stream.read_line(&mut head).expect("a head"), 0, "the broker answers");
        }
        Download { answer: Answer::from_head(&head), lines: BufReader::new(body) }
    }

    /// Opens a stream of Server-Sent Events.
    pub fn events(&self, path: &str) -> Events {
        let response = send(self, "GET", path, &[("accept", "text/event-stream")], &[]);
        assert_eq!(response.status(), 200, "the broker streams events");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events(BufReader::new(response.into_body().into_reader()))
    }
}

fn send(
    broker: &Broker,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response<ureq::Body> {
    let agent: Agent =
        Agent::config_builder().http_status_as_error(false).timeout_global(Some(DEADLINE)).build().into();
    let mut request = Request::builder().method(method).uri(broker.http(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_vec()).expect("a request");
    agent.run(request).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// A body on its way.
pub struct Download {
    /// Status line and headers.
    pub answer: Answer,
    lines: BufReader<Chunked>,
}

impl Iterator for Download {
    type Item = String;

    /// The next line; none at the body's end.
    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        let bytes = self.lines.read_line(&mut line).expect("the body goes on");
        (bytes > 0).then_some(line)
    }
}

/// A body in chunks (RFC 9112, 7.1). One that is cut short fails the test.
struct Chunked {
    stream: BufReader<TcpStream>,
    left: usize,
    has_ended: bool,
}

impl Read for Chunked {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.has_ended {
            return Ok(0);
        }
        if self.left == 0 {
            let mut size = String::new();
            self.stream.read_line(&mut size)?;
            self.left = usize::from_str_radix(size.trim_end(), 16).map_err(std::io::Error::other)?;
            self.has_ended = self.left == 0;
        }
        let room = self.left.min(into.len());
        let read = self.stream.read(&mut into[..room])?;
        self.left -= read;
        if self.left == 0 && !self.has_ended {
            self.stream.read_exact(&mut [0; 2])?;
        }
        if read == 0 && !self.has_ended {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

/// A stream of Server-Sent Events.
pub struct Events(BufReader<ureq::BodyReader<'static>>);

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The field `id`.
    pub id: String,
    /// The field `event`; empty: a message.
    pub kind: String,
    /// The lines of `data`.
    pub data: String,
}

impl Event {
    /// `data` as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Iterator for Events {
    type Item = Event;

    /// The next event that has data; comments, which keep proxies awake, are passed over.
    fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        for line in self.0.by_ref().lines() {
            let line = line.expect("the stream of events goes on");
            match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                Some(("id", value)) => value.clone_into(&mut event.id),
                Some(("event", value)) => value.clone_into(&mut event.kind),
                Some(("data", value)) if event.data.is_empty() => value.clone_into(&mut event.data),
                Some(("data", value)) => event.data = format!("{}\n{value}", event.data),
                None if line.is_empty() && !event.data.is_empty() => return Some(event),
                _ => {}
            }
        }
        None
    }
}
