//! What the handles and the background task share: the session behind a lock, and the signals between them.
//!
//! Locks are held for short, bounded work only, and never across an await.

use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use murre_protocol::{Position, packet::Connected};
use tokio::{
    sync::{Notify, oneshot, watch},
    time::Instant,
};

use crate::{
    buffer::WhenFull,
    clock::{self, BrokerClock},
    config::Config,
    error::ClientClosed,
    event::{Event, EventHub},
    outgoing::Outbound,
    resume::Run,
    session::{NotTaken, Session, Ticket},
    spool::{
        drain::Drain,
        worker::{Append, Handle},
    },
    subscription_state::Removal,
};

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) events: EventHub,
    pub(crate) spool: Option<Handle>,
    pub(crate) clock: BrokerClock,
    session: Mutex<Session>,
    /// There may be something to send.
    work: Notify,
    /// There may be room in the outgoing buffer.
    room: Notify,
    /// Held by the publish that waits for room, so that publishes go in the order in which they began to wait.
    turn: tokio::sync::Mutex<()>,
    /// The time until which what is pending may still be sent, once the client is to be closed.
    closing: watch::Sender<Option<Instant>>,
    /// How many publishes were not through at the end.
    ended: watch::Sender<Option<usize>>,
}

impl Shared {
    pub(crate) fn new(config: Config, spool: Option<(Handle, Drain)>) -> Self {
        let (spool, drain) = spool.unzip();
        let session = Session::new(config.buffer, config.client_id.clone(), !config.session_expiry.is_zero());
        Self {
            config,
            events: EventHub::default(),
            spool,
            clock: BrokerClock::default(),
            session: Mutex::new(session.with_spool(drain)),
            work: Notify::new(),
            room: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            closing: watch::Sender::new(None),
            ended: watch::Sender::new(None),
        }
    }

    /// The session, locked.
    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the background task that there may be something to send.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    /// Waits for [`wake`](Shared::wake).
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }

    /// Tells publishes that wait for room to look again.
    pub(crate) fn room_may_be(&self) {
        self.room.notify_waiters();
    }

    /// The broker accepted a connection.
    pub(crate) fn connected(&self, info: &Connected<'_>) {
        if let Some(time) = info.time {
            self.clock.told(time, clock::now());
        }
        self.session().connected(info);
        self.events.emit(Event::Connected {
            client_id: info.client_id.clone().into_owned(),
            server: info.server.clone().into_owned(),
            epoch: info.epoch.clone().into_owned(),
            session_present: info.session_present,
        });
    }

    /// Takes a publish into the buffer, waiting for room where the buffer's rule is to wait. Dropping the future
    /// before it is ready leaves nothing behind.
    pub(crate) async fn publish(&self, mut outbound: Outbound<Ticket>) -> Result<(), NotTaken> {
        let waits = self.config.buffer.when_full == WhenFull::Wait;
        let _turn = if waits { Some(self.turn.lock().await) } else { None };
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            match self.try_publish(outbound) {
                Err(NotTaken::Full(again)) if waits => outbound = again,
                taken_or_not => return taken_or_not,
            }
            room.await;
        }
    }

    fn try_publish(&self, outbound: Outbound<Ticket>) -> Result<(), NotTaken> {
        let count = self.session().publish(outbound)?;
        self.wake();
        self.dropped(count);
        Ok(())
    }

    /// Hands a publish to the spool; false when the client takes nothing any more.
    pub(crate) async fn append(&self, spool: &Handle, append: Append) -> bool {
        self.session().refuses().is_none() && spool.append(append).await
    }

    /// Tells the spool's worker where the session has something for it.
    pub(crate) fn poke_spool(&self) {
        if let Some(spool) = &self.spool
            && self.session().spool().is_some_and(|drain| drain.has_results())
        {
            spool.poke();
        }
    }

    /// Tells that `count` publishes were left out.
    pub(crate) fn dropped(&self, count: u64) {
        if count > 0 {
            self.events.emit(Event::Dropped { count });
        }
    }

    /// Ends or leaves a subscription; the receiver resolves when the broker knows, and fails where there is no
    /// connection.
    pub(crate) fn unsubscribe(&self, sub: u64, removal: Removal) -> oneshot::Receiver<()> {
        let (ended, waiting) = oneshot::channel();
        self.session().unsubscribe(sub, removal, ended);
        self.wake();
        waiting
    }

    /// A message of a subscription was handled, and all before it in its shard.
    pub(crate) fn acknowledge(&self, sub: u64, run: Run, position: Position) {
        if self.session().acknowledge(sub, run, position) {
            self.wake();
        }
    }

    /// Begins the end: nothing new is taken, what is pending may be sent for `patience`.
    pub(crate) fn close(&self, patience: Duration) {
        self.session().close();
        self.closing.send_if_modified(|deadline| {
            let begins = deadline.is_none();
            if begins {
                *deadline = Some(Instant::now() + patience);
            }
            begins
        });
        self.room_may_be();
    }

    /// The deadline of the end, once it has begun.
    pub(crate) fn closing_deadline(&self) -> Option<Instant> {
        *self.closing.borrow()
    }

    /// Waits until the end begins; its deadline.
    pub(crate) async fn closing(&self) -> Instant {
        let mut closing = self.closing.subscribe();
        match closing.wait_for(Option::is_some).await.as_deref() {
            Ok(&Some(deadline)) => deadline,
            // Not reachable while `self` holds the sender.
            _ => Instant::now(),
        }
    }

    /// Waits until it makes no sense any longer to look for a connection: the client is to be closed, and nothing is
    /// pending or the time for that is up.
    pub(crate) async fn gives_up(&self) {
        let deadline = self.closing().await;
        // What is on disk is sent when the client is there again.
        if self.session().pending_in_memory() > 0 {
            tokio::time::sleep_until(deadline).await;
        }
    }

    /// The client has ended: everything that waits is told.
    pub(crate) fn end(&self, closed: ClientClosed, by_us: bool) {
        let unsent = self.end_session(closed, by_us);
        self.announce_end(unsent);
    }

    /// As [`end`](Shared::end), but for those who wait for the end itself, when the spool's files are closed.
    pub(crate) async fn end_with_spool(&self, closed: ClientClosed, by_us: bool) {
        let unsent = self.end_session(closed, by_us);
        if let Some(spool) = &self.spool {
            spool.stop().await;
        }
        self.announce_end(unsent);
    }

    fn end_session(&self, closed: ClientClosed, by_us: bool) -> usize {
        let mut session = self.session();
        let unsent = session.pending();
        session.end(closed, by_us);
        unsent
    }

    fn announce_end(&self, unsent: usize) {
        let ends = self.ended.send_if_modified(|ended| {
            let ends = ended.is_none();
            *ended = ended.or(Some(unsent));
            ends
        });
        if ends {
            self.room_may_be();
            self.events.emit(Event::Closed);
        }
    }

    /// Waits for [`end`](Shared::end); how many publishes were not through.
    pub(crate) async fn ended(&self) -> usize {
        // An error would mean that the sender is gone, which `self` holds.
        self.ended
            .subscribe()
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|ended| *ended)
            .unwrap_or_default()
    }
}

/// Short: whoever shows a handle doesn't want to see what is in the buffer.
impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let session = self.session();
        f.debug_struct("Shared")
            .field("broker", &self.config.address.url)
            .field("client_id", &session.client_id())
            .field("connected", &session.is_connected())
            .finish_non_exhaustive()
    }
}
