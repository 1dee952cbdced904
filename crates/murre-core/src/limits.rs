//! The bounds of everything that a client could make grow.

use std::time::Duration;

use crate::kept::Debt;

/// What one broker bears. Every bound has a counter in [`Counters`](crate::counters::Counters).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one packet.
    pub max_packet: usize,
    /// Bytes of one WebSocket message.
    pub max_message: usize,
    /// Bytes that wait for one session; past it, its subscriptions' rule for slow clients holds.
    pub outbox_max: usize,
    /// Subscriptions of one session.
    pub subscriptions_max: usize,
    /// Sessions of one worker.
    pub sessions_max: usize,
    /// Topics with a last value, of one shard.
    pub topics_max: usize,
    /// Bytes of last values, of one shard.
    pub kept_bytes_max: usize,
    /// Filters of one hub, counting equal ones once.
    pub filters_max: usize,
    /// Messages that a subscription with `ack` may have unacknowledged.
    pub inflight_max: usize,
    /// Bytes that wait for the acknowledgements of one subscription.
    pub ack_queue_bytes_max: usize,
    /// Bytes that one session may have under way to other workers before it is read no further.
    pub publish_inflight_max: usize,
    /// Clients whose sequence numbers one shard knows.
    pub sequences_max: usize,
    /// The most that a subscription gets of `from: {"last": n}`, for each topic.
    pub history_last_max: u64,
    /// The longest that a session is kept after a disconnect, in seconds.
    pub session_expiry_max: u64,
    /// Sessions that one shard keeps.
    pub kept_sessions_max: usize,
    /// What one kept session may have unacknowledged; past it its oldest messages make room.
    pub session_debt_max: Debt,
    /// Views at work in one hub, counting those that are shared once.
    pub views_max: usize,
    /// Topics that one view remembers.
    pub view_topics_max: usize,
    /// Bytes of payloads that one view keeps.
    pub view_bytes_max: usize,
    /// What a client that reads too slowly gets before anything is dropped; none: it is dropped at once.
    pub degrade: Option<Degrade>,
    /// How long a connection may take to its CONNECT.
    pub hello_timeout: Duration,
    /// The keep-alive of clients that ask for none in particular.
    pub keep_alive: Duration,
    /// The longest keep-alive that is granted.
    pub keep_alive_max: Duration,
}

/// The lower rates of a client that reads too slowly.
#[derive(Debug, Clone)]
pub struct Degrade {
    /// How full its outbox is when its rate is halved, in percent of `outbox_max`.
    pub at_percent: usize,
    /// The longest time between two messages of a topic that keeps changing: the rate is lowered no further.
    pub period_max: Duration,
    /// How long it has to keep up for its rate to be doubled.
    pub recover: Duration,
}

impl Default for Degrade {
    fn default() -> Self {
        Self { at_percent: 75, period_max: Duration::from_secs(10), recover: Duration::from_secs(10) }
    }
}

impl Degrade {
    /// The lowest rate, in messages a second of each topic.
    pub fn per_second_min(&self) -> f64 {
        1.0 / self.period_max.as_secs_f64().max(0.001)
    }
}

impl Limits {
    /// Bytes in an outbox past which a client is degraded; none where it isn't.
    pub fn degrade_at(&self) -> Option<usize> {
        self.degrade.as_ref().map(|degrade| self.outbox_max / 100 * degrade.at_percent)
    }

    /// Bytes in an outbox up to which messages go there without another look.
    pub fn plain_max(&self) -> usize {
        self.degrade_at().unwrap_or(self.outbox_max)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet: 1 << 20,
            max_message: 4 << 20,
            outbox_max: 1 << 20,
            subscriptions_max: 10_000,
            sessions_max: 100_000,
            topics_max: 1_000_000,
            kept_bytes_max: 1 << 30,
            filters_max: 1_000_000,
            inflight_max: 1_000,
            ack_queue_bytes_max: 4 << 20,
            publish_inflight_max: 1 << 20,
            sequences_max: 100_000,
            history_last_max: 1_000_000,
            session_expiry_max: 7 * 24 * 3600,
            kept_sessions_max: 10_000,
            session_debt_max: Debt { messages: 100_000, bytes: 64 << 20 },
            views_max: 10_000,
            view_topics_max: 10_000,
            view_bytes_max: 16 << 20,
            degrade: Some(Degrade::default()),
            hello_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            keep_alive_max: Duration::from_secs(18 * 3600),
        }
    }
}
