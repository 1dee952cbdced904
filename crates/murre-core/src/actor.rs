//! The only file that knows actix: it makes actors of the plain structs.
//!
//! A worker's hub and its part of the engine are two actors on that worker's own arbiter. Their mailboxes carry
//! what crosses threads; on one thread the parts are called directly (see [`crate::worker`]). Who sends holds a
//! [`Sender`] that it was given, not an actor's address, so that a test can give it a closure.

use actix::{Actor, Addr, Context, Handler, Message};

use crate::{
    engine::{EngineInput, HubInput, Input},
    ids::WorkerId,
};

/// Takes messages, wherever they go.
pub struct Sender<M>(Box<dyn Fn(M) + Send + Sync>);

impl<M> Sender<M> {
    /// A sender that calls `send`.
    pub fn new(send: impl Fn(M) + Send + Sync + 'static) -> Self {
        Self(Box::new(send))
    }

    /// Sends.
    pub fn send(&self, message: M) {
        (self.0)(message);
    }
}

/// What the actors hand their inputs to, on their worker's thread.
pub trait Inbox: Clone + Unpin + 'static {
    /// An input came from another worker.
    fn take(&self, input: Input);
}

/// An input in a mailbox.
#[derive(Message)]
#[rtype(result = "()")]
struct Mail<T>(T);

/// A worker's hub, as an actor.
struct HubActor<I>(I);

/// A worker's part of the engine, as an actor.
struct EngineActor<I>(I);

impl<I: Inbox> Actor for HubActor<I> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl<I: Inbox> Actor for EngineActor<I> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl<I: Inbox> Handler<Mail<HubInput>> for HubActor<I> {
    type Result = ();

    fn handle(&mut self, Mail(input): Mail<HubInput>, _: &mut Self::Context) {
        self.0.take(Input::Hub(input));
    }
}

impl<I: Inbox> Handler<Mail<EngineInput>> for EngineActor<I> {
    type Result = ();

    fn handle(&mut self, Mail(input): Mail<EngineInput>, _: &mut Self::Context) {
        self.0.take(Input::Engine(input));
    }
}

/// Mailboxes are bounded by what fills them: publishers' credit for batches (`publish_inflight_max` a session),
/// one slice at a time for a session's snapshot, one change of interest for a packet. `do_send` passes the bound.
const MAILBOX: usize = 1024;

/// A worker's two actors, for those that send to it.
pub struct WorkerAddress {
    hub: Sender<HubInput>,
    engine: Sender<EngineInput>,
}

impl WorkerAddress {
    /// Starts the actors of a worker on the current thread's arbiter.
    pub fn start<I: Inbox>(inbox: &I) -> Self {
        let hub: Addr<HubActor<I>> = HubActor(inbox.clone()).start();
        let engine: Addr<EngineActor<I>> = EngineActor(inbox.clone()).start();
        Self {
            hub: Sender::new(move |input| hub.do_send(Mail(input))),
            engine: Sender::new(move |input| engine.do_send(Mail(input))),
        }
    }

    /// An address that calls `send`.
    pub fn new(hub: Sender<HubInput>, engine: Sender<EngineInput>) -> Self {
        Self { hub, engine }
    }

    /// Sends an input to the part that it is for.
    pub fn send(&self, input: Input) {
        match input {
            Input::Hub(input) => self.hub.send(input),
            Input::Engine(input) => self.engine.send(input),
        }
    }
}

/// The addresses of all workers, in order.
#[derive(Default)]
pub struct Directory(Vec<WorkerAddress>);

impl Directory {
    /// All workers of a process.
    pub fn new(workers: Vec<WorkerAddress>) -> Self {
        Self(workers)
    }

    /// Sends an input to a worker.
    pub fn send(&self, worker: WorkerId, input: Input) {
        if let Some(address) = self.0.get(worker.index()) {
            address.send(input);
        }
    }
}
