//! `murre topics`: the topics with their last values.

use std::{collections::BTreeMap, time::Duration};

use futures_util::FutureExt;
use murre_client::{Client, From, Message};
use murre_protocol::{SharedFilter, Timestamp};

use super::{after, stop_signal};
use crate::{
    args::duration,
    broker::BrokerFlags,
    failure::Failure,
    output::{Align, Output, Reading, Table, age, escape, shorten},
};

/// Flags of `murre topics`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre topics
  murre topics 'site/+/temp'
  murre topics '$murre/#'                           the broker's own topics: who is connected
  murre topics --json | jq -r .topic")]
pub(crate) struct Args {
    /// Which topics: + stands for one level, # for the rest
    #[arg(default_value = "#", value_name = "FILTER")]
    filter: String,
    /// Print an object a line, as `murre sub --json` does
    #[arg(long)]
    json: bool,
    /// How long to wait for the broker
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    timeout: Duration,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// Lists what there is.
///
/// # Errors
/// No broker, a refused filter, a list that doesn't end in time.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    SharedFilter::parse(args.filter.as_str())
        .map_err(|error| Failure::Usage(format!("{:?} is no filter: {error}", args.filter)))?;
    let stop = stop_signal()?;
    let client = args.broker.connect().await?;
    let last = tokio::select! {
        last = last_values(&client, &args.filter) => last,
        () = after(Some(args.timeout)) => Err(Failure::TimedOut(format!(
            "the broker's list was not complete within {}", humantime::format_duration(args.timeout)
        ))),
        () = stop => return Ok(()),
    };
    let now = client.broker_time();
    client.close().await;
    let last = last?;
    let mut output = Output::stdout();
    for line in lines(&last, now, args.json, &output) {
        output.line(line)?;
    }
    output.flush()
}

async fn last_values(client: &Client, filter: &str) -> Result<BTreeMap<String, Message>, Failure> {
    // All of them wait in the queue until they are complete; its bound in bytes still holds.
    let mut values = client.subscribe(filter).from(From::Last).queue(usize::MAX).await?;
    if !values.caught_up().await {
        let why = values.error().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(Failure::Failed(format!("the list ended early{why}")));
    }
    let mut last = BTreeMap::new();
    while let Some(Some(message)) = values.next().now_or_never() {
        last.insert(message.topic().to_owned(), message);
    }
    match values.dropped() {
        0 => Ok(last),
        dropped => Err(Failure::Failed(format!(
            "{dropped} topics more than fit into memory; narrow the filter, or use `murre sub`"
        ))),
    }
}

fn lines(last: &BTreeMap<String, Message>, now: Timestamp, json: bool, output: &Output) -> Vec<String> {
    if json {
        return last.values().map(|message| Reading::of(message, now).json()).collect();
    }
    if last.is_empty() {
        return vec!["no topics".to_owned()];
    }
    let mut table = Table::new(&[("topic", Align::Left), ("age", Align::Right), ("last value", Align::Left)]);
    for message in last.values() {
        let reading = Reading::of(message, now);
        table.row([escape(message.topic()), age(reading.age), reading.shown()]);
    }
    let lines = table.lines(output.style());
    match output.width() {
        Some(width) => lines.iter().map(|line| shorten(line, width)).collect(),
        None => lines,
    }
}
