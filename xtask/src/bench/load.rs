//! The loads that a whole broker is measured with.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::broker::Broker;
use crate::shell;

/// What `murre bench` does to the broker.
pub(super) struct Setting {
    pub(super) name: &'static str,
    load: Load,
}

enum Load {
    /// Every subscriber gets every message; payloads have 64 bytes.
    Live {
        publishers: u32,
        subscribers: u32,
        /// As `murre bench --rate` takes it.
        rate: &'static str,
    },
    /// One topic at 100 messages a second, for subscribers with views or without; payloads have 64 bytes. What counts
    /// is the broker's share of a processor.
    Views {
        subscribers: u32,
        /// As `murre bench` takes them.
        flags: &'static [&'static str],
    },
    /// One subscriber gets what a broker with a store has kept; payloads have 100 bytes.
    CatchUp { count: u64, count_quick: u64 },
}

/// How long a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// Clients connect, and go.
    Nothing,
    Quick,
    Full,
}

impl Length {
    fn duration(self) -> &'static str {
        match self {
            Self::Nothing => "10ms",
            Self::Quick => "2s",
            Self::Full => "10s",
        }
    }
}

/// What a broker has to be started with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) configuration: &'static str,
    pub(super) store: bool,
}

/// What is measured. The rates leave the load's own process time to read: a subscriber that falls behind would be
/// counted as messages lost, and say nothing of the broker.
pub(super) const SETTINGS: [Setting; 7] = [
    Setting::live("socket/fan_out-1-100", 1, 100, "2000/s"),
    Setting::live("socket/fan_in-100-1", 100, 1, "20000/s"),
    Setting::live("socket/latency-1000", 1, 1, "1000/s"),
    Setting::views("socket/every_sample-1000", 1000, &[]),
    Setting::views("socket/one_view-1000", 1000, &["--max-rate", "2"]),
    Setting::views("socket/own_views-2000", 2000, &["--conditions"]),
    Setting { name: "socket/catch_up", load: Load::CatchUp { count: 1_000_000, count_quick: 100_000 } },
];

/// The headings of what [`Setting::measure`] gives.
pub(super) const HEADINGS: [&str; 7] =
    ["whole broker", "published/s", "delivered/s", "lost", "p50", "p99", "broker's processor time"];

impl Setting {
    const fn live(name: &'static str, publishers: u32, subscribers: u32, rate: &'static str) -> Self {
        Self { name, load: Load::Live { publishers, subscribers, rate } }
    }

    const fn views(name: &'static str, subscribers: u32, flags: &'static [&'static str]) -> Self {
        Self { name, load: Load::Views { subscribers, flags } }
    }

    /// What the broker's configuration file has in it, and whether it has a store.
    pub(super) fn needs(&self) -> Needs {
        match self.load {
            Load::Live { .. } | Load::Views { .. } => Needs { configuration: "", store: false },
            Load::CatchUp { .. } => Needs { configuration: "[[keep]]\nfilter = \"bench/#\"\n", store: true },
        }
    }

    /// Puts the load on `broker`; gives a row for the table.
    pub(super) fn measure(&self, binary: &Path, broker: &Broker, quick: bool) -> Result<[String; 7]> {
        let connecting = match self.load {
            // it would be a good part of what views leave to do
            Load::Views { .. } => self.run(binary, broker, Length::Nothing)?.1,
            _ => None,
        };
        let (output, spent) = self.run(binary, broker, if quick { Length::Quick } else { Length::Full })?;
        let spent = spent.map(|spent| spent.saturating_sub(connecting.unwrap_or_default()));
        self.row(&output, spent).with_context(|| format!("murre bench printed {output:?}"))
    }

    /// Runs `murre bench`: what it printed, and the processor time that the broker spent.
    fn run(&self, binary: &Path, broker: &Broker, length: Length) -> Result<(String, Option<Duration>)> {
        let before = broker.processor_time();
        let mut command = shell::in_repository(binary);
        command.arg("bench");
        match self.load {
            Load::Live { publishers, subscribers, rate } => command
                .args(["--payload", "64", "--rate", rate])
                .args(["--publishers", &publishers.to_string()])
                .args(["--subscribers", &subscribers.to_string()])
                .args(["--duration", length.duration()]),
            Load::Views { subscribers, flags } => command
                .args(["--payload", "64", "--rate", "100/s", "--publishers", "1"])
                .args(["--subscribers", &subscribers.to_string(), "--duration", length.duration()])
                .args(flags),
            Load::CatchUp { count, count_quick } => {
                let count = if length == Length::Full { count } else { count_quick };
                command.args(["catch-up", "--payload", "100", "--count", &count.to_string()])
            }
        };
        command.args(["--json", "--broker", &broker.url]);
        let output = shell::output(&mut command)?;
        let spent = broker.processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        Ok((output, spent))
    }

    fn row(&self, output: &str, spent: Option<Duration>) -> Result<[String; 7]> {
        let result: Value = serde_json::from_str(output)?;
        let count =
            |name: &str| result[name].as_f64().with_context(|| format!("a number {name:?} is missing"));
        // who catches up loses nothing, and has no latency
        let (delivered, per_second, lost) = match self.load {
            Load::Live { .. } | Load::Views { .. } => ("delivered", "delivered_per_second", Some("lost")),
            Load::CatchUp { .. } => ("caught_up", "caught_up_per_second", None),
        };
        let latency = |name: &str| {
            let micros = result["latency_us"][name].as_f64();
            micros.map_or_else(|| "-".to_owned(), |micros| format!("{micros:.0} µs"))
        };
        Ok([
            self.name.to_owned(),
            format!("{:.0}", count("published_per_second")?),
            format!("{:.0}", count(per_second)?),
            format!("{:.0}", lost.map_or(Ok(0.0), count)?),
            latency("p50"),
            latency("p99"),
            match (spent, &self.load) {
                (None, _) => "-".to_owned(),
                (Some(spent), Load::Views { .. }) => share(spent, count("seconds")?),
                (Some(spent), _) => each(spent, result[delivered].as_f64()),
            },
        ])
    }
}

/// Connecting is in it, too, which a longer run makes small.
fn each(spent: Duration, delivered: Option<f64>) -> String {
    let micros = spent.as_secs_f64() * 1e6 / delivered.unwrap_or(0.0).max(1.0);
    format!("{micros:.2} µs a delivery")
}

fn share(spent: Duration, seconds: f64) -> String {
    format!("{:.2} % of a processor", spent.as_secs_f64() * 100.0 / seconds.max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = r#"{"published":1000,"published_per_second":500.0,"delivered":100000,
        "delivered_per_second":50000.0,"lost":0,"seconds":2.0,"latency_us":{"p50":87.4,"p99":250.0}}"#;

    #[test]
    fn a_row_has_what_the_load_printed_and_what_the_broker_spent() {
        let row = SETTINGS[0].row(OUTPUT, Some(Duration::from_millis(120))).unwrap();

        assert_eq!(
            row,
            ["socket/fan_out-1-100", "500", "50000", "0", "87 µs", "250 µs", "1.20 µs a delivery"]
        );
    }

    #[test]
    fn who_catches_up_has_a_row_of_the_same_columns() {
        let output = r#"{"published":1000,"published_per_second":500.0,"caught_up":4000,
            "caught_up_per_second":80000.0,"seconds":0.05}"#;
        let row = SETTINGS[6].row(output, Some(Duration::from_millis(8))).unwrap();

        assert_eq!(row, ["socket/catch_up", "500", "80000", "0", "-", "-", "2.00 µs a delivery"]);
    }

    #[test]
    fn of_views_the_share_of_a_processor_counts() {
        let row = SETTINGS[4].row(OUTPUT, Some(Duration::from_millis(50))).unwrap();

        assert_eq!(row[6], "2.50 % of a processor");
    }

    #[test]
    fn a_figure_that_is_missing_is_named() {
        let error = SETTINGS[0].row("{}", None).unwrap_err().to_string();

        assert!(error.contains("published_per_second"), "{error}");
    }
}
