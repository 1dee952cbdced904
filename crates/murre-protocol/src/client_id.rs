//! Client ids: the name under which the broker knows a session.

use std::fmt;

/// The longest client id, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 128;

/// Why a text is no client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientIdError {
    /// Empty or longer than [`CLIENT_ID_BYTES_MAX`].
    #[error("it has {0} bytes; a client id has 1 to {CLIENT_ID_BYTES_MAX}")]
    Length(usize),
    /// `/`, `+`, `#` or a control character.
    #[error("it has the character {0:?}; '/', '+', '#' and control characters are not allowed")]
    Character(char),
}

/// A client id: 1 to 128 bytes, without `/`, `+`, `#` and control characters, so that it can be a topic's level.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(std::sync::Arc<str>);

impl ClientId {
    /// Checks `text`.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        if text.is_empty() || text.len() > CLIENT_ID_BYTES_MAX {
            return Err(ClientIdError::Length(text.len()));
        }
        match text.chars().find(|c| matches!(c, '/' | '+' | '#') || c.is_control()) {
            Some(wrong) => Err(ClientIdError::Character(wrong)),
            None => Ok(Self(text.into())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_can_be_a_level_of_a_topic() {
        assert!(ClientId::parse("boiler 7 – öl").is_ok());
        assert_eq!(ClientId::parse("a/b"), Err(ClientIdError::Character('/')));
        assert_eq!(ClientId::parse("a\n"), Err(ClientIdError::Character('\n')));
        assert_eq!(ClientId::parse(""), Err(ClientIdError::Length(0)));
        assert_eq!(ClientId::parse(&"x".repeat(129)), Err(ClientIdError::Length(129)));
    }
}
