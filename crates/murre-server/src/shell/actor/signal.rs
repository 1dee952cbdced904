//! How the actor is called: by the hub, by what arrives, by room for what goes out.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::Stream;
use parking_lot::Mutex;

/// Wakes the actor's task, and remembers that it is to look after its session. Many calls before it looks are one.
#[derive(Debug, Default)]
pub(super) struct Signal {
    called: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Signal {
    /// Calls the actor.
    pub(super) fn call(&self) {
        self.called.store(true, SeqCst);
        if let Some(task) = &*self.task.lock() {
            task.wake_by_ref();
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.call();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.call();
    }
}

/// The actor has something to do.
pub(super) struct Called;

/// The calls, as a stream for the actor's context. One for each poll of its task at most: others on the thread
/// have their turn between two of them.
pub(super) struct Calls {
    signal: Arc<Signal>,
    gave: bool,
}

impl Calls {
    /// The calls of a signal.
    pub(super) fn new(signal: Arc<Signal>) -> Self {
        Self { signal, gave: false }
    }
}

impl Stream for Calls {
    type Item = Called;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Called>> {
        let this = self.get_mut();
        {
            let mut task = this.signal.task.lock();
            if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                *task = Some(cx.waker().clone());
            }
        }
        if std::mem::take(&mut this.gave) {
            if this.signal.called.load(SeqCst) {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        if this.signal.called.swap(false, SeqCst) {
            this.gave = true;
            return Poll::Ready(Some(Called));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(calls: &mut Calls) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(calls).poll_next(&mut cx).is_ready()
    }

    #[test]
    fn many_calls_are_one() {
        let signal = Arc::new(Signal::default());
        let mut calls = Calls::new(signal.clone());

        signal.call();
        signal.call();

        assert_eq!([poll(&mut calls), poll(&mut calls), poll(&mut calls)], [true, false, false]);
    }

    #[test]
    fn a_call_while_the_actor_works_is_kept_for_its_next_turn() {
        let signal = Arc::new(Signal::default());
        let mut calls = Calls::new(signal.clone());
        signal.call();
        assert!(poll(&mut calls));

        signal.call();

        assert_eq!([poll(&mut calls), poll(&mut calls)], [false, true]);
    }
}
