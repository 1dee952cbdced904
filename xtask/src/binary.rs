//! Building the binary `murre`.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell;

/// How the binary is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quickly, for tests.
    Dev,
    /// To be measured.
    Release,
}

/// Builds the binary `murre` and gives its path.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let mut command = shell::cargo();
    command.arg("build");
    match profile {
        // For the whole workspace, so that it shares its dependencies' builds with the tests; beside it the simulator
        // that tests of the console start.
        Profile::Dev => command.args(["--workspace", "--bin", "gps-tracker"]),
        // Only what a release has: features that tests want must not be in what is measured.
        Profile::Release => command.args(["--release", "--package", "murre-cli"]),
    };
    command.args(["--bin", "murre", "--message-format=json-render-diagnostics"]);
    let messages = shell::output(&mut command)?;
    messages.lines().find_map(executable_of_murre).context("cargo built no executable named murre")
}

/// The path from cargo's message about the binary `murre`.
fn executable_of_murre(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    if message["target"]["name"] != "murre" {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_known_by_its_target_name() {
        let library = r#"{"reason":"compiler-artifact","target":{"name":"murre_core"},"executable":null}"#;
        let binary =
            r#"{"reason":"compiler-artifact","target":{"name":"murre"},"executable":"/t/debug/murre"}"#;

        assert_eq!(executable_of_murre(library), None);
        assert_eq!(executable_of_murre(binary), Some(PathBuf::from("/t/debug/murre")));
    }
}
