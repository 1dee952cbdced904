//! Two WebSocket implementations that aren't ours, as clients: tungstenite and actix-http.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
};

use actix_codec::{Decoder as _, Encoder as _};
use actix_http::ws;
use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};
use tokio_tungstenite::tungstenite::{
    Message, WebSocket,
    protocol::{CloseFrame, Role, frame::coding::CloseCode},
};

use super::*;
use crate::websocket::frame::{HEADER_ROOM, write_close, write_header, write_ping, write_pong};

/// A socket's two directions in memory.
#[derive(Debug, Default)]
struct Wire {
    to_client: VecDeque<u8>,
    from_client: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.to_client.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.to_client.read(buf)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.from_client.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenite_client() -> WebSocket<Wire> {
    WebSocket::from_raw_socket(Wire::default(), Role::Client, None)
}

/// A data frame as the server writes it: the header in the room before the payload.
fn server_frame(kind: MessageKind, payload: &[u8]) -> Vec<u8> {
    let mut room = [0; HEADER_ROOM];
    let start = write_header(&mut room, kind, payload.len());
    [&room[start..], payload].concat()
}

/// Lengths around each change of the header's form.
fn payload_len() -> impl Strategy<Value = usize> {
    prop_oneof![0_usize..130, 65_530_usize..65_540, 0_usize..3_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_tungstenite_sends_is_understood(lens in vec(payload_len(), 1..6), letter in "[a-zäß€🐦]") {
        let mut client = tungstenite_client();
        let texts: Vec<String> = lens.iter().map(|len| letter.repeat(len / letter.len())).collect();
        for text in &texts {
            client.send(Message::text(text.clone())).unwrap();
            client.send(Message::binary(text.clone().into_bytes())).unwrap();
        }
        client.send(Message::Ping("p".into())).unwrap();
        let close = CloseFrame { code: CloseCode::Away, reason: "bye".into() };
        client.close(Some(close)).unwrap();

        let events = decode(&client.get_ref().from_client).unwrap();

        let close = Event::Close { code: Some(1001), reason: "bye".into() };
        let messages = texts.iter().flat_map(|sent| [text(sent), binary(sent.as_bytes())]);
        prop_assert_eq!(events, messages.chain([ping(b"p"), close]).collect::<Vec<_>>());
    }

    #[test]
    fn tungstenite_understands_what_the_server_sends(lens in vec(payload_len(), 1..6)) {
        let mut client = tungstenite_client();
        let mut out = Vec::new();
        for len in &lens {
            out.extend(server_frame(MessageKind::Binary, &vec![7; *len]));
            out.extend(server_frame(MessageKind::Text, &vec![b'a'; *len]));
        }
        write_ping(&mut out, b"ping");
        write_pong(&mut out, b"pong");
        write_close(&mut out, 4409, "taken over");
        client.get_mut().to_client = out.into();

        for len in &lens {
            prop_assert_eq!(client.read().unwrap(), Message::binary(vec![7; *len]));
            prop_assert_eq!(client.read().unwrap(), Message::text("a".repeat(*len)));
        }
        prop_assert_eq!(client.read().unwrap(), Message::Ping("ping".into()));
        prop_assert_eq!(client.read().unwrap(), Message::Pong("pong".into()));
        let close = CloseFrame { code: 4409.into(), reason: "taken over".into() };
        prop_assert_eq!(client.read().unwrap(), Message::Close(Some(close)));
    }

    #[test]
    fn what_actix_sends_in_fragments_is_understood(parts in vec(vec(any::<u8>(), 0..300), 2..6)) {
        let mut codec = ws::Codec::new().client_mode();
        let mut sent = BytesMut::new();
        for (i, part) in parts.iter().map(|part| Bytes::copy_from_slice(part)).enumerate() {
            let item = match i {
                0 => ws::Item::FirstBinary(part),
                i if i + 1 == parts.len() => ws::Item::Last(part),
                _ => ws::Item::Continue(part),
            };
            codec.encode(ws::Message::Continuation(item), &mut sent).unwrap();
        }

        let whole = parts.concat();
        prop_assert_eq!(decode(&sent).unwrap(), [binary(&whole)]);
    }

    #[test]
    fn actix_understands_what_the_server_sends(len in payload_len()) {
        let mut codec = ws::Codec::new().client_mode().max_size(100_000);
        let mut received = BytesMut::from(server_frame(MessageKind::Binary, &vec![7; len]).as_slice());
        let mut close = Vec::new();
        write_close(&mut close, 1001, "bye");
        received.extend_from_slice(&close);

        let message = codec.decode(&mut received).unwrap();
        let close = codec.decode(&mut received).unwrap();

        prop_assert_eq!(message, Some(ws::Frame::Binary(vec![7; len].into())));
        let reason = ws::CloseReason { code: ws::CloseCode::Away, description: Some("bye".into()) };
        prop_assert_eq!(close, Some(ws::Frame::Close(Some(reason))));
    }
}
