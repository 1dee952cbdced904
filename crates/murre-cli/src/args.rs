//! The command line: commands, and values such as rates and durations.

use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::commands;

/// What `--help` says about exit codes.
const EXIT_CODES: &str = "\
Exit codes:
  0    done; also after Ctrl-C
  1    failed
  2    wrong usage
  3    no broker could be reached
  4    the broker refused
  124  the time given by --timeout was over

Environment:
  MURRE_BROKER            the broker of all commands that talk to one
  MURRE__SECTION__KEY     a setting of serve, such as MURRE__SERVER__BIND
  NO_COLOR                no colours";

/// Live readings from devices to dashboards: the broker, and tools to publish, listen and measure.
#[derive(Debug, Parser)]
#[command(name = "murre", version, propagate_version = true, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the broker.
    Serve(commands::serve::Args),
    /// Run the broker with simulated devices, to look at.
    Demo(commands::demo::Args),
    /// Publish readings.
    Pub(commands::publish::Args),
    /// Print what is published.
    Sub(commands::subscribe::Args),
    /// List topics with their last values.
    Topics(commands::topics::Args),
    /// List the clients that are connected, the slow ones first.
    Clients(commands::clients::Args),
    /// Show who publishes to a topic, and who is subscribed to it.
    Who(commands::who::Args),
    /// Write messages of the past as lines of JSON.
    Export(commands::export::Args),
    /// Put messages in that are lines of JSON.
    Import(commands::import::Args),
    /// Have a running broker copy its store.
    Backup(commands::backup::Args),
    /// Look at a store that no broker has open.
    Store(commands::store::Args),
    /// Show or check the broker's configuration.
    Config(commands::config::Args),
    /// Measure a broker's throughput and latency.
    Bench(commands::bench::Args),
    /// Print a completion script for a shell.
    Completions(commands::completions::Args),
}

/// So many a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    /// Greater than 0, at most 10 million.
    pub(crate) per_second: f64,
}

impl Rate {
    /// The time from one to the next.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second)
    }
}

/// Reads `10`, `10/s`, `600/m` or `1/h`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
        Some((number, "m" | "min")) => (number, 60.0),
        Some((number, "h")) => (number, 3600.0),
        Some(_) => return Err("expected a rate such as 10/s, 600/m or 1/h".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "expected a rate such as 10/s, 600/m or 1/h".to_owned())?;
    let per_second = number / seconds;
    if per_second > 1e-6 && per_second <= 1e7 {
        Ok(Rate { per_second })
    } else {
        Err("expected a rate greater than 0 and at most 10000000/s".to_owned())
    }
}

/// Reads `10s`, `1h30m`, `200ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let duration = has_unit.then(|| humantime::parse_duration(text).ok()).flatten();
    duration.ok_or_else(|| "expected a duration with its unit, such as 500ms, 10s or 5m".to_owned())
}

/// Reads `128`, `64 KiB`, `1MiB`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let size = text.parse::<bytesize::ByteSize>().ok().and_then(|size| usize::try_from(size.as_u64()).ok());
    size.ok_or_else(|| "expected a size such as 128, 64KiB or 1MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_in_its_help() {
        let mut cli = Cli::command();
        cli.build();
        for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Examples:"), "{} has no examples", command.get_name());
        }
    }

    #[test]
    fn a_rate_is_a_number_in_some_time() {
        assert_eq!(rate("10").unwrap().per_second, 10.0);
        assert_eq!(rate("10/s").unwrap().per_second, 10.0);
        assert_eq!(rate("90/m").unwrap().per_second, 1.5);
        assert_eq!(rate("0.5/s").unwrap().interval(), Duration::from_secs(2));
        for wrong in ["", "0", "-1", "x/s", "10/fortnight", "inf", "NaN", "1e9"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("1m30s").unwrap(), Duration::from_secs(90));
        assert!(duration("10").is_err());
    }
}
