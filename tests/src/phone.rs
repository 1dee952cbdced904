//! A subscriber at the end of a slow link, as a phone is at times.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::raw::RawSocket;
use crate::{Broker, Kind, Packet};

/// Bytes that the phone reads at a time, ten times a second: 10 KiB a second.
const READ_BYTES: usize = 1024;
const READ_EVERY: Duration = Duration::from_millis(100);
/// What a mobile network carries in a packet, and holds for a phone. On loopback the system would else hold megabytes
/// for one that doesn't read.
const SEGMENT_BYTES: u32 = 1200;
const RECEIVE_BYTES: usize = 8 * 1024;

/// A connected phone.
#[derive(Debug)]
pub struct Phone {
    socket: RawSocket,
    waiting: VecDeque<Packet>,
}

impl Phone {
    /// Connects.
    pub fn connect(broker: &Broker) -> Self {
        let stream = narrow_link(broker).expect("the broker listens");
        let mut socket = RawSocket::over(stream).upgrade(broker, "/ws", "murre.v1.msgpack");
        socket.send_packet(&Packet::connect(serde_json::json!({})));
        let socket = socket.reading(READ_BYTES, READ_EVERY);
        let mut phone = Self { socket, waiting: VecDeque::new() };
        phone.expect(Kind::Connected);
        phone
    }

    /// Subscribes to what is published from now on, with these options besides.
    pub fn subscribe_live(&mut self, sub: u64, filter: &str, mut options: serde_json::Value) {
        options["from"] = "live".into();
        self.socket.send_packet(&Packet::subscribe(sub, filter, options));
        let answer = self.expect(Kind::Subscribed);
        assert_eq!(answer.number(2), 0, "the subscription is granted: {answer:?}");
        self.expect(Kind::CaughtUp);
    }

    /// From now on it reads as fast as it can.
    pub fn leave_the_slow_link(&mut self) {
        self.socket.read_at_once();
    }

    /// The next packet.
    pub fn packet(&mut self) -> Packet {
        while self.waiting.is_empty() {
            self.waiting.extend(self.socket.packets());
        }
        self.waiting.pop_front().expect("there is one")
    }

    fn expect(&mut self, kind: Kind) -> Packet {
        let packet = self.packet();
        assert!(packet.is(kind), "expected {kind:?}, got {packet:?}");
        packet
    }
}

fn narrow_link(broker: &Broker) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(broker.address()), Type::STREAM, None)?;
    // Both count only before the handshake.
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    socket.set_tcp_mss(SEGMENT_BYTES)?;
    socket.connect(&broker.address().into())?;
    Ok(socket.into())
}
