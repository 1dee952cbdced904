//! Finding the binary: `MURRE_BINARY` names it, else cargo builds it, in the profile that the tests have.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The path of the binary `murre`. Built at most once for each test program; cargo's own lock keeps several of them
/// apart.
pub fn murre() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| std::env::var_os("MURRE_BINARY").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--package", "murre-cli", "--bin", "murre", "--profile", &profile()])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo could not build murre: {}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "murre")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable that it built")
}

/// The profile of this very program, which stands in `<target>/<profile>/deps`.
fn profile() -> String {
    let program = std::env::current_exe().expect("a program knows its path");
    let folder = program.ancestors().nth(2).and_then(|folder| folder.file_name());
    match folder.map(|name| name.to_string_lossy().into_owned()).as_deref() {
        None | Some("debug") => "dev".to_owned(),
        Some(profile) => profile.to_owned(),
    }
}
