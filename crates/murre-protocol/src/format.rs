//! How a payload is to be read.

use std::fmt;

/// A payload's format. The broker carries payloads as bytes and decodes one only where a JSON client gets it or
/// a view asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Format {
    /// Bytes of the application's own.
    #[default]
    Raw = 0,
    /// One MessagePack value.
    MessagePack = 1,
    /// One JSON value.
    Json = 2,
    /// UTF-8 text.
    Text = 3,
}

impl Format {
    /// All formats, by number.
    pub const ALL: [Self; 4] = [Self::Raw, Self::MessagePack, Self::Json, Self::Text];

    /// From the number on the wire.
    pub const fn from_wire(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Raw),
            1 => Some(Self::MessagePack),
            2 => Some(Self::Json),
            3 => Some(Self::Text),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The media type that HTTP names it by.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Raw => "application/octet-stream",
            Self::MessagePack => "application/msgpack",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::MessagePack => "msgpack",
            Self::Json => "json",
            Self::Text => "text",
        })
    }
}
