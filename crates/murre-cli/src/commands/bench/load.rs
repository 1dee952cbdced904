//! A load of publishers and subscribers: throughput and latency percentiles.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt,
    future::{BoxFuture, try_join_all},
    stream::FuturesUnordered,
};
use indicatif::{ProgressBar, ProgressStyle};
use murre_client::{Client, From, PublishError, Subscription};
use tokio::{sync::watch, task::JoinSet, time};

use super::{
    LoadFlags, Offered, clear,
    measure::{Latencies, PERCENTILES, show},
    stamp::Stamper,
};
use crate::{
    commands::{Stop, stop_signal},
    failure::Failure,
    output::{Output, thousands},
};

/// Publishes of one publisher under way at a time where there is no rate.
const IN_FLIGHT_MAX: usize = 64;
/// After the last publish subscribers may be without a message for so long before what is missing counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// What all parts of a run share.
struct Run {
    flags: LoadFlags,
    topics: String,
    stamper: Stamper,
    /// Gives readings their numbers.
    begun: AtomicU64,
    published: AtomicU64,
    delivered: AtomicU64,
}

/// What a subscriber got.
struct Heard {
    latencies: Latencies,
    /// Messages that were left out, as the broker told.
    dropped: u64,
}

/// Puts the load on the broker and prints what came out.
pub(super) async fn run(flags: LoadFlags) -> Result<(), Failure> {
    let number = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0);
    let run = Arc::new(Run {
        topics: format!("bench/{number}"),
        stamper: Stamper::new(number),
        begun: AtomicU64::new(0),
        published: AtomicU64::new(0),
        delivered: AtomicU64::new(0),
        flags,
    });
    let stop = stop_signal()?;
    let (end, ended) = watch::channel(false);
    let mut listening = subscribers(&run, &ended).await?;
    let publishers = try_join_all((0..run.flags.publishers).map(|_| run.flags.broker.connect())).await?;

    let begin = Instant::now();
    let progress = tokio::spawn(show_progress(run.clone()));
    let outcome = publish_until(&run, publishers, stop).await;
    let publishing = begin.elapsed();
    if outcome.is_ok() {
        wait_for_the_rest(&run).await;
    }
    progress.abort();
    let topics = (0..run.flags.publishers).map(|number| run.topic(number));
    let cleared = clear(&run.flags.broker, topics).await;
    // A subscriber that ended already has its result waiting.
    let _ = end.send(true);
    outcome.and(cleared)?;

    let mut all = Heard { latencies: Latencies::new()?, dropped: 0 };
    while let Some(joined) = listening.join_next().await {
        let heard = joined.map_err(Failure::failed)??;
        all.latencies.add(&heard.latencies)?;
        all.dropped += heard.dropped;
    }
    report(&run, publishing, &all)
}

async fn subscribers(
    run: &Arc<Run>,
    ended: &watch::Receiver<bool>,
) -> Result<JoinSet<Result<Heard, Failure>>, Failure> {
    let mut listening = JoinSet::new();
    for number in 0..run.flags.subscribers {
        let client = run.flags.broker.connect().await?;
        let subscribe = client.subscribe(format!("{}/#", run.topics)).from(From::Live).backpressure();
        let subscription = run.flags.views.ask(subscribe, number, run.flags.subscribers).await?;
        listening.spawn(listen(run.clone(), client, subscription, ended.clone()));
    }
    Ok(listening)
}

async fn listen(
    run: Arc<Run>,
    client: Client,
    mut subscription: Subscription,
    mut ended: watch::Receiver<bool>,
) -> Result<Heard, Failure> {
    let mut latencies = Latencies::new()?;
    loop {
        let message = tokio::select! {
            biased;
            message = subscription.next() => message,
            _ = ended.changed() => None,
        };
        let Some(message) = message else { break };
        let stamp = run.flags.views.stamp(message.payload());
        if let Some(age) = run.stamper.age(stamp, Instant::now()) {
            latencies.record(age);
            run.delivered.fetch_add(1, Ordering::Relaxed);
        }
    }
    client.close().await;
    Ok(Heard { latencies, dropped: subscription.dropped() })
}

async fn publish_until(run: &Arc<Run>, publishers: Vec<Client>, mut stop: Stop) -> Result<(), Failure> {
    let end = Instant::now() + run.flags.duration;
    let mut publishing = JoinSet::new();
    for (number, client) in (0..).zip(publishers) {
        let publisher = Publisher { topic: run.topic(number), run: run.clone(), client };
        publishing.spawn(publisher.run(number, end));
    }
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            joined = publishing.join_next() => match joined {
                Some(joined) => joined.map_err(Failure::failed)??,
                None => return Ok(()),
            }
        }
    }
}

struct Publisher {
    topic: String,
    run: Arc<Run>,
    client: Client,
}

impl Publisher {
    async fn run(self, number: u32, end: Instant) -> Result<(), Failure> {
        let outcome = match self.run.flags.rate {
            Offered::Max => self.as_fast_as_it_goes(end).await,
            Offered::Rate(rate) => {
                let publishers = self.run.flags.publishers;
                let interval = rate.interval() * publishers;
                // Publishers take turns rather than all publish at the same moment.
                let first = Instant::now() + rate.interval() * number;
                self.at_a_rate(first, interval, end).await
            }
        };
        self.client.close().await;
        outcome
    }

    /// Publishes what is due, whether or not earlier ones were acknowledged: a slow broker makes no pause for itself.
    async fn at_a_rate(&self, first: Instant, interval: Duration, end: Instant) -> Result<(), Failure> {
        let mut pending = FuturesUnordered::new();
        let mut due = first;
        while due < end {
            time::sleep_until(due.into()).await;
            while due <= Instant::now() && due < end {
                pending.push(self.publish(due));
                due += interval;
            }
            while let Some(Some(answer)) = futures_util::FutureExt::now_or_never(pending.next()) {
                answer?;
            }
        }
        while let Some(answer) = pending.next().await {
            answer?;
        }
        Ok(())
    }

    async fn as_fast_as_it_goes(&self, end: Instant) -> Result<(), Failure> {
        let mut pending = FuturesUnordered::new();
        while Instant::now() < end {
            while pending.len() < IN_FLIGHT_MAX {
                pending.push(self.publish(Instant::now()));
            }
            pending.next().await.unwrap_or(Ok(()))?;
        }
        while let Some(answer) = pending.next().await {
            answer?;
        }
        Ok(())
    }

    fn publish(&self, due: Instant) -> BoxFuture<'static, Result<(), PublishError>> {
        let stamp = self.run.stamper.payload(due, self.run.flags.payload);
        let number = self.run.begun.fetch_add(1, Ordering::Relaxed);
        let (format, payload) = self.run.flags.views.payload(number, stamp);
        let publish = self.client.publish(&self.topic);
        let publish = if self.run.flags.no_ack { publish.unacknowledged() } else { publish };
        let sent = publish.payload(format, payload);
        let run = self.run.clone();
        Box::pin(async move {
            sent.await?;
            run.published.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }
}

impl Run {
    /// What the publisher of this number publishes to.
    fn topic(&self, number: u32) -> String {
        format!("{}/{number}", self.topics)
    }

    /// Deliveries that are owed for what was published; none where views decide that.
    fn owed(&self) -> Option<u64> {
        let all = self.published.load(Ordering::Relaxed) * u64::from(self.flags.subscribers);
        (!self.flags.views.are_given()).then_some(all)
    }

    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}

async fn wait_for_the_rest(run: &Run) {
    let mut last = (run.delivered(), Instant::now());
    while run.owed().is_none_or(|owed| run.delivered() < owed) && last.1.elapsed() < SILENCE_MAX {
        time::sleep(Duration::from_millis(20)).await;
        if run.delivered() > last.0 {
            last = (run.delivered(), Instant::now());
        }
    }
}

async fn show_progress(run: Arc<Run>) {
    let tick = Duration::from_millis(200);
    let ticks = u64::try_from(run.flags.duration.as_millis() / tick.as_millis()).unwrap_or(1).max(1);
    let bar = ProgressBar::new(ticks);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}") {
        bar.set_style(style);
    }
    let mut interval = time::interval(tick);
    let mut before = 0;
    loop {
        interval.tick().await;
        let delivered = run.delivered();
        let per_second = (delivered - before) * 5;
        bar.set_message(format!("{} deliveries/s", thousands(per_second)));
        bar.inc(1);
        before = delivered;
    }
}

fn report(run: &Run, publishing: Duration, heard: &Heard) -> Result<(), Failure> {
    let latencies = &heard.latencies;
    let published = run.published.load(Ordering::Relaxed);
    let delivered = latencies.count();
    let lost = run.owed().map_or(heard.dropped, |owed| owed.saturating_sub(delivered));
    let per_second = |count: u64| (count as f64 / publishing.as_secs_f64().max(1e-9)).round();
    let mut output = Output::stdout();
    if run.flags.json {
        output.line(
            serde_json::json!({
                "published": published, "published_per_second": per_second(published),
                "delivered": delivered, "delivered_per_second": per_second(delivered), "lost": lost,
                "seconds": publishing.as_secs_f64(), "latency_us": latencies.to_json(),
            })
            .to_string(),
        )?;
        return output.flush();
    }
    let shown =
        |count: u64| format!("{:>12}  {:>10}/s", thousands(count), thousands(per_second(count) as u64));
    output.line(format!("published {}", shown(published)))?;
    output.line(format!("delivered {}", shown(delivered)))?;
    output.line(format!("lost      {:>12}", thousands(lost)))?;
    let percentiles =
        PERCENTILES.map(|(name, percent)| format!("{name} {}", show(latencies.percentile(percent))));
    output.line(format!("latency   {}", output.style().strong(percentiles.join("  "))))?;
    output.flush()
}
