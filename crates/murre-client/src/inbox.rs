//! A bounded queue between the background task and one reader: the oldest go when it is full, and are counted.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::sync::Notify;

/// How much an inbox holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Items.
    pub(crate) items: usize,
    /// Bytes, as the pusher counts them; a single item may exceed them.
    pub(crate) bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    bounds: Bounds,
    state: Mutex<State<T>>,
    /// Told when a full inbox has room again.
    room: Notify,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<(T, usize)>,
    bytes: usize,
    dropped: u64,
    ended: bool,
    reader: Option<Waker>,
}

impl<T> Inbox<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let state = State { queue: VecDeque::new(), bytes: 0, dropped: 0, ended: false, reader: None };
        Self { bounds, state: Mutex::new(state), room: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, state: &State<T>) -> bool {
        state.queue.len() > self.bounds.items || (state.bytes > self.bounds.bytes && state.queue.len() > 1)
    }

    /// Adds `item` of `bytes`; the oldest go when there are too many. Nothing is added after the end.
    pub(crate) fn push(&self, item: T, bytes: usize) {
        let mut state = self.state();
        if state.ended {
            return;
        }
        state.queue.push_back((item, bytes));
        state.bytes += bytes;
        while self.is_over(&state) {
            let Some((_, bytes)) = state.queue.pop_front() else { break };
            state.bytes -= bytes;
            state.dropped += 1;
        }
        wake(state);
    }

    /// Changes the newest item if `merge` says that this took the new one in; else adds `item`.
    pub(crate) fn merge_or_push(&self, item: T, merge: impl FnOnce(&mut T) -> bool) {
        let merged = self.state().queue.back_mut().is_some_and(|(newest, _)| merge(newest));
        if !merged {
            self.push(item, 0);
        }
    }

    /// The next item; none after the end, when everything was taken.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state();
        let was_full = self.holds_the_bound(&state);
        match state.queue.pop_front() {
            Some((item, bytes)) => {
                state.bytes -= bytes;
                if was_full {
                    self.room.notify_one();
                }
                Poll::Ready(Some(item))
            }
            None if state.ended => Poll::Ready(None),
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn holds_the_bound(&self, state: &State<T>) -> bool {
        !state.ended && (state.queue.len() >= self.bounds.items || state.bytes >= self.bounds.bytes)
    }

    /// Whether one more item would push out the oldest.
    pub(crate) fn is_full(&self) -> bool {
        self.holds_the_bound(&self.state())
    }

    /// Waits until there is room, or the end.
    pub(crate) async fn room(&self) {
        while self.is_full() {
            self.room.notified().await;
        }
    }

    /// How many items were pushed out.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// The count of pushed out items, which begins again at 0.
    pub(crate) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.state().dropped)
    }

    /// Nothing more will come; what is there can still be read.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        self.room.notify_one();
        wake(state);
    }
}

/// Wakes the reader, outside of the lock.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::poll_fn};
    use proptest::prelude::*;

    use super::*;

    fn next(inbox: &Inbox<u32>) -> Option<Option<u32>> {
        poll_fn(|context| inbox.poll_next(context)).now_or_never()
    }

    #[test]
    fn the_oldest_go_when_it_is_full_and_are_counted() {
        let inbox = Inbox::new(Bounds { items: 2, bytes: 100 });
        for n in 0..5 {
            inbox.push(n, 1);
        }
        assert_eq!((next(&inbox), next(&inbox), next(&inbox)), (Some(Some(3)), Some(Some(4)), None));
        assert_eq!(inbox.dropped(), 3);
    }

    #[test]
    fn a_single_item_may_be_larger_than_the_bound() {
        let inbox = Inbox::new(Bounds { items: 10, bytes: 100 });
        inbox.push(1, 5);
        inbox.push(2, 1000);
        assert_eq!((next(&inbox), inbox.dropped()), (Some(Some(2)), 1));
    }

    #[test]
    fn what_is_there_can_be_read_after_the_end() {
        let inbox = Inbox::new(Bounds { items: 2, bytes: 100 });
        inbox.push(1, 1);
        inbox.end();
        inbox.push(2, 1);
        assert_eq!((next(&inbox), next(&inbox)), (Some(Some(1)), Some(None)));
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_a_push_and_by_the_end() {
        let inbox = Inbox::new(Bounds { items: 2, bytes: 100 });
        let read = poll_fn(|context| inbox.poll_next(context));
        let (item, ()) = tokio::join!(read, async { inbox.push(7, 1) });
        assert_eq!(item, Some(7));
        let read = poll_fn(|context| inbox.poll_next(context));
        let (item, ()) = tokio::join!(read, async { inbox.end() });
        assert_eq!(item, None);
    }

    #[tokio::test]
    async fn reading_from_a_full_inbox_tells_that_there_is_room() {
        let inbox = Inbox::new(Bounds { items: 1, bytes: 100 });
        inbox.push(1, 1);
        assert_eq!(inbox.room().now_or_never(), None);
        let ((), item) = tokio::join!(inbox.room(), async { next(&inbox) });
        assert_eq!(item, Some(Some(1)));
    }

    proptest! {
        #[test]
        fn what_is_read_is_the_newest_in_order(pushes in prop::collection::vec(0..50_usize, 0..40), items in 1..8_usize) {
            let inbox = Inbox::new(Bounds { items, bytes: 100 });
            for (n, bytes) in pushes.iter().enumerate() {
                inbox.push(n, *bytes);
            }
            let mut read = Vec::new();
            while let Some(Some(n)) = poll_fn(|context| inbox.poll_next(context)).now_or_never() {
                read.push(n);
            }
            prop_assert!(read.len() <= items);
            prop_assert!(read.iter().map(|n| pushes[*n]).sum::<usize>() <= 100);
            prop_assert_eq!(&read, &(pushes.len() - read.len()..pushes.len()).collect::<Vec<_>>());
            prop_assert_eq!(inbox.dropped() as usize, pushes.len() - read.len());
        }
    }
}
