//! `murre export`: messages of the past as lines of JSON.

use std::path::PathBuf;

use murre_protocol::{Timestamp, TopicFilter};
use murre_server::moment;

use crate::{broker::BrokerFlags, failure::Failure, output::Output, time::now};

mod broker;
mod directory;

/// Flags of `murre export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre export > all.ndjson
  murre export 'site/+/temp' --since 24h > day.ndjson
  murre export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z | zstd > november.ndjson.zst
  murre export --data ./murre-data > all.ndjson       of a store that no broker has open

A line for each message, the same as GET /history gives; murre import reads them. From a broker comes what its keep \
rules hold; from a store also retained values of other topics, and what waits to be deleted.")]
pub(crate) struct Args {
    /// Which topics: + stands for one level, # for the rest
    #[arg(default_value = "#", value_name = "FILTER")]
    filter: String,
    /// Only what the broker took then or later: Unix milliseconds, 2026-11-24T10:00:00Z, or how long ago, such as 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what the broker took before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Read the store in this folder, which no broker may have open
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Messages that the broker is asked for at once; by default as many as it gives
    #[arg(long, value_name = "N", default_value_t = 100_000, hide = true)]
    limit: usize,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// What is wanted.
struct Wanted {
    filter: TopicFilter<'static>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    now: Timestamp,
    limit: usize,
}

/// What was written, and what there is to say about it.
#[derive(Debug, Default)]
struct Exported {
    messages: u64,
    notes: Vec<String>,
    /// Why it is not all that there was.
    incomplete: Option<String>,
}

impl Exported {
    /// Says it once, however often it comes.
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Writes what there is.
///
/// # Errors
/// No broker or store, a refusal, or an export that isn't whole.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let wanted = wanted(&args)?;
    let mut output = Output::stdout();
    let mut exported = Exported::default();
    let outcome = match &args.data {
        Some(path) => directory::export(path, &wanted, &mut output, &mut exported),
        None => broker::export(&args.broker.broker, &wanted, &mut output, &mut exported),
    };
    output.flush()?;
    for note in &exported.notes {
        eprintln!("murre: {note}");
    }
    match (outcome, exported.incomplete) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(why)) => Err(Failure::Failed(why)),
        (Err(failure), _) if exported.messages == 0 => Err(failure),
        (Err(failure), _) => {
            let written = exported.messages;
            Err(failure
                .map(|why| format!("{why}; {written} messages were written before, and the rest is missing")))
        }
    }
}

fn wanted(args: &Args) -> Result<Wanted, Failure> {
    let usage = |what: &str, why: String| Failure::Usage(format!("{what}: {why}"));
    let filter = TopicFilter::parse(args.filter.clone());
    let filter = filter.map_err(|why| Failure::Usage(format!("{:?} is no filter: {why}", args.filter)))?;
    let now = now();
    let moment = |flag, text: &Option<String>| {
        text.as_deref().map(|text| moment::parse(text, now)).transpose().map_err(|why| usage(flag, why))
    };
    let (since, until) = (moment("--since", &args.since)?, moment("--until", &args.until)?);
    if since.zip(until).is_some_and(|(since, until)| since >= until) {
        return Err(usage("--until", "expected a time later than --since".to_owned()));
    }
    Ok(Wanted { filter, since, until, now, limit: args.limit })
}
