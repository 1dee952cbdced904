//! Finding the binaries: `MURRE_BINARY`, `MURRE_EMBEDDED_BINARY` and `MURRE_SIMULATOR_BINARY` name them, else cargo builds
//! them, in the profile that the tests have. The library of `tests/shim` is always built.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The path of the binary `murre`. Built at most once for each test program; cargo's own lock keeps several of them
/// apart.
pub fn murre() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| find("MURRE_BINARY", "murre-cli", "murre"))
}

/// The path of the example `embedded`: the same broker in an actix-web server of somebody's own.
pub fn embedded() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| find("MURRE_EMBEDDED_BINARY", "embedded", "embedded"))
}

/// The path of the simulator `vibration-monitor`: machines whose vibration is measured 100 times a second.
pub fn vibration_monitor() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| find("MURRE_SIMULATOR_BINARY", "vibration-monitor", "vibration-monitor"))
}

/// The path of the library that lets a disk fail.
pub fn disk_shim() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build("murre-disk-shim", "murre_disk_shim", &["--lib"]))
}

fn find(variable: &str, package: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| build(package, name, &["--bin", name]), PathBuf::from)
}

fn build(package: &str, name: &str, target: &[&str]) -> PathBuf {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--package", package, "--profile", &profile()])
        .args(target)
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo could not build {name}: {}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| {
            // a package may have a library of the same name as its binary
            let built =
                if target.contains(&"--lib") { &message["filenames"][0] } else { &message["executable"] };
            built.as_str().map(PathBuf::from)
        })
        .expect("cargo names the file that it built")
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
