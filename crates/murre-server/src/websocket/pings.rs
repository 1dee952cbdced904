//! At most one pong waits, however many pings come.

use super::frame;

/// The pong that is owed to a client.
///
/// RFC 6455 (5.5.3) lets an endpoint answer only the newest of several pings. A client that sends pings and reads
/// nothing can therefore never make more than one pong wait: [`Self::ping`] for each ping, [`Self::write_to`]
/// when the socket takes bytes again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PendingPong {
    payload: Option<Vec<u8>>,
}

impl PendingPong {
    /// Takes note of a ping. True when an older one, still unanswered, will not be answered any more.
    pub fn ping(&mut self, payload: &[u8]) -> bool {
        let kept = payload.get(..frame::CONTROL_PAYLOAD_MAX).unwrap_or(payload);
        self.payload.replace(kept.to_vec()).is_some()
    }

    /// Whether a pong is owed.
    pub fn is_owed(&self) -> bool {
        self.payload.is_some()
    }

    /// Appends the pong that is owed, if any, and says whether there was one.
    pub fn write_to(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(payload) = self.payload.take() else { return false };
        frame::write_pong(out, &payload);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_of_many_pings_is_answered() {
        let mut pong = PendingPong::default();
        let mut out = Vec::new();

        let replaced: Vec<bool> = [b"1", b"2", b"3"].iter().map(|payload| pong.ping(*payload)).collect();

        assert_eq!(replaced, [false, true, true]);
        assert!(pong.write_to(&mut out));
        assert_eq!(out, [0x8a, 1, b'3']);
    }

    #[test]
    fn without_a_ping_no_pong_is_owed() {
        let mut pong = PendingPong::default();
        let mut out = Vec::new();
        pong.ping(b"");
        pong.write_to(&mut out);
        out.clear();

        assert!(!pong.is_owed());
        assert!(!pong.write_to(&mut out));
        assert!(out.is_empty());
    }
}
