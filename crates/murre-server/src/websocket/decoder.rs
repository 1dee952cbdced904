//! Frames into messages, with all the rules and limits of RFC 6455 and of this broker.

use std::{borrow::Cow, mem};

use super::{
    close,
    error::DecodeError,
    frame::{Header, MessageKind, Opcode},
    mask::unmask,
    unfinished::{FramePart, MessagePart, Unfinished, grow},
    utf8,
};

/// What a client may send in one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, over all of its fragments. Judged by what frame headers declare, before anything of
    /// the frame is kept.
    pub max_message: usize,
    /// Fragments of one message, at least 1. Empty fragments take no part in `max_message`, and without this bound
    /// a message of them would never end.
    pub max_fragments: u32,
}

impl Limits {
    /// 1 MiB.
    pub const MAX_MESSAGE: usize = 1024 * 1024;
    /// Twice the 65,536 of the conformance suites, which send 4 MiB in fragments of 64 bytes.
    pub const MAX_FRAGMENTS: u32 = 131_072;
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_message: Self::MAX_MESSAGE, max_fragments: Self::MAX_FRAGMENTS }
    }
}

/// What a client sent. Bytes are borrowed from the input where a whole unfragmented frame lay in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'i> {
    /// A whole message.
    Message {
        /// Text or binary.
        kind: MessageKind,
        /// The payload; UTF-8 where the kind is text.
        bytes: Cow<'i, [u8]>,
    },
    /// A ping, to be answered with a pong of the same payload.
    Ping(
        /// At most 125 bytes.
        Cow<'i, [u8]>,
    ),
    /// A pong, asked for or not.
    Pong,
    /// The client closes. It comes once, and nothing comes after it.
    Close {
        /// A valid code, if the client gave one.
        code: Option<u16>,
        /// At most 123 bytes, often empty.
        reason: Cow<'i, str>,
    },
}

/// One connection's way from bytes to events.
///
/// Feed each read to [`Self::decode`] until it gives no more event:
///
/// ```
/// use murre_server::websocket::{Decoder, Event, Limits};
///
/// let mut decoder = Decoder::new(Limits::default());
/// // The text message "hi", under a mask of zeros.
/// let mut scratch = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
/// let mut input = scratch.as_mut_slice();
/// while let Some(event) = decoder.decode(&mut input)? {
///     assert!(matches!(event, Event::Message { bytes, .. } if *bytes == *b"hi"));
/// }
/// # Ok::<(), murre_server::websocket::DecodeError>(())
/// ```
///
/// The input has then been taken completely. Who stops before finds in `input` what is left, and has to feed it
/// again, before anything else. After a close frame or an error the connection is at its end: what comes then is
/// taken and ignored, as RFC 6455 (5.5.1) has it.
///
/// Idle, it holds no buffer: 40 bytes or less. Otherwise it holds what has arrived of an unfinished message, in a
/// buffer of at most twice that size.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    ended: bool,
    /// None between messages.
    unfinished: Option<Box<Unfinished>>,
}

/// The first byte of a frame that is a whole binary message.
const WHOLE_BINARY: u8 = 0x82;

/// What came of a frame, or of a part of one.
enum Step<'i> {
    /// It gives an event.
    Event(Event<'i>),
    /// A fragment is whole, its message isn't.
    Fragment,
    /// The input ended before the frame did.
    Wanting,
}

impl Decoder {
    /// A decoder at the start of a connection, after the handshake.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ended: false, unfinished: None }
    }

    /// Takes from `input` up to the end of the next event; none when the input is used up.
    ///
    /// Unmasks in place: `input` belongs to the decoder as far as it was taken.
    ///
    /// # Errors
    /// What the client did wrong; the connection is to be closed with its [`DecodeError::close_code`].
    #[inline]
    pub fn decode<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Event<'i>>, DecodeError> {
        if self.unfinished.is_none() && !self.ended {
            if input.is_empty() {
                return Ok(None);
            }
            if let Some(bytes) = whole_binary(input, self.limits.max_message) {
                return Ok(Some(Event::Message { kind: MessageKind::Binary, bytes: Cow::Borrowed(bytes) }));
            }
        }
        self.decode_any(input)
    }

    fn decode_any<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Event<'i>>, DecodeError> {
        if self.ended {
            *input = &mut [];
            return Ok(None);
        }
        let result = self.next_event(input);
        if matches!(result, Err(_) | Ok(Some(Event::Close { .. }))) {
            self.ended = true;
            self.unfinished = None;
            *input = &mut [];
        } else if self.unfinished.as_ref().is_some_and(|unfinished| unfinished.is_empty()) {
            self.unfinished = None;
        }
        result
    }

    /// Whether a close frame or an error has ended the connection.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a frame or message has begun whose end hasn't arrived.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Bytes of the buffers held for an unfinished frame or message, used or not; 0 between messages.
    pub fn buffered(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |unfinished| unfinished.capacity())
    }

    fn next_event<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Event<'i>>, DecodeError> {
        loop {
            let step = match self.unfinished.as_mut().and_then(|unfinished| unfinished.frame.take()) {
                Some(frame) => self.continue_frame(frame, input)?,
                None => match self.take_header(input)? {
                    Some(header) => self.begin_frame(header, input)?,
                    None => return Ok(None),
                },
            };
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Fragment => {}
                Step::Wanting => return Ok(None),
            }
        }
    }

    /// Takes a header off the input; none when the input ends before the header does.
    fn take_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, DecodeError> {
        if let Some(unfinished) = self.unfinished.as_mut().filter(|unfinished| unfinished.header.len() > 0) {
            let part = &mut unfinished.header;
            let known = part.len();
            let filled = part.fill(input);
            let decoded = Header::decode(part.bytes())?;
            if decoded.is_some() {
                part.clear();
            }
            take(input, decoded.map_or(filled, |(_, len)| len.saturating_sub(known)));
            return Ok(decoded.map(|(header, _)| header));
        }
        let decoded = Header::decode(input)?;
        if let Some((header, len)) = decoded {
            take(input, len);
            return Ok(Some(header));
        }
        let rest = mem::take(input);
        if !rest.is_empty() {
            self.unfinished().header.fill(rest);
        }
        Ok(None)
    }

    fn begin_frame<'i>(&mut self, header: Header, input: &mut &'i mut [u8]) -> Result<Step<'i>, DecodeError> {
        let missing = self.admit(&header)?;
        let is_whole = missing <= input.len();
        if header.opcode.is_control() && is_whole {
            return control(header.opcode, Cow::Borrowed(unmasked(&header, take(input, missing))));
        }
        if let Some(kind) = header.opcode.message_kind() {
            if header.fin && is_whole {
                return message(kind, unmasked(&header, take(input, missing)));
            }
            self.unfinished().message = Some(MessagePart::new(kind));
        }
        if let Some(message) = self.message().filter(|_| !header.opcode.is_control()) {
            message.begin_fragment();
        }
        self.continue_frame(FramePart { header, received: 0, missing, control: Vec::new() }, input)
    }

    /// Judges by its header whether a frame may come now, and gives its payload's length.
    fn admit(&mut self, header: &Header) -> Result<usize, DecodeError> {
        let Limits { max_message, max_fragments } = self.limits;
        let (held, fragments) = match (header.opcode, self.message()) {
            // At most 125 bytes, by its header.
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(header.payload_len as usize),
            (Opcode::Continuation, None) => return Err(DecodeError::StrayContinuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(DecodeError::InterruptedMessage),
            (Opcode::Continuation, Some(message)) => (message.len(), message.fragments()),
            (Opcode::Text | Opcode::Binary, None) => (0, 0),
        };
        let size = header.payload_len.saturating_add(held as u64);
        if size > max_message as u64 {
            return Err(DecodeError::MessageTooBig { size, max: max_message });
        }
        if fragments >= max_fragments {
            return Err(DecodeError::TooManyFragments { max: max_fragments });
        }
        // Fits: not over `max_message`.
        Ok(header.payload_len as usize)
    }

    /// Takes what the input has of a frame's payload into a buffer.
    fn continue_frame<'i>(
        &mut self,
        mut frame: FramePart,
        input: &mut &'i mut [u8],
    ) -> Result<Step<'i>, DecodeError> {
        let payload = take(input, frame.missing);
        unmask(payload, frame.header.mask, frame.received);
        frame.received += payload.len();
        frame.missing -= payload.len();
        if frame.header.opcode.is_control() {
            grow(&mut frame.control, payload.len(), frame.missing);
            frame.control.extend_from_slice(payload);
        } else if let Some(message) = self.message() {
            message.append(payload, frame.missing)?;
        }
        if frame.missing > 0 {
            self.unfinished().frame = Some(frame);
            return Ok(Step::Wanting);
        }
        if frame.header.opcode.is_control() {
            return control(frame.header.opcode, Cow::Owned(frame.control));
        }
        match self.unfinished.as_mut().and_then(|unfinished| unfinished.message.take_if(|_| frame.header.fin))
        {
            Some(message) => message.finish().map(Step::Event),
            None => Ok(Step::Fragment),
        }
    }

    fn unfinished(&mut self) -> &mut Unfinished {
        self.unfinished.get_or_insert_default()
    }

    fn message(&mut self) -> Option<&mut MessagePart> {
        self.unfinished.as_mut().and_then(|unfinished| unfinished.message.as_mut())
    }
}

/// Takes up to `len` bytes off the front.
fn take<'i>(input: &mut &'i mut [u8], len: usize) -> &'i mut [u8] {
    let all = mem::take(input);
    let (taken, rest) = all.split_at_mut(len.min(all.len()));
    *input = rest;
    taken
}

/// The short way for what comes most: a binary message in one frame of at most 64 KiB, all of it in the input. What
/// is anything else, or not valid, is left as it is.
#[inline]
fn whole_binary<'i>(input: &mut &'i mut [u8], max: usize) -> Option<&'i [u8]> {
    let (start, len) = match **input {
        [WHOLE_BINARY, len @ 0x80..=0xfd, ..] => (6, usize::from(len & 0x7f)),
        [WHOLE_BINARY, 0xfe, high, low, ..] => (8, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    if len > max || start + len > input.len() || (start > 6 && len < 126) {
        return None;
    }
    let frame = take(input, start + len);
    let (header, payload) = frame.split_at_mut(start);
    if let Some(&mask) = header.last_chunk::<4>() {
        unmask(payload, mask, 0);
    }
    Some(payload)
}

fn unmasked<'i>(header: &Header, payload: &'i mut [u8]) -> &'i [u8] {
    unmask(payload, header.mask, 0);
    payload
}

/// A message that came in one frame, all of it in the input.
fn message(kind: MessageKind, payload: &[u8]) -> Result<Step<'_>, DecodeError> {
    if kind == MessageKind::Text && utf8::checked_len(payload) != Some(payload.len()) {
        return Err(DecodeError::TextNotUtf8);
    }
    Ok(Step::Event(Event::Message { kind, bytes: Cow::Borrowed(payload) }))
}

/// The event of a whole control frame.
fn control(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Step<'_>, DecodeError> {
    Ok(Step::Event(match opcode {
        Opcode::Close => {
            let (code, reason) = close::read_payload(payload)?;
            Event::Close { code, reason }
        }
        Opcode::Ping => Event::Ping(payload),
        _ => Event::Pong,
    }))
}
