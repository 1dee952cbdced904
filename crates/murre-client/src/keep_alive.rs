//! When to send a PING, and when to give a connection up.

use std::time::Duration;

use tokio::time::Instant;

/// One connection's keep-alive, with the time as an argument.
///
/// A PING is due when nothing was sent for half of the interval (so that the broker knows of us), and when
/// nothing came for half of it (so that the broker has something to answer). When nothing came for a whole
/// interval, the connection is dead.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    interval: Option<Duration>,
    sent: Instant,
    received: Instant,
    pinged: Instant,
}

/// What keep-alive wants now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing before this time; never where there is none.
    Later(Option<Instant>),
    /// A PING.
    Ping,
    /// The end of the connection.
    Dead,
}

impl KeepAlive {
    /// Of a connection that was just made; an interval of zero means none.
    pub(crate) fn new(interval: Duration, now: Instant) -> Self {
        let interval = (!interval.is_zero()).then_some(interval);
        Self { interval, sent: now, received: now, pinged: now }
    }

    /// Something was written to the socket.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// Something came, or we didn't look.
    pub(crate) fn received(&mut self, now: Instant) {
        self.received = now;
    }

    /// The interval after which silence means death.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// What is to be done. A PING that is due counts as asked for from now on.
    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        let Some(interval) = self.interval else {
            return Due::Later(None);
        };
        let dead_at = self.received + interval;
        if now >= dead_at {
            return Due::Dead;
        }
        // One PING for each half interval, also while an earlier one couldn't be written yet.
        let ping_at = self.sent.min(self.received).max(self.pinged) + interval / 2;
        if now >= ping_at {
            self.pinged = now;
            return Due::Ping;
        }
        Due::Later(Some(ping_at.min(dead_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn ten_seconds(now: Instant) -> KeepAlive {
        KeepAlive::new(10 * S, now)
    }

    #[test]
    fn a_ping_is_due_when_nothing_was_sent_for_half_of_the_interval() {
        let start = Instant::now();
        let mut alive = ten_seconds(start);
        alive.received(start + 4 * S);
        assert_eq!(alive.poll(start + 4 * S), Due::Later(Some(start + 5 * S)));
        assert_eq!(alive.poll(start + 5 * S), Due::Ping);
        assert_eq!(alive.poll(start + 5 * S), Due::Later(Some(start + 10 * S)));
    }

    #[test]
    fn a_client_that_only_sends_asks_whether_the_broker_is_still_there() {
        let start = Instant::now();
        let mut alive = ten_seconds(start);
        alive.sent(start + 5 * S);
        assert_eq!(alive.poll(start + 5 * S), Due::Ping);
    }

    #[test]
    fn a_connection_from_which_nothing_comes_for_the_whole_interval_is_dead() {
        let start = Instant::now();
        let mut alive = ten_seconds(start);
        alive.sent(start + 9 * S);
        assert_eq!(alive.poll(start + 10 * S), Due::Dead);
    }

    #[test]
    fn busy_in_both_directions_needs_no_ping() {
        let start = Instant::now();
        let mut alive = ten_seconds(start);
        for second in 1..60 {
            let now = start + second * S;
            alive.sent(now);
            alive.received(now);
            assert!(matches!(alive.poll(now), Due::Later(Some(_))));
        }
    }

    #[test]
    fn an_interval_of_zero_means_none() {
        let start = Instant::now();
        let mut alive = KeepAlive::new(Duration::ZERO, start);
        assert_eq!(alive.poll(start + 100_000 * S), Due::Later(None));
    }
}
