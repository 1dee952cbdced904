//! `murre import`: messages that are lines of JSON, put into a broker or a new store.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use murre_protocol::{Timestamp, packet::Message};

use crate::{args::duration, broker::BrokerFlags, failure::Failure};

mod broker;
mod directory;

/// Flags of `murre import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre import all.ndjson
  zstd -dc november.ndjson.zst | murre import
  murre import --data ./new-store all.ndjson        into a new store, before a broker has it

A line is a message as murre export writes it; position may be missing. A broker takes them as new messages that were \
measured at the time that they have. In a new store they have that time as the broker's own. What has expired is left \
out. At the first line that can't be used it ends, and says what was imported before.")]
pub(crate) struct Args {
    /// The file; - or none: standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Make a store in this folder, which has none yet
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file with the keep rules, for --data [default: murre.toml, where there is one]
    #[arg(long, value_name = "FILE", requires = "data")]
    config: Option<PathBuf>,
    /// How long to wait for an acknowledgement
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    timeout: Duration,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// What came of it.
#[derive(Debug, Default)]
struct Imported {
    messages: u64,
    /// The line of the last of them.
    last_line: u64,
    /// Left out, since they were of no use any more.
    expired: u64,
    notes: Vec<String>,
}

/// Puts in what there is.
///
/// # Errors
/// A line that can't be used, no broker or store, a refusal.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let file = args.file.as_deref().filter(|file| file.as_os_str() != "-");
    let input = open(file)?;
    let name = file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let mut imported = Imported::default();
    let outcome = match &args.data {
        Some(path) => directory::import(path, args.config.clone(), input, &name, &mut imported),
        None => super::block_on(broker::import(&args.broker, args.timeout, input, &name, &mut imported)),
    };
    for note in &imported.notes {
        eprintln!("murre: {note}");
    }
    let Imported { messages, last_line, expired, .. } = imported;
    let expired =
        if expired > 0 { format!(", {expired} had expired and were left out") } else { String::new() };
    let last = if messages > 0 { format!(", the last from line {last_line}") } else { String::new() };
    let said = format!("{messages} messages were imported{last}{expired}");
    match outcome {
        Ok(()) => {
            eprintln!("murre: {said}");
            Ok(())
        }
        Err(failure @ Failure::Usage(_)) if messages == 0 => Err(failure),
        Err(failure) => Err(failure.map(|why| format!("{why}; {said}"))),
    }
}

impl Imported {
    fn took(&mut self, line: u64) {
        self.messages += 1;
        self.last_line = self.last_line.max(line);
    }
}

/// Standard input, where there is no file.
fn open(file: Option<&Path>) -> Result<Box<dyn BufRead + Send>, Failure> {
    match file {
        Some(file) => {
            let open = File::open(file);
            let open =
                open.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?;
            Ok(Box::new(BufReader::with_capacity(256 * 1024, open)))
        }
        None => Ok(Box::new(BufReader::with_capacity(256 * 1024, io::stdin()))),
    }
}

fn in_line(name: &str, number: u64, what: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("{name}, line {number}: {what}"))
}

/// What is left of a message's `expiry`, in whole seconds; none where nothing is.
///
/// # Errors
/// Nothing is left of it.
fn expiry_left(message: &Message<'_>, now: Timestamp) -> Result<Option<u64>, Expired> {
    let Some(expiry) = message.options.as_ref().and_then(|options| options.expiry) else { return Ok(None) };
    let ends = message.time.millis().saturating_add(expiry.saturating_mul(1000));
    match ends.saturating_sub(now.millis()) {
        0 => Err(Expired),
        left => Ok(Some(left.div_ceil(1000))),
    }
}

/// A message is of no use any more.
#[derive(Debug, PartialEq, Eq)]
struct Expired;

/// A note on messages that were missing already where these were exported.
fn lost(name: &str, number: u64, why: &str) -> String {
    format!("{name}, line {number}: messages were missing already when it was saved ({why})")
}

#[cfg(test)]
mod tests {
    use murre_protocol::{Format, Position, packet::MessageOptions};

    use super::*;
    use crate::time::now;

    #[test]
    fn an_expiry_counts_from_the_time_of_the_message() {
        let options = MessageOptions { expiry: Some(60), ..MessageOptions::default() };
        let message = Message {
            topic: "a".into(),
            format: Format::Text,
            payload: b"1".as_slice().into(),
            time: Timestamp::from_millis(1_000_000),
            position: Position::NONE,
            options: Some(Box::new(options)),
        };
        let left = |now| expiry_left(&message, Timestamp::from_millis(now));
        assert_eq!((left(1_000_000), left(1_030_500)), (Ok(Some(60)), Ok(Some(30))));
        assert_eq!((left(1_059_999), left(1_060_000)), (Ok(Some(1)), Err(Expired)));
        assert_eq!(expiry_left(&Message { options: None, ..message }, now()), Ok(None));
    }
}
