//! The broker that is measured: the binary in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::load::Needs;

/// What one tick of a process's clock in `/proc` is, on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// A broker on a free port; it ends with this.
pub(super) struct Broker {
    process: Child,
    /// Where its clients connect.
    pub(super) url: String,
    /// Removed when it is gone.
    _folder: tempfile::TempDir,
}

impl Broker {
    /// Starts one and waits until it listens.
    pub(super) fn start(binary: &Path, needs: Needs) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("murre.toml"), needs.configuration)?;
        let mut command = Command::new(binary);
        command.args(["serve", "--bind", "127.0.0.1:0"]).current_dir(folder.path());
        if needs.store {
            command.args(["--data", "store"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let process = command.spawn().with_context(|| format!("{} can't be started", binary.display()))?;
        let mut broker = Self { process, url: String::new(), _folder: folder };
        let mut first_line = String::new();
        if let Some(output) = broker.process.stdout.take() {
            BufReader::new(output).read_line(&mut first_line)?;
        }
        broker.url = url(&first_line).with_context(|| {
            format!("the broker's first line has no ws:// address in it: {:?}", first_line.trim())
        })?;
        Ok(broker)
    }

    /// The processor time that it has used since its start; none on a system that doesn't tell.
    pub(super) fn processor_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        processor_time(&stat)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn url(first_line: &str) -> Option<String> {
    let from = first_line.find("ws://")?;
    first_line.get(from..)?.split([')', ' ', '\n']).next().map(str::to_owned)
}

/// User and system time from `/proc/<pid>/stat`. The program's name, in brackets, may have spaces in it.
fn processor_time(stat: &str) -> Option<Duration> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11).map(str::parse::<u32>);
    Some(TICK * (fields.next()?.ok()? + fields.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_first_line() {
        let line = "murre 0.1.0 listening on http://127.0.0.1:4567 (devices: ws://127.0.0.1:4567/ws)\n";

        assert_eq!(url(line).as_deref(), Some("ws://127.0.0.1:4567/ws"));
        assert_eq!(url("address in use\n"), None);
    }

    #[test]
    fn processor_time_is_user_and_system_time() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 1 1";

        assert_eq!(processor_time(stat), Some(Duration::from_secs(3)));
    }
}
