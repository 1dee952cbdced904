//! `murre sub`: printing what is published.

use std::time::Duration;

use futures_util::FutureExt;
use murre_client::Message;
use murre_protocol::{SharedFilter, Timestamp};

use super::{after, stop_signal};
use crate::{
    args::duration,
    broker::BrokerFlags,
    failure::Failure,
    output::{Output, Reading},
};

mod listener;
mod start;
mod view;

use listener::Listener;
use start::Start;
use view::View;

/// Flags of `murre sub`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre sub 'site/#'
  murre sub 'site/+/temp' 'host/#' --json | jq .payload
  murre sub site/a/temp --count 1 --timeout 10s     ends with exit code 124 where none comes in time
  murre sub 'site/#' --last 10                      the last ten of each topic first
  murre sub 'site/#' --since 10m                    what came in the last ten minutes first
  murre sub 'site/#' --since 2026-01-31T06:00:00Z
  murre sub 'alarm/#' --live                        without the values that were there before
  murre sub 'plant/#' --max-rate 2 --where 'payload.celsius > 30.0'
  murre sub 'plant/+/temp' --window 60s:celsius:mean,max --since 1h
  murre sub 'plant/#' --expect 10s                  word of topics that are silent for longer
  murre sub '$share/workers/job/#'                  with others of the group, each message to one

Each line has the time at the broker, the topic and the payload; a * marks the last value of a topic, from before \
the subscription, and what isn't new has its age at the end. With --expect a topic that falls silent is told as \
stale, and as fresh again when it returns. History is what the broker keeps by its rules ([[keep]] in its configuration): of a topic without \
a rule there is the last value alone. Over a broken connection it goes on where it was. \
With --json each line is an object with topic, format, payload (payload_base64 where it has no JSON form), \
time (Unix milliseconds), age (milliseconds) and position. A topic that two filters match comes twice.")]
pub(crate) struct Args {
    /// What to listen to: + stands for one level, # for the rest
    #[arg(required = true, value_name = "FILTER")]
    filters: Vec<String>,
    /// Print an object a line, for programs
    #[arg(long)]
    json: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time: exit code 124 where --count messages didn't come in it, else 0
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    #[command(flatten)]
    broker: BrokerFlags,
    #[command(flatten)]
    start: Start,
    #[command(flatten)]
    view: View,
}

/// Prints messages until enough came, time is over, or Ctrl-C.
///
/// # Errors
/// No broker, a refused filter, too few messages in time.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    for filter in &args.filters {
        SharedFilter::parse(filter.as_str())
            .map_err(|error| Failure::Usage(format!("{filter:?} is no filter: {error}")))?;
    }
    let stop = stop_signal()?;
    let mut deadline = std::pin::pin!(after(args.timeout));
    let mut printer = Printer { output: Output::stdout(), json: args.json, left: args.count };
    let mut listener = Listener::new();
    let outcome = tokio::select! {
        outcome = listen(&args, &mut listener, &mut printer) => outcome,
        () = &mut deadline => printer.out_of_time(&args),
        () = stop => Ok(()),
    };
    listener.close().await;
    outcome
}

/// Returns when enough was printed.
async fn listen(args: &Args, listener: &mut Listener, printer: &mut Printer) -> Result<(), Failure> {
    for filter in &args.filters {
        let from = args.start.of(filter, jiff::Timestamp::now());
        listener.add(&args.broker, (filter, from), &args.view).await?;
    }
    loop {
        let message = listener.next().await?;
        let now = listener.broker_time();
        let mut is_over = printer.print(&message, now)?;
        // What came along appears with it.
        while !is_over && let Some(message) = listener.next().now_or_never() {
            is_over = printer.print(&message?, now)?;
        }
        printer.output.flush()?;
        if is_over {
            return Ok(());
        }
    }
}

struct Printer {
    output: Output,
    json: bool,
    /// Messages that are still wanted; none: all.
    left: Option<u64>,
}

impl Printer {
    /// Adds a line, at `now` by the broker's clock: true when it was the last that is wanted.
    fn print(&mut self, message: &Message, now: Timestamp) -> Result<bool, Failure> {
        let reading = Reading::of(message, now);
        let line = if self.json { reading.json() } else { reading.line(self.output.style()) };
        self.output.line(line)?;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(self.left == Some(0))
    }

    fn out_of_time(&self, args: &Args) -> Result<(), Failure> {
        let (Some(left), Some(count), Some(timeout)) = (self.left, args.count, args.timeout) else {
            return Ok(());
        };
        let came = count - left;
        let timeout = humantime::format_duration(timeout);
        Err(Failure::TimedOut(format!("{came} of {count} messages came within {timeout}")))
    }
}
