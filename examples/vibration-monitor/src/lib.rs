//! Simulated machines: a 100 Hz accelerometer on each, MessagePack on `machine/<id>/vibration`, and once a second
//! how strongly it shook, JSON on `machine/<id>/rms`.
//!
//! # Layout
//! - [`model`]: the vibration of one machine; pure, from a seed and time steps.
//! - [`window`]: a second of samples in one figure; pure.
//! - this file: [`Options`] and [`run`], which puts the machines on connections and publishes.

pub mod model;
pub mod window;

use std::{future::Future, pin::pin, time::Duration};

use anyhow::{Context, ensure};
use futures_util::future::{join_all, try_join_all};
use murre_client::{Client, Pace};

use crate::{model::Machine, window::Window};

/// Devices that one process simulates at most.
const DEVICES_MAX: usize = 10_000;
/// Each device has its own connection, as real ones have, up to this many; more devices share these.
const CONNECTIONS_MAX: usize = 50;
/// Samples a second: a timer's resolution is a millisecond.
const RATE_MAX: f64 = 1000.0;
const RATE_DEFAULT: f64 = 100.0;

/// What to simulate, and for which broker.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Options {
    /// The broker's WebSocket address
    #[arg(long, env = "MURRE_BROKER", default_value = "ws://127.0.0.1:8080/ws", value_name = "URL")]
    pub broker: String,
    /// Number of machines, each with its own connection up to 50
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub devices: usize,
    /// Samples a second of each machine [default: 100]
    #[arg(long, value_name = "HZ")]
    pub rate: Option<f64>,
    /// The same seed gives the same vibration
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { broker: "ws://127.0.0.1:8080/ws".into(), devices: 2, rate: None, seed: 1 }
    }
}

impl Options {
    fn period(&self) -> anyhow::Result<Duration> {
        let rate = self.rate.unwrap_or(RATE_DEFAULT);
        ensure!(
            (0.001..=RATE_MAX).contains(&rate),
            "rate is {rate} samples a second: give one from 0.001 to {RATE_MAX}"
        );
        Ok(Duration::from_secs_f64(1.0 / rate))
    }
}

/// Publishes until `stop` resolves; then sends what is pending and closes the connections.
///
/// Publishes are not acknowledged: a sample is worth little once the next is there. While the broker is away they
/// wait in the client's bounded buffer; what that drops, and what a machine skips when it falls behind, is in the log.
///
/// # Errors
/// Options out of range, or a broker that can't be reached at the start.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    ensure!(
        (1..=DEVICES_MAX).contains(&options.devices),
        "devices is {}: give 1 to {DEVICES_MAX} machines",
        options.devices
    );
    let period = options.period()?;
    let machines: Vec<Machine> =
        (0..options.devices).map(|index| Machine::new(options.seed, index)).collect();

    let mut stop = pin!(stop);
    let ids = machines.iter().take(CONNECTIONS_MAX).map(Machine::id);
    let clients = tokio::select! {
        clients = try_join_all(ids.map(|id| connect(&options.broker, id))) => clients?,
        () = &mut stop => return Ok(()),
    };
    tracing::info!(machines = machines.len(), ?period, "publishing machine/#");

    let publishing = machines.into_iter().zip(clients.iter().cycle());
    let publishing = publishing.map(|(machine, client)| publish(client, machine, period));
    let outcome = tokio::select! {
        outcome = try_join_all(publishing) => outcome.map(drop),
        () = stop => Ok(()),
    };
    let unsent: usize = join_all(clients.iter().map(Client::close)).await.into_iter().sum();
    if unsent > 0 {
        tracing::warn!(unsent, "closed before everything was sent");
    }
    outcome
}

async fn connect(broker: &str, machine: &str) -> anyhow::Result<Client> {
    let client = Client::builder(broker)
        .client_id(format!("machine-{machine}"))
        .agent("murre vibration-monitor")
        .connect()
        .await
        .with_context(|| format!("machine {machine} has no connection to {broker}"))?;
    // Ends with the client.
    tokio::spawn(client.events().log());
    Ok(client)
}

/// Publishes a machine's samples; ends only with an error.
async fn publish(client: &Client, mut machine: Machine, period: Duration) -> anyhow::Result<()> {
    let vibration = format!("machine/{}/vibration", machine.id());
    let rms = format!("machine/{}/rms", machine.id());
    let mut window = Window::default();
    let mut pace = Pace::new(period);
    loop {
        let beat = pace.next().await;
        let sample = machine.sample(beat.elapsed);
        client.publish(&vibration).unacknowledged().msgpack(&sample)?.await?;
        if let Some(figures) = window.add(sample, beat.elapsed, beat.skipped) {
            if figures.skipped > 0 {
                tracing::warn!(
                    machine = machine.id(),
                    skipped = figures.skipped,
                    "fell behind: samples left out"
                );
            }
            client.publish(&rms).unacknowledged().json(&figures)?.await?;
        }
    }
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
        let args = Args::try_parse_from(["vibration-monitor", "--broker", "ws://127.0.0.1:8080/ws"]).unwrap();
        assert_eq!(args.options, Options::default());
    }

    #[tokio::test]
    async fn a_rate_or_number_of_devices_out_of_range_is_refused_with_the_range() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
            let error = run(Options { rate: Some(rate), ..Options::default() }, pending()).await.unwrap_err();
            assert!(error.to_string().contains("from 0.001 to 1000"), "{error}");
        }
        for devices in [0, DEVICES_MAX + 1] {
            let error = run(Options { devices, ..Options::default() }, pending()).await.unwrap_err();
            assert!(error.to_string().contains("1 to 10000"), "{error}");
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
