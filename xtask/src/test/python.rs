//! The tests with Python's `websockets` and `msgpack`, in `tests/python`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{BINARY_VARIABLE, debian};
use crate::shell::{self, Kept};

pub(super) fn test(binary: &Path) -> Result<Kept> {
    let python = environment()?;
    let mut command = shell::in_repository(python);
    command
        .args(["-m", "pytest", "--color=no", "-p", "no:cacheprovider", "tests/python"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env(BINARY_VARIABLE, binary);
    let mut kept = shell::run_keeping(&mut command, is_closing_line)?;
    kept.lines.drain(..kept.lines.len().saturating_sub(1));
    Ok(kept)
}

/// The virtual environment's Python, with what `requirements.txt` names, made unless it is there already.
fn environment() -> Result<PathBuf> {
    let folder = shell::root().join(".venv");
    let python = folder.join("bin/python");
    let wanted = fs::read_to_string(shell::root().join("tests/python/requirements.txt"))
        .context("tests/python/requirements.txt")?;
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && works(&python) {
        return Ok(python);
    }
    require_venv()?;
    shell::run(shell::in_repository("python3").args(["-m", "venv", "--clear", ".venv"]))?;
    shell::run(shell::in_repository(&python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        "tests/python/requirements.txt",
    ]))?;
    fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())?;
    Ok(python)
}

fn works(python: &Path) -> bool {
    shell::quiet(Command::new(python).args(["-c", "import msgpack, pytest, websockets"])).is_some()
}

/// Debian has `venv` and `ensurepip` in a package of their own; root may install it, others are told.
fn require_venv() -> Result<()> {
    if has_venv() {
        return Ok(());
    }
    if shell::quiet(shell::in_repository("python3").arg("--version")).is_none() {
        bail!(
            "python3 was not found; install Python 3.11 or later, on Debian: apt-get install python3 python3-venv"
        );
    }
    debian::install_as_root("python3-venv")?;
    if has_venv() {
        return Ok(());
    }
    bail!("python3 can't make virtual environments; on Debian, as root: apt-get install python3-venv")
}

fn has_venv() -> bool {
    shell::quiet(shell::in_repository("python3").args(["-c", "import venv, ensurepip"])).is_some()
}

/// `=== 12 passed in 3.21s ===`; the last such line is the closing one.
fn is_closing_line(line: &str) -> bool {
    line.starts_with('=') && line.contains(" in ") && line.ends_with('=')
}
