//! The SDK for JavaScript, in `clients/js`: types, lints, units, and the scenarios in Node and in Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::{BINARY_VARIABLE, debian, node};
use crate::shell::{self, Kept};

/// The environment variable by which the tests find the browser, and people name one of their own.
const CHROMIUM_VARIABLE: &str = "MURRE_CHROMIUM";
const CHROMIUM_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

pub(super) fn test(binary: &Path) -> Result<Kept> {
    node::require_node()?;
    let chromium = chromium()?;
    let folder = shell::root().join("clients/js");
    node::install_packages(&folder)?;
    for script in ["check", "build"] {
        shell::run(&mut npm(&folder, script))?;
    }
    let mut tests = npm(&folder, "test");
    tests.env(BINARY_VARIABLE, binary).env(CHROMIUM_VARIABLE, chromium);
    shell::run_keeping(&mut tests, node::is_closing_line)
}

fn npm(folder: &Path, script: &str) -> Command {
    let mut command = shell::in_repository("npm");
    command.current_dir(folder).args(["run", "--silent", script]);
    command
}

/// A browser: the one that is named, one that is there, or Debian's, which root may install.
fn chromium() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(CHROMIUM_VARIABLE) {
        return Ok(named.into());
    }
    if let Some(found) = installed_chromium() {
        return Ok(found);
    }
    debian::install_as_root("chromium")?;
    match installed_chromium() {
        Some(found) => Ok(found),
        None => bail!(
            "Chromium was not found; on Debian, as root: apt-get install chromium; elsewhere name it by {CHROMIUM_VARIABLE}"
        ),
    }
}

fn installed_chromium() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .flat_map(|folder| CHROMIUM_NAMES.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}
