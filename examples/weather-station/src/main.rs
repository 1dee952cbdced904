//! `weather-station`: simulated weather stations, until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;

/// Simulated weather stations that publish to a Murre broker
#[derive(Parser)]
#[command(version, after_help = "Example:\n  weather-station --devices 10 --rate 2")]
struct Args {
    #[command(flatten)]
    options: weather_station::Options,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::run("weather-station", |stop| weather_station::run(args.options, stop)).await
}
