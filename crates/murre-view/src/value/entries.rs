//! A map's entries, one after the other.

use super::{Raw, Text, Unusable, json, msgpack};

/// What is left of a map's entries.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a> {
    rest: Raw<'a>,
    /// The value that was given last and isn't passed yet.
    pending: Option<Raw<'a>>,
    /// In MessagePack: how many are left. In JSON: whether the first was given.
    count: usize,
}

/// A key and a value.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The key; none where it isn't text, as MessagePack allows.
    pub key: Option<Text<'a>>,
    /// The key as it is encoded.
    pub key_bytes: &'a [u8],
    /// The value.
    pub value: Raw<'a>,
}

impl<'a> Raw<'a> {
    /// Its entries; none where it is no map.
    ///
    /// # Errors
    /// [`Unusable::Malformed`].
    pub fn entries(self) -> Result<Option<Entries<'a>>, Unusable> {
        Ok(match self {
            Self::MessagePack(bytes) => msgpack::map(bytes)?.map(|(count, rest)| Entries {
                rest: Self::MessagePack(rest),
                pending: None,
                count,
            }),
            Self::Json(bytes) => {
                json::map(bytes).map(|rest| Entries { rest: Self::Json(rest), pending: None, count: 0 })
            }
        })
    }
}

impl<'a> Entries<'a> {
    /// The next one; none behind the last.
    ///
    /// # Errors
    /// [`Unusable::Malformed`].
    #[expect(clippy::should_implement_trait, reason = "an error ends it")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Entry<'a>>, Unusable> {
        if let Some(value) = self.pending.take() {
            self.rest = value.skip()?;
        }
        let entry = match self.rest {
            Raw::MessagePack(rest) => {
                let Some(left) = self.count.checked_sub(1) else { return Ok(None) };
                self.count = left;
                let (key, key_bytes, value) = msgpack::entry(rest)?;
                Entry { key: key.map(Text::Plain), key_bytes, value: Raw::MessagePack(value) }
            }
            Raw::Json(rest) => {
                let Some((key, key_bytes, value)) = json::entry(rest, self.count == 0)? else {
                    return Ok(None);
                };
                self.count = 1;
                Entry { key: Some(key), key_bytes, value: Raw::Json(value) }
            }
        };
        self.pending = Some(entry.value);
        Ok(Some(entry))
    }

    /// The bytes of the value that was given last, which is passed over only once for it; none where they were taken.
    ///
    /// # Errors
    /// [`Unusable::Malformed`].
    #[inline]
    pub fn take_value(&mut self) -> Result<&'a [u8], Unusable> {
        let Some(value) = self.pending.take() else { return Ok(&[]) };
        self.rest = value.skip()?;
        value.until(self.rest)
    }
}
