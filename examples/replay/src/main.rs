//! `replay`: a CSV file as live readings, to its end or until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;

/// Publishes a CSV file to a Murre broker as live readings
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  replay\n  replay boiler.csv --speed 10 --topic 'site/{column}/value' --loop"
)]
struct Args {
    #[command(flatten)]
    options: replay::Options,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::run("replay", |stop| replay::run(args.options, stop)).await
}
