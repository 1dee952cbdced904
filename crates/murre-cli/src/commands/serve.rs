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
  murre serve --data ./murre-data
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
    let kept = kept(&config);
    murre_server::run(config, |running| say(&started(running.address(), &kept))).map_err(Failure::failed)
}

/// Says it on standard output. A broker goes on also where nobody listens there.
fn say(line: &str) {
    let mut output = Output::stdout();
    let _ = output.line(line).and_then(|()| output.flush());
}

fn started(address: SocketAddr, kept: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("murre {version} listening on http://{address} (devices: ws://{address}/ws)\n{kept}")
}

/// Says where things are kept.
fn kept(config: &Config) -> String {
    match &config.store.path {
        Some(path) => format!("the store is in {}", path.display()),
        None => {
            "everything is in memory, and gone when the broker stops; --data DIR keeps it on disk".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_say_where_it_is_and_where_things_are_kept() {
        let mut config = Config::default();
        let lines = started(config.server.bind, &kept(&config));
        assert!(lines.contains("ws://127.0.0.1:8080/ws") && lines.contains("in memory"), "{lines}");
        config.store.path = Some("data".into());
        assert!(kept(&config).ends_with("in data"));
    }
}
