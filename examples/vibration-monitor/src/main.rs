//! `vibration-monitor`: simulated machines with accelerometers, until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;

/// Simulated machines with accelerometers that publish to a Murre broker
#[derive(Parser)]
#[command(version, after_help = "Example:\n  vibration-monitor --devices 3 --rate 200")]
struct Args {
    #[command(flatten)]
    options: vibration_monitor::Options,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::run("vibration-monitor", |stop| vibration_monitor::run(args.options, stop)).await
}
