//! WebSocket frames (RFC 6455, 5.2), right and wrong ones.

/// A text message's opcode.
pub const TEXT: u8 = 0x1;
/// A binary message's opcode.
pub const BINARY: u8 = 0x2;
/// The opcode of a fragment that isn't the first.
pub const CONTINUATION: u8 = 0x0;
/// A close frame's opcode.
pub const CLOSE: u8 = 0x8;
/// A ping's opcode.
pub const PING: u8 = 0x9;
/// A pong's opcode.
pub const PONG: u8 = 0xa;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame, with every bit that a test may want to be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last fragment of its message.
    pub fin: bool,
    /// RSV1 to RSV3, RSV1 in the highest of the three bits.
    pub reserved: u8,
    /// The four bits of the opcode.
    pub opcode: u8,
    /// As clients must.
    pub masked: bool,
    /// The payload length that the header claims.
    pub claimed: u64,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A client's frame as it should be.
    pub fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self { fin: true, reserved: 0, opcode, masked: true, claimed: payload.len() as u64, payload }
    }

    /// A text message of one frame.
    pub fn text(payload: impl AsRef<[u8]>) -> Self {
        Self::new(TEXT, payload)
    }

    /// A binary message of one frame.
    pub fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::new(BINARY, payload)
    }

    /// A close frame with a code.
    pub fn close(code: u16) -> Self {
        Self::new(CLOSE, code.to_be_bytes())
    }

    /// A message in fragments, the first with the opcode.
    pub fn fragments(opcode: u8, parts: &[&[u8]]) -> Vec<Self> {
        let last = parts.len() - 1;
        let make = |(index, part): (usize, &&[u8])| Self {
            fin: index == last,
            ..Self::new(if index == 0 { opcode } else { CONTINUATION }, part)
        };
        parts.iter().enumerate().map(make).collect()
    }

    /// The same frame, not the last of its message.
    pub fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    /// The same frame without a mask.
    pub fn unmasked(self) -> Self {
        Self { masked: false, ..self }
    }

    /// The same frame with reserved bits set.
    pub fn reserved(self, bits: u8) -> Self {
        Self { reserved: bits, ..self }
    }

    /// The same frame, whose header claims another length than the payload has.
    pub fn claiming(self, length: u64) -> Self {
        Self { claimed: length, ..self }
    }

    /// The code of a close frame; `None` where it has none.
    pub fn close_code(&self) -> Option<u16> {
        assert_eq!(self.opcode, CLOSE, "expected a close frame, got {self:?}");
        self.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]))
    }

    /// Its bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode];
        let mask_bit = u8::from(self.masked) << 7;
        match self.claimed {
            0..126 => bytes.push(mask_bit | self.claimed as u8),
            126..0x1_0000 => {
                bytes.push(mask_bit | 126);
                bytes.extend((self.claimed as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend(self.claimed.to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend(MASK);
            bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }

    /// Reads a server's frame off the front; `None` while it isn't all there.
    pub fn decode(bytes: &mut Vec<u8>) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        assert_eq!(second & 0x80, 0, "a server masks no frame");
        let (length, start) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
            short => (u64::from(short), 2),
        };
        let end = start + usize::try_from(length).ok()?;
        let payload = bytes.get(start..end)?.to_vec();
        bytes.drain(..end);
        Some(Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 0xf,
            masked: false,
            claimed: length,
            payload,
        })
    }
}
