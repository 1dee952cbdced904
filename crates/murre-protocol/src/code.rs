//! The codes of answers, DISCONNECT and WebSocket closes: one table.

use std::fmt;

/// A protocol code: 0, or 4000 plus the last three digits of the HTTP status that it is like.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Code(u16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $reconnect:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Every code that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What the code says, in a few words.
            pub const fn text(self) -> &'static str {
                match self.0 {
                    $($number => $text,)*
                    _ => "unknown code",
                }
            }

            /// Whether a client that was disconnected with this code should connect again by itself.
            pub const fn should_reconnect(self) -> bool {
                match self.0 {
                    $($number => $reconnect,)*
                    _ => true,
                }
            }
        }
    };
}

codes! {
    /// Accepted, granted; in DISCONNECT: a normal end.
    OK = 0, "ok", false;
    /// A malformed packet; also an unknown type, a truncated tail, a packet out of order.
    MALFORMED = 4400, "malformed packet", false;
    /// Not authenticated.
    NOT_AUTHENTICATED = 4401, "not authenticated", false;
    /// Not authorised.
    NOT_AUTHORISED = 4403, "not authorised", false;
    /// No such topic or subscription.
    NOT_FOUND = 4404, "no such topic or subscription", false;
    /// Nothing was heard from the client for too long.
    KEEP_ALIVE_TIMEOUT = 4408, "keep-alive timeout", true;
    /// Another connection came with the same client id.
    TAKEN_OVER = 4409, "session taken over", false;
    /// The client read too slowly.
    SLOW_CONSUMER = 4410, "slow consumer", true;
    /// A packet or message past the limit.
    TOO_LARGE = 4413, "packet too large", false;
    /// An invalid topic, filter, option or option value.
    INVALID = 4422, "invalid topic, filter or option", false;
    /// A rate or quota was exceeded.
    QUOTA = 4429, "rate or quota exceeded", true;
    /// A fault of the broker's own.
    BROKER_ERROR = 4500, "broker error", true;
    /// The broker doesn't have what was asked for.
    NOT_SUPPORTED = 4501, "not supported", false;
    /// The broker is shutting down.
    SHUTTING_DOWN = 4503, "shutting down", true;
}

impl Code {
    /// From the number on the wire; unknown codes are kept.
    pub const fn from_wire(number: u16) -> Self {
        Self(number)
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether this is 0.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.text())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
