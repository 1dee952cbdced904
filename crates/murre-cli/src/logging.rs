//! What of the broker's log is shown, and how.

use std::io::IsTerminal;

use murre_server::config::{Log, LogFormat};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{failure::Failure, output};

/// Sends this process's log to standard error.
///
/// # Errors
/// A level that the logger doesn't understand.
pub(crate) fn start(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(directives(&log.level))
        .map_err(|error| Failure::Failed(format!("log.level = {:?}: {error}", log.level)))?;
    let subscriber = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
        _ => {
            let colours = std::io::stderr().is_terminal() && output::colours_are_welcome();
            subscriber.with_ansi(colours).with_target(false).try_init()
        }
    };
    started.map_err(Failure::failed)
}

/// At the usual level the web server's and the storage engine's own messages would hide the broker's; whoever asks for more gets all.
fn directives(level: &str) -> &str {
    match level.trim() {
        "info" => "info,actix_server=warn,fjall=warn,lsm_tree=warn",
        level => level,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_level_leaves_out_the_web_server() {
        assert!(EnvFilter::try_new(directives("info")).unwrap().to_string().contains("actix_server=warn"));
        assert_eq!(directives("debug"), "debug");
        assert_eq!(directives("info,murre_core=debug"), "info,murre_core=debug");
    }
}
