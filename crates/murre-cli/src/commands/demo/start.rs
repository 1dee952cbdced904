//! Starting the demonstration's broker: where it listens, and where it keeps its store.

use std::{net::SocketAddr, path::Path, time::Duration};

use murre_server::{
    Running, ServeError,
    config::{Config, Keep, SyncMode, WhenFull},
};

use super::STOP_MAX;
use crate::failure::Failure;

/// The folder of the store, in the folder where the command is run.
const FOLDER: &str = "murre-demo";
/// What a topic keeps.
const KEEP_LAST: usize = 1000;
const KEEP_AGE: Duration = Duration::from_secs(24 * 3600);
/// A demonstration takes no more of a disk.
const STORE_BYTES_MAX: usize = 512 << 20;

/// Where the readings are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// In the store.
    OnDisk,
    /// In memory, as it was asked for.
    InMemory,
    /// In memory, as another broker has the store.
    StoreInUse,
}

impl Kept {
    /// Says it.
    pub(super) fn line(self) -> String {
        match self {
            Self::OnDisk => format!(
                "Readings are kept in ./{FOLDER}, also over a kill -9. Remove it as you like when no demo runs; \
                 --memory does without."
            ),
            Self::InMemory => "Everything is in memory, and gone at the end.".to_owned(),
            Self::StoreInUse => format!(
                "./{FOLDER} is in use by another broker, so everything here is in memory, and gone at the end."
            ),
        }
    }
}

/// A demonstration's broker.
pub(super) struct Started {
    pub(super) running: Running,
    pub(super) kept: Kept,
    /// Whether it listens elsewhere than it should, as that was taken.
    pub(super) is_other_port: bool,
}

/// Starts it at `bind`; where that isn't given at the usual address, or at a free port where that is taken.
///
/// # Errors
/// An address that is taken, a store that can't be opened.
pub(super) fn start(bind: Option<SocketAddr>, memory: bool) -> Result<Started, Failure> {
    let config = configured((!memory).then_some(Path::new(FOLDER)));
    let wanted = bind.unwrap_or(config.server.bind);
    let result = match start_at(config.clone(), wanted, bind.is_none()) {
        Err(error) if error.is_store_in_use() => {
            let mut config = config;
            config.store.path = None;
            start_at(config, wanted, bind.is_none()).map(|running| (running, Kept::StoreInUse))
        }
        result => result.map(|running| (running, if memory { Kept::InMemory } else { Kept::OnDisk })),
    };
    let (running, kept) = result.map_err(|error| match error {
        ServeError::Store(why) => Failure::Failed(format!("{why}; or leave the store out with --memory")),
        error => Failure::failed(error),
    })?;
    let is_other_port = bind.is_none() && running.address() != wanted;
    Ok(Started { running, kept, is_other_port })
}

fn configured(store: Option<&Path>) -> Config {
    let mut config = Config::default();
    config.server.shutdown_timeout = STOP_MAX;
    config.store.path = store.map(Path::to_owned);
    // Enough for a process that is killed, and a laptop's disk may rest.
    config.store.sync = SyncMode::Interval;
    config.store.bytes_max = Some(STORE_BYTES_MAX);
    config.store.when_full = WhenFull::DropOldest;
    let mut everything = Keep::default();
    everything.filter = "#".to_owned();
    (everything.last, everything.age) = (Some(KEEP_LAST), Some(KEEP_AGE));
    config.keep = vec![everything];
    config
}

/// At `wanted`, or, if `or_beside`, at a free port where that is taken.
fn start_at(mut config: Config, wanted: SocketAddr, or_beside: bool) -> Result<Running, ServeError> {
    config.server.bind = wanted;
    match murre_server::start(config.clone()) {
        Err(ServeError::InUse(_)) if or_beside => {
            config.server.bind = SocketAddr::new(wanted.ip(), 0);
            murre_server::start(config)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_taken_port_is_answered_with_a_free_one() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let wanted = taken.local_addr().unwrap();
        assert!(matches!(start_at(Config::default(), wanted, false), Err(ServeError::InUse(_))));
        let running = start_at(Config::default(), wanted, true).unwrap();
        assert_ne!(running.address().port(), wanted.port());
        running.stop();
        running.join().unwrap();
    }

    #[test]
    fn a_store_that_another_broker_has_is_told_apart_from_one_that_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let holder = start_at(configured(Some(folder.path())), free, false).unwrap();
        assert!(start_at(configured(Some(folder.path())), free, false).unwrap_err().is_store_in_use());
        holder.stop();
        holder.join().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!start_at(configured(Some(&file)), free, false).unwrap_err().is_store_in_use());
    }
}
