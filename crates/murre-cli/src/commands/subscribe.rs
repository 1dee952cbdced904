//! `murre sub`: printing what is published.

use std::time::Duration;

use futures_util::FutureExt;
use murre_client::{From, Message};
use murre_protocol::{SharedFilter, Timestamp};

use super::{after, stop_signal};
use crate::{
    args::duration,
    broker::BrokerFlags,
    failure::Failure,
    output::{Output, Reading},
};

mod listener;

use listener::Listener;

/// Flags of `murre sub`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre sub 'site/#'
  murre sub 'site/+/temp' 'host/#' --json | jq .payload
  murre sub site/a/temp --count 1 --timeout 10s     ends with exit code 124 where none comes in time
  murre sub 'alarm/#' --from live                   without the values that were there before
  murre sub '$share/workers/job/#'                  with others of the group, each message to one

Each line has the time at the broker, the topic and the payload; a * marks a value from before the \
subscription. \
With --json each line is an object with topic, format, payload (payload_base64 where it has no JSON form), \
time (Unix milliseconds) and position. A topic that two filters match comes twice.")]
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
    /// Where to begin: last (the last value of each topic), live, N (the last N of each topic), or a time that has
    /// passed, such as 10m-ago [default: last; live for a shared filter]
    #[arg(long, value_parser = start, value_name = "POINT")]
    from: Option<Start>,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    Last,
    Live,
    LastN(u64),
    Ago(Duration),
}

fn start(text: &str) -> Result<Start, String> {
    match text {
        "last" => return Ok(Start::Last),
        "live" => return Ok(Start::Live),
        _ => {}
    }
    let start = match text.strip_suffix("-ago") {
        Some(time) => duration(time).ok().map(Start::Ago),
        None => text.parse().ok().filter(|count| *count > 0).map(Start::LastN),
    };
    start.ok_or_else(|| "expected last, live, a number of messages, or a time such as 10m-ago".to_owned())
}

impl Start {
    /// Messages of a shared subscription go to one subscriber each, so it can only be live.
    fn usual(filter: &str) -> Self {
        if filter.starts_with("$share/") { Self::Live } else { Self::Last }
    }

    fn at(self, now: jiff::Timestamp) -> From {
        match self {
            Self::Last => From::Last,
            Self::Live => From::Live,
            Self::LastN(count) => From::LastN(count),
            Self::Ago(ago) => {
                let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
                let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
                From::Since(Timestamp::from_millis(now.saturating_sub(ago)))
            }
        }
    }
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
        let from = args.from.unwrap_or_else(|| Start::usual(filter)).at(jiff::Timestamp::now());
        listener.add(&args.broker, filter, from).await?;
    }
    loop {
        let message = listener.next().await?;
        let mut is_over = printer.print(&message)?;
        // What came along appears with it.
        while !is_over && let Some(message) = listener.next().now_or_never() {
            is_over = printer.print(&message?)?;
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
    /// Adds a line: true when it was the last that is wanted.
    fn print(&mut self, message: &Message) -> Result<bool, Failure> {
        let reading = Reading::from(message);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_begins_where_it_was_told_to() {
        let now = jiff::Timestamp::from_millisecond(1_000_000).unwrap();
        assert_eq!(start("last").unwrap().at(now), From::Last);
        assert_eq!(start("live").unwrap().at(now), From::Live);
        assert_eq!(start("5").unwrap().at(now), From::LastN(5));
        assert_eq!(start("10m-ago").unwrap().at(now), From::Since(Timestamp::from_millis(400_000)));
        assert_eq!((Start::usual("a/#"), Start::usual("$share/g/a")), (Start::Last, Start::Live));
        for wrong in ["", "0", "yesterday", "10-ago", "-5"] {
            assert!(start(wrong).is_err(), "{wrong}");
        }
    }
}
