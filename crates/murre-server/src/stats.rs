//! What the broker says of itself each second: on the topic `$murre/stats`, and of the last minutes to those who run it.

use std::collections::VecDeque;

use murre_store::Stats;
use parking_lot::Mutex;
use rustix::{
    param::page_size,
    time::{ClockId, clock_gettime},
};
use serde::Serialize;

use crate::process::Process;

/// Where it is published.
pub(crate) const STATS_TOPIC: &str = "$murre/stats";
/// Seconds that are remembered: ten minutes, in less than half a megabyte.
const SECONDS_MAX: usize = 600;

/// What was said in the last minutes, one JSON object a second.
#[derive(Debug, Default)]
pub(crate) struct StatsHistory(Mutex<VecDeque<(u64, Box<str>)>>);

impl StatsHistory {
    /// Remembers what was said at a point in time, in Unix milliseconds.
    pub(crate) fn add(&self, time: u64, stats: Box<str>) {
        let mut all = self.0.lock();
        if all.len() >= SECONDS_MAX {
            all.pop_front();
        }
        all.push_back((time, stats));
    }

    /// Everything that is remembered, as a JSON array: `{"time": ms, "stats": {…}}` by time.
    pub(crate) fn json(&self) -> String {
        let samples = self.0.lock();
        let samples: Vec<String> =
            samples.iter().map(|(time, stats)| format!(r#"{{"time":{time},"stats":{stats}}}"#)).collect();
        format!("[{}]", samples.join(","))
    }
}

/// The broker at one moment. Counters are totals since the start.
#[derive(Debug, Serialize)]
struct Sample<'a> {
    server: &'a str,
    started: u64,
    workers: usize,
    clients: u64,
    sessions: u64,
    topics: u64,
    subscriptions: u64,
    slow: u64,
    received: Traffic,
    delivered: Traffic,
    dropped: u64,
    conflated: u64,
    process: ProcessUse,
    store: Option<StoreUse>,
}

#[derive(Debug, Serialize)]
struct Traffic {
    messages: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct ProcessUse {
    cpu_seconds: f64,
    resident_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct StoreUse {
    bytes: u64,
    bytes_max: Option<u64>,
    commits: u64,
    commit_seconds: f64,
    failures: u64,
}

/// The broker now, as JSON.
pub(crate) fn sample(process: &Process) -> Box<str> {
    // those whose clients are away, as well
    let away = process.sum(|counters| &counters.kept_sessions);
    let away = away.saturating_sub(process.sum(|counters| &counters.durable_clients));
    let sample = Sample {
        server: process.server(),
        started: process.began().millis(),
        workers: process.worker_count(),
        clients: process.clients(),
        sessions: process.sessions() + away,
        topics: process.sum(|counters| &counters.topics),
        subscriptions: process.sum(|counters| &counters.subscriptions),
        slow: process.sum(|counters| &counters.slow),
        received: Traffic {
            messages: process.sum(|counters| &counters.received),
            bytes: process.sum(|counters| &counters.received_bytes),
        },
        delivered: Traffic {
            messages: process.sum(|counters| &counters.delivered),
            bytes: process.sum(|counters| &counters.sent_bytes),
        },
        dropped: process.sum(|counters| &counters.dropped)
            + process.sum(|counters| &counters.ack_dropped)
            + process.sum(|counters| &counters.session_dropped),
        conflated: process.sum(|counters| &counters.conflated),
        process: ProcessUse { cpu_seconds: cpu_seconds(), resident_bytes: resident_bytes() },
        store: process.store_stats().map(|stats| store_use(process, &stats)),
    };
    // plain numbers and text: this can't fail
    serde_json::to_string(&sample).unwrap_or_default().into()
}

fn store_use(process: &Process, stats: &Stats) -> StoreUse {
    StoreUse {
        bytes: stats.table_bytes + stats.journal_bytes,
        bytes_max: process.config.store.bytes_max.map(|bytes| bytes as u64),
        commits: stats.commits,
        commit_seconds: stats.commit_micros as f64 / 1e6,
        failures: stats.failures,
    }
}

/// Seconds of a processor that this process has used.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Bytes of memory that this process holds; none where the system doesn't say so in Linux' way.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_last_ten_minutes_are_remembered_in_order() {
        let history = StatsHistory::default();
        for second in 0..700 {
            history.add(second * 1000, format!(r#"{{"clients":{second}}}"#).into());
        }
        let samples: Vec<Value> = serde_json::from_str(&history.json()).unwrap();
        assert_eq!(samples.len(), 600);
        assert_eq!((&samples[0]["time"], &samples[599]["stats"]["clients"]), (&100_000.into(), &699.into()));
    }

    #[test]
    fn a_process_says_what_it_takes() {
        assert!(cpu_seconds() > 0.0);
        assert!(resident_bytes().is_none_or(|bytes| bytes > 100_000));
    }
}
