//! `gps-tracker`: simulated vehicles with GPS receivers, until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;

/// Simulated vehicles with GPS receivers that publish to a Murre broker
#[derive(Parser)]
#[command(version, after_help = "Example:\n  gps-tracker --devices 20 --rate 1")]
struct Args {
    #[command(flatten)]
    options: gps_tracker::Options,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::run("gps-tracker", |stop| gps_tracker::run(args.options, stop)).await
}
