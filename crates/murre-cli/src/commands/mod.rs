//! What each command does, a file each, with its flags.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod clients;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod publish;
pub(crate) mod serve;
pub(crate) mod store;
pub(crate) mod subscribe;
pub(crate) mod topics;
pub(crate) mod who;

use std::{io, pin::Pin};

use crate::{args::Command, failure::Failure};

/// Runs a command to its end.
///
/// # Errors
/// Why it ended otherwise than well.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Pub(args) => block_on(publish::run(args)),
        Command::Sub(args) => block_on(subscribe::run(args)),
        Command::Topics(args) => block_on(topics::run(args)),
        Command::Clients(args) => clients::run(&args),
        Command::Who(args) => who::run(&args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Backup(args) => backup::run(&args),
        Command::Store(args) => store::run(args),
        Command::Config(args) => config::run(args),
        Command::Bench(args) => block_on(bench::run(args)),
        Command::Completions(args) => completions::run(args),
    }
}

/// Runs `work` on threads of its own, so that a blocked standard output doesn't stop the connection's keep-alive.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::failed)?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}

/// Resolves on Ctrl-C or SIGTERM.
type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Listens for Ctrl-C and SIGTERM from now on.
///
/// # Errors
/// The system doesn't let signals be listened for.
#[cfg(unix)]
fn stop_signal() -> Result<Stop, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error: io::Error| Failure::failed(error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(Box::pin(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    }))
}

/// Listens for Ctrl-C from now on.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
fn stop_signal() -> Result<Stop, Failure> {
    Ok(Box::pin(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }))
}

/// Resolves after `duration`, never without one.
async fn after(duration: Option<std::time::Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
