//! A socket that sends any bytes, for what no well-behaved client does.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::http::Answer;
use crate::{Broker, DEADLINE, Frame, Packet, frame};

/// Bytes that are read at a time, and the time that this takes, where the link is good.
const AT_ONCE: (usize, Duration) = (16 * 1024, Duration::ZERO);

/// A TCP connection to the broker.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    received: Vec<u8>,
    /// How many bytes it reads at a time, and how long it takes for that.
    pace: (usize, Duration),
}

impl RawSocket {
    /// Connects, and says nothing yet.
    pub fn open(broker: &Broker) -> Self {
        Self::over(TcpStream::connect(broker.address()).expect("the broker listens"))
    }

    /// The same over a TCP connection that the test has prepared.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self { stream, received: Vec::new(), pace: AT_ONCE }
    }

    /// Reads so many bytes at a time at most, and takes so long for it: the link is slow.
    pub fn reading(mut self, bytes: usize, every: Duration) -> Self {
        self.pace = (bytes, every);
        self
    }

    /// Reads what there is, without delay: as at first.
    pub fn read_at_once(&mut self) {
        self.pace = AT_ONCE;
    }

    /// Connects and upgrades, with a subprotocol or none (`""`).
    pub fn upgraded(broker: &Broker, path: &str, subprotocol: &str) -> Self {
        Self::open(broker).upgrade(broker, path, subprotocol)
    }

    /// Upgrades.
    pub fn upgrade(mut self, broker: &Broker, path: &str, subprotocol: &str) -> Self {
        let offer = [format!("Sec-WebSocket-Protocol: {subprotocol}")];
        let answer =
            self.ask(&upgrade_request(broker, path, if subprotocol.is_empty() { &[] } else { &offer }));
        assert_eq!(answer.status, 101, "the broker upgrades: {answer:?}");
        assert_eq!(answer.header("sec-websocket-protocol").unwrap_or_default(), subprotocol);
        self
    }

    /// Upgrades to MessagePack, and has CONNECT and CONNECTED behind it.
    pub fn connected(broker: &Broker) -> Self {
        let mut socket = Self::upgraded(broker, "/ws", "murre.v1.msgpack");
        socket.send_packet(&Packet::connect(serde_json::json!({})));
        let answer = socket.packets();
        assert!(answer[0].is(crate::Kind::Connected), "expected CONNECTED, got {answer:?}");
        socket
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the broker takes bytes");
    }

    /// Sends bytes that the broker may not want any more.
    ///
    /// # Errors
    /// The broker has closed the connection, or takes nothing until the deadline.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends frames, all in one write.
    pub fn send_frames(&mut self, frames: &[Frame]) {
        self.send(frames.iter().flat_map(Frame::encode).collect::<Vec<_>>());
    }

    /// Sends a packet in a frame of its own.
    pub fn send_packet(&mut self, packet: &Packet) {
        self.send(Frame::binary(packet.encode()).encode());
    }

    /// Sends an HTTP request and reads the answer's head, and its body where it has a length.
    pub fn ask(&mut self, request: &str) -> Answer {
        self.send(request);
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.fill(), "the broker closed the connection instead of answering");
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let mut answer = Answer::from_head(&String::from_utf8(head).expect("a head in ASCII"));
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.received.len() < length && self.fill() {}
        answer.body = self.received.drain(..length.min(self.received.len())).collect();
        answer
    }

    /// The next frame; fails the test when the connection ends instead.
    pub fn frame(&mut self) -> Frame {
        loop {
            if let Some(frame) = Frame::decode(&mut self.received) {
                return frame;
            }
            assert!(self.fill(), "the connection ended instead of a frame");
        }
    }

    /// The next message, its fragments joined: its opcode and its payload.
    pub fn message(&mut self) -> (u8, Vec<u8>) {
        let Frame { opcode, mut payload, mut fin, .. } = self.frame();
        while !fin {
            let next = self.frame();
            assert_eq!(next.opcode, frame::CONTINUATION, "expected the message to go on, got {next:?}");
            payload.extend(next.payload);
            fin = next.fin;
        }
        (opcode, payload)
    }

    /// The packets of the next frame, a binary message.
    pub fn packets(&mut self) -> Vec<Packet> {
        let frame = self.frame();
        assert_eq!(frame.opcode, frame::BINARY, "expected a binary message, got {frame:?}");
        Packet::decode_all(&frame.payload)
    }

    /// Passes over other frames up to the close frame, and gives its code; then TCP has to end, too.
    pub fn closed(&mut self) -> Option<u16> {
        loop {
            let frame = self.frame();
            if frame.opcode == frame::CLOSE {
                self.try_send(Frame::new(frame::CLOSE, &frame.payload).encode()).ok();
                self.ended();
                return frame.close_code();
            }
        }
    }

    /// Waits for the end of the connection, passing over whatever comes before.
    pub fn ended(&mut self) {
        while self.fill() {}
    }

    /// Sends FIN: nothing more is to come from this side.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Reads what is there; false at the end of the connection.
    fn fill(&mut self) -> bool {
        let (bytes, time) = self.pace;
        std::thread::sleep(time);
        let mut buffer = vec![0; bytes];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.received.extend(&buffer[..length]);
                true
            }
            // The broker ended before it had read all that was sent: TCP says that with a reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came from the broker within {DEADLINE:?}: {error}"),
        }
    }
}

/// A right upgrade request with more headers.
pub fn upgrade_request(broker: &Broker, path: &str, headers: &[String]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
        broker.address()
    )
}
