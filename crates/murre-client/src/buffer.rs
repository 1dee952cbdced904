//! How much may wait to be sent, and what happens when that is full.

/// The bounds of the outgoing buffer: what is published while there is no connection, or faster than it goes.
///
/// ```
/// use murre_client::{Buffer, WhenFull};
/// let buffer = Buffer::messages(10_000).bytes(8 << 20).when_full(WhenFull::Wait);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) in_flight: usize,
    pub(crate) when_full: WhenFull,
}

/// What happens to a publish when the buffer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The oldest waiting messages go, so that the newest readings get through. Awaiting one of them gives
    /// [`PublishError::Dropped`](crate::PublishError::Dropped).
    #[default]
    DropOldest,
    /// The new message isn't taken: [`PublishError::BufferFull`](crate::PublishError::BufferFull).
    DropNewest,
    /// Publishing waits until there is room; waiting publishes go in the order in which they began to wait.
    Wait,
}

impl Default for Buffer {
    /// 10,000 messages, 8 MiB, 1,024 in flight, [`WhenFull::DropOldest`].
    fn default() -> Self {
        Self { messages: 10_000, bytes: 8 << 20, in_flight: 1024, when_full: WhenFull::default() }
    }
}

impl Buffer {
    /// A buffer of at most `count` waiting messages (at least 1), and the defaults otherwise.
    pub fn messages(count: usize) -> Self {
        Self { messages: count.max(1), ..Self::default() }
    }

    /// At most `bytes` of waiting packets. A larger message is refused.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// At most `count` acknowledged publishes (at least 1) on their way at a time: sent, and not answered yet.
    /// These are kept beside the buffer, in as many bytes again, and sent again on a new connection.
    #[must_use]
    pub fn in_flight(mut self, count: usize) -> Self {
        self.in_flight = count.max(1);
        self
    }

    /// What happens when the buffer is full.
    #[must_use]
    pub fn when_full(mut self, rule: WhenFull) -> Self {
        self.when_full = rule;
        self
    }
}
