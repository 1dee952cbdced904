//! The console, in `crates/murre-console/app`: types, lints, its model, and the page in Chromium.

use std::path::Path;

use anyhow::Result;

use super::{BINARY_VARIABLE, chromium, node};
use crate::shell::{self, Kept};

pub(super) fn test(binary: &Path) -> Result<Kept> {
    node::require_node()?;
    let chromium = chromium::find()?;
    let folder = shell::root().join("crates/murre-console/app");
    node::install_packages(&folder)?;
    shell::run(&mut node::npm_run(&folder, "check"))?;
    let mut tests = node::npm_run(&folder, "test");
    tests.env(BINARY_VARIABLE, binary).env(chromium::VARIABLE, chromium);
    shell::run_keeping(&mut tests, node::is_closing_line)
}
