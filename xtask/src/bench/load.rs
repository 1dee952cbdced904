//! The loads that a whole broker is measured with.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::broker::Broker;
use crate::shell;

/// A load on the broker. Every subscriber gets every message; payloads have 64 bytes.
pub(super) struct Setting {
    pub(super) name: &'static str,
    publishers: u32,
    subscribers: u32,
    /// As `murre bench --rate` takes it.
    rate: &'static str,
}

/// What is measured. The rates leave the load's own process time to read: a subscriber that falls behind would be
/// counted as messages lost, and say nothing of the broker.
pub(super) const SETTINGS: [Setting; 3] = [
    Setting { name: "socket/fan_out-1-100", publishers: 1, subscribers: 100, rate: "2000/s" },
    Setting { name: "socket/fan_in-100-1", publishers: 100, subscribers: 1, rate: "20000/s" },
    Setting { name: "socket/latency-1000", publishers: 1, subscribers: 1, rate: "1000/s" },
];

/// The headings of what [`Setting::measure`] gives.
pub(super) const HEADINGS: [&str; 7] =
    ["whole broker", "published/s", "delivered/s", "lost", "p50", "p99", "broker's processor time"];

impl Setting {
    /// Puts the load on `broker`; gives a row for the table.
    pub(super) fn measure(&self, binary: &Path, broker: &Broker, quick: bool) -> Result<[String; 7]> {
        let before = broker.processor_time();
        let mut command = shell::in_repository(binary);
        command.args(["bench", "--json", "--payload", "64", "--rate", self.rate]);
        command.args(["--publishers", &self.publishers.to_string()]);
        command.args(["--subscribers", &self.subscribers.to_string()]);
        command.args(["--duration", if quick { "2s" } else { "10s" }, "--broker", &broker.url]);
        let output = shell::output(&mut command)?;
        let spent = broker.processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        self.row(&output, spent).with_context(|| format!("murre bench printed {output:?}"))
    }

    fn row(&self, output: &str, spent: Option<Duration>) -> Result<[String; 7]> {
        let result: Value = serde_json::from_str(output)?;
        let count =
            |name: &str| result[name].as_f64().with_context(|| format!("a number {name:?} is missing"));
        let latency = |name: &str| {
            let micros = result["latency_us"][name].as_f64();
            micros.map_or_else(|| "-".to_owned(), |micros| format!("{micros:.0} µs"))
        };
        Ok([
            self.name.to_owned(),
            format!("{:.0}", count("published_per_second")?),
            format!("{:.0}", count("delivered_per_second")?),
            format!("{:.0}", count("lost")?),
            latency("p50"),
            latency("p99"),
            spent.map_or_else(|| "-".to_owned(), |spent| each(spent, result["delivered"].as_f64())),
        ])
    }
}

/// Connecting is in it, too, which a longer run makes small.
fn each(spent: Duration, delivered: Option<f64>) -> String {
    let micros = spent.as_secs_f64() * 1e6 / delivered.unwrap_or(0.0).max(1.0);
    format!("{micros:.2} µs a delivery")
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
    fn a_figure_that_is_missing_is_named() {
        let error = SETTINGS[0].row("{}", None).unwrap_err().to_string();

        assert!(error.contains("published_per_second"), "{error}");
    }
}
