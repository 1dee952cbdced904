//! How fast subscribers are sent what the broker has kept.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use indicatif::ProgressBar;
use murre_client::{Client, From, SubscriptionEvent};
use murre_protocol::Format;
use tokio::task::JoinSet;

use super::{CatchUpFlags, clear};
use crate::{
    failure::Failure,
    output::{Output, thousands},
};

/// Publishes under way at a time.
const IN_FLIGHT_MAX: usize = 4096;

/// What one subscriber was sent.
#[derive(Debug, Clone, Copy)]
struct CaughtUp {
    messages: u64,
    elapsed: Duration,
}

/// Publishes, then lets subscribers catch up with all of it, and prints how long that took.
pub(super) async fn run(flags: CatchUpFlags) -> Result<(), Failure> {
    let topics = format!("bench/{}", jiff::Timestamp::now().as_microsecond());
    let publishing = publish(&flags, &topics).await?;
    let outcome = catch_up(&flags, &topics).await;
    clear(&flags.broker, (0..flags.topics).map(|number| topic(&topics, number))).await?;
    report(&flags, publishing, &outcome?)
}

fn topic(topics: &str, number: u64) -> String {
    format!("{topics}/{number}")
}

/// Publishes all messages and waits for every acknowledgement; gives how long that took.
async fn publish(flags: &CatchUpFlags, topics: &str) -> Result<Duration, Failure> {
    let client = flags.broker.connect().await?;
    let payload = Bytes::from(vec![b'.'; flags.payload]);
    let bar = ProgressBar::new(flags.count);
    let begin = Instant::now();
    let mut pending = FuturesUnordered::new();
    for number in 0..flags.count {
        let publish = client.publish(topic(topics, number % flags.topics));
        pending.push(publish.payload(Format::Raw, payload.clone()).into_future());
        if pending.len() >= IN_FLIGHT_MAX {
            pending.next().await.transpose()?;
            bar.inc(1);
        }
    }
    while pending.next().await.transpose()?.is_some() {
        bar.inc(1);
    }
    bar.finish_and_clear();
    client.close().await;
    Ok(begin.elapsed())
}

/// All subscribers catch up at the same time.
async fn catch_up(flags: &CatchUpFlags, topics: &str) -> Result<Vec<CaughtUp>, Failure> {
    let mut running = JoinSet::new();
    for _ in 0..flags.subscribers {
        let client = flags.broker.connect().await?;
        running.spawn(one_catches_up(client, format!("{topics}/+"), flags.count));
    }
    let mut all = Vec::new();
    while let Some(joined) = running.join_next().await {
        let caught_up = joined.map_err(Failure::failed)??;
        if caught_up.messages < flags.count {
            return Err(Failure::Failed(format!(
                "the broker kept {} of {} messages: a [[keep]] rule with last, age or bytes has to hold bench/#",
                thousands(caught_up.messages),
                thousands(flags.count),
            )));
        }
        all.push(caught_up);
    }
    Ok(all)
}

async fn one_catches_up(client: Client, filter: String, count: u64) -> Result<CaughtUp, Failure> {
    let begin = Instant::now();
    let mut subscription = client.subscribe(filter).from(From::LastN(count)).backpressure().await?;
    let mut messages = 0;
    while let Some(event) = subscription.next_event().await {
        match event {
            SubscriptionEvent::Message(_) => messages += 1,
            SubscriptionEvent::CaughtUp { .. } => break,
            _ => {}
        }
    }
    let elapsed = begin.elapsed();
    client.close().await;
    Ok(CaughtUp { messages, elapsed })
}

fn report(flags: &CatchUpFlags, publishing: Duration, all: &[CaughtUp]) -> Result<(), Failure> {
    let slowest = all.iter().map(|one| one.elapsed).max().unwrap_or_default();
    let sent = all.iter().map(|one| one.messages).sum::<u64>();
    let rate = |count: u64, elapsed: Duration| (count as f64 / elapsed.as_secs_f64().max(1e-9)).round();
    let (published, caught_up) = (rate(flags.count, publishing), rate(sent, slowest));
    let mut output = Output::stdout();
    if flags.json {
        output.line(
            serde_json::json!({
                "published": flags.count, "published_per_second": published,
                "caught_up": sent, "caught_up_per_second": caught_up, "seconds": slowest.as_secs_f64(),
            })
            .to_string(),
        )?;
        return output.flush();
    }
    let shown = |count: u64, rate: f64| format!("{:>12}  {:>10}/s", thousands(count), thousands(rate as u64));
    output.line(format!("published {}", shown(flags.count, published)))?;
    output.line(format!("caught up {}", shown(sent, caught_up)))?;
    output.flush()
}
