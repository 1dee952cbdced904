//! `gps-tracker`: simulated vehicles with GPS receivers, until Ctrl-C.

use std::{
    future::Future,
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Parser;
use tracing_subscriber::EnvFilter;

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
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    match run(args.options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gps-tracker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: gps_tracker::Options) -> anyhow::Result<()> {
    gps_tracker::run(options, stop_signal()?).await
}

/// Resolves on Ctrl-C or SIGTERM.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

/// Resolves on Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
