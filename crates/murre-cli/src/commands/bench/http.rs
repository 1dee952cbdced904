//! As much HTTP/1.1 as one POST needs.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The longest body of an answer.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Such as 200.
    pub(super) status: u16,
    /// The body as text.
    pub(super) body: String,
}

/// A connection that is kept between requests.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    /// What came after the last answer.
    pending: Vec<u8>,
}

impl Connection {
    /// Connects to `address` (host:port).
    ///
    /// # Errors
    /// The system's.
    pub(super) async fn open(address: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, pending: Vec::new() })
    }

    /// Sends `request` whole and reads the answer.
    ///
    /// # Errors
    /// The connection ended early, or the answer isn't HTTP/1.1 with a length.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.socket.write_all(request).await?;
        let end_of_head = loop {
            if let Some(at) = self.pending.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if self.pending.len() > HEAD_BYTES_MAX {
                return Err(io::Error::other("the head of the answer is too long"));
            }
            self.read_more().await?;
        };
        let head: Vec<u8> = self.pending.drain(..end_of_head).collect();
        let (status, length) = parse_head(&String::from_utf8_lossy(&head)).map_err(io::Error::other)?;
        while self.pending.len() < length {
            self.read_more().await?;
        }
        let body: Vec<u8> = self.pending.drain(..length).collect();
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.socket.read_buf(&mut self.pending).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the broker closed the connection before its answer was complete",
            )),
            _ => Ok(()),
        }
    }
}

/// A POST of JSON, with the headers that a small client sends.
pub(super) fn post(host: &str, path: &str, body: &str, keep: bool) -> Vec<u8> {
    let connection = if keep { "keep-alive" } else { "close" };
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: murre-bench\r\nAccept: */*\r\nConnection: {connection}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Status, and bytes of the body.
fn parse_head(head: &str) -> Result<(u16, usize), String> {
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = match status_line.split(' ').collect::<Vec<_>>().as_slice() {
        [version, status, ..] if version.starts_with("HTTP/1.") => status.parse::<u16>().ok(),
        _ => None,
    };
    let status = status.ok_or_else(|| format!("the answer is not HTTP/1.1: {status_line:?}"))?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let length = headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim())
        .next();
    match length.map(str::parse::<usize>) {
        Some(Ok(length)) if length <= BODY_BYTES_MAX => Ok((status, length)),
        None if matches!(status, 204 | 304) => Ok((status, 0)),
        _ => Err("the answer says no length, or one that is too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_length() {
        assert_eq!(parse_head("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n"), Ok((200, 12)));
        assert_eq!(parse_head("HTTP/1.1 204 No Content\r\n\r\n"), Ok((204, 0)));
        assert!(parse_head("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(parse_head("SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn a_post_carries_its_body_behind_the_head() {
        let text = String::from_utf8(post("h:1", "/topics/a", "{}", false)).unwrap();
        assert!(text.starts_with("POST /topics/a HTTP/1.1\r\nHost: h:1\r\n"));
        assert!(text.ends_with("Content-Length: 2\r\n\r\n{}"));
    }
}
