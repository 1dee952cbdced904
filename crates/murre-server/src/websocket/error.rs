//! What a client did wrong, and the close code that it is owed.

use thiserror::Error;

use super::close;

/// Why a client's bytes can't be taken any further. The connection is to be closed with [`Self::close_code`];
/// the message fits into the close frame's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A reserved bit is set, and no extension was agreed on that would give it a meaning.
    #[error("frame header: reserved bits are {0:#05b}, expected 0; send without extensions")]
    ReservedBits(
        /// RSV1 to RSV3, RSV1 in the highest of the three bits.
        u8,
    ),
    /// An opcode that RFC 6455 doesn't define.
    #[error("frame header: opcode {0:#x} is unknown, expected 0x0 to 0x2 or 0x8 to 0xa")]
    UnknownOpcode(
        /// The four bits of the opcode.
        u8,
    ),
    /// A client's frame without a mask.
    #[error("frame header: the mask bit is 0; a client masks every frame")]
    Unmasked,
    /// A close, ping or pong without the FIN bit.
    #[error("frame header: a control frame can't be fragmented; send it with FIN")]
    FragmentedControl,
    /// A close, ping or pong with more than 125 bytes of payload.
    #[error("frame header: a control frame's payload is limited to 125 bytes; send less")]
    ControlTooLong,
    /// A payload length in more bytes than it needs.
    #[error("frame header: payload length {0} isn't in its shortest form")]
    LengthNotMinimal(
        /// The length, in bytes.
        u64,
    ),
    /// A 64-bit payload length with its highest bit set.
    #[error("frame header: the highest bit of a 64-bit payload length is set, expected 0")]
    LengthTooGreat,
    /// A continuation frame while no message is under way.
    #[error("continuation frame without a message to continue; begin with a text or binary frame")]
    StrayContinuation,
    /// A text or binary frame before the message under way had its end.
    #[error("text or binary frame inside a fragmented message; end that one with FIN first")]
    InterruptedMessage,
    /// A close payload of a single byte.
    #[error("close frame: a payload of 1 byte; expected none, or a code of 2 bytes and a reason")]
    ClosePayload,
    /// A close code that may not be sent.
    #[error("close frame: code {0} may not be sent; use 1000, 1001 or 3000 to 4999")]
    CloseCode(
        /// The code as it came.
        u16,
    ),
    /// A close reason that isn't UTF-8.
    #[error("close frame: the reason isn't UTF-8")]
    CloseReasonNotUtf8,
    /// A text message that isn't UTF-8.
    #[error("text message: not UTF-8; send other bytes as a binary message")]
    TextNotUtf8,
    /// A message of more bytes than the limit, judged by what its frame headers declare.
    #[error("message of {size} bytes or more; the limit is {max}: send smaller messages")]
    MessageTooBig {
        /// Bytes of the message's frames up to the one that passed the limit, as declared.
        size: u64,
        /// [`Limits::max_message`](super::Limits::max_message).
        max: usize,
    },
    /// A message of more fragments than the limit.
    #[error("message in more than {max} fragments; send fewer and larger ones")]
    TooManyFragments {
        /// [`Limits::max_fragments`](super::Limits::max_fragments).
        max: u32,
    },
}

impl DecodeError {
    /// The code to close the connection with: 1002, 1007, 1008 or 1009.
    ///
    /// Too many fragments are 1008 (policy), since 1009 would tell the client to send less, and the message may
    /// be tiny.
    pub fn close_code(self) -> u16 {
        match self {
            Self::CloseReasonNotUtf8 | Self::TextNotUtf8 => close::INVALID_PAYLOAD,
            Self::MessageTooBig { .. } => close::MESSAGE_TOO_BIG,
            Self::TooManyFragments { .. } => close::POLICY_VIOLATION,
            Self::ReservedBits(_)
            | Self::UnknownOpcode(_)
            | Self::Unmasked
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::LengthNotMinimal(_)
            | Self::LengthTooGreat
            | Self::StrayContinuation
            | Self::InterruptedMessage
            | Self::ClosePayload
            | Self::CloseCode(_) => close::PROTOCOL_ERROR,
        }
    }
}
