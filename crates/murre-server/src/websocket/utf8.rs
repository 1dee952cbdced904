//! Checks text that comes in pieces, where a character may be split between two of them.

/// How many bytes at the start of `bytes` are whole characters, when the rest may still become one; none when
/// nothing that follows can make UTF-8 of them.
pub(super) fn checked_len(bytes: &[u8]) -> Option<usize> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Some(bytes.len()),
        Err(error) if error.error_len().is_none() => Some(error.valid_up_to()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_short_may_still_become_whole() {
        assert_eq!(checked_len("a€".as_bytes()), Some(4));
        assert_eq!(checked_len(&"a€".as_bytes()[..3]), Some(1));
        assert_eq!(checked_len(&"🐦".as_bytes()[..1]), Some(0));
    }

    #[test]
    fn what_can_not_become_a_character_is_told_at_once() {
        let surrogate = [0xed, 0xa0];
        let beyond_unicode = [0xf4, 0x90];
        let overlong = [0xe0, 0x80];
        for bytes in [surrogate, beyond_unicode, overlong] {
            assert_eq!(checked_len(&bytes), None, "{bytes:x?}");
        }
    }
}
