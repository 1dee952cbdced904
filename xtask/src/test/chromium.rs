//! The browser for tests of pages.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::debian;

/// The environment variable by which the tests find the browser, and people name one of their own.
pub(crate) const VARIABLE: &str = "MURRE_CHROMIUM";
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A browser: the one that is named, one that is there, or Debian's, which root may install.
pub(crate) fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Ok(named.into());
    }
    if let Some(found) = installed() {
        return Ok(found);
    }
    debian::install_as_root("chromium")?;
    match installed() {
        Some(found) => Ok(found),
        None => bail!(
            "Chromium was not found; on Debian, as root: apt-get install chromium; elsewhere name it by {VARIABLE}"
        ),
    }
}

fn installed() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}
