//! The project's own tasks: `cargo xtask <task>`.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | `bench` | what the hot parts and a whole broker cost |
//! | `binary` | building the binary that the tasks start |
//! | `test` | every test: cargo, Node, Python, each against the real binary |
//! | `tidy` | what the repository itself must keep to |
//! | `screenshots` | pictures of the console for the documents |
//! | `shell` | starting other programs, and saying which |

mod bench;
mod binary;
mod screenshots;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
The project's own tasks.

Usage: cargo xtask <task>

Tasks:
  test [cargo|node|js|console|python]... run every test, or those of the runners named
  bench [--quick] [word]...     measure the hot parts and a whole broker, or those with one of the words in
                                their names; --quick takes about a minute once all is built
  screenshots                   take the documents' pictures of the console anew, of the demo
  tidy                          check what the repository itself must keep to
  ci                            formatting, lints, documentation, tidy and every test, as CI has them
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let (task, rest) = arguments.split_first().map_or(("help", [].as_slice()), |(task, rest)| (task, rest));
    match task {
        "test" => test::run(rest),
        "bench" => bench::run(rest),
        "screenshots" => screenshots::run(),
        "tidy" => tidy::run(),
        "ci" => shell::run(&mut shell::in_repository(".ci/run")),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(())
        }
        unknown => bail!("there is no task {unknown:?}; the tasks are test, bench, screenshots, tidy and ci"),
    }
}
