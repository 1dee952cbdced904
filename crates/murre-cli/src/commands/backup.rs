//! `murre backup`: a copy of the store of a running broker.

use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::{
    broker::BrokerFlags,
    failure::Failure,
    http::Http,
    output::{Output, escape, thousands},
};

/// Flags of `murre backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre backup
  murre backup before-the-move
  murre store check \"$(murre backup)\"

The broker writes it, while it goes on, into a new folder within store.backups of its configuration; without that key it \
refuses. It takes this from programs of its own machine only. The path is printed. To go back to a backup, start a broker \
with a copy of it: murre serve --data COPY.")]
pub(crate) struct Args {
    /// The new folder's name: letters, digits, and . _ - within [default: the time]
    name: Option<String>,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// What the broker has written.
#[derive(Debug, Deserialize)]
struct Backup {
    path: String,
    epoch: String,
    entries: u64,
    bytes: u64,
}

/// Asks for it, and waits until it is complete.
///
/// # Errors
/// No broker, or it refuses or fails.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut path = String::from("/admin/backup");
    if let Some(name) = &args.name {
        // writing to a String never fails
        let _ = write!(path, "?name={}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    }
    let backup: Backup = Http::of(&args.broker.broker)?.post(&path)?;
    let mut output = Output::stdout();
    output.line(&backup.path)?;
    output.flush()?;
    let (entries, bytes) = (thousands(backup.entries), thousands(backup.bytes));
    eprintln!("murre: {entries} entries, {bytes} bytes, as a store with the epoch {}", escape(&backup.epoch));
    Ok(())
}
