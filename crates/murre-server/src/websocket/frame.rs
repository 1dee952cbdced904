//! Opcodes and frame headers (RFC 6455, 5.2), and the writing of frames.
//!
//! What a server sends is never masked and never fragmented. A data frame's header goes into room that the sender
//! kept in front of the payload ([`write_header`]), so that no payload is moved; control frames are small and are
//! written whole ([`write_ping`], [`write_pong`], [`write_close`]).

use super::{close, error::DecodeError};

/// Bytes to keep free in front of a payload for [`write_header`].
pub const HEADER_ROOM: usize = 10;
/// The longest header that a client sends: 2 bytes, 8 of length, 4 of mask.
pub const CLIENT_HEADER_MAX: usize = 14;
/// The greatest payload of a close, ping or pong, in bytes.
pub const CONTROL_PAYLOAD_MAX: usize = 125;

const FIN: u8 = 0b1000_0000;
const MASKED: u8 = 0b1000_0000;
const LENGTH_16_BITS: u8 = 126;
const LENGTH_64_BITS: u8 = 127;

/// The two kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
    fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// The next fragment of the message under way.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The end of the connection.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xa,
}

impl Opcode {
    /// The opcode with these four bits; none where RFC 6455 defines none.
    pub fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// The kind of the message that a frame with this opcode begins; none where it begins none.
    pub fn message_kind(self) -> Option<MessageKind> {
        match self {
            Self::Text => Some(MessageKind::Text),
            Self::Binary => Some(MessageKind::Binary),
            Self::Continuation | Self::Close | Self::Ping | Self::Pong => None,
        }
    }

    /// Close, ping and pong: at most 125 bytes, never fragmented, allowed between the fragments of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of a frame that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub opcode: Opcode,
    /// The message ends with this frame.
    pub fin: bool,
    /// Bytes of payload, as declared.
    pub payload_len: u64,
    /// The key that the payload is masked with.
    pub mask: [u8; 4],
}

impl Header {
    /// Reads the header at the start of `bytes`, and says how many bytes it takes; none when it isn't all there.
    ///
    /// What is wrong in the first two bytes is told as soon as they are there.
    ///
    /// # Errors
    /// Reserved bits, an unknown opcode, no mask, a control frame that is fragmented or too long, and a length
    /// that isn't minimal or has its highest bit set.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return bytes.first().map_or(Ok(None), |&first| read_first(first).map(|_| None));
        };
        let opcode = read_first(first)?;
        let fin = first & FIN != 0;
        if second & MASKED == 0 {
            return Err(DecodeError::Unmasked);
        }
        let short_len = second & !MASKED;
        if opcode.is_control() && !fin {
            return Err(DecodeError::FragmentedControl);
        }
        if opcode.is_control() && usize::from(short_len) > CONTROL_PAYLOAD_MAX {
            return Err(DecodeError::ControlTooLong);
        }
        let Some((payload_len, rest)) = read_length(short_len, rest)? else { return Ok(None) };
        let Some((&mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        Ok(Some((Self { opcode, fin, payload_len, mask }, bytes.len() - rest.len())))
    }
}

/// The opcode in a frame's first byte.
fn read_first(first: u8) -> Result<Opcode, DecodeError> {
    let reserved = (first >> 4) & 0b111;
    if reserved != 0 {
        return Err(DecodeError::ReservedBits(reserved));
    }
    let opcode = first & 0b1111;
    Opcode::from_bits(opcode).ok_or(DecodeError::UnknownOpcode(opcode))
}

/// The payload length that begins with `short_len`, and what follows it.
fn read_length(short_len: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    match short_len {
        LENGTH_16_BITS => {
            let Some((&bytes, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
            let len = u64::from(u16::from_be_bytes(bytes));
            if len < u64::from(LENGTH_16_BITS) {
                return Err(DecodeError::LengthNotMinimal(len));
            }
            Ok(Some((len, rest)))
        }
        LENGTH_64_BITS => {
            let Some((&bytes, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
            let len = u64::from_be_bytes(bytes);
            if len > i64::MAX.unsigned_abs() {
                return Err(DecodeError::LengthTooGreat);
            }
            if len <= u64::from(u16::MAX) {
                return Err(DecodeError::LengthNotMinimal(len));
            }
            Ok(Some((len, rest)))
        }
        len => Ok(Some((u64::from(len), rest))),
    }
}

/// Writes the header of an unfragmented message of `payload_len` bytes to the end of `room`, and returns where in
/// `room` it begins: the frame is `room[start..]` and then the payload.
pub fn write_header(room: &mut [u8; HEADER_ROOM], kind: MessageKind, payload_len: usize) -> usize {
    let first = FIN | kind.opcode() as u8;
    let [long @ .., e, f, g, h] = room;
    if payload_len < usize::from(LENGTH_16_BITS) {
        // Fits: less than 126.
        [*g, *h] = [first, payload_len as u8];
        HEADER_ROOM - 2
    } else if let Ok(len) = u16::try_from(payload_len) {
        let [high, low] = len.to_be_bytes();
        [*e, *f, *g, *h] = [first, LENGTH_16_BITS, high, low];
        HEADER_ROOM - 4
    } else {
        let [l0, l1, l2, l3, l4, l5, l6, l7] = (payload_len as u64).to_be_bytes();
        *long = [first, LENGTH_64_BITS, l0, l1, l2, l3];
        [*e, *f, *g, *h] = [l4, l5, l6, l7];
        0
    }
}

/// Appends a ping. Of `payload` at most [`CONTROL_PAYLOAD_MAX`] bytes are sent.
pub fn write_ping(out: &mut Vec<u8>, payload: &[u8]) {
    write_control(out, Opcode::Ping, &[payload]);
}

/// Appends a pong. `payload` is that of the ping; at most [`CONTROL_PAYLOAD_MAX`] bytes are sent.
pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_control(out, Opcode::Pong, &[payload]);
}

/// Appends a close with a code and a reason, which is cut to [`close::REASON_MAX`] bytes where it is longer.
pub fn write_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    write_control(out, Opcode::Close, &[&code.to_be_bytes(), close::fit_reason(reason).as_bytes()]);
}

fn write_control(out: &mut Vec<u8>, opcode: Opcode, payload: &[&[u8]]) {
    out.push(FIN | opcode as u8);
    let length_at = out.len();
    out.push(0);
    out.extend(payload.iter().copied().flatten().take(CONTROL_PAYLOAD_MAX));
    let len = out.len() - length_at - 1;
    if let Some(length) = out.get_mut(length_at) {
        // Fits: at most 125.
        *length = len as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(kind: MessageKind, payload_len: usize) -> Vec<u8> {
        let mut room = [0; HEADER_ROOM];
        let start = write_header(&mut room, kind, payload_len);
        room[start..].to_vec()
    }

    #[test]
    fn a_header_takes_the_shortest_form() {
        assert_eq!(header_of(MessageKind::Text, 0), [0x81, 0]);
        assert_eq!(header_of(MessageKind::Binary, 125), [0x82, 125]);
        assert_eq!(header_of(MessageKind::Binary, 126), [0x82, 126, 0, 126]);
        assert_eq!(header_of(MessageKind::Binary, 65_535), [0x82, 126, 255, 255]);
        assert_eq!(header_of(MessageKind::Binary, 65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_close_carries_its_code_and_as_much_of_the_reason_as_fits() {
        let mut out = Vec::new();

        write_close(&mut out, close::GOING_AWAY, &"x".repeat(500));

        assert_eq!(out[..4], [0x88, 125, 0x03, 0xe9]);
        assert_eq!(out.len(), 2 + CONTROL_PAYLOAD_MAX);
    }

    #[test]
    fn pings_and_pongs_are_appended_to_what_is_there() {
        let mut out = vec![0xff];

        write_ping(&mut out, b"");
        write_pong(&mut out, b"ab");

        assert_eq!(out, [0xff, 0x89, 0, 0x8a, 2, b'a', b'b']);
    }

    #[test]
    fn a_header_in_part_is_not_yet_a_header() {
        let whole = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];

        for len in 0..whole.len() {
            assert_eq!(Header::decode(&whole[..len]), Ok(None), "{len} bytes");
        }
        let header = Header { opcode: Opcode::Binary, fin: true, payload_len: 65_536, mask: [1, 2, 3, 4] };
        assert_eq!(Header::decode(&whole), Ok(Some((header, whole.len()))));
    }
}
