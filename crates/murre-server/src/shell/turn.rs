//! The end of the event loop's turn.
//!
//! Sessions that read in one turn leave their publishes with the hub; this task, woken by the first of them and
//! run after the last, takes them all through the shards at once. So many publishers' messages reach a subscriber
//! in one write.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    task::Poll,
};

use actix_rt::time::{Instant, Sleep, sleep_until};

use super::runtime::Local;

/// Keeps a worker's turns and timers until its thread ends.
pub(super) async fn keep(local: Local) {
    let mut timer: Option<(Instant, Pin<Box<Sleep>>)> = None;
    loop {
        poll_fn(|cx| {
            let touched = local.with_runtime(|runtime| {
                runtime.set_turn(cx.waker());
                runtime.touched
            });
            let rung = timer.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
            if touched || rung { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        local.with_runtime(|runtime| {
            runtime.begin_turn();
            runtime.tick();
        });
        local.finish();
        // Behind that, which may have left something for later: a value that a view holds back.
        let due = local.with_runtime(|runtime| {
            runtime.next_due().map(|due| Instant::from_std(runtime.clock().instant(due)))
        });
        if due != timer.as_ref().map(|(at, _)| *at) {
            timer = due.map(|at| (at, Box::pin(sleep_until(at))));
        }
        if local.with_runtime(|runtime| runtime.touched) {
            // there is more to do already: those that were woken go first. Else nothing is to be yielded for, and the
            // way round the event loop would cost a system call.
            actix_rt::task::yield_now().await;
        }
    }
}
