//! `cargo xtask test`: installs what the tests need into the repository's own ignored folders, builds the binary
//! once, and runs every runner, also after one has failed; at the end it shows each runner's closing line.

mod cargo;
pub(crate) mod chromium;
mod console;
mod debian;
mod js;
pub(crate) mod node;
mod python;

use std::path::Path;

use anyhow::{Result, bail};

use crate::binary::{self, Profile};
use crate::shell::Kept;

/// The environment variable by which tests find the binary that they start.
pub(crate) const BINARY_VARIABLE: &str = "MURRE_BINARY";

type Runner = fn(binary: &Path) -> Result<Kept>;

const RUNNERS: [(&str, Runner); 5] = [
    ("cargo", cargo::test),
    ("node", node::test),
    ("js", js::test),
    ("console", console::test),
    ("python", python::test),
];

/// Runs the runners that are named; all, where none is.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| RUNNERS.iter().all(|(known, _)| known != name)) {
        bail!("there is no runner {unknown:?}; the runners are cargo, node, js, console and python");
    }
    let chosen =
        RUNNERS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|wanted| wanted == name));
    let binary = binary::build(Profile::Dev)?;
    let outcomes: Vec<_> = chosen.map(|(name, runner)| (*name, runner(&binary))).collect();
    summarise(&outcomes)
}

fn summarise(outcomes: &[(&str, Result<Kept>)]) -> Result<()> {
    println!("\nTests, as each runner closed:");
    let mut failed = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Ok(kept) => {
                for line in &kept.lines {
                    println!("  {name:<8} {line}");
                }
                if !kept.success {
                    failed.push(*name);
                }
            }
            Err(error) => {
                println!("  {name:<8} did not run: {error:#}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("tests failed: {}", failed.join(", "))
}
