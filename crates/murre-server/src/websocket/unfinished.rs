//! What the decoder keeps of a frame or message whose end hasn't arrived: only bytes that did arrive.

use std::borrow::Cow;

use super::{
    decoder::Event,
    error::DecodeError,
    frame::{CLIENT_HEADER_MAX, Header, MessageKind},
    utf8,
};

/// All that a decoder may hold between two reads.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// The beginning of a header.
    pub(super) header: HeaderPart,
    /// The frame whose payload is arriving.
    pub(super) frame: Option<FramePart>,
    /// The message under way: its fragments so far, and what has come of the one that is arriving.
    pub(super) message: Option<MessagePart>,
}

impl Unfinished {
    pub(super) fn is_empty(&self) -> bool {
        self.header.len == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// Bytes of the buffers, used or not.
    pub(super) fn capacity(&self) -> usize {
        let control = self.frame.as_ref().map_or(0, |frame| frame.control.capacity());
        let message = self.message.as_ref().map_or(0, |message| message.bytes.capacity());
        control + message
    }
}

/// The beginning of a header.
#[derive(Debug, Default)]
pub(super) struct HeaderPart {
    bytes: [u8; CLIENT_HEADER_MAX],
    len: usize,
}

impl HeaderPart {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Takes as many of `bytes` as a header can still need, and says how many.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> usize {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        let taken = free.len().min(bytes.len());
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len += taken;
        taken
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }
}

/// A frame whose payload is arriving.
#[derive(Debug)]
pub(super) struct FramePart {
    pub(super) header: Header,
    /// Bytes of payload that have arrived.
    pub(super) received: usize,
    /// Bytes of payload that have not.
    pub(super) missing: usize,
    /// The payload of a control frame, which may stand between the fragments of a message.
    pub(super) control: Vec<u8>,
}

/// A message whose end hasn't arrived.
#[derive(Debug)]
pub(super) struct MessagePart {
    kind: MessageKind,
    bytes: Vec<u8>,
    /// Bytes of a text that are known to be whole characters.
    checked: usize,
    /// Frames begun.
    fragments: u32,
}

impl MessagePart {
    pub(super) fn new(kind: MessageKind) -> Self {
        Self { kind, bytes: Vec::new(), checked: 0, fragments: 0 }
    }

    /// Bytes that have arrived.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Frames begun.
    pub(super) fn fragments(&self) -> u32 {
        self.fragments
    }

    pub(super) fn begin_fragment(&mut self) {
        self.fragments = self.fragments.saturating_add(1);
    }

    /// Adds unmasked payload; `missing` more bytes of the same frame are to come.
    pub(super) fn append(&mut self, payload: &[u8], missing: usize) -> Result<(), DecodeError> {
        grow(&mut self.bytes, payload.len(), missing);
        self.bytes.extend_from_slice(payload);
        if self.kind == MessageKind::Text {
            let unchecked = self.bytes.get(self.checked..).unwrap_or_default();
            self.checked += utf8::checked_len(unchecked).ok_or(DecodeError::TextNotUtf8)?;
        }
        Ok(())
    }

    /// The message, whose last byte has arrived.
    pub(super) fn finish<'i>(self) -> Result<Event<'i>, DecodeError> {
        if self.kind == MessageKind::Text && self.checked != self.bytes.len() {
            return Err(DecodeError::TextNotUtf8);
        }
        Ok(Event::Message { kind: self.kind, bytes: Cow::Owned(self.bytes) })
    }
}

/// Makes room for `more` bytes: twice what there was, so that a buffer is never over twice of what has arrived,
/// and no more than the frame under way will need.
pub(super) fn grow(bytes: &mut Vec<u8>, more: usize, missing: usize) {
    let needed = bytes.len().saturating_add(more);
    if needed > bytes.capacity() {
        let doubled = bytes.capacity().saturating_mul(2);
        let target = doubled.clamp(needed, needed.saturating_add(missing));
        bytes.reserve_exact(target - bytes.len());
    }
}
