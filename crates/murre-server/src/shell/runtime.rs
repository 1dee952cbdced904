//! A worker's core on its thread, with the wakers of its sessions.

use std::{
    cell::{OnceCell, RefCell},
    mem,
    rc::Rc,
    sync::Arc,
    task::Waker,
};

use actix_rt::Arbiter;
use murre_core::{
    actor::{Inbox, WorkerAddress},
    embedded::Embedded,
    engine::{Input, Outputs},
    hub::Hub,
    ids::SessionKey,
    now::{Now, Tick},
    outbox::Block,
    worker::{Wants, Worker},
};

use super::{beat, turn};
use crate::{process::Process, stats::STATS_TOPIC};

thread_local! {
    static LOCAL: OnceCell<Local> = const { OnceCell::new() };
}

/// Bytes that one read takes at most.
const SCRATCH_BYTES: usize = 64 * 1024;

/// A worker's core. Everything on its thread that has to do with the broker goes through it.
pub(crate) struct Runtime {
    worker: Worker<Embedded>,
    process: Arc<Process>,
    wants: Wants,
    /// By the session's slot.
    shells: Vec<Option<Shell>>,
    turn: Option<Waker>,
    /// Whether the turn's end has something to do.
    pub(super) touched: bool,
    /// Reads of this turn and of the one before.
    reads: [u32; 2],
    /// Numbers the turns.
    number: u64,
    /// Sessions that were sent to in this turn already and wait for its end.
    held: Vec<SessionKey>,
    /// When the turn's task comes by itself, since time makes something due.
    due: Option<Tick>,
    scratch: Option<Box<[u8]>>,
    /// A list to use again.
    woken: Vec<SessionKey>,
}

/// What is known of a session's shell.
struct Shell {
    key: SessionKey,
    waker: Waker,
    link: Option<Rc<dyn Link>>,
    /// The last turn in which it was sent to early.
    sent_in: u64,
}

/// A socket that can be written to without its task being polled.
pub(super) trait Link {
    /// Sends what waits for the session. False where the task has to go on with it.
    fn flush(&self, local: &Local) -> bool;
}

/// Up to so many reads a turn, what one of few messages brought is sent at once. With more, sending at
/// the turn's end saves work.
const QUIET_READS_MAX: u32 = 8;
/// See [`is_little`].
const QUIET_MESSAGES_MAX: usize = 2;

/// Whether a read of so many messages is one of a session that sends now and then.
pub(super) fn is_little(messages: usize) -> bool {
    messages <= QUIET_MESSAGES_MAX
}

/// Why a thread is none of a broker's workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoWorker {
    #[error(
        "all workers of the broker have their threads; make it for as many as the server has, or one of them died"
    )]
    TooMany,
    #[error("another broker has this thread; give each broker a server of its own")]
    OtherBroker,
    #[error("the thread has no actix arbiter; run the server under #[actix_web::main]")]
    NoArbiter,
}

/// A handle on the thread's worker.
#[derive(Clone)]
pub(crate) struct Local(Rc<RefCell<Runtime>>);

impl Local {
    /// The thread's worker, started on first use: the server makes its services anew for each address that it
    /// listens on.
    pub(crate) fn on_this_thread(process: &Arc<Process>) -> Self {
        Self::try_on_this_thread(process).unwrap_or_else(|why| {
            // half a broker would lose readings without a word
            tracing::error!("a worker thread died ({why}); the broker ends");
            std::process::exit(70);
        })
    }

    /// The same where the threads are a person's own.
    ///
    /// # Errors
    /// The thread can't be a worker of this process.
    pub(crate) fn try_on_this_thread(process: &Arc<Process>) -> Result<Self, NoWorker> {
        LOCAL.with(|local| match local.get() {
            Some(started) if Arc::ptr_eq(&started.0.borrow().process, process) => Ok(started.clone()),
            Some(_) => Err(NoWorker::OtherBroker),
            None => {
                let started = Self::start(process)?;
                Ok(local.get_or_init(|| started).clone())
            }
        })
    }

    /// The thread's worker, if one was started.
    pub(crate) fn current() -> Option<Self> {
        LOCAL.with(|local| local.get().cloned())
    }

    fn start(process: &Arc<Process>) -> Result<Self, NoWorker> {
        let arbiter = Arbiter::try_current().ok_or(NoWorker::NoArbiter)?;
        let id = process.next_worker().ok_or(NoWorker::TooMany)?;
        let runtime = Runtime {
            worker: process.make_worker(id),
            process: process.clone(),
            wants: Wants::default(),
            shells: Vec::new(),
            turn: None,
            touched: false,
            reads: [0; 2],
            number: 1,
            held: Vec::new(),
            due: None,
            scratch: None,
            woken: Vec::new(),
        };
        let local = Self(Rc::new(RefCell::new(runtime)));
        process.register(id, WorkerAddress::start(&local), arbiter);
        actix_rt::spawn(turn::keep(local.clone()));
        let tells = process.worker_of_topic(STATS_TOPIC) == id;
        actix_rt::spawn(beat::keep(local.clone(), tells));
        Ok(local)
    }

    /// Lets the hub do something; what follows from it is done at the end of the turn.
    pub(crate) fn with_hub<R>(&self, act: impl FnOnce(Now, &mut Hub, &mut Outputs) -> R) -> R {
        let mut runtime = self.0.borrow_mut();
        let now = runtime.process.clock.now();
        let result = runtime.worker.with_hub(|hub, out| act(now, hub, out));
        let earlier = match (runtime.worker.hub.next_due(), runtime.due) {
            (Some(due), Some(known)) => due < known,
            (due, _) => due.is_some(),
        };
        if runtime.worker.has_work() || earlier {
            runtime.touch();
        }
        result
    }

    /// A block went out, or never will.
    pub(crate) fn sent(&self, key: SessionKey, block: Block) {
        let mut runtime = self.0.borrow_mut();
        runtime.worker.with_hub(|hub, out| hub.sent(key, block, out));
        if runtime.worker.has_work() {
            runtime.touch();
        }
    }

    /// Looks at the hub, or takes from it, where nothing follows.
    pub(crate) fn peek_hub<R>(&self, act: impl FnOnce(&mut Hub) -> R) -> R {
        self.0.borrow_mut().worker.with_hub(|hub, _| act(hub))
    }

    /// Looks at this worker's part of the engine.
    pub(crate) fn peek_engine<R>(&self, look: impl FnOnce(&Embedded) -> R) -> R {
        look(self.0.borrow().worker.engine())
    }

    /// The time, as this worker's hub is told it.
    pub(crate) fn now(&self) -> Now {
        self.0.borrow().process.clock.now()
    }

    /// Notes whom to wake for a session, and what can send for it.
    pub(super) fn set_shell(&self, key: SessionKey, waker: &Waker, link: Option<&Rc<dyn Link>>) {
        let shells = &mut self.0.borrow_mut().shells;
        let slot = key.slot as usize;
        if shells.len() <= slot {
            shells.resize_with(slot + 1, || None);
        }
        if let Some(entry) = shells.get_mut(slot) {
            match entry {
                Some(shell) if shell.key == key && shell.waker.will_wake(waker) => {}
                _ => *entry = Some(Shell { key, waker: waker.clone(), link: link.cloned(), sent_in: 0 }),
            }
        }
    }

    /// Forgets the shell of a session that is gone.
    pub(super) fn forget_shell(&self, key: SessionKey) {
        let mut runtime = self.0.borrow_mut();
        let entry =
            runtime.shells.get_mut(key.slot as usize).filter(|e| e.as_ref().is_some_and(|s| s.key == key));
        let shell = entry.and_then(Option::take);
        // what it owns may look for the worker as it goes
        drop(runtime);
        drop(shell);
    }

    /// The buffer that reads go to; the one who takes it gives it back.
    pub(crate) fn take_scratch(&self) -> Box<[u8]> {
        let scratch = self.0.borrow_mut().scratch.take();
        scratch.unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice())
    }

    /// Gives the buffer back.
    pub(crate) fn give_scratch(&self, scratch: Box<[u8]>) {
        self.0.borrow_mut().scratch = Some(scratch);
    }

    /// Does all that can be done on this worker, and sends what came of it.
    pub(crate) fn finish(&self) {
        let mut held = mem::take(&mut self.0.borrow_mut().held);
        for key in held.drain(..) {
            self.send(key);
        }
        self.0.borrow_mut().held = held;
        if self.0.borrow().has_work() {
            self.finish_and(|key| self.send(key));
        }
    }

    /// Does all that can be done on this worker, and lets `send` send what came of it.
    fn finish_and(&self, send: impl Fn(SessionKey)) {
        loop {
            let (mut woken, more) = self.0.borrow_mut().finish();
            for key in woken.drain(..) {
                send(key);
            }
            self.0.borrow_mut().woken = woken;
            if !more {
                return;
            }
        }
    }

    fn send(&self, key: SessionKey) {
        let (alarmed, link) = {
            let mut runtime = self.0.borrow_mut();
            let alarmed = runtime.worker.hub.attend(key);
            (alarmed, runtime.shell(key).and_then(|shell| shell.link.clone()))
        };
        let sent = !alarmed && link.is_some_and(|link| link.flush(self));
        if !sent {
            self.0.borrow().wake(key);
        }
    }

    /// As [`Self::finish`]; then whether nothing is under way, here or with the log.
    pub(crate) fn finish_and_is_idle(&self) -> bool {
        self.finish();
        let runtime = self.0.borrow();
        !runtime.has_work() && !runtime.wants.again && !runtime.worker.engine().is_logging()
    }

    /// Hands on what has come together, if it is much; and sends, if what waits for that is much by now.
    pub(super) fn finish_if_full(&self) {
        let is_due = self.0.borrow_mut().hand_on_if_full();
        if is_due {
            self.finish();
        }
    }

    /// A session has read so many messages. Where few come, what follows is sent at once, so that nobody waits for
    /// another's read; but to each session only once a turn, so that what many send to one still goes out together.
    pub(super) fn has_read(&self, messages: usize) {
        let is_quiet = {
            let Runtime { reads: [now, before], worker, .. } = &mut *self.0.borrow_mut();
            if !worker.has_work() {
                return;
            }
            *now += 1;
            *now.max(before) <= QUIET_READS_MAX && is_little(messages)
        };
        if !is_quiet {
            return self.finish_if_full();
        }
        self.finish_and(|key| {
            if self.0.borrow_mut().is_first(key) {
                self.send(key);
            }
        });
    }

    /// What all workers share.
    pub(crate) fn process(&self) -> Arc<Process> {
        self.0.borrow().process.clone()
    }

    /// Says farewell to this worker's clients.
    pub(crate) fn shut_down(&self) {
        let spread = self.process().shutdown_spread();
        self.with_hub(|now, hub, out| hub.shut_down(now, spread, out));
    }

    /// What the turn's task does: see [`turn::keep`].
    pub(super) fn with_runtime<R>(&self, act: impl FnOnce(&mut Runtime) -> R) -> R {
        act(&mut self.0.borrow_mut())
    }
}

impl Runtime {
    /// There is something to do at the turn's end.
    fn touch(&mut self) {
        if !mem::replace(&mut self.touched, true)
            && let Some(turn) = &self.turn
        {
            turn.wake_by_ref();
        }
    }

    /// Notes whom to wake for the turn's end.
    pub(super) fn set_turn(&mut self, waker: &Waker) {
        self.turn = Some(waker.clone());
    }

    /// What was put off until now.
    pub(super) fn begin_turn(&mut self) {
        self.touched = false;
        self.number += 1;
        self.reads = [0, self.reads[0]];
        if mem::take(&mut self.wants.again) {
            let now = self.process.clock.now();
            self.worker.turn(now);
        }
    }

    /// What time makes due, if it is time.
    pub(super) fn tick(&mut self) {
        if self.worker.next_due().is_some_and(|due| due <= self.process.clock.now().tick) {
            let now = self.process.clock.now();
            self.worker.tick(now);
            self.touch();
        }
    }

    /// When to come again.
    pub(super) fn next_due(&mut self) -> Option<Tick> {
        self.due = self.worker.next_due();
        self.due
    }

    /// The clock that ticks are of.
    pub(super) fn clock(&self) -> crate::clock::Clock {
        self.process.clock
    }

    fn shell(&mut self, key: SessionKey) -> Option<&mut Shell> {
        self.shells.get_mut(key.slot as usize)?.as_mut().filter(|shell| shell.key == key)
    }

    /// Whether a session is sent to early for the first time in this turn; otherwise it is held until the end.
    fn is_first(&mut self, key: SessionKey) -> bool {
        let number = self.number;
        match self.shell(key) {
            Some(shell) if shell.sent_in == number => {
                self.held.push(key);
                self.touch();
                false
            }
            Some(shell) => {
                shell.sent_in = number;
                true
            }
            None => true,
        }
    }

    /// The sessions that are to be sent to, and whether more comes then.
    fn finish(&mut self) -> (Vec<SessionKey>, bool) {
        let now = self.process.clock.now();
        self.worker.finish(now, &mut self.wants);
        self.pass_on();
        let spare = mem::take(&mut self.woken);
        (mem::replace(&mut self.wants.woken, spare), self.wants.more)
    }

    /// Takes what was read into the outboxes before the turn's end, if it is much; true where it is to be sent before
    /// that, too.
    fn hand_on_if_full(&mut self) -> bool {
        if !self.worker.is_full() {
            return false;
        }
        let now = self.process.clock.now();
        let is_due = self.worker.hand_on_early(now, &mut self.wants);
        self.pass_on();
        if !self.wants.woken.is_empty() {
            self.touch();
        }
        is_due
    }

    /// Whether there is anything to do or to send.
    fn has_work(&self) -> bool {
        self.worker.has_work() || !self.wants.woken.is_empty()
    }

    /// Gives the log and other workers what is theirs.
    fn pass_on(&mut self) {
        // first, so that who is told that a message was taken finds it in a log in memory
        for command in self.wants.log.drain(..) {
            self.process.log(command);
        }
        if !self.wants.sent.is_empty() {
            let workers = self.process.workers();
            for (worker, input) in self.wants.sent.drain(..) {
                if let Some(workers) = workers {
                    workers.send(worker, input);
                }
            }
        }
        if self.wants.again {
            self.touch();
        }
    }

    fn wake(&self, key: SessionKey) {
        if let Some(Some(shell)) = self.shells.get(key.slot as usize)
            && shell.key == key
        {
            shell.waker.wake_by_ref();
        }
    }
}

impl Inbox for Local {
    fn take(&self, input: Input) {
        {
            let mut runtime = self.0.borrow_mut();
            let now = runtime.process.clock.now();
            runtime.worker.take(now, input);
            runtime.touch();
        }
        self.finish_if_full();
    }
}
