//! `murre who`: who publishes to a topic, and who is subscribed to it.

use std::time::Duration;

use murre_protocol::TopicName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    broker::BrokerFlags,
    failure::Failure,
    http::Http,
    output::{Align, Output, Table, age, escape, thousands},
    time::now,
};

/// What of a topic is written by number in a path.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// Flags of `murre who`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre who site/a/temp
  murre who site/a/temp --json | jq '.subscribers[].client_id'

Publishers are clients that are connected and have published there on this connection, as far as the broker remembers. \
The broker answers this to programs of its own machine only.")]
pub(crate) struct Args {
    /// The topic, without wildcards
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Print one object, as the admin API has it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerFlags,
}

#[derive(Debug, Deserialize)]
struct Topic {
    rule: Option<Rule>,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    truncated: bool,
}

/// The keep rule that holds for the topic.
#[derive(Debug, Deserialize)]
struct Rule {
    filter: String,
    last: Option<u64>,
    age_ms: Option<u64>,
    bytes: Option<u64>,
    durable: bool,
}

#[derive(Debug, Deserialize)]
struct Publisher {
    client_id: String,
    address: Option<String>,
    last: u64,
}

#[derive(Debug, Deserialize)]
struct Subscriber {
    client_id: String,
    address: Option<String>,
    filter: String,
    group: Option<String>,
    ack: bool,
    view: Option<Value>,
}

/// Asks, and prints the answer.
///
/// # Errors
/// No topic, no broker, or it refuses.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    TopicName::parse(args.topic.as_str())
        .map_err(|error| Failure::Usage(format!("{:?} is no topic: {error}", args.topic)))?;
    let path = format!("/admin/topics/{}", utf8_percent_encode(&args.topic, ENCODED));
    let answer: Value = Http::of(&args.broker.broker)?.json(&path)?;
    let mut output = Output::stdout();
    let lines = if args.json { vec![answer.to_string()] } else { lines(answer, &output)? };
    for line in lines {
        output.line(line)?;
    }
    output.flush()
}

fn lines(answer: Value, output: &Output) -> Result<Vec<String>, Failure> {
    let topic: Topic = serde_json::from_value(answer)
        .map_err(|error| Failure::Failed(format!("the answer makes no sense: {error}")))?;
    let mut lines = Vec::new();
    if let Some(rule) = &topic.rule {
        lines.extend([rule.shown(), String::new()]);
    }
    match topic.publishers.is_empty() {
        true => lines.push("no publishers that are known of".to_owned()),
        false => lines.extend(publishers(topic.publishers).lines(output.style())),
    }
    lines.push(String::new());
    match topic.subscribers.is_empty() {
        true => lines.push("no subscribers".to_owned()),
        false => lines.extend(subscribers(topic.subscribers).lines(output.style())),
    }
    if topic.truncated {
        lines.extend([String::new(), "and more, which the broker doesn't list".to_owned()]);
    }
    Ok(lines)
}

impl Rule {
    /// `kept by the rule for plant/#: the last 1,000, 10m old at most, durable`
    fn shown(&self) -> String {
        let bounds = [
            self.last.map(|last| format!("the last {}", thousands(last))),
            self.age_ms.map(|age_ms| format!("{} old at most", age(Duration::from_millis(age_ms)))),
            self.bytes.map(|bytes| format!("{} bytes at most", thousands(bytes))),
            self.durable.then(|| "durable".to_owned()),
        ];
        let bounds: Vec<String> = bounds.into_iter().flatten().collect();
        format!("kept by the rule for {}: {}", escape(&self.filter), bounds.join(", "))
    }
}

fn publishers(publishers: Vec<Publisher>) -> Table {
    let now = now().millis();
    let mut table =
        Table::new(&[("publisher", Align::Left), ("address", Align::Left), ("last", Align::Right)]);
    for Publisher { client_id, address, last } in publishers {
        let last = format!("{} ago", age(Duration::from_millis(now.saturating_sub(last))));
        table.row([escape(&client_id), escape(&address.unwrap_or_default()), last]);
    }
    table
}

fn subscribers(subscribers: Vec<Subscriber>) -> Table {
    let mut table = Table::new(&[
        ("subscriber", Align::Left),
        ("address", Align::Left),
        ("filter", Align::Left),
        ("ack", Align::Left),
        ("view", Align::Left),
    ]);
    for subscriber in subscribers {
        let filter = match &subscriber.group {
            Some(group) => format!("$share/{group}/{}", subscriber.filter),
            None => subscriber.filter,
        };
        table.row([
            escape(&subscriber.client_id),
            escape(&subscriber.address.unwrap_or_default()),
            escape(&filter),
            if subscriber.ack { "yes".to_owned() } else { "no".to_owned() },
            escape(&subscriber.view.map_or_else(String::new, |view| view.to_string())),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keep_rule_is_said_with_its_bounds() {
        let rule = Rule {
            filter: "plant/#".to_owned(),
            last: Some(1000),
            age_ms: Some(86_400_000),
            bytes: None,
            durable: true,
        };
        assert_eq!(rule.shown(), "kept by the rule for plant/#: the last 1,000, 1d old at most, durable");
    }
}
