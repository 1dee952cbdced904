//! `murre serve`: the broker.

use std::net::SocketAddr;

use murre_server::config::Config;

use crate::{configuration::Flags, failure::Failure, logging, output::Output};

/// Flags of `murre serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre serve
  murre serve --bind 0.0.0.0:8080 --log debug
  murre serve --config /etc/murre.toml
  MURRE__SERVER__BIND=0.0.0.0:8080 murre serve

Flags win over variables, variables over the file; `murre config show` prints all settings. Ctrl-C or SIGTERM tells \
the clients, sends what is pending and ends with exit code 0.")]
pub(crate) struct Args {
    #[command(flatten)]
    flags: Flags,
}

/// Runs the broker until Ctrl-C or SIGTERM.
///
/// # Errors
/// A configuration that can't be used, an address that is taken.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let config = args.flags.load()?.config;
    logging::start(&config.log)?;
    let note = not_kept(&config);
    murre_server::run(config, |running| say(&started(running.address(), note.as_deref())))
        .map_err(Failure::failed)
}

/// Says it on standard output. A broker goes on also where nobody listens there.
fn say(line: &str) {
    let mut output = Output::stdout();
    let _ = output.line(line).and_then(|()| output.flush());
}

fn started(address: SocketAddr, note: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("murre {version} listening on http://{address} (devices: ws://{address}/ws)");
    match note {
        Some(note) => format!("{line}\n{note}"),
        None => line,
    }
}

/// What has to be said about the folder that was asked for.
fn not_kept(config: &Config) -> Option<String> {
    let path = config.store.path.as_ref()?;
    Some(format!("nothing is kept in {} yet: this version has everything in memory", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_where_and_that_a_folder_is_not_used_yet() {
        let mut config = Config::default();
        assert_eq!(not_kept(&config), None);
        config.store.path = Some("data".into());
        let line = started(config.server.bind, not_kept(&config).as_deref());
        assert!(
            line.contains("ws://127.0.0.1:8080/ws") && line.contains("nothing is kept in data yet"),
            "{line}"
        );
    }
}
