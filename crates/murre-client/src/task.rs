//! The background task: makes connections, one after the other, until the client ends.

use std::{sync::Arc, time::Duration};

use murre_protocol::Code;
use tokio::time::Instant;

use crate::{
    backoff::Backoff,
    dial::{self, Connection},
    drive::{self, End, Loss},
    error::{ClientClosed, ConnectError},
    event::Event,
    shared::Shared,
};

/// Runs until the client ends; begins with `first` where there is a connection already.
pub(crate) fn run(shared: Arc<Shared>, first: Option<Connection>) -> impl Future<Output = ()> + Send {
    // Made here and dropped with the future, also when a runtime that ends never polls it: nothing is left waiting.
    let finish = Finish { shared };
    async move {
        let (closed, by_us) = keep_connected(&finish.shared, first).await;
        finish.shared.end_with_spool(closed, by_us).await;
    }
}

struct Finish {
    shared: Arc<Shared>,
}

impl Drop for Finish {
    fn drop(&mut self) {
        // Does nothing where the end was told already.
        let reason = "its background task was stopped with the runtime".into();
        self.shared.end(ClientClosed { code: None, reason }, false);
    }
}

/// Why the client ended, and whether it was by the application's wish.
async fn keep_connected(shared: &Shared, first: Option<Connection>) -> (ClientClosed, bool) {
    let mut retries = Retries::new(shared.config.backoff);
    let mut ready = first;
    loop {
        let connection = match ready.take() {
            Some(connection) => Ok(connection),
            None => attempt(shared, retries.next_attempt()).await,
        };
        let loss = match connection {
            Ok(connection) => {
                let since = Instant::now();
                match drive::drive(shared, connection).await {
                    End::Closed => return (ClientClosed::by_us(), true),
                    End::Lost(loss) => {
                        retries.connection_ended(since.elapsed());
                        loss
                    }
                }
            }
            Err(Attempt::GivenUp) => return (ClientClosed::by_us(), true),
            Err(Attempt::Failed(error)) => Loss::from(error),
        };
        if !wait(shared, &loss, &mut retries).await {
            return match shared.closing_deadline() {
                Some(_) => (ClientClosed::by_us(), true),
                None => (ClientClosed { code: loss.code, reason: loss.reason }, false),
            };
        }
    }
}

enum Attempt {
    Failed(ConnectError),
    GivenUp,
}

async fn attempt(shared: &Shared, attempt: u32) -> Result<Connection, Attempt> {
    shared.events.emit(Event::Connecting { attempt });
    let client_id = shared.session().client_id().map(str::to_owned);
    let connection = tokio::select! {
        connection = dial::connect(&shared.config, client_id.as_deref()) => connection.map_err(Attempt::Failed)?,
        () = shared.gives_up() => return Err(Attempt::GivenUp),
    };
    shared.connected(&connection.info);
    Ok(connection)
}

/// Waits before the next attempt; false when there will be none.
async fn wait(shared: &Shared, loss: &Loss, retries: &mut Retries) -> bool {
    let retry_in = loss.may_reconnect.then(|| retries.next_wait(loss.retry_after));
    tracing::debug!(reason = %loss.reason, code = ?loss.code, ?retry_in, "disconnected");
    shared.events.emit(Event::Disconnected { code: loss.code, reason: loss.reason.clone(), retry_in });
    let Some(retry_in) = retry_in else { return false };
    tokio::select! {
        () = tokio::time::sleep(retry_in) => true,
        () = shared.gives_up() => false,
    }
}

impl From<ConnectError> for Loss {
    fn from(error: ConnectError) -> Self {
        let retry_after = match &error {
            ConnectError::Refused { retry_after, .. } => *retry_after,
            _ => None,
        };
        Self {
            code: error.code(),
            may_reconnect: error.should_reconnect(),
            reason: error.to_string(),
            retry_after,
        }
    }
}

impl Loss {
    /// The broker ended the connection with `code`.
    pub(crate) fn by_broker(code: Code, reason: String, retry_after: Option<Duration>) -> Self {
        Self { code: Some(code), reason, retry_after, may_reconnect: code.should_reconnect() }
    }

    /// The connection broke, or had to be ended here.
    pub(crate) fn broken(reason: impl Into<String>) -> Self {
        Self { code: None, reason: reason.into(), retry_after: None, may_reconnect: true }
    }
}

/// How often it failed in a row.
struct Retries {
    backoff: Backoff,
    failures: u32,
    attempts: u32,
}

impl Retries {
    fn new(backoff: Backoff) -> Self {
        Self { backoff, failures: 0, attempts: 0 }
    }

    fn next_attempt(&mut self) -> u32 {
        self.attempts = self.attempts.saturating_add(1);
        self.attempts
    }

    /// A connection that held for a while clears the past; one that broke soon doesn't, so that a broker that takes
    /// clients and drops them isn't asked in a tight loop.
    fn connection_ended(&mut self, lasted: Duration) {
        self.attempts = 0;
        if lasted >= self.backoff.max {
            self.failures = 0;
        }
    }

    fn next_wait(&mut self, retry_after: Option<Duration>) -> Duration {
        let wait = self.backoff.delay(self.failures, fastrand::f64(), retry_after);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(30) };

    #[test]
    fn a_broker_that_drops_its_clients_at_once_is_asked_less_and_less() {
        let mut retries = Retries::new(BACKOFF);
        for _ in 0..5 {
            retries.connection_ended(Duration::from_millis(1));
            retries.next_wait(None);
        }
        assert_eq!(retries.failures, 5);
        retries.connection_ended(Duration::from_secs(30));
        assert_eq!(retries.failures, 0);
    }
}
