//! The broker's end of one connection.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use murre_protocol::{
    Code, Codec, Format, Position, SUBPROTOCOL_MSGPACK, Timestamp,
    packet::{
        BrokerPacket, CaughtUp, ClientPacket, Connect, Connected, Disconnect, Message, MessageOptions,
        Publish, Published, Subscribe, Subscribed,
    },
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        self,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::CloseFrame,
    },
};

use crate::dial::Io;

/// See the module.
pub(crate) struct Peer {
    socket: WebSocketStream<Box<dyn Io>>,
    packets: VecDeque<ClientPacket<'static>>,
    /// The client's close code, once it came; 1006 where the connection ended without one.
    pub(crate) closed: Option<u16>,
}

impl Peer {
    /// After the WebSocket handshake.
    pub(crate) async fn upgrade(stream: impl Io + 'static) -> Self {
        let stream: Box<dyn Io> = Box::new(stream);
        let socket = accept_hdr_async(stream, choose_subprotocol).await.unwrap();
        Self { socket, packets: VecDeque::new(), closed: None }
    }

    /// The next message's packets; none when the client has closed.
    pub(crate) async fn frame(&mut self) -> Option<(usize, Vec<ClientPacket<'static>>)> {
        loop {
            match self.socket.next().await {
                Some(Ok(tungstenite::Message::Binary(frame))) => return Some((frame.len(), packets(&frame))),
                Some(Ok(tungstenite::Message::Close(frame))) => {
                    self.closed = Some(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    self.closed.get_or_insert(1006);
                    return None;
                }
            }
        }
    }

    /// The next packet; none when the client has closed.
    pub(crate) async fn next(&mut self) -> Option<ClientPacket<'static>> {
        while self.packets.is_empty() {
            let (_, packets) = self.frame().await?;
            self.packets.extend(packets);
        }
        self.packets.pop_front()
    }

    pub(crate) async fn expect_connect(&mut self) -> Connect<'static> {
        match self.next().await {
            Some(ClientPacket::Connect(connect)) => *connect,
            other => panic!("expected CONNECT, got {other:?}"),
        }
    }

    pub(crate) async fn expect_publish(&mut self) -> Publish<'static> {
        match self.next().await {
            Some(ClientPacket::Publish(publish)) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    pub(crate) async fn expect_subscribe(&mut self) -> Subscribe<'static> {
        match self.next().await {
            Some(ClientPacket::Subscribe(subscribe)) => *subscribe,
            other => panic!("expected SUBSCRIBE, got {other:?}"),
        }
    }

    pub(crate) async fn expect_unsubscribe(&mut self) -> u64 {
        match self.next().await {
            Some(ClientPacket::Unsubscribe { sub }) => sub,
            other => panic!("expected UNSUBSCRIBE, got {other:?}"),
        }
    }

    /// Sends one packet in a message of its own.
    pub(crate) async fn send(&mut self, packet: BrokerPacket<'_>) {
        self.send_all(&[packet]).await;
    }

    /// Sends packets in one message.
    pub(crate) async fn send_all(&mut self, packets: &[BrokerPacket<'_>]) {
        let mut bytes = Vec::new();
        packets.iter().for_each(|packet| Codec::MessagePack.write_broker(packet, &mut bytes));
        self.send_bytes(bytes).await;
    }

    /// Sends a message of any bytes.
    pub(crate) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.socket.send(tungstenite::Message::Binary(bytes.into())).await.unwrap();
    }

    pub(crate) async fn send_connected(&mut self, info: Connected<'static>) {
        self.send(BrokerPacket::Connected(Box::new(info))).await;
    }

    /// Accepts a publish.
    pub(crate) async fn accept_publish(&mut self, id: u64, offset: u64) {
        let position = Position::new(offset, 0);
        self.send(BrokerPacket::Published(Published { id, code: Code::OK, position, reason: None })).await;
    }

    /// Answers the SUBSCRIBE that comes next; the subscription's number.
    pub(crate) async fn grant(&mut self) -> u64 {
        let sub = self.expect_subscribe().await.sub;
        self.send(BrokerPacket::Subscribed(Box::new(Subscribed { sub, ..Default::default() }))).await;
        sub
    }

    /// Refuses the SUBSCRIBE that comes next.
    pub(crate) async fn deny(&mut self, code: Code, reason: &'static str) {
        let sub = self.expect_subscribe().await.sub;
        let reason = Some(reason.into());
        self.send(BrokerPacket::Subscribed(Box::new(Subscribed { sub, code, reason, ..Default::default() })))
            .await;
    }

    pub(crate) async fn caught_up(&mut self, sub: u64) {
        self.caught_up_at(sub, &[]).await;
    }

    /// CAUGHT_UP with a list.
    pub(crate) async fn caught_up_at(&mut self, sub: u64, positions: &[Position]) {
        let positions = positions.to_vec().into();
        self.send(BrokerPacket::CaughtUp(CaughtUp { sub, positions, count: 0 })).await;
    }

    /// The SUBSCRIBE that comes next, answered as `answer` says.
    pub(crate) async fn answer(&mut self, answer: Subscribed<'static>) -> Subscribe<'static> {
        let subscribe = self.expect_subscribe().await;
        self.send(BrokerPacket::Subscribed(Box::new(Subscribed { sub: subscribe.sub, ..answer }))).await;
        subscribe
    }

    pub(crate) async fn expect_ack(&mut self) -> (u64, Position) {
        match self.next().await {
            Some(ClientPacket::Ack { sub, position }) => (sub, position),
            other => panic!("expected ACK, got {other:?}"),
        }
    }

    /// Ends the connection with DISCONNECT and the WebSocket close, and waits for the client's end.
    pub(crate) async fn disconnect(mut self, code: Code, reason: &'static str, retry_after: Option<u64>) {
        self.send(BrokerPacket::Disconnect(Disconnect { code, reason: reason.into(), retry_after })).await;
        self.close(code.number(), reason).await;
    }

    /// Ends the connection with a WebSocket close alone, and waits for the client's end.
    pub(crate) async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        // An error means that the client has gone first.
        let _ = self.socket.close(Some(frame)).await;
        while self.frame().await.is_some() {}
    }
}

fn packets(frame: &[u8]) -> Vec<ClientPacket<'static>> {
    // Packets borrow from their frame; a test's few frames may stay.
    let mut rest: &'static [u8] = frame.to_vec().leak();
    let mut packets = Vec::new();
    while let Some((packet, after)) = Codec::MessagePack.client_packet(rest, usize::MAX).unwrap() {
        packets.push(packet);
        rest = after;
    }
    packets
}

#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
fn choose_subprotocol(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.headers().get(SEC_WEBSOCKET_PROTOCOL).unwrap(), SUBPROTOCOL_MSGPACK);
    assert_eq!(request.uri().path(), "/ws");
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL_MSGPACK));
    Ok(response)
}

/// A MESSAGE with a text.
pub(crate) fn message(
    sub: u64,
    topic: &str,
    text: &str,
    options: MessageOptions<'static>,
) -> BrokerPacket<'static> {
    BrokerPacket::Message {
        sub,
        message: Message {
            topic: topic.to_owned().into(),
            format: Format::Text,
            payload: text.as_bytes().to_vec().into(),
            time: Timestamp::from_millis(1000),
            position: Position::new(1, 0),
            options: (options != MessageOptions::default()).then(|| Box::new(options)),
        },
    }
}

/// A MESSAGE with a text, at a position.
pub(crate) fn message_at(sub: u64, position: Position, text: &str) -> BrokerPacket<'static> {
    let mut packet = message(sub, "a", text, MessageOptions::default());
    if let BrokerPacket::Message { message, .. } = &mut packet {
        message.position = position;
    }
    packet
}

/// The payload of a publish as text.
pub(crate) fn text_of(publish: &Publish<'_>) -> String {
    String::from_utf8(publish.payload.to_vec()).unwrap()
}
