//! A bounded queue between the background task and one reader: the oldest go when it is full, and are counted.
//!
//! Besides what counts for its bound there may be marks in the queue, which say something about their place in it.

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

/// What may be in an inbox.
pub(crate) trait Queued {
    /// Whether this is a mark, which counts neither for the bound nor as dropped.
    fn is_mark(&self) -> bool {
        false
    }
}

/// Marks that a queue holds; the oldest go when there are more.
const MARKS_MAX: usize = 64;

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
    marks: usize,
    dropped: u64,
    ended: bool,
    reader: Option<Waker>,
}

impl<T: Queued> State<T> {
    fn counted(&self) -> usize {
        self.queue.len() - self.marks
    }

    fn append(&mut self, item: T, bytes: usize) {
        self.marks += usize::from(item.is_mark());
        self.bytes += bytes;
        self.queue.push_back((item, bytes));
    }

    fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.queue.pop_front()?;
        self.marks -= usize::from(item.is_mark());
        self.bytes -= bytes;
        Some(item)
    }
}

impl<T: Queued> Inbox<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let queue = VecDeque::new();
        let state = State { queue, bytes: 0, marks: 0, dropped: 0, ended: false, reader: None };
        Self { bounds, state: Mutex::new(state), room: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, state: &State<T>) -> bool {
        let counted = state.counted();
        counted > self.bounds.items || (state.bytes > self.bounds.bytes && counted > 1)
    }

    /// Adds `item` of `bytes`; the oldest go when there are too many. Nothing is added after the end.
    pub(crate) fn push(&self, item: T, bytes: usize) {
        let mut state = self.state();
        if state.ended {
            return;
        }
        state.append(item, bytes);
        while self.is_over(&state) {
            let Some(oldest) = state.pop() else { break };
            state.dropped += u64::from(!oldest.is_mark());
        }
        wake(state);
    }

    /// Adds `item` of `bytes` and drops nothing for it: the pusher waits for [`room`](Inbox::room).
    pub(crate) fn push_beyond(&self, item: T, bytes: usize) {
        let mut state = self.state();
        if !state.ended {
            state.append(item, bytes);
            wake(state);
        }
    }

    /// Adds a mark. Of too many unread ones the oldest goes.
    pub(crate) fn push_mark(&self, mark: T) {
        let mut state = self.state();
        if state.ended {
            return;
        }
        if state.marks >= MARKS_MAX
            && let Some(oldest) = state.queue.iter().position(|(item, _)| item.is_mark())
        {
            state.queue.remove(oldest);
            state.marks -= 1;
        }
        state.append(mark, 0);
        wake(state);
    }

    /// Takes everything out that was not read.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.queue.clear();
        (state.bytes, state.marks) = (0, 0);
        self.room.notify_one();
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
        match state.pop() {
            Some(item) => {
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
        !state.ended && (state.counted() >= self.bounds.items || state.bytes >= self.bounds.bytes)
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

    /// Marks are the numbers from 1000 on.
    impl Queued for u32 {
        fn is_mark(&self) -> bool {
            *self >= 1000
        }
    }

    impl Queued for usize {}

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

    #[test]
    fn marks_take_no_room_and_keep_their_place() {
        let inbox = Inbox::new(Bounds { items: 2, bytes: 100 });
        inbox.push(1, 1);
        inbox.push_mark(1000);
        inbox.push(2, 1);
        assert_eq!([next(&inbox), next(&inbox), next(&inbox)], [1, 1000, 2].map(|n| Some(Some(n))));
        assert_eq!(inbox.dropped(), 0);
    }

    #[test]
    fn unread_marks_are_bounded() {
        let inbox = Inbox::new(Bounds { items: 2, bytes: 100 });
        for n in 0..1000 {
            inbox.push_mark(1000 + n);
        }
        let first = 2000 - u32::try_from(MARKS_MAX).unwrap();
        assert_eq!((next(&inbox), inbox.state().queue.len()), (Some(Some(first)), MARKS_MAX - 1));
    }

    #[tokio::test]
    async fn what_is_pushed_beyond_the_bound_drops_nothing_and_leaves_no_room() {
        let inbox = Inbox::new(Bounds { items: 1, bytes: 100 });
        inbox.push_beyond(1, 1);
        inbox.push_beyond(2, 1);
        assert_eq!(next(&inbox), Some(Some(1)));
        assert_eq!(inbox.room().now_or_never(), None);
        let ((), item) = tokio::join!(inbox.room(), async { next(&inbox) });
        assert_eq!((item, inbox.dropped()), (Some(Some(2)), 0));
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_a_push_and_by_the_end() {
        let inbox = Inbox::<u32>::new(Bounds { items: 2, bytes: 100 });
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
