//! `embedded`: an application with a broker inside, until Ctrl-C or SIGTERM.

use std::{
    future::Future,
    io::{self, IsTerminal, Write as _},
    process::ExitCode,
};

use clap::Parser;
use murre_server::config::{Config, Sources};
use tracing_subscriber::EnvFilter;

/// The Murre broker inside an actix-web server of one's own
#[derive(Parser)]
#[command(version, after_help = "Example:\n  embedded --bind 127.0.0.1:8080 --workers 2")]
struct Args {
    /// Address and port to listen on; port 0: a free one [default: 127.0.0.1:8080]
    #[arg(long)]
    bind: Option<String>,
    /// Worker threads, of the server and of the broker
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[actix_web::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("embedded: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut sources = Sources::of_this_process()?;
    if let Some(bind) = args.bind {
        sources = sources.flag("server.bind", "--bind", bind);
    }
    let config = Config::load(&sources)?.config;
    let (server, addresses) = embedded::listen(config, args.workers, stop_signal()?)?;
    for address in addresses {
        // whoever started it may not want to hear it
        let _ = writeln!(io::stdout(), "listening on http://{address} (devices: ws://{address}/ws)");
    }
    Ok(server.await?)
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
