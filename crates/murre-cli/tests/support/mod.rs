//! A running broker, and the way to it, for the tests of this folder.

// Each test program uses its part.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod link;

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;
use tempfile::TempDir;

/// A running `murre serve` or `murre demo`.
pub(crate) struct Broker {
    process: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
    // Removed when the broker is gone.
    _folder: Option<TempDir>,
}

impl Broker {
    /// Runs `murre` with `args`, on a free port and in a folder of its own.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::configured("", args)
    }

    /// As [`start`](Broker::start), with a configuration file.
    pub(crate) fn configured(file: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("murre.toml"), file).unwrap();
        let mut broker = Self::start_in(folder.path(), args);
        broker._folder = Some(folder);
        broker
    }

    /// As [`start`](Broker::start), in a folder that outlives it.
    pub(crate) fn start_in(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::cargo_bin("murre").unwrap();
        command.args(args).args(["--bind", "127.0.0.1:0"]).current_dir(folder).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.split_once("http://").unwrap().1.split(['/', ' ', '\n']).next().unwrap();
        Self { process, stdout, url: format!("ws://{address}/ws"), _folder: None }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("ws://").trim_end_matches("/ws").parse().unwrap()
    }

    /// A command for this broker.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("murre").unwrap();
        command.args(args).env("MURRE_BROKER", &self.url).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that has to end well; its lines.
    pub(crate) fn lines(&self, args: &[&str]) -> Vec<String> {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// As [`lines`](Broker::lines), of commands that print JSON.
    pub(crate) fn objects(&self, args: &[&str]) -> Vec<Value> {
        self.lines(args).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Publishes `lines` as standard input.
    pub(crate) fn publish_lines(&self, args: &[&str], lines: &str) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop; its exit code.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        signal_to(&self.process, signal);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Has ended already where a test stopped it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a signal by its flag of `kill`.
pub(crate) fn signal_to(process: &Child, signal: &str) {
    let kill = Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap();
    assert!(kill.success());
}
