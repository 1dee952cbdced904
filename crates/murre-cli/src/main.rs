//! The `murre` command: the broker, a demonstration of it, and tools to publish, to listen and to measure.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | `args` | the command line: commands, and values such as rates and durations |
//! | `commands` | what each command does, a file each, with its flags |
//! | `output` | standard output: lines for people and for machines, colours, a closed pipe |
//! | `lines` | messages as lines of JSON, as export writes and import reads them |
//! | `http` | the broker's HTTP |
//! | `payload` | payloads out of what a person typed |
//! | `broker` | the flags that say which broker, and the connection to it |
//! | `configuration` | the flags that set the broker's configuration, and reading it |
//! | `logging` | what of the broker's log is shown, and how |
//! | `time` | points in time, from the protocol's form to the calendar's and back |
//! | `failure` | what can go wrong, and the exit codes |

mod args;
mod broker;
mod commands;
mod configuration;
mod failure;
mod http;
mod lines;
mod logging;
mod output;
mod payload;
mod time;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
