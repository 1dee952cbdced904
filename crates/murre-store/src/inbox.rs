//! The queue in front of a thread: whoever puts something in never waits, and the thread takes all that is there.
//!
//! It has no bound of its own. The engine bounds what it has under way (see [`Log`](murre_core::log::Log)).

use std::{collections::VecDeque, time::Instant};

use parking_lot::{Condvar, Mutex};

/// A queue with one thread behind it.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    queue: Mutex<Queue<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    is_closed: bool,
}

/// What [`Inbox::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Something.
    Items,
    /// Nothing, and the time is over.
    Timeout,
    /// Nothing, and nothing will come any more.
    Closed,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        let queue = Queue { items: VecDeque::new(), is_closed: false };
        Self { queue: Mutex::new(queue), filled: Condvar::new() }
    }
}

impl<T> Inbox<T> {
    /// Puts something in; false where nobody takes it any more.
    pub(crate) fn put(&self, item: T) -> bool {
        let mut queue = self.queue.lock();
        if queue.is_closed {
            return false;
        }
        queue.items.push_back(item);
        drop(queue);
        self.filled.notify_one();
        true
    }

    /// Nothing is taken in any more; what is there still goes out.
    pub(crate) fn close(&self) {
        self.queue.lock().is_closed = true;
        self.filled.notify_all();
    }

    /// Waits until there is something, and takes it as long as `more` says so: at least the first.
    pub(crate) fn take(
        &self,
        until: Option<Instant>,
        into: &mut Vec<T>,
        mut more: impl FnMut(&T) -> bool,
    ) -> Taken {
        let mut queue = self.queue.lock();
        while queue.items.is_empty() {
            if queue.is_closed {
                return Taken::Closed;
            }
            let Some(until) = until else {
                self.filled.wait(&mut queue);
                continue;
            };
            if self.filled.wait_until(&mut queue, until).timed_out() && queue.items.is_empty() {
                return if queue.is_closed { Taken::Closed } else { Taken::Timeout };
            }
        }
        while let Some(item) = queue.items.pop_front() {
            let goes_on = more(&item);
            into.push(item);
            if !goes_on {
                break;
            }
        }
        Taken::Items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_before_the_end_still_goes_out() {
        let inbox = Inbox::default();
        assert!(inbox.put(1) && inbox.put(2) && inbox.put(3));
        inbox.close();
        let mut taken = Vec::new();
        assert_eq!(inbox.take(None, &mut taken, |item| *item < 2), Taken::Items);
        assert_eq!((taken.as_slice(), inbox.put(4)), ([1, 2].as_slice(), false));
        assert_eq!(inbox.take(None, &mut taken, |_| true), Taken::Items);
        assert_eq!(inbox.take(None, &mut taken, |_| true), Taken::Closed);
    }
}
