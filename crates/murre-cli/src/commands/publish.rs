//! `murre pub`: publishing readings from the command line, standard input or a file.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesOrdered};
use murre_client::{Acknowledgement, Client, Publish};
use murre_protocol::TopicName;

use super::{after, stop_signal};
use crate::{
    args::{Rate, duration, rate},
    broker::BrokerFlags,
    failure::Failure,
    payload::PayloadFormat,
};

mod source;

use source::{Pacer, Source};

/// Acknowledged publishes that are waited for at a time.
const PENDING_MAX: usize = 256;

/// Flags of `murre pub`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre pub site/a/temp '{\"celsius\": 21.4}'
  murre pub site/a/state on --format text --retain
  murre pub site/a/temp 21.4 --rate 10/s --count 100
  sensor-command | murre pub site/a/temp            a line of standard input is a reading
  murre pub site/a/image --file image.jpg --format raw
  murre pub site/a/state --format raw --retain ''   deletes the retained value")]
pub(crate) struct Args {
    /// Where to publish
    topic: String,
    /// The payload; - or none: each line of standard input is one
    #[arg(allow_hyphen_values = true)]
    payload: Option<String>,
    /// Take the payload from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    file: Option<PathBuf>,
    /// What the payload is
    #[arg(long, value_enum, default_value_t)]
    format: PayloadFormat,
    /// Publish at this rate, such as 10/s or 600/m; without --count until Ctrl-C
    #[arg(long, value_parser = rate, value_name = "RATE")]
    rate: Option<Rate>,
    /// Publish so many times, or so many lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Keep the payload as the topic's retained value
    #[arg(long)]
    retain: bool,
    /// After this time the message is of no use
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    expiry: Option<Duration>,
    /// Don't wait for the broker's acknowledgements
    #[arg(long)]
    no_ack: bool,
    /// How long to wait for an acknowledgement
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    timeout: Duration,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// Publishes all that was given.
///
/// # Errors
/// A payload that isn't what `--format` says, no broker, a refusal, an acknowledgement that doesn't come.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    if let Err(error) = TopicName::parse(args.topic.as_str()) {
        return Err(Failure::Usage(format!("{:?} is no topic: {error}", args.topic)));
    }
    let mut source = source(&args)?;
    let stop = stop_signal()?;
    let client = args.broker.connect().await?;
    let outcome = publish_all(&args, &client, &mut source, stop).await;
    client.close().await;
    outcome
}

/// Checks what can be checked before there is a connection.
fn source(args: &Args) -> Result<Source, Failure> {
    let input = match (&args.payload, &args.file) {
        (_, Some(file)) => std::fs::read(file).map_err(|error| {
            Failure::Failed(format!("{}: cannot read the payload: {error}", file.display()))
        })?,
        (Some(text), None) if text != "-" => text.clone().into_bytes(),
        _ => return Ok(Source::standard_input(args.format, args.count)),
    };
    // An empty payload deletes a retained value, whatever the format.
    let payload = if input.is_empty() && args.retain { input } else { args.format.payload(input)? };
    let count = args.count.or(if args.rate.is_some() { None } else { Some(1) });
    Ok(Source::repeated(payload.into(), count))
}

async fn publish_all(
    args: &Args,
    client: &Client,
    source: &mut Source,
    mut stop: super::Stop,
) -> Result<(), Failure> {
    let mut pacer = Pacer::new(args.rate);
    let mut pending: FuturesOrdered<Acknowledgement> = FuturesOrdered::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(answer) = pending.next(), if !pending.is_empty() => drop(answer?),
            () = after(Some(args.timeout)), if pending.len() >= PENDING_MAX => return Err(unanswered(args)),
            payload = pacer.next(source), if pending.len() < PENDING_MAX => {
                let Some(payload) = payload? else { break };
                tokio::select! {
                    taken = publish(args, client, payload).enqueue() => pending.push_back(taken?),
                    () = &mut stop => break,
                }
            }
        }
    }
    while !pending.is_empty() {
        tokio::select! {
            answer = pending.next() => drop(answer.transpose()?),
            () = after(Some(args.timeout)) => return Err(unanswered(args)),
        }
    }
    Ok(())
}

fn unanswered(args: &Args) -> Failure {
    let after = humantime::format_duration(args.timeout);
    Failure::TimedOut(format!("the broker at {} sent no acknowledgement within {after}", args.broker.broker))
}

fn publish(args: &Args, client: &Client, payload: Bytes) -> Publish {
    let mut publish = client.publish(&args.topic);
    if args.retain {
        publish = publish.retain();
    }
    if let Some(expiry) = args.expiry {
        publish = publish.expiry(expiry);
    }
    if args.no_ack {
        publish = publish.unacknowledged();
    }
    publish.payload(args.format.wire(), payload)
}
