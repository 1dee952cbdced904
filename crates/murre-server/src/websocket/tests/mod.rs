//! What holds for the layer as a whole. Helpers here; the tests are in the modules below.

mod handshake;
mod independent;
mod limits;
mod origin;
mod properties;
mod rules;

use std::borrow::Cow;

use super::{
    decoder::{Decoder, Event, Limits},
    error::DecodeError,
    frame::{MessageKind, Opcode},
    mask::unmask,
};

/// A frame as a client sends it, right or wrong.
#[derive(Debug, Clone)]
struct ClientFrame {
    first: u8,
    mask: [u8; 4],
    payload: Vec<u8>,
}

/// A whole frame with this opcode.
fn frame(opcode: Opcode, payload: impl Into<Vec<u8>>) -> ClientFrame {
    ClientFrame { first: 0x80 | opcode as u8, mask: [0x37, 0xfa, 0x21, 0x3d], payload: payload.into() }
}

impl ClientFrame {
    /// Without FIN: more fragments follow.
    fn unfinished(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    fn masked_with(mut self, mask: [u8; 4]) -> Self {
        self.mask = mask;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = header(self.first, self.payload.len() as u64, self.mask);
        let start = bytes.len();
        bytes.extend_from_slice(&self.payload);
        unmask(&mut bytes[start..], self.mask, 0);
        bytes
    }
}

/// A masked header that declares this length.
fn header(first: u8, payload_len: u64, mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload_len {
        0..=125 => bytes.push(0x80 | payload_len as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((payload_len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(payload_len.to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes
}

fn bytes_of(frames: &[ClientFrame]) -> Vec<u8> {
    frames.iter().flat_map(ClientFrame::bytes).collect()
}

fn decoder() -> Decoder {
    Decoder::new(Limits::default())
}

/// A client's connection: what it sends, and what comes of it.
struct Connection {
    decoder: Decoder,
    events: Vec<Event<'static>>,
}

impl Connection {
    fn new(limits: Limits) -> Self {
        Self { decoder: Decoder::new(limits), events: Vec::new() }
    }

    /// One read of these bytes.
    fn read(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut scratch = bytes.to_vec();
        let mut input = scratch.as_mut_slice();
        while let Some(event) = self.decoder.decode(&mut input)? {
            self.events.push(owned(event));
        }
        assert!(input.is_empty(), "the input is used up when there is no more event");
        Ok(())
    }
}

/// What comes of these bytes in one read.
fn decode(bytes: &[u8]) -> Result<Vec<Event<'static>>, DecodeError> {
    let mut connection = Connection::new(Limits::default());
    connection.read(bytes)?;
    Ok(connection.events)
}

/// What comes of these frames in one read.
fn decode_frames(frames: &[ClientFrame]) -> Result<Vec<Event<'static>>, DecodeError> {
    decode(&bytes_of(frames))
}

fn owned(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Message { kind, bytes } => Event::Message { kind, bytes: Cow::Owned(bytes.into_owned()) },
        Event::Ping(bytes) => Event::Ping(Cow::Owned(bytes.into_owned())),
        Event::Pong => Event::Pong,
        Event::Close { code, reason } => Event::Close { code, reason: Cow::Owned(reason.into_owned()) },
    }
}

fn text(text: &str) -> Event<'_> {
    Event::Message { kind: MessageKind::Text, bytes: Cow::Borrowed(text.as_bytes()) }
}

fn binary(bytes: &[u8]) -> Event<'_> {
    Event::Message { kind: MessageKind::Binary, bytes: Cow::Borrowed(bytes) }
}

fn ping(payload: &[u8]) -> Event<'_> {
    Event::Ping(Cow::Borrowed(payload))
}
