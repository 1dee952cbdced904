//! Starting other programs: each is said before it runs, and a failure names the command.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // The manifest's folder is `xtask`, one below the root.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// A command that runs at the repository's root; a program with a slash is meant from there, too.
pub(crate) fn in_repository(program: impl AsRef<OsStr>) -> Command {
    let root = root();
    let program = Path::new(program.as_ref());
    let is_path = program.components().count() > 1;
    let mut command = Command::new(if is_path { root.join(program) } else { program.to_owned() });
    command.current_dir(root);
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    in_repository(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command to its end, its output on ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| cannot_start(command))?;
    if status.success() {
        return Ok(());
    }
    bail!("{} ended with {status}", display(command))
}

/// Runs a command without a word and gives its standard output; `None` where it fails or isn't there.
pub(crate) fn quiet(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What [`run_keeping`] gives.
pub(crate) struct Kept {
    /// The lines of standard output that were asked for, in order.
    pub(crate) lines: Vec<String>,
    /// Whether the command ended well.
    pub(crate) success: bool,
}

/// Runs a command to its end, its output on ours, and keeps the lines of standard output that `wanted` picks.
pub(crate) fn run_keeping(command: &mut Command, wanted: impl Fn(&str) -> bool) -> Result<Kept> {
    announce(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let mut lines = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            if wanted(&line) {
                lines.push(line);
            }
        }
    }
    let success = child.wait().with_context(|| display(command))?.success();
    Ok(Kept { lines, success })
}

/// Runs a command, its standard error on ours, and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    announce(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("{} ended with {}", display(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn announce(command: &Command) {
    eprintln!("==> {}", display(command));
}

fn cannot_start(command: &Command) -> String {
    format!(
        "{} can't be started; is {} installed?",
        display(command),
        command.get_program().to_string_lossy()
    )
}

/// The command as a person would type it; the program by its name, since its place says little.
fn display(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
