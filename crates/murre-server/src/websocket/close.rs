//! Close codes, and the payload of a close frame (RFC 6455, 5.5.1 and 7.4).

use std::borrow::Cow;

use super::error::DecodeError;

/// The purpose of the connection is fulfilled.
pub const NORMAL: u16 = 1000;
/// The endpoint goes away: a server that stops, a page that is left.
pub const GOING_AWAY: u16 = 1001;
/// The peer broke the WebSocket protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A message of a kind that the receiver doesn't take.
pub const UNSUPPORTED_DATA: u16 = 1003;
/// Text that isn't UTF-8.
pub const INVALID_PAYLOAD: u16 = 1007;
/// The peer does what the receiver's policy forbids.
pub const POLICY_VIOLATION: u16 = 1008;
/// A message larger than the receiver takes.
pub const MESSAGE_TOO_BIG: u16 = 1009;
/// The receiver met a fault of its own.
pub const INTERNAL_ERROR: u16 = 1011;

/// A close reason's greatest length in bytes: a control frame's payload less the code.
pub const REASON_MAX: usize = 123;

/// Whether `code` may stand in a close frame: those that RFC 6455 and its registry define for sending (1004 to
/// 1006 and 1015 are not), and 3000 to 4999 for libraries and applications.
pub fn is_valid_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The code to answer a client's close with: its own, or 1000 where it gave none.
pub fn echo_code(code: Option<u16>) -> u16 {
    code.unwrap_or(NORMAL)
}

/// The longest beginning of `reason` that fits into a close frame, cut between characters.
pub fn fit_reason(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON_MAX)).unwrap_or_default()
}

/// Reads an unmasked close payload into code and reason.
pub(super) fn read_payload(payload: Cow<'_, [u8]>) -> Result<(Option<u16>, Cow<'_, str>), DecodeError> {
    let code = match *payload {
        [] => return Ok((None, Cow::Borrowed(""))),
        [_] => return Err(DecodeError::ClosePayload),
        [high, low, ..] => u16::from_be_bytes([high, low]),
    };
    if !is_valid_code(code) {
        return Err(DecodeError::CloseCode(code));
    }
    let reason = match payload {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes.get(2..).unwrap_or_default()).map(Cow::Borrowed),
        Cow::Owned(bytes) => std::str::from_utf8(bytes.get(2..).unwrap_or_default())
            .map(|reason| Cow::Owned(reason.to_owned())),
    };
    Ok((Some(code), reason.map_err(|_| DecodeError::CloseReasonNotUtf8)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_are_reserved_or_unassigned_may_not_be_sent() {
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX] {
            assert!(!is_valid_code(code), "{code}");
        }
    }

    #[test]
    fn codes_of_the_registry_and_of_applications_may_be_sent() {
        for code in
            [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
        {
            assert!(is_valid_code(code), "{code}");
        }
    }

    #[test]
    fn a_reason_too_long_is_cut_between_characters() {
        let reason = format!("{}é and more", "x".repeat(REASON_MAX - 1));

        assert_eq!(fit_reason(&reason), "x".repeat(REASON_MAX - 1));
    }

    #[test]
    fn a_close_is_answered_with_its_own_code() {
        assert_eq!(echo_code(Some(4000)), 4000);
        assert_eq!(echo_code(None), NORMAL);
    }
}
