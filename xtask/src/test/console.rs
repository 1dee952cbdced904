//! The console, in `crates/murre-console/app`: types, lints, its model, and the page in Chromium.

use std::path::Path;

use anyhow::Result;

use super::node;
use crate::shell::Kept;

pub(super) fn test(binary: &Path) -> Result<Kept> {
    node::test_package("crates/murre-console/app", &["check"], binary)
}
