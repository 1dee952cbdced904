//! The SDK for JavaScript, in `clients/js`: types, lints, units, and the scenarios in Node and in Chromium.

use std::path::Path;

use anyhow::Result;

use super::node;
use crate::shell::Kept;

pub(super) fn test(binary: &Path) -> Result<Kept> {
    node::test_package("clients/js", &["check", "build"], binary)
}
