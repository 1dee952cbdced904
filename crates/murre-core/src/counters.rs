//! What the broker counts: one set for each worker, written by that worker alone and read by anyone.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only its own worker raises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. A plain load and store: there is one writer.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes `n` away; for numbers that go up and down.
    #[inline]
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    /// Sets it; for numbers that are measured now and then.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The number now.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident: $kind:literal,)*) => {
        /// One worker's counters.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])* pub $name: Counter,)*
        }

        impl Counters {
            /// Every counter: its name, whether it is a `counter` or a `gauge`, what it counts, its value.
            pub fn all(&self) -> Vec<(&'static str, &'static str, &'static str, u64)> {
                vec![$((stringify!($name), $kind, concat!($($doc,)*), self.$name.value()),)*]
            }
        }
    };
}

counters! {
    /// Sessions that are open.
    sessions: "gauge",
    /// Sessions that were opened.
    sessions_opened: "counter",
    /// Sessions refused because there were too many.
    sessions_refused: "counter",
    /// Times that new connections had to wait until a worker's sessions had had a turn.
    accepts_put_off: "counter",
    /// Upgrade requests that were refused: no valid handshake, another path, a page from elsewhere.
    handshakes_refused: "counter",
    /// Subscriptions that are in force.
    subscriptions: "gauge",
    /// Topics that have a last value.
    topics: "gauge",
    /// Bytes of last values.
    kept_bytes: "gauge",
    /// Publishes that came from clients, accepted or not.
    received: "counter",
    /// Bytes of packets that came from clients.
    received_bytes: "counter",
    /// Messages that were accepted.
    published: "counter",
    /// Publishes that were refused.
    publishes_refused: "counter",
    /// Messages put into outboxes.
    delivered: "counter",
    /// Bytes put into outboxes for messages.
    delivered_bytes: "counter",
    /// Bytes of packets that sockets took.
    sent_bytes: "counter",
    /// Messages dropped because a client read too slowly.
    dropped: "counter",
    /// Topics that are silent for longer than their rule allows.
    stale_topics: "gauge",
    /// Subscriptions that get a lower rate since their client reads too slowly.
    degraded: "gauge",
    /// Messages left out for newer ones of their topic because a client read too slowly.
    conflated: "counter",
    /// Clients that read too slowly: more than half of the outbox waits, or something was lost in the last 10 s.
    slow: "gauge",
    /// Messages of subscriptions with ack that found no room to wait.
    ack_dropped: "counter",
    /// Readings that a view looked at: once for all who share it.
    view_readings: "counter",
    /// Readings that a view could not use.
    view_unusable: "counter",
    /// Readings left out since a view remembered as much as it may.
    view_past_limits: "counter",
    /// Snapshots that were sent whole.
    snapshots: "counter",
    /// Subscriptions that were refused.
    subscriptions_refused: "counter",
    /// Packets that could not be read.
    malformed: "counter",
    /// Messages or packets past their limit.
    too_large: "counter",
    /// Sessions ended because nothing was heard of them.
    keep_alive_timeouts: "counter",
    /// Connections ended because no CONNECT came in time.
    hello_timeouts: "counter",
    /// Sessions taken over by a newer connection.
    taken_over: "counter",
    /// Sessions disconnected because they read too slowly.
    slow_disconnected: "counter",
    /// Wills that were published.
    wills: "counter",
    /// Times that a session was not read on, because of the bytes that it had under way or waiting.
    paused: "counter",
    /// Messages handed to the log.
    logged: "counter",
    /// Batches that the log refused or could not write.
    log_batches_failed: "counter",
    /// Publishes that were a repeat of one that was logged, by their sequence number.
    repeats: "counter",
    /// Parts of the log that a history lacks since they could not be read.
    damaged_reads: "counter",
    /// Histories that were sent whole.
    replays: "counter",
    /// Sessions that are kept over disconnects, be their client there or not.
    kept_sessions: "gauge",
    /// Clients that are there and whose session is kept over disconnects.
    durable_clients: "gauge",
    /// Kept sessions that ended since their client didn't come back in time.
    sessions_expired: "counter",
    /// Messages that kept sessions had not acknowledged and that had to make room.
    session_dropped: "counter",
}
