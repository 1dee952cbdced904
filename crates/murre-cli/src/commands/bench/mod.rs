//! `murre bench`: measuring a broker's throughput and latency.

mod catch_up;
mod counting_proxy;
mod http;
mod http_vs_ws;
mod load;
mod measure;
mod stamp;
mod views;

use std::time::Duration;

use bytes::Bytes;

use crate::{
    args::{Rate, duration, rate, size},
    broker::BrokerFlags,
    failure::Failure,
};

/// Flags of `murre bench`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  murre bench
  murre bench --publishers 10 --subscribers 100 --rate 5000/s --duration 30s
  murre bench --rate max --payload 1KiB
  murre bench --subscribers 1000 --publishers 1 --rate 100/s --max-rate 2
  murre bench catch-up --count 1000000
  murre bench http-vs-ws --count 2000

Every subscriber gets every message, or what its view lets through. Latency is from the moment that a message was due at its publisher to its \
arrival at a subscriber, all in this process: it has the waiting in it that a busy broker causes."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    load: LoadFlags,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How fast subscribers are sent what the broker has kept
    CatchUp(CatchUpFlags),
    /// What one reading costs by WebSocket and by one HTTP request each
    HttpVsWs(HttpVsWsFlags),
}

/// What to put on the broker.
#[derive(Debug, Clone, clap::Args)]
struct LoadFlags {
    /// Connections that publish
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: u32,
    /// Connections that subscribe to all of it
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    subscribers: u32,
    /// Bytes of each message, 16 at least
    #[arg(long, default_value = "128", value_name = "SIZE", value_parser = payload_size)]
    payload: usize,
    /// Messages of all publishers together, such as 5000/s; max: each as fast as it gets acknowledgements
    #[arg(long, default_value = "1000/s", value_name = "RATE", value_parser = offered)]
    rate: Offered,
    /// How long to publish
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = duration)]
    duration: Duration,
    /// Don't ask the broker for acknowledgements
    #[arg(long)]
    no_ack: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerFlags,
    #[command(flatten)]
    views: views::ViewFlags,
}

/// Flags of `murre bench catch-up`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  murre bench catch-up
  murre bench catch-up --count 1000000 --payload 100 --subscribers 4

Publishes messages, each acknowledged, then lets subscribers begin with all of them. The broker needs a [[keep]] rule \
that holds bench/#.")]
struct CatchUpFlags {
    /// Messages to catch up with
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    count: u64,
    /// Topics that they are spread over
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    topics: u64,
    /// Connections that catch up at the same time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    subscribers: u32,
    /// Bytes of each message, 16 at least
    #[arg(long, default_value = "100", value_name = "SIZE", value_parser = payload_size)]
    payload: usize,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// Flags of `murre bench http-vs-ws`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  murre bench http-vs-ws
  murre bench http-vs-ws --count 5000 --payload '{\"celsius\": 21.4}'

The same reading is published one after the other in three ways, each waited for until the broker has confirmed \
it: over one WebSocket connection, over one HTTP connection that is kept, and over a new HTTP connection for each. \
Bytes are those within TCP, handshakes of HTTP and WebSocket with them; TCP's and IP's own headers come on top, \
most for a connection each.")]
struct HttpVsWsFlags {
    /// Readings by each way
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// The reading, as JSON
    #[arg(long, default_value = "{\"celsius\":21.4,\"percent\":48.2}", value_name = "JSON")]
    payload: String,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// How much is published.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Offered {
    /// At a steady rate, whatever the broker does.
    Rate(Rate),
    /// As fast as acknowledgements come.
    Max,
}

fn offered(text: &str) -> Result<Offered, String> {
    match text {
        "max" => Ok(Offered::Max),
        _ => rate(text).map(Offered::Rate),
    }
}

fn payload_size(text: &str) -> Result<usize, String> {
    let bytes = size(text)?;
    let allowed = stamp::STAMP_BYTES..=64 << 20;
    if allowed.contains(&bytes) { Ok(bytes) } else { Err("expected 16 bytes to 64MiB".to_owned()) }
}

/// Measures, and prints what came out.
///
/// # Errors
/// No broker, or one that refuses or doesn't answer.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        None => load::run(args.load).await,
        Some(What::CatchUp(flags)) => catch_up::run(flags).await,
        Some(What::HttpVsWs(flags)) => http_vs_ws::run(flags).await,
    }
}

/// Deletes what a run left on `topics` as their last values.
async fn clear(broker: &BrokerFlags, topics: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    let client = broker.connect().await?;
    for topic in topics {
        client.publish(topic).retain().bytes(Bytes::new()).await?;
    }
    client.close().await;
    Ok(())
}
