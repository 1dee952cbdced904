//! `murre completions`: a completion script for a shell.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Cli, failure::Failure};

/// Flags of `murre completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre completions bash > ~/.local/share/bash-completion/completions/murre
  murre completions zsh > ~/.zfunc/_murre
  murre completions fish > ~/.config/fish/completions/murre.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// Standard output can't be written.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    // Into memory first: the generator itself panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "murre", &mut script);
    let mut out = std::io::stdout().lock();
    out.write_all(&script).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}
