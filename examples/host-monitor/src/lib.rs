//! Real readings of this machine on `host/<host>/…`: processors, memory, load, network interfaces and disks.
//!
//! # Layout
//! - [`sampler`]: reads the machine through `sysinfo`.
//! - [`readings`]: what is published, and its arithmetic; pure.
//! - [`names`]: names of interfaces, disks and hosts as topic levels; pure.
//! - this file: [`Options`] and [`run`], which publishes.

pub mod names;
pub mod readings;
pub mod sampler;

use std::{future::Future, pin::pin, time::Duration};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use murre_client::{Client, Pace};
use tokio::task::spawn_blocking;

use crate::{readings::Reading, sampler::Sampler};

/// Readings a second: faster, processor time is counted too coarsely (`sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`).
const RATE_MAX: f64 = 5.0;
const RATE_DEFAULT: f64 = 1.0;

/// What to read, and for which broker.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Options {
    /// The broker's WebSocket address
    #[arg(long, env = "MURRE_BROKER", default_value = "ws://127.0.0.1:8080/ws", value_name = "URL")]
    pub broker: String,
    /// There is one machine to read: a number other than 1 is ignored with a warning
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub devices: usize,
    /// Readings a second, at most 5: one message on each topic [default: 1]
    #[arg(long, value_name = "HZ")]
    pub rate: Option<f64>,
    /// Of no effect, since the readings are real; taken as the simulators take it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { broker: "ws://127.0.0.1:8080/ws".into(), devices: 1, rate: None, seed: 1 }
    }
}

impl Options {
    fn period(&self) -> anyhow::Result<Duration> {
        let rate = self.rate.unwrap_or(RATE_DEFAULT);
        ensure!(
            (0.001..=RATE_MAX).contains(&rate),
            "rate is {rate} readings a second: give one from 0.001 to {RATE_MAX}"
        );
        Ok(Duration::from_secs_f64(1.0 / rate))
    }
}

/// Publishes until `stop` resolves; then sends what is pending and closes the connection.
///
/// Publishes are acknowledged: while the broker is away the monitor waits for it, and the readings that fall due
/// meanwhile are left out and counted in the log.
///
/// # Errors
/// Options out of range, a machine that can't be read, a broker that can't be reached at the start, or one that
/// refuses a publish.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let period = options.period()?;
    if options.devices != 1 {
        tracing::warn!(
            devices = options.devices,
            "there is one machine to read: the number of devices is ignored"
        );
    }
    let host = sampler::host_level();

    let mut stop = pin!(stop);
    let client = tokio::select! {
        client = connect(&options.broker, &host) => client?,
        () = &mut stop => return Ok(()),
    };
    tracing::info!(?period, "publishing host/{host}/#");
    let outcome = tokio::select! {
        outcome = publish(&client, &host, period) => outcome,
        () = stop => Ok(()),
    };
    let unsent = client.close().await;
    if unsent > 0 {
        tracing::warn!(unsent, "closed before everything was sent");
    }
    outcome
}

async fn connect(broker: &str, host: &str) -> anyhow::Result<Client> {
    let client = Client::builder(broker)
        .client_id(format!("host-{host}"))
        .agent("murre host-monitor")
        .connect()
        .await
        .with_context(|| format!("no connection to {broker}"))?;
    // Ends with the client.
    tokio::spawn(client.events().log());
    Ok(client)
}

/// Publishes this machine's readings; ends only with an error.
async fn publish(client: &Client, host: &str, period: Duration) -> anyhow::Result<()> {
    let mut sampler = spawn_blocking(Sampler::new).await?.context("this machine can't be read")?;
    // The first look needs a second one before processors show how busy they are.
    tokio::time::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL).await;

    let mut pace = Pace::new(period);
    loop {
        let beat = pace.next().await;
        if beat.skipped > 0 {
            tracing::warn!(skipped = beat.skipped, "fell behind: readings left out");
        }
        // Reading may block as long as the system likes: the sampler goes to a thread for that and comes back.
        let readings;
        (sampler, readings) = spawn_blocking(move || {
            let readings = sampler.read();
            (sampler, readings)
        })
        .await?;
        try_join_all(readings.iter().map(|reading| publish_one(client, host, reading))).await?;
    }
}

async fn publish_one(client: &Client, host: &str, reading: &Reading) -> anyhow::Result<()> {
    client.publish(format!("host/{host}/{}", reading.levels)).json(&reading.value)?.await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_command_line_without_flags_means_the_default_options() {
        let args = Args::try_parse_from(["host-monitor", "--broker", "ws://127.0.0.1:8080/ws"]).unwrap();
        assert_eq!(args.options, Options::default());
    }

    #[tokio::test]
    async fn a_rate_out_of_range_is_refused_with_the_range() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 6.0] {
            let error = run(Options { rate: Some(rate), ..Options::default() }, pending()).await.unwrap_err();
            assert!(error.to_string().contains("from 0.001 to 5"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_stop_ends_the_run_also_while_it_connects() {
        // A listener that accepts nothing: the handshake never gets an answer.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let broker = format!("ws://{}/ws", silent.local_addr().unwrap());
        // Spawned, as a program that runs several of these does.
        tokio::spawn(run(Options { broker, ..Options::default() }, ready(()))).await.unwrap().unwrap();
    }
}
