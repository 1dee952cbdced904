//! `host-monitor`: real readings of this machine, until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;

/// Real readings of this machine, published to a Murre broker
#[derive(Parser)]
#[command(version, after_help = "Example:\n  host-monitor --rate 2")]
struct Args {
    #[command(flatten)]
    options: host_monitor::Options,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::run("host-monitor", |stop| host_monitor::run(args.options, stop)).await
}
