//! The thread that works on the spool's files: takes publishes in, brings them to the disk together, and keeps the
//! session's window filled.
//!
//! Handles send it commands through a bounded channel; what became of messages it fetches from the session whenever it
//! is poked. It ends with the client, and with it the lock on the directory.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Instant,
};

use murre_protocol::{
    Codec,
    packet::{ClientPacket, Publish},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    Spool, SpoolError, SpoolStatus, SpoolSync,
    drain::{Drain, Results},
    store::{Gone, Options, Refused, Store},
};
use crate::{clock, event::Event, session::Outcome, shared::Shared};

/// Publishes that wait for the disk at a time; further ones wait for their turn.
const WAITING_MAX: usize = 256;

/// A publish to be taken in.
pub(crate) struct Append {
    pub(crate) publish: Publish<'static>,
    /// Resolves with the broker's answer.
    pub(crate) ticket: oneshot::Sender<Outcome>,
    /// Resolves when it is in the spool.
    pub(crate) taken: oneshot::Sender<Result<(), Refused>>,
}

enum Command {
    Append(Append, OwnedSemaphorePermit),
    /// The session has something for the worker.
    Poke,
    /// The end; answered when the files are closed.
    Stop(oneshot::Sender<()>),
}

/// What the client has of its spool.
pub(crate) struct Handle {
    commands: SyncSender<Command>,
    places: Arc<Semaphore>,
    poked: AtomicBool,
    status: Mutex<SpoolStatus>,
    pub(crate) bytes_max: u64,
}

/// A spool that is open and not worked on yet.
pub(crate) struct Opened {
    store: Store,
    commands: Receiver<Command>,
    sync: SpoolSync,
}

/// Opens the spool of `client_id`.
pub(crate) fn open(spool: &Spool, client_id: &str) -> Result<(Handle, Opened, Drain), SpoolError> {
    let options = Options {
        directory: spool.directory.clone(),
        client_id: client_id.to_owned(),
        bytes_max: spool.bytes,
        when_full: spool.when_full,
        durable: spool.sync != SpoolSync::Never,
    };
    let store = Store::open(options, clock::now().millis())?;
    // Beside those that have a place there is one poke at a time, and one end.
    let (sender, commands) = sync_channel(WAITING_MAX + 2);
    let handle = Handle {
        commands: sender,
        places: Arc::new(Semaphore::new(WAITING_MAX)),
        poked: AtomicBool::new(false),
        status: Mutex::new(SpoolStatus::default()),
        bytes_max: spool.bytes,
    };
    handle.update(&store, |_| {});
    let drain = Drain::new(spool.rate, spool.in_flight, store.undone());
    Ok((handle, Opened { store, commands, sync: spool.sync }, drain))
}

impl Handle {
    /// Hands a publish to the worker; false when there is none any more. Dropping the future before it is ready takes
    /// nothing in.
    pub(crate) async fn append(&self, append: Append) -> bool {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return false };
        self.commands.try_send(Command::Append(append, place)).is_ok()
    }

    /// Tells the worker that the session has something for it.
    pub(crate) fn poke(&self) {
        if !self.poked.swap(true, Ordering::AcqRel) {
            // There is room for one; an error means that the worker has ended.
            let _ = self.commands.try_send(Command::Poke);
        }
    }

    /// Ends the worker, and waits until it has let go of the files.
    pub(crate) async fn stop(&self) {
        let (stopped, waiting) = oneshot::channel();
        if self.commands.try_send(Command::Stop(stopped)).is_ok() {
            // An error means that it ended by itself.
            let _ = waiting.await;
        }
    }

    pub(crate) fn status(&self) -> SpoolStatus {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, store: &Store, change: impl FnOnce(&mut SpoolStatus)) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        (status.pending, status.bytes) = (store.undone(), store.bytes());
        status.damaged_bytes = store.damaged();
        change(&mut status);
    }
}

impl Opened {
    /// Starts the thread.
    pub(crate) fn start(self, shared: &Arc<Shared>) -> io::Result<()> {
        let Self { store, commands, sync } = self;
        let shared = Arc::downgrade(shared);
        let worker = Worker { store, sync, sync_at: None };
        std::thread::Builder::new()
            .name("murre-spool".into())
            .spawn(move || worker.run(&commands, &shared))?;
        Ok(())
    }
}

struct Worker {
    store: Store,
    sync: SpoolSync,
    /// When what was taken has to be on the disk.
    sync_at: Option<Instant>,
}

/// A publish that was taken in, or wasn't.
struct Taken {
    /// Those of its [`Append`].
    ticket: oneshot::Sender<Outcome>,
    taken: oneshot::Sender<Result<(), Refused>>,
    result: Result<u64, Refused>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<Command>, shared: &Weak<Shared>) {
        // What an earlier process left is to be sent.
        let mut first = Some(Command::Poke);
        loop {
            let Some(client) = shared.upgrade() else { return };
            let Some(spool) = &client.spool else { return };
            let (mut appends, mut places, mut stop) = (Vec::new(), Vec::new(), None);
            while let Some(command) = first {
                match command {
                    Command::Append(append, place) => {
                        appends.push(append);
                        places.push(place);
                    }
                    Command::Poke => spool.poked.store(false, Ordering::Release),
                    Command::Stop(stopped) => stop = Some(stopped),
                }
                first = commands.try_recv().ok();
            }
            self.work(&client, spool, appends);
            drop((places, client));
            if let Some(stopped) = stop {
                self.sync_now();
                drop(self);
                // An error means that the runtime has ended.
                let _ = stopped.send(());
                return;
            }
            first = match self.wait(commands) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.sync_now(),
            };
        }
    }

    fn wait(&self, commands: &Receiver<Command>) -> Result<Command, RecvTimeoutError> {
        match self.sync_at {
            Some(at) => commands.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn work(&mut self, client: &Shared, spool: &Handle, appends: Vec<Append>) {
        let Results { mut done, refusals } = client.session().spool_results();
        let mut gone = Gone::default();
        let mut taken: Vec<Taken> = appends.into_iter().map(|append| self.take(append, &mut gone)).collect();
        self.bring_to_disk(&mut taken);
        let mut dropped = gone.unread;
        if let Some(drain) = client.session().spool() {
            let unsent = drain.drop_unsent(&gone.handed);
            done.extend_from_slice(&unsent);
            dropped.extend(unsent);
        }
        if !done.is_empty()
            && let Err(error) = self.store.finish(&done)
        {
            tracing::warn!(%error, "the spool can't record what is done with; it is sent again after a restart");
        }
        let last = taken.iter().filter_map(|taken| taken.result.as_ref().ok()).max().copied();
        spool.update(&self.store, |status| {
            status.dropped += dropped.len() as u64;
            status.refused += refusals.len() as u64;
            status.sequence = status.sequence.max(last.unwrap_or_default());
        });
        self.tell_session(client, taken, &dropped);
        for refusal in refusals {
            client.events.emit(Event::SpoolRefused {
                topic: refusal.topic,
                sequence: refusal.sequence,
                code: refusal.code,
                reason: refusal.reason,
            });
        }
        client.dropped(dropped.len() as u64);
    }

    fn take(&mut self, append: Append, gone: &mut Gone) -> Taken {
        let Append { publish, ticket, taken } = append;
        let result = self.store.append(|sequence| encode(publish, sequence));
        let result = result.map(|(sequence, more)| {
            gone.extend(more);
            sequence
        });
        Taken { ticket, taken, result }
    }

    /// Brings what was taken to the disk, as the rule is. After an error none of it counts.
    fn bring_to_disk(&mut self, taken: &mut [Taken]) {
        let is_any = taken.iter().any(|taken| taken.result.is_ok());
        if let (SpoolSync::Interval(interval), true) = (self.sync, is_any) {
            self.sync_at.get_or_insert_with(|| Instant::now() + interval);
        }
        if self.sync_at.is_some_and(|at| at <= Instant::now()) {
            self.sync_now();
        }
        if self.sync != SpoolSync::Always || !is_any {
            return;
        }
        let Err(error) = self.store.sync(true) else { return };
        tracing::error!(%error, "the spool could not be brought to the disk");
        for taken in taken.iter_mut().filter(|taken| taken.result.is_ok()) {
            taken.result = Err(Refused::Io(io::Error::new(error.kind(), error.to_string())));
        }
    }

    fn sync_now(&mut self) {
        self.sync_at = None;
        if self.sync != SpoolSync::Never
            && let Err(error) = self.store.sync(false)
        {
            tracing::error!(%error, "the spool could not be brought to the disk");
        }
    }

    fn tell_session(&mut self, client: &Shared, taken: Vec<Taken>, dropped: &[u64]) {
        // Nobody else fills the window, so that there is at least as much room when the messages are there.
        let (count, bytes) = client.session().spool().map_or((0, 0), |drain| drain.room());
        let messages = self.store.read(count, bytes).unwrap_or_else(|error| {
            tracing::error!(%error, "the spool can't be read");
            Vec::new()
        });
        let mut answers = Vec::new();
        let mut session = client.session();
        let Some(drain) = session.spool() else { return };
        for Taken { ticket, taken, result } in taken {
            let result = result.map(|sequence| drain.expect(sequence, ticket));
            answers.push((taken, result));
        }
        dropped.iter().for_each(|&sequence| drain.dropped(sequence));
        drain.feed(messages);
        drain.set_backlog(self.store.undone());
        drop(session);
        client.wake();
        for (waiting, result) in answers {
            // An error means that nobody waits any longer: the future was dropped.
            let _ = waiting.send(result);
        }
    }
}

/// The packet of `publish`, with `sequence` also as the number that the broker answers with.
fn encode(mut publish: Publish<'static>, sequence: u64) -> Vec<u8> {
    publish.id = sequence;
    publish.options.get_or_insert_default().sequence = Some(sequence);
    let mut packet = Vec::with_capacity(publish.topic.len() + publish.payload.len() + 48);
    Codec::MessagePack.write_client(&ClientPacket::Publish(publish), &mut packet);
    packet
}
