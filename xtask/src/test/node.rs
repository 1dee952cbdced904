//! The tests with Node's `ws` and `@msgpack/msgpack`, in `tests/node`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{BINARY_VARIABLE, chromium};
use crate::shell::{self, Kept};

const NODE_MAJOR_MIN: u64 = 20;

pub(super) fn test(binary: &Path) -> Result<Kept> {
    require_node()?;
    let folder = shell::root().join("tests/node");
    install_packages(&folder)?;
    let mut command = shell::in_repository("node");
    command.args(["--test", "--test-reporter=spec"]).args(test_files(&folder)?).env(BINARY_VARIABLE, binary);
    shell::run_keeping(&mut command, is_closing_line)
}

/// Runs scripts of the package in a folder, `checks` and then `test`, which has the binary and a browser.
pub(super) fn test_package(folder: &str, checks: &[&str], binary: &Path) -> Result<Kept> {
    require_node()?;
    let chromium = chromium::find()?;
    let folder = shell::root().join(folder);
    install_packages(&folder)?;
    for script in checks {
        shell::run(&mut npm_run(&folder, script))?;
    }
    let mut tests = npm_run(&folder, "test");
    tests.env(BINARY_VARIABLE, binary).env(chromium::VARIABLE, chromium);
    shell::run_keeping(&mut tests, is_closing_line)
}

fn require_node() -> Result<()> {
    let Some(version) = shell::quiet(shell::in_repository("node").arg("--version")) else {
        bail!("node was not found; install Node.js {NODE_MAJOR_MIN} or later");
    };
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    ensure!(
        major.is_some_and(|major: u64| major >= NODE_MAJOR_MIN),
        "node is {}; Node.js {NODE_MAJOR_MIN} or later is needed",
        version.trim()
    );
    Ok(())
}

/// Installs what the folder's lock file names, unless that was done before.
pub(crate) fn install_packages(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let lock = fs::read_to_string(&lock).with_context(|| lock.display().to_string())?;
    let stamp = folder.join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    shell::run(shell::in_repository("npm").current_dir(folder).args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, lock).with_context(|| stamp.display().to_string())
}

/// A script of the folder's package.
fn npm_run(folder: &Path, script: &str) -> Command {
    let mut command = shell::in_repository("npm");
    command.current_dir(folder).args(["run", "--silent", script]);
    command
}

/// Named one by one: what `node --test` makes of a folder differs between its versions.
fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "there is no *.test.mjs in {}", folder.display());
    Ok(files)
}

/// `ℹ tests 12`, `ℹ pass 12`, `ℹ fail 0`.
fn is_closing_line(line: &str) -> bool {
    ["ℹ tests ", "ℹ pass ", "ℹ fail "].iter().any(|start| line.starts_with(start))
}
