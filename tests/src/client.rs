//! A client in MessagePack that waits for what a test expects, and fails when something else comes.

use std::collections::VecDeque;
use std::net::TcpStream;

use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message as WebSocketMessage, WebSocket};

use crate::packet::value;
use crate::{Broker, DEADLINE, Kind, Message, Packet};

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The WebSocket's close code; `None` where there was no close frame, or one without a code.
    pub code: Option<u16>,
    /// The close frame's reason.
    pub reason: String,
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    socket: WebSocket<TcpStream>,
    waiting: VecDeque<Packet>,
    ending: Option<Ending>,
    next_id: u64,
}

impl Client {
    /// Opens the WebSocket and says nothing yet.
    pub fn open(broker: &Broker) -> Self {
        Self::over(broker, TcpStream::connect(broker.address()).expect("the broker listens"))
    }

    /// The same over a TCP connection that the test has prepared.
    pub fn over(broker: &Broker, stream: TcpStream) -> Self {
        let mut request = broker.ws().into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", "murre.v1.msgpack".parse().expect("a header"));
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        let (socket, _) = tungstenite::client(request, stream).expect("the broker upgrades");
        Self { socket, waiting: VecDeque::new(), ending: None, next_id: 1 }
    }

    /// Connects with a client id that the broker gives.
    pub fn connect(broker: &Broker) -> Self {
        Self::connect_with(broker, serde_json::json!({}))
    }

    /// Connects under this client id.
    pub fn connect_as(broker: &Broker, client_id: &str) -> Self {
        Self::connect_with(broker, serde_json::json!({ "client_id": client_id }))
    }

    /// Connects with these options of CONNECT.
    pub fn connect_with(broker: &Broker, options: serde_json::Value) -> Self {
        let mut client = Self::open(broker);
        client.send(&Packet::connect(options));
        client.expect(Kind::Connected);
        client
    }

    /// Sends one packet in a message of its own.
    pub fn send(&mut self, packet: &Packet) {
        self.send_message(WebSocketMessage::binary(packet.encode()));
    }

    /// Sends several packets in one message.
    pub fn send_all(&mut self, packets: &[Packet]) {
        self.send_message(WebSocketMessage::binary(
            packets.iter().flat_map(Packet::encode).collect::<Vec<u8>>(),
        ));
    }

    /// Sends any WebSocket message.
    pub fn send_message(&mut self, message: WebSocketMessage) {
        self.socket.send(message).expect("the broker takes a message");
    }

    /// The next packet, in order.
    pub fn packet(&mut self) -> Packet {
        self.poll().unwrap_or_else(|| panic!("the connection ended: {:?}", self.ending))
    }

    /// The next packet; none when the connection has ended, however.
    pub fn packet_or_end(&mut self) -> Option<Packet> {
        self.poll()
    }

    /// Sends several packets in one message; false when the connection has ended.
    pub fn try_send_all(&mut self, packets: &[Packet]) -> bool {
        let bytes: Vec<u8> = packets.iter().flat_map(Packet::encode).collect();
        self.socket.send(WebSocketMessage::binary(bytes)).is_ok()
    }

    /// The next packet, which has to be of this type.
    pub fn expect(&mut self, kind: Kind) -> Packet {
        let packet = self.packet();
        assert!(packet.is(kind), "expected {kind:?}, got {packet:?}");
        packet
    }

    /// The first packet of this type; those before it wait for later.
    pub fn wait_for(&mut self, kind: Kind) -> Packet {
        let mut passed = VecDeque::new();
        let found = loop {
            let packet = self.packet();
            if packet.is(kind) {
                break packet;
            }
            assert!(!packet.is(Kind::Disconnect), "waited for {kind:?}, got {packet:?}");
            passed.push_back(packet);
        };
        passed.append(&mut self.waiting);
        self.waiting = passed;
        found
    }

    /// The next packet, which has to be a MESSAGE.
    pub fn message(&mut self) -> Message {
        Message::from_packet(self.packet())
    }

    /// The first MESSAGE; other packets before it wait for later.
    pub fn waited_message(&mut self) -> Message {
        Message::from_packet(self.wait_for(Kind::Message))
    }

    /// The next so many packets, all MESSAGEs.
    pub fn messages(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.message()).collect()
    }

    /// Subscribes, and gives the snapshot of last values that comes before CAUGHT_UP.
    pub fn subscribe(&mut self, sub: u64, filter: &str) -> Vec<Message> {
        self.subscribe_with(sub, filter, serde_json::json!({}))
    }

    /// Subscribes to what is published from now on.
    pub fn subscribe_live(&mut self, sub: u64, filter: &str) {
        let snapshot = self.subscribe_with(sub, filter, serde_json::json!({ "from": "live" }));
        assert_eq!(snapshot, [], "there is no snapshot before live");
    }

    /// Subscribes with these options, and gives the snapshot.
    pub fn subscribe_with(&mut self, sub: u64, filter: &str, options: serde_json::Value) -> Vec<Message> {
        let answer = self.try_subscribe(sub, filter, options);
        assert_eq!(answer.number(2), 0, "the subscription is granted: {answer:?}");
        let mut snapshot = Vec::new();
        loop {
            let packet = self.packet();
            if packet.is(Kind::CaughtUp) {
                assert_eq!(packet.number(1), sub);
                return snapshot;
            }
            snapshot.push(Message::from_packet(packet));
        }
    }

    /// Subscribes and gives SUBSCRIBED, whatever it says.
    pub fn try_subscribe(&mut self, sub: u64, filter: &str, options: serde_json::Value) -> Packet {
        self.send(&Packet::subscribe(sub, filter, options));
        let answer = self.wait_for(Kind::Subscribed);
        assert_eq!(answer.number(1), sub, "the answer is for this subscription: {answer:?}");
        answer
    }

    /// Publishes a text, waits until the broker has accepted it, and gives its position.
    pub fn publish(&mut self, topic: &str, payload: &str) -> u64 {
        self.publish_with(topic, payload, serde_json::json!({}))
    }

    /// The same with options of PUBLISH.
    pub fn publish_with(&mut self, topic: &str, payload: &str, options: serde_json::Value) -> u64 {
        let answer = self.try_publish(topic, payload, options);
        assert_eq!(answer.number(2), 0, "the publish is accepted: {answer:?}");
        answer.number(3)
    }

    /// Publishes a text and gives PUBLISHED, whatever it says.
    pub fn try_publish(&mut self, topic: &str, payload: &str, options: serde_json::Value) -> Packet {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&Packet::publish(topic, payload, id).and(value(options)));
        let answer = self.wait_for(Kind::Published);
        assert_eq!(answer.number(1), id, "the answer is for this publish: {answer:?}");
        answer
    }

    /// Every MESSAGE up to the one with this text, which has to be on the same topic as the others: only a topic's
    /// own messages are in order.
    pub fn messages_until(&mut self, text: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.message();
            if message.text() == text {
                return messages;
            }
            messages.push(message);
        }
    }

    /// Sends PING: true when PONG comes, false when this session was taken over (4409) instead.
    pub fn outlives_takeover(&mut self) -> bool {
        // Fails where the broker has closed already; what it said before is still to be read.
        self.socket.send(WebSocketMessage::binary(Packet::new(Kind::Ping, []).encode())).ok();
        while let Some(packet) = self.poll() {
            if packet.is(Kind::Disconnect) {
                assert_eq!(packet.number(1), 4409, "{packet:?}");
                return false;
            }
            if packet.is(Kind::Pong) {
                return true;
            }
        }
        panic!("the connection ended without a word: {:?}", self.ending)
    }

    /// Sends PINGs and reads nothing, until TCP says that the broker has closed the connection. False where the broker
    /// just takes no more of them.
    pub fn writes_until_refused(&mut self) -> bool {
        self.socket.get_ref().set_write_timeout(Some(DEADLINE)).expect("a timeout");
        let ping = WebSocketMessage::binary(Packet::new(Kind::Ping, []).encode());
        loop {
            match self.socket.send(ping.clone()) {
                Ok(()) => {}
                Err(tungstenite::Error::Io(error)) => return error.kind() != std::io::ErrorKind::WouldBlock,
                Err(_) => return true,
            }
        }
    }

    /// Sends a close frame with this code and waits for the end.
    pub fn close(mut self, code: u16) -> Ending {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.socket.close(Some(frame)).expect("the broker takes a close frame");
        while self.poll().is_some() {}
        self.ending.unwrap_or(Ending { code: None, reason: String::new() })
    }

    /// Lets the TCP connection go without a word, as a device does that lost its power.
    pub fn vanish(self) {
        // Dropping the stream closes it; nothing is sent but FIN.
        drop(self);
    }

    /// Waits for the DISCONNECT and the end of the connection.
    pub fn disconnected(&mut self) -> (Packet, Ending) {
        let mut farewell = None;
        while let Some(packet) = self.poll() {
            if packet.is(Kind::Disconnect) {
                farewell = Some(packet);
            }
        }
        let ending = self.ending.clone().expect("the connection ended");
        (farewell.unwrap_or_else(|| panic!("no DISCONNECT before {ending:?}")), ending)
    }

    /// The next packet; `None` when the connection has ended.
    fn poll(&mut self) -> Option<Packet> {
        while self.waiting.is_empty() && self.ending.is_none() {
            match self.socket.read() {
                Ok(WebSocketMessage::Binary(bytes)) => self.waiting.extend(Packet::decode_all(&bytes)),
                Ok(WebSocketMessage::Close(frame)) => {
                    self.ending = Some(Ending {
                        code: frame.as_ref().map(|frame| frame.code.into()),
                        reason: frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
                    });
                    // Answers the close frame.
                    self.socket.flush().ok();
                }
                Ok(WebSocketMessage::Ping(_) | WebSocketMessage::Pong(_)) => {}
                Ok(other) => panic!("the broker sent {other:?} on the MessagePack subprotocol"),
                Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came from the broker within {DEADLINE:?}")
                }
                Err(_) => self.ending = Some(Ending { code: None, reason: String::new() }),
            }
        }
        self.waiting.pop_front()
    }
}
