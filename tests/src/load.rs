//! More than a well-behaved client sends, and less than it reads.
//!
//! Tests of load have two sizes: one that runs within seconds in a debug build, and the full one, with `MURRE_FULL=1`
//! in the environment.

use std::collections::BTreeMap;
use std::net::TcpStream;

use crate::{Broker, Client, Frame, Kind, Message, Packet, RawSocket};

/// `full` with `MURRE_FULL=1`, else `default`.
pub fn sized(default: usize, full: usize) -> usize {
    if std::env::var_os("MURRE_FULL").is_some_and(|value| value == "1") { full } else { default }
}

/// Bytes in MiB, for what a test prints.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A TCP connection whose receive buffer is small: a client on it that stops reading is felt by the
/// broker at once, and not after the megabytes that systems hold otherwise.
pub fn narrow(broker: &Broker) -> TcpStream {
    let stream = TcpStream::connect(broker.address()).expect("the broker listens");
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 128 * 1024).expect("an option");
    stream
}

impl Client {
    /// Sends `connect` over a [`narrow`] connection.
    pub fn connect_narrow(broker: &Broker, connect: &Packet) -> Self {
        let mut client = Self::over(broker, narrow(broker));
        client.send(connect);
        client.expect(Kind::Connected);
        client
    }
}

/// Publishes texts that begin with their numbers from 0 on, to each topic in turn; a few at a time, each accepted.
pub fn publish_numbered(device: &mut Client, topics: &[&str], count: usize, payload_bytes: usize) {
    publish_numbered_and(device, topics, count, payload_bytes, |_| {});
}

/// The same; `accepted` is told of each few how many they were.
pub fn publish_numbered_and(
    device: &mut Client,
    topics: &[&str],
    count: usize,
    payload_bytes: usize,
    mut accepted: impl FnMut(usize),
) {
    let filling = "x".repeat(payload_bytes);
    for batch in (0..count).collect::<Vec<_>>().chunks(50) {
        let publish =
            |n: &usize| Packet::publish(topics[n % topics.len()], format!("{n} {filling}"), *n as u64 + 1);
        device.send_all(&batch.iter().map(publish).collect::<Vec<_>>());
        for _ in batch {
            let answer = device.wait_for(Kind::Published);
            assert_eq!(answer.number(2), 0, "{answer:?}");
        }
        accepted(batch.len());
    }
}

/// The number that a text of [`publish_numbered`] begins with.
pub fn number(message: &Message) -> usize {
    let first = message.text().split(' ').next().and_then(|number| number.parse().ok());
    first.unwrap_or_else(|| panic!("no number in {message:?}"))
}

/// What a subscriber got, and what it was told that it didn't.
#[derive(Debug, Default)]
pub struct Tally {
    /// The numbers of the messages that came, by subscription.
    pub received: BTreeMap<u64, Vec<usize>>,
    /// The counts of all its NOTICE, by subscription.
    pub dropped: BTreeMap<u64, u64>,
}

impl Tally {
    /// Reads until `count` messages are accounted for on each of these subscriptions, as received or dropped; then
    /// asks for a PONG, to see that nothing more comes.
    pub fn of(client: &mut Client, subs: &[u64], count: usize) -> Self {
        let mut tally = Self::default();
        while subs.iter().any(|sub| tally.total(*sub) < count) {
            tally.take(client.packet());
        }
        client.send(&Packet::new(Kind::Ping, []));
        loop {
            let packet = client.packet();
            if packet.is(Kind::Pong) {
                return tally;
            }
            tally.take(packet);
        }
    }

    /// Messages that are accounted for on a subscription.
    pub fn total(&self, sub: u64) -> usize {
        self.received.get(&sub).map_or(0, Vec::len)
            + self.dropped.get(&sub).map_or(0, |count| *count as usize)
    }

    /// Messages that were dropped, on all subscriptions.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.values().sum()
    }

    fn take(&mut self, packet: Packet) {
        if packet.is(Kind::Notice) {
            assert_eq!(packet.info("kind").as_str(), Some("dropped"), "{packet:?}");
            let sub = packet.info("sub").as_u64().expect("a subscription");
            *self.dropped.entry(sub).or_default() += packet.info("count").as_u64().expect("a count");
        } else {
            let message = Message::from_packet(packet);
            self.received.entry(message.sub).or_default().push(number(&message));
        }
    }
}

/// Publishes to `topic` at full speed, without a pause and without asking for acknowledgements, until about `bytes`
/// are out; the last publish is acknowledged, so all were taken when this returns. Says how many there were.
pub fn flood(broker: &Broker, topic: &str, bytes: usize) -> u64 {
    const PAYLOAD: usize = 1000;
    const PUBLISHES: usize = 60;
    let mut socket = RawSocket::connected(broker);
    let publish = Packet::publish(topic, [b'x'; PAYLOAD], 0).encode();
    let frame = Frame::binary(publish.repeat(PUBLISHES)).encode();
    let frames = bytes.div_ceil(PAYLOAD * PUBLISHES);
    for _ in 0..frames {
        socket.send(&frame);
    }
    socket.send_packet(&Packet::publish(topic, "last", 1));
    let answers = socket.packets();
    assert!(answers[0].is(Kind::Published) && answers[0].number(2) == 0, "{answers:?}");
    (frames * PUBLISHES) as u64 + 1
}
