//! A running broker.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{DEADLINE, FailingDisk, binary};

/// Bytes of the log that are kept for a failed test.
const LOG_MAX: usize = 256 * 1024;
const ANNOUNCEMENT: &str = "listening on http://";

/// A broker of the test's own, on a free port, in a folder of its own. It ends with this value; when the test
/// failed, what the broker wrote is shown.
#[derive(Debug)]
pub struct Broker {
    process: Option<Child>,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    // Removed when the broker is gone.
    _folder: Option<TempDir>,
}

impl Broker {
    /// Starts a broker with the defaults.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a broker with some keys of its configuration set: `("session.hello_timeout", "200ms")`.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::launch(settings, "")
    }

    /// Starts a broker with a configuration file.
    pub fn configured(file: &str) -> Self {
        Self::launch(&[], file)
    }

    /// Starts a broker with a configuration file and its store, in a folder that outlives it.
    pub fn with_store(folder: &Path, file: &str) -> Self {
        Self::try_with_store(folder, file).unwrap_or_else(|said| panic!("{said}"))
    }

    /// The same, on a disk that fails when it is told to.
    pub fn with_store_on(disk: &FailingDisk, folder: &Path, file: &str) -> Self {
        Self::try_with_store_on(disk, folder, file).unwrap_or_else(|said| panic!("{said}"))
    }

    /// As [`Self::with_store`]; what it said where it didn't start.
    pub fn try_with_store(folder: &Path, file: &str) -> Result<Self, String> {
        Self::try_run(&mut command_with_store(folder, file), folder, None)
    }

    /// As [`Self::with_store_on`]; what it said where it didn't start.
    pub fn try_with_store_on(disk: &FailingDisk, folder: &Path, file: &str) -> Result<Self, String> {
        Self::try_run(command_with_store(folder, file).envs(disk.environment()), folder, None)
    }

    fn launch(settings: &[(&str, &str)], file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the broker");
        let path = folder.path().to_owned();
        std::fs::write(folder.path().join("murre.toml"), file).expect("a file in the broker's folder");
        let mut command = Shell::of_this_program().command();
        command.envs(settings.iter().map(|(key, value)| (variable(key), value)));
        Self::run(&mut command, &path, Some(folder))
    }

    fn run(command: &mut Command, path: &Path, folder: Option<TempDir>) -> Self {
        Self::try_run(command, path, folder).unwrap_or_else(|said| panic!("{said}"))
    }

    fn try_run(command: &mut Command, path: &Path, folder: Option<TempDir>) -> Result<Self, String> {
        let mut process = command
            .current_dir(path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the broker can't be started: {error}"));
        let log = Arc::default();
        let (found, addresses) = mpsc::channel();
        collect(process.stdout.take(), &log, &found);
        collect(process.stderr.take(), &log, &found);
        drop(found);
        // The channel ends before the deadline when the process does.
        let Ok(address) = addresses.recv_timeout(DEADLINE) else {
            process.kill().ok();
            process.wait().ok();
            return Err(format!(
                "the broker didn't say `{ANNOUNCEMENT}…`; it said:\n{}",
                log.lock().unwrap()
            ));
        };
        Ok(Self { process: Some(process), address, log, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An address under `http://` on it; `path` begins with a slash.
    pub fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its endpoint for clients.
    pub fn ws(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Bytes of memory that it holds (resident).
    pub fn memory(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The number of its process.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("the broker runs").id()
    }

    /// Ends it at once, as a lack of memory or a `kill -9` does.
    pub fn kill(mut self) {
        let mut process = self.process.take().expect("the broker runs");
        process.kill().expect("the broker runs");
        process.wait().expect("the process can be waited for");
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        let process = self.process.as_ref().expect("the broker runs");
        kill_process(Pid::from_child(process), Signal::TERM).expect("the broker runs");
    }

    /// Waits until it has ended by itself; fails the test when it doesn't.
    pub fn wait(mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the broker runs");
        let id = Pid::from_child(&process);
        let (done, ended) = mpsc::channel();
        thread::spawn(move || done.send(process.wait()));
        let Ok(status) = ended.recv_timeout(DEADLINE) else {
            kill_process(id, Signal::KILL).ok();
            panic!("the broker did not end");
        };
        status.expect("the process can be waited for")
    }

    /// What it wrote up to now, standard output and error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
        if thread::panicking() {
            eprintln!("---- the broker's log:\n{}----", self.log());
        }
    }
}

/// What stands between a broker's sockets and its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    /// `murre serve`: sessions own their sockets.
    Serve,
    /// `embedded`: sessions are actors in a server of somebody's own.
    Embedded,
}

impl Shell {
    /// Test programs whose names begin with `embedded_` run over that shell, all others over `murre serve`.
    fn of_this_program() -> Self {
        let program = std::env::current_exe().expect("a program knows its path");
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("embedded_") { Self::Embedded } else { Self::Serve }
    }

    fn command(self) -> Command {
        match self {
            Self::Serve => command(&["serve", "--bind", "127.0.0.1:0"]),
            Self::Embedded => clean(binary::embedded(), &["--bind", "127.0.0.1:0"]),
        }
    }

    fn command_with_store(self) -> Command {
        let mut command = self.command();
        match self {
            Self::Serve => command.args(["--data", "store"]),
            Self::Embedded => command.env(variable("store.path"), "store"),
        };
        command
    }
}

/// Starts a broker with a configuration file, which this writes into the folder, and its store.
fn command_with_store(folder: &Path, file: &str) -> Command {
    std::fs::write(folder.join("murre.toml"), file).expect("a file in the broker's folder");
    Shell::of_this_program().command_with_store()
}

/// The command `murre` with no configuration but what the test gives it.
pub fn command(arguments: &[&str]) -> Command {
    clean(binary::murre(), arguments)
}

fn clean(binary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MURRE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end and gives what it wrote; ends it, and fails the test, when it takes too long.
pub fn output(command: &mut Command) -> Output {
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("murre starts");
    let id = Pid::from_child(&process);
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(process.wait_with_output()));
    let Ok(output) = ended.recv_timeout(DEADLINE) else {
        kill_process(id, Signal::KILL).ok();
        panic!("{command:?} did not end");
    };
    output.expect("the process can be waited for")
}

/// `session.hello_timeout` is `MURRE__SESSION__HELLO_TIMEOUT` in the environment.
fn variable(key: &str) -> String {
    format!("MURRE__{}", key.replace('.', "__").to_uppercase())
}

/// Reads a stream of the broker to its end, on a thread of its own: a full pipe would stop the broker.
fn collect(
    stream: Option<impl Read + Send + 'static>,
    log: &Arc<Mutex<String>>,
    found: &mpsc::Sender<SocketAddr>,
) {
    let (log, found) = (Arc::clone(log), found.clone());
    let lines = BufReader::new(stream.expect("a piped stream")).lines();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(address) = announced(&line) {
                found.send(address).ok();
            }
            let mut log = log.lock().unwrap();
            if log.len() < LOG_MAX {
                log.push_str(&line);
                log.push('\n');
            }
        }
    });
}

fn announced(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(ANNOUNCEMENT)?;
    let end = rest.find(|character: char| !(character.is_ascii_digit() || ".:".contains(character)));
    rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', ':']).parse().ok()
}
