//! What the programs of the other examples share: a log on standard error, the signals that end them, an exit code.
//!
//! # Layout
//! - this file: [`run`], and the [`Stop`] that it hands on.

use std::{
    future::Future,
    io::{self, IsTerminal},
    pin::Pin,
    process::ExitCode,
};

use tracing_subscriber::EnvFilter;

/// Resolves when the program is asked to end: by Ctrl-C, or SIGTERM.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs `work` to its end as the program `name`: what it logs goes to standard error (`RUST_LOG` says what), and so does
/// why it failed. The exit code is 1 then.
pub async fn run<Work>(name: &str, work: impl FnOnce(Stop) -> Work) -> ExitCode
where
    Work: Future<Output = anyhow::Result<()>>,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // An error means that this process has a log already.
    let _ = log.try_init();
    let outcome = match stop_signal() {
        Ok(stop) => work(stop).await,
        Err(error) => Err(anyhow::Error::new(error).context("signals can't be listened for")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Listens from now on.
#[cfg(unix)]
fn stop_signal() -> io::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(Box::pin(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    }))
}

/// Listens from now on.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<Stop> {
    Ok(Box::pin(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_fails_says_so_by_its_exit_code() {
        let failed = run("test", |_| async { anyhow::bail!("no broker") }).await;
        let ended = run("test", |_| async { Ok(()) }).await;
        assert_eq!((failed, ended), (ExitCode::FAILURE, ExitCode::SUCCESS));
    }
}
