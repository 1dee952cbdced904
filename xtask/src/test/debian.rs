//! Packages of Debian that tests need.

use std::process::Command;

use anyhow::Result;

use crate::shell;

/// Installs a package where that can be done without asking anybody: on Debian, as root. Elsewhere nothing happens, and
/// the caller says what is missing.
pub(super) fn install_as_root(package: &str) -> Result<()> {
    let is_root = shell::quiet(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let has_apt = shell::quiet(Command::new("apt-get").arg("--version")).is_some();
    if !is_root || !has_apt {
        return Ok(());
    }
    shell::run(Command::new("apt-get").arg("update"))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", package]);
    shell::run(install.env("DEBIAN_FRONTEND", "noninteractive"))
}
