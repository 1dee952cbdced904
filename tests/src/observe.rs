//! A running broker from outside: its counters, its memory, its open files.

use std::time::Instant;

use crate::{Broker, DEADLINE};

impl Broker {
    /// A counter or gauge of `/metrics`, by its name without `murre_` and `_total`.
    pub fn counter(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics");
        let value = metrics.text().lines().find_map(|line| {
            let (found, value) = line.strip_prefix("murre_")?.split_once(' ')?;
            (found.strip_suffix("_total").unwrap_or(found) == name).then(|| value.parse().ok())?
        });
        value.unwrap_or_else(|| panic!("/metrics has no {name}"))
    }

    /// Waits until a counter satisfies `is_there`, and gives it.
    pub fn wait_for_counter(&self, name: &str, is_there: impl Fn(u64) -> bool) -> u64 {
        let since = Instant::now();
        loop {
            let value = self.counter(name);
            if is_there(value) {
                return value;
            }
            assert!(since.elapsed() < DEADLINE, "{name} is {value}, and another value was waited for");
        }
    }

    /// The most bytes of memory that it held (resident) since its start, or since [`Self::forget_peak`].
    pub fn peak_memory(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// Lets the peak of its memory begin with what it holds now, and gives that.
    pub fn forget_peak(&self) -> u64 {
        std::fs::write(format!("/proc/{}/clear_refs", self.process_id()), "5")
            .expect("a process may reset its child's peak");
        self.peak_memory()
    }

    /// Files and sockets that it has open.
    pub fn open_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.process_id())).expect("the broker runs");
        files.count()
    }

    /// How many files it may open now, and how many it could allow itself.
    pub fn open_files_limits(&self) -> (u64, u64) {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.process_id())).expect("it runs");
        let line =
            limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("Linux says it");
        let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or(u64::MAX));
        (numbers.next().expect("a soft limit"), numbers.next().expect("a hard limit"))
    }

    pub(crate) fn status_bytes(&self, key: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process_id());
        let status = std::fs::read_to_string(path).expect("the broker runs");
        let line = status.lines().find(|line| line.starts_with(key)).expect("Linux says it");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") * 1024
    }
}
