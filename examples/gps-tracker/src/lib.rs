//! Simulated vehicles on a closed route: a GeoJSON Point on `vehicle/<id>/position`, speed and heading on
//! `vehicle/<id>/motion`.
//!
//! # Layout
//! - [`model`]: a vehicle and its GPS receiver; pure, from a seed and time steps.
//! - [`route`]: the route, and distances on the Earth; pure.
//! - this file: [`Options`] and [`run`], which puts the vehicles on connections and publishes.

pub mod model;
pub mod route;

use std::{
    future::Future,
    path::PathBuf,
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use futures_util::future::{join_all, try_join_all};
use murre_client::{Client, Pace, Spool, SpoolFull, Timestamp};

use crate::model::Vehicle;

/// Devices that one process simulates at most.
const DEVICES_MAX: usize = 10_000;
/// Each device has its own connection, as real ones have, up to this many; more devices share these.
const CONNECTIONS_MAX: usize = 50;
/// Readings a second: a timer's resolution is a millisecond.
const RATE_MAX: f64 = 1000.0;
const RATE_DEFAULT: f64 = 2.0;

/// What to simulate, and for which broker.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Options {
    /// The broker's WebSocket address
    #[arg(long, env = "MURRE_BROKER", default_value = "ws://127.0.0.1:8080/ws", value_name = "URL")]
    pub broker: String,
    /// Number of vehicles, each with its own connection up to 50
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub devices: usize,
    /// Readings a second of each vehicle: one message on each of its two topics [default: 2]
    #[arg(long, value_name = "HZ")]
    pub rate: Option<f64>,
    /// The same seed gives the same trips
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keeps readings in this folder until the broker has them, over restarts too, and starts without a broker
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { broker: "ws://127.0.0.1:8080/ws".into(), devices: 3, rate: None, seed: 1, spool: None }
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
/// A vehicle drives through tunnels: readings are not waited for but kept in the client's bounded buffer while the
/// broker is away, or in its spool on disk, with the time at which they were made. What is dropped, and what a vehicle
/// leaves out when it falls behind, is in the log.
///
/// # Errors
/// Options out of range, a broker that can't be reached at the start (without a spool), or a spool that can't be used.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    ensure!(
        (1..=DEVICES_MAX).contains(&options.devices),
        "devices is {}: give 1 to {DEVICES_MAX} vehicles",
        options.devices
    );
    let period = options.period()?;
    let vehicles: Vec<Vehicle> =
        (0..options.devices).map(|index| Vehicle::new(options.seed, index)).collect();

    let mut stop = pin!(stop);
    let ids = vehicles.iter().take(CONNECTIONS_MAX).map(Vehicle::id);
    let clients = tokio::select! {
        clients = try_join_all(ids.map(|id| connect(&options, id))) => clients?,
        () = &mut stop => return Ok(()),
    };
    tracing::info!(vehicles = vehicles.len(), ?period, "publishing vehicle/#");

    let publishing = vehicles.into_iter().zip(clients.iter().cycle());
    let publishing = publishing.map(|(vehicle, client)| publish(client, vehicle, period));
    let outcome = tokio::select! {
        outcome = try_join_all(publishing) => outcome.map(drop),
        () = stop => Ok(()),
    };
    let unsent: usize = join_all(clients.iter().map(Client::close)).await.into_iter().sum();
    if unsent > 0 {
        let kept = if options.spool.is_some() { "the spool has it for the next start" } else { "it is lost" };
        tracing::warn!(unsent, "closed before everything was sent: {kept}");
    }
    outcome
}

async fn connect(options: &Options, vehicle: &str) -> anyhow::Result<Client> {
    let broker = options.broker.as_str();
    let builder = Client::builder(broker).client_id(format!("vehicle-{vehicle}")).agent("murre gps-tracker");
    let client = match &options.spool {
        Some(folder) => {
            let spool = Spool::at(folder.join(vehicle)).when_full(SpoolFull::DropOldest);
            builder.spool(spool).start().with_context(|| format!("vehicle {vehicle} can't start"))?
        }
        None => builder
            .connect()
            .await
            .with_context(|| format!("vehicle {vehicle} has no connection to {broker}"))?,
    };
    // Ends with the client.
    tokio::spawn(client.events().log());
    Ok(client)
}

/// Publishes a vehicle's readings; ends only with an error.
async fn publish(client: &Client, mut vehicle: Vehicle, period: Duration) -> anyhow::Result<()> {
    let position_topic = format!("vehicle/{}/position", vehicle.id());
    let motion_topic = format!("vehicle/{}/motion", vehicle.id());
    let spooled = client.spool().is_some();
    let mut pace = Pace::new(period);
    loop {
        let beat = pace.next().await;
        if beat.skipped > 0 {
            tracing::warn!(vehicle = vehicle.id(), skipped = beat.skipped, "fell behind: readings left out");
        }
        let (position, motion) = vehicle.step(beat.elapsed);
        let time = now();
        let message = |topic: &str| {
            let publish = client.publish(topic).time(time);
            // In the spool a reading is safe; nobody has to wait for the broker's answer.
            if spooled { publish } else { publish.unacknowledged() }
        };
        message(&position_topic).json(&position)?.enqueue().await?;
        message(&motion_topic).json(&motion)?.enqueue().await?;
    }
}

/// The time at the source, for readings that arrive late.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
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
        let args = Args::try_parse_from(["gps-tracker", "--broker", "ws://127.0.0.1:8080/ws"]).unwrap();
        assert_eq!(args.options, Options::default());
    }

    #[tokio::test]
    async fn a_rate_or_number_of_vehicles_out_of_range_is_refused_with_the_range() {
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
