//! What has arrived while a session isn't read.

use std::{cell::Cell, mem};

use bytes::BytesMut;

/// Bytes that every session may have waiting.
const OWN: usize = 256 * 1024;
/// Bytes that a session may have waiting as long as the thread's sessions together have less than [`SHARED_MAX`].
const SESSION_MAX: usize = 16 * 1024 * 1024;
/// Bytes in all sessions' backlogs on a thread, from which on each has but its [`OWN`].
const SHARED_MAX: usize = 64 * 1024 * 1024;

thread_local! {
    /// Bytes in the backlogs of this thread.
    static WAITING: Cell<usize> = const { Cell::new(0) };
}

/// Bytes of one client that wait until its session is read. Empty, it holds no memory.
#[derive(Debug, Default)]
pub(super) struct Backlog(BytesMut);

impl Backlog {
    /// Whether more may wait. What is pushed next, up to 40 KiB, may pass the bound.
    pub(super) fn has_room(&self) -> bool {
        let len = self.0.len();
        len < OWN || (len < SESSION_MAX && WAITING.get() < SHARED_MAX)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends what has arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        WAITING.set(WAITING.get() + bytes.len());
    }

    /// Takes everything.
    pub(super) fn take(&mut self) -> BytesMut {
        WAITING.set(WAITING.get() - self.0.len());
        mem::take(&mut self.0)
    }

    /// Puts the rest of what was taken back in front.
    pub(super) fn give_back(&mut self, rest: BytesMut) {
        if !rest.is_empty() {
            WAITING.set(WAITING.get() + rest.len());
            let pushed_since = mem::replace(&mut self.0, rest);
            self.0.extend_from_slice(&pushed_since);
        }
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        drop(self.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_comes_before_what_was_pushed_since() {
        let mut backlog = Backlog::default();
        backlog.push(b"abc");
        let mut taken = backlog.take();

        backlog.push(b"d");
        backlog.give_back(taken.split_off(1));

        assert_eq!(backlog.take(), b"bcd"[..]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn one_session_can_not_have_more_than_its_bound() {
        let mut backlog = Backlog::default();
        backlog.push(&vec![0; SESSION_MAX - 1]);
        assert!(backlog.has_room());

        backlog.push(&[0]);

        assert!(!backlog.has_room());
    }

    #[test]
    fn many_sessions_have_what_is_their_own_when_the_shared_room_is_used_up() {
        let full = || {
            let mut backlog = Backlog::default();
            backlog.push(&vec![0; SESSION_MAX]);
            backlog
        };
        let mut held: Vec<_> = (0..4).map(|_| full()).collect();
        let mut other = Backlog::default();

        other.push(&vec![0; OWN - 1]);
        assert!(other.has_room(), "its own");
        other.push(&[0]);
        assert!(!other.has_room(), "the shared room is used up");
        held.pop();

        assert!(other.has_room(), "there is room again");
    }
}
