//! Simulated weather stations: temperature, humidity, pressure and wind of each on `weather/<station>/…`.
//!
//! # Layout
//! - [`model`]: the weather at one station; pure, from a seed and time steps.
//! - this file: [`Options`] and [`run`], which puts the stations on connections and publishes.

pub mod model;

use std::{future::Future, pin::pin, time::Duration};

use anyhow::{Context, ensure};
use futures_util::future::{join_all, try_join_all};
use murre_client::{Client, Pace};

use crate::model::Station;

/// Devices that one process simulates at most.
const DEVICES_MAX: usize = 10_000;
/// Each device has its own connection, as real ones have, up to this many; more devices share these.
const CONNECTIONS_MAX: usize = 50;
/// Readings a second: a timer's resolution is a millisecond.
const RATE_MAX: f64 = 1000.0;
const RATE_DEFAULT: f64 = 1.0;

/// What to simulate, and for which broker.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Options {
    /// The broker's WebSocket address
    #[arg(long, env = "MURRE_BROKER", default_value = "ws://127.0.0.1:8080/ws", value_name = "URL")]
    pub broker: String,
    /// Number of stations, each with its own connection up to 50
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub devices: usize,
    /// Readings a second of each station: one message on each of its four topics [default: 1]
    #[arg(long, value_name = "HZ")]
    pub rate: Option<f64>,
    /// The same seed gives the same weather
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { broker: "ws://127.0.0.1:8080/ws".into(), devices: 4, rate: None, seed: 1 }
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

/// Publishes until `stop` resolves; then sends what is pending and closes the connections.
///
/// Publishes are acknowledged: while the broker is away a station waits for it, and the readings that fall due
/// meanwhile are left out and counted in the log.
///
/// # Errors
/// Options out of range, a broker that can't be reached at the start, or one that refuses a publish.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    ensure!(
        (1..=DEVICES_MAX).contains(&options.devices),
        "devices is {}: give 1 to {DEVICES_MAX} stations",
        options.devices
    );
    let period = options.period()?;
    let stations: Vec<Station> =
        (0..options.devices).map(|index| Station::new(options.seed, index)).collect();

    let mut stop = pin!(stop);
    let names = stations.iter().take(CONNECTIONS_MAX).map(Station::name);
    let clients = tokio::select! {
        clients = try_join_all(names.map(|name| connect(&options.broker, name))) => clients?,
        () = &mut stop => return Ok(()),
    };
    tracing::info!(stations = stations.len(), ?period, "publishing weather/#");

    let publishing = stations.into_iter().zip(clients.iter().cycle());
    let publishing = publishing.map(|(station, client)| publish(client, station, period));
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

async fn connect(broker: &str, station: &str) -> anyhow::Result<Client> {
    let client = Client::builder(broker)
        .client_id(format!("weather-{station}"))
        .agent("murre weather-station")
        .connect()
        .await
        .with_context(|| format!("station {station} has no connection to {broker}"))?;
    // Ends with the client.
    tokio::spawn(client.events().log());
    Ok(client)
}

/// Publishes a station's readings; ends only with an error.
async fn publish(client: &Client, mut station: Station, period: Duration) -> anyhow::Result<()> {
    let topic = |quantity: &str| format!("weather/{}/{quantity}", station.name());
    let temperature = topic("temperature");
    let humidity = topic("humidity");
    let pressure = topic("pressure");
    let wind = topic("wind");

    let mut pace = Pace::new(period);
    loop {
        let beat = pace.next().await;
        if beat.skipped > 0 {
            tracing::warn!(
                station = station.name(),
                skipped = beat.skipped,
                "fell behind: readings left out"
            );
        }
        let weather = station.step(beat.elapsed);
        tokio::try_join!(
            async { anyhow::Ok(client.publish(&temperature).json(&weather.temperature)?.await?) },
            async { anyhow::Ok(client.publish(&humidity).json(&weather.humidity)?.await?) },
            async { anyhow::Ok(client.publish(&pressure).json(&weather.pressure)?.await?) },
            async { anyhow::Ok(client.publish(&wind).json(&weather.wind)?.await?) },
        )
        .with_context(|| format!("station {} stopped publishing", station.name()))?;
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
        let args = Args::try_parse_from(["weather-station", "--broker", "ws://127.0.0.1:8080/ws"]).unwrap();
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
