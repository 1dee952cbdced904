//! `murre demo`: the broker with simulated devices, to look at.

use std::{net::SocketAddr, time::Duration};

use murre_server::config::Log;
use tokio::{sync::watch, task::JoinSet, time};

use super::{Stop, after, block_on, stop_signal};
use crate::{
    args::duration,
    failure::Failure,
    logging,
    output::{Output, Style},
};

mod start;

use start::{Kept, Started};

/// How long simulators may take to send what is pending.
const STOP_MAX: Duration = Duration::from_secs(5);

/// The broker's warnings; not those of simulators, which on a busy computer leave out a reading now and then.
const LOG_LEVEL: &str = "warn,weather_station=error,vibration_monitor=error,gps_tracker=error,host_monitor=error,\
                         replay=error,hello=error,murre_client=error";

/// Flags of `murre demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre demo
  murre demo --for 30s
  murre demo --memory                               nothing on disk
  murre demo --bind 0.0.0.0:9000 --seed 7

Simulated weather stations, a vibrating machine and a vehicle, and the real readings of this computer, all over \
connections of their own. The last 1000 readings of each topic, of the last 24 hours, are kept in ./murre-demo, so that \
the next demo in this folder goes on with them: see `murre sub '#' --last 10`.")]
pub(crate) struct Args {
    /// Address and port to listen on [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = crate::configuration::address)]
    bind: Option<SocketAddr>,
    /// Keep everything in memory, and nothing in ./murre-demo
    #[arg(long)]
    memory: bool,
    /// Stop after this time [default: at Ctrl-C]
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    run_for: Option<Duration>,
    /// The same seed gives the same simulated readings
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

/// Runs broker and simulators until Ctrl-C, or as long as asked for.
///
/// # Errors
/// An address that is taken, a store that can't be opened, a broker that did not end well.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut log = Log::default();
    log.level = LOG_LEVEL.to_owned();
    logging::start(&log)?;
    let started = start::start(args.bind, args.memory)?;
    let outcome = block_on(show(args, &started));
    started.running.stop();
    outcome.and(started.running.join().map_err(Failure::failed))
}

/// The address by which this machine reaches a broker that listens at `address`.
fn broker_url(address: SocketAddr) -> String {
    format!("ws://{}/ws", reachable(address))
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        std::net::IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What to look at, and two commands to try.
fn introduction(address: SocketAddr, is_other_port: bool, kept: Kept, style: Style) -> Vec<String> {
    let url = broker_url(address);
    let murre = command_name();
    let broker =
        if url == crate::broker::DEFAULT_BROKER { String::new() } else { format!(" --broker {url}") };
    let mut lines = Vec::new();
    if is_other_port {
        lines.push(format!("Port 8080 is taken, so this broker listens on port {}.", address.port()));
    }
    let page = format!("http://{}/", reachable(address));
    if murre_console::IS_PLAIN {
        lines.push(format!("Live readings: {}", style.strong(page)));
        lines.push(kept.line());
    } else {
        lines.push(format!("Live readings: {}", style.strong(format_args!("{page}?view=dashboards#demo"))));
        lines.push(kept.line());
        lines.push(format!("All topics: {page}"));
    }
    lines.push("In another terminal:".to_owned());
    lines.push(format!("  {}", style.topic(format_args!("{murre} sub 'host/#' --last 10{broker}"))));
    lines.push(format!(
        "  {}",
        style.topic(format_args!("{murre} pub site/a/temp '{{\"celsius\": 21.4}}'{broker}"))
    ));
    lines.push("Ctrl-C stops.".to_owned());
    lines
}

/// The command as the person called it, so that what is printed can be pasted.
fn command_name() -> String {
    std::env::args().next().filter(|name| !name.contains(' ')).unwrap_or_else(|| "murre".to_owned())
}

/// Says what to look at, and simulates until it is time to stop.
async fn show(args: Args, started: &Started) -> Result<(), Failure> {
    let Started { running, kept, is_other_port } = started;
    let address = running.address();
    // Before anything is said, as whoever reads it may want to stop at once.
    let stop = stop_signal()?;
    let mut output = Output::stdout();
    for line in introduction(address, *is_other_port, *kept, output.style()) {
        output.line(line)?;
    }
    output.flush()?;
    simulate(args, broker_url(address), stop).await
}

async fn simulate(args: Args, broker: String, stop: Stop) -> Result<(), Failure> {
    let (stopping, stopped) = watch::channel(false);
    let mut simulators = start_simulators(&broker, args.seed, &stopped);
    let mut end = std::pin::pin!(async {
        tokio::select! { () = stop => {}, () = after(args.run_for) => {} }
    });
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(ended) = simulators.join_next() => report(ended),
        }
    }
    // Those that have ended don't listen any more.
    let _ = stopping.send(true);
    let rest = async {
        while let Some(ended) = simulators.join_next().await {
            report(ended);
        }
    };
    if time::timeout(STOP_MAX, rest).await.is_err() {
        eprintln!("murre: a simulator did not stop within {STOP_MAX:?}");
    }
    Ok(())
}

/// The name of a simulator, and how it ended.
type Ended = (&'static str, anyhow::Result<()>);

fn start_simulators(broker: &str, seed: u64, stopped: &watch::Receiver<bool>) -> JoinSet<Ended> {
    let mut simulators = JoinSet::new();
    macro_rules! start {
        ($($simulator:ident),*) => {$(
            let options = $simulator::Options { broker: broker.to_owned(), seed, ..Default::default() };
            let stop = stop_of(stopped.clone());
            simulators.spawn(async move { (stringify!($simulator), $simulator::run(options, stop).await) });
        )*};
    }
    start!(weather_station, vibration_monitor, gps_tracker, host_monitor, replay, hello);
    simulators
}

async fn stop_of(mut stopped: watch::Receiver<bool>) {
    // An error means that the demonstration itself is gone, which is a reason to stop too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// One simulator that fails is no reason to stop the others.
fn report(ended: Result<Ended, tokio::task::JoinError>) {
    match ended {
        Ok((_, Ok(()))) => {}
        Ok((name, Err(error))) => {
            eprintln!("murre: the simulator {} ended: {error:#}", name.replace('_', "-"))
        }
        Err(error) => eprintln!("murre: a simulator ended: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_to_try_name_the_broker_only_where_it_is_not_the_default_one() {
        let lines = |address: &str, other| {
            introduction(address.parse().unwrap(), other, Kept::OnDisk, Style::Plain).join("\n")
        };
        let usual = lines("127.0.0.1:8080", false);
        assert!(usual.contains("http://127.0.0.1:8080/") && !usual.contains("--broker"));
        let other = lines("127.0.0.1:4567", true);
        assert!(other.contains("Port 8080 is taken") && other.contains("--broker ws://127.0.0.1:4567/ws"));
        assert!(lines("0.0.0.0:8080", false).contains("http://127.0.0.1:8080/"));
        assert!(usual.contains("kept in ./murre-demo"));
    }
}
