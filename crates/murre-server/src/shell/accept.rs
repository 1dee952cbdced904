//! The pace at which a worker takes new connections: after so many of them its event loop has a turn.
//!
//! The others wait, behind this worker and then in the system's queue; none is refused for that. So in a storm of
//! connects the sessions that are already there are served between any two handfuls of new ones.

use std::{
    cell::{Cell, RefCell},
    future::{Ready, ready},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use actix_service::{Service, Transform};

use super::runtime::Local;
use crate::process::Process;

/// Makes the paced service of each worker.
pub(crate) struct Pace(pub(crate) Arc<Process>);

impl<S: Service<C>, C> Transform<S, C> for Pace {
    type Response = S::Response;
    type Error = S::Error;
    type Transform = Paced<S>;
    type InitError = ();
    type Future = Ready<Result<Paced<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let accepts_max = self.0.config.limits.accepts_per_turn;
        let turn = Turn { left: Cell::new(accepts_max), waiting: RefCell::default() };
        let local = Local::on_this_thread(&self.0);
        ready(Ok(Paced { service, accepts_max, turn: Rc::new(turn), local }))
    }
}

/// A service that is not ready when it has taken its number of connections, until the event loop has had a turn.
pub(crate) struct Paced<S> {
    service: S,
    accepts_max: usize,
    turn: Rc<Turn>,
    local: Local,
}

/// What is left of the number, and who waits for the next turn.
struct Turn {
    left: Cell<usize>,
    waiting: RefCell<Option<Waker>>,
}

impl<S: Service<C>, C> Service<C> for Paced<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.turn.left.get() > 0 {
            return self.service.poll_ready(cx);
        }
        let first = self.turn.waiting.replace(Some(cx.waker().clone())).is_none();
        if first {
            self.local.peek_hub(|hub| hub.accepts_put_off());
            let (turn, accepts_max) = (self.turn.clone(), self.accepts_max);
            actix_rt::spawn(async move {
                // comes back when sockets have been looked at, behind the sessions that these have woken
                actix_rt::task::yield_now().await;
                turn.left.set(accepts_max);
                if let Some(waiting) = turn.waiting.take() {
                    waiting.wake();
                }
            });
        }
        Poll::Pending
    }

    fn call(&self, connection: C) -> S::Future {
        self.turn.left.set(self.turn.left.get().saturating_sub(1));
        self.service.call(connection)
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn};

    use actix_service::fn_service;

    use super::*;
    use crate::{config::Config, websocket::origin::OwnHost};

    fn process(accepts_per_turn: usize) -> Arc<Process> {
        let mut config = Config::default();
        config.limits.accepts_per_turn = accepts_per_turn;
        Process::new(config, 1, OwnHost::AddressOnly).unwrap()
    }

    fn put_off(process: &Process) -> u64 {
        process.counters().iter().find(|(name, ..)| *name == "accepts_put_off").unwrap().3
    }

    #[actix_rt::test]
    async fn the_event_loop_has_a_turn_after_each_handful() {
        let process = process(2);
        let service = fn_service(|(): ()| ready(Ok::<_, Infallible>(())));
        let paced = Pace(process.clone()).new_transform(service).await.unwrap();
        let turns = Rc::new(Cell::new(0));
        let counted = turns.clone();
        actix_rt::spawn(async move {
            loop {
                actix_rt::task::yield_now().await;
                counted.set(counted.get() + 1);
            }
        });

        for _ in 0..6 {
            poll_fn(|cx| paced.poll_ready(cx)).await.unwrap();
            paced.call(()).await.unwrap();
        }

        assert_eq!(put_off(&process), 2, "after the second and after the fourth");
        assert!(turns.get() >= 2);
    }
}
