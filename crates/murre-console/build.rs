//! Builds the page in `app/` with Vite into `OUT_DIR` and writes there what `src/lib.rs` includes: a table of the files
//! that make the page, and which page it is. Nothing in the source tree is written but `app/node_modules`, which git ignores.
//!
//! Where that can't be done (no npm, no network at the first build, a fault of the page) the files of `page/` take its
//! place, which need no building, and a warning says why. `MURRE_CONSOLE=full` makes that an error instead, and
//! `MURRE_CONSOLE=plain` asks for the plain page.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Which page is wanted.
const CHOICE: &str = "MURRE_CONSOLE";
/// What the built page comes from, beside `app/`. The SDK is built in from its sources.
const SOURCES: [&str; 3] = ["page", "../../clients/js/src", "build.rs"];
const APP_SOURCES: [&str; 6] =
    ["index.html", "package.json", "package-lock.json", "src", "tsconfig.json", "vite.config.ts"];
/// Characters that are passed on of what a command said.
const SAID_MAX: usize = 300;
/// Left in `node_modules` by whoever installed the lock file that they hold: `cargo xtask test` with what the tests
/// need, this script without.
const STAMPS: [&str; 2] = [".installed", ".installed-for-build"];

fn main() -> Result<(), String> {
    let crate_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|error| error.to_string())?);
    watch();
    let choice = env::var(CHOICE).unwrap_or_default();
    let files = match choice.as_str() {
        "plain" => plain_page(&crate_dir)?,
        "full" => built_page(&crate_dir, &out)?,
        "" => match built_page(&crate_dir, &out) {
            Ok(files) => files,
            Err(why) => {
                let again = "to try again: touch crates/murre-console/build.rs";
                println!("cargo::warning=the plain page takes the console's place: {why} ({again})");
                // What was missing may be found elsewhere the next time.
                println!("cargo::rerun-if-env-changed=PATH");
                plain_page(&crate_dir)?
            }
        },
        other => return Err(format!("{CHOICE} is {other:?}; expected \"full\" or \"plain\"")),
    };
    let is_plain = files.iter().any(|file| file.path == "/page.js");
    fs::write(out.join("is_plain.rs"), is_plain.to_string()).map_err(|error| error.to_string())?;
    fs::write(out.join("files.rs"), table(&files, &crate_dir)).map_err(|error| error.to_string())
}

/// Tells cargo when to run this again: when a source changes, not when node_modules does.
fn watch() {
    println!("cargo::rerun-if-env-changed={CHOICE}");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    for source in APP_SOURCES {
        println!("cargo::rerun-if-changed=app/{source}");
    }
}

/// A file of the page: where a browser finds it, and where it lies.
struct File {
    path: String,
    source: PathBuf,
}

/// The files in `page/`, as they are.
fn plain_page(crate_dir: &Path) -> Result<Vec<File>, String> {
    let mut files = files_below(&crate_dir.join("page"))?;
    // It only tells Node how to read the modules.
    files.retain(|file| file.path != "/package.json");
    Ok(files)
}

/// What Vite makes of `app/`.
fn built_page(crate_dir: &Path, out: &Path) -> Result<Vec<File>, String> {
    let app = crate_dir.join("app");
    let page = out.join("page");
    install(&app)?;
    let vite = app.join("node_modules/vite/bin/vite.js");
    let mut command = Command::new("node");
    command.arg(vite).args(["build", "--configLoader", "runner", "--logLevel", "error"]);
    run(command.arg("--outDir").arg(&page).current_dir(&app), "vite build")?;
    files_below(&page)
}

/// Installs what the lock file names, unless that was done before.
fn install(app: &Path) -> Result<(), String> {
    let lock = app.join("package-lock.json");
    let lock = fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let stamps = STAMPS.map(|name| app.join("node_modules").join(name));
    if stamps.iter().any(|stamp| fs::read_to_string(stamp).is_ok_and(|installed| installed == lock)) {
        return Ok(());
    }
    // Nothing that is installed runs a script of its own, and a computer without a network doesn't wait for long.
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let mut command = Command::new(npm);
    command.args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    command.args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]);
    run(command.current_dir(app), "npm ci")?;
    let [_, stamp] = stamps;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// Runs a command to its end; what it says is only of interest where it fails.
fn run(command: &mut Command, name: &str) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{program} was not found; install Node.js 20.19 or later with npm")
        }
        _ => format!("{program} can't be started: {error}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // One line, as cargo takes no more of a warning, and its beginning, which says what was wrong.
    let said: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said: String = said.join(" | ").chars().take(SAID_MAX).collect();
    Err(format!("{name} ended with {}: {said}", output.status))
}

/// All files below a folder, by path; `index.html` is the folder itself.
fn files_below(folder: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    let mut waiting = vec![(String::new(), folder.to_owned())];
    while let Some((path, folder)) = waiting.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let source = entry.map_err(|error| error.to_string())?.path();
            let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let path = format!("{path}/{name}");
            if source.is_dir() {
                waiting.push((path, source));
            } else {
                let path = if path == "/index.html" { "/".to_owned() } else { path };
                files.push(File { path, source });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The table as Rust source: path, media type, bytes.
fn table(files: &[File], crate_dir: &Path) -> String {
    let favicon = File { path: "/favicon.ico".to_owned(), source: crate_dir.join("page/favicon.svg") };
    let mut table = String::from("&[\n");
    for File { path, source } in files.iter().chain([&favicon]) {
        let media_type = media_type(source);
        let _ = writeln!(table, "    ({path:?}, Asset::new({media_type:?}, include_bytes!({source:?}))),");
    }
    table.push_str("]\n");
    table
}

/// The media type of a file by the end of its name.
fn media_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
