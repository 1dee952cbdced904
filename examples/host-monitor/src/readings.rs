//! What is published, by topic: `host/<host>/` and then the level that each type names.

use std::time::Duration;

use serde::Serialize;

/// The reading on `cpu`: how busy the processors were since the reading before, 0 to 100.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cpu {
    /// All processors together.
    pub percent: f64,
    /// Each logical processor.
    pub cores: Vec<f64>,
}

/// The reading on `memory`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Memory {
    /// Part of the memory in use, 0 to 100.
    pub percent: f64,
    /// Memory in use.
    pub used_bytes: u64,
    /// All memory.
    pub total_bytes: u64,
    /// Swap in use.
    pub swap_used_bytes: u64,
    /// All swap; 0 where there is none.
    pub swap_total_bytes: u64,
}

/// The reading on `load`: how many processes ran or waited to run, on average.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// Over the last minute.
    pub one: f64,
    /// Over the last five minutes.
    pub five: f64,
    /// Over the last fifteen minutes.
    pub fifteen: f64,
}

/// The reading on `network/<interface>`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    /// Received since the reading before.
    pub received_bytes_per_second: f64,
    /// Sent since the reading before.
    pub sent_bytes_per_second: f64,
    /// Received since the interface came up.
    pub received_bytes: u64,
    /// Sent since the interface came up.
    pub sent_bytes: u64,
}

/// The reading on `disk/<mount point>`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// Part of the space in use, 0 to 100.
    pub percent: f64,
    /// Space in use.
    pub used_bytes: u64,
    /// All space.
    pub total_bytes: u64,
    /// Read since the reading before.
    pub read_bytes_per_second: f64,
    /// Written since the reading before.
    pub written_bytes_per_second: f64,
}

/// Any of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// On `cpu`.
    Cpu(Cpu),
    /// On `memory`.
    Memory(Memory),
    /// On `load`.
    Load(Load),
    /// On `network/<interface>`.
    Network(Network),
    /// On `disk/<mount point>`.
    Disk(Disk),
}

/// One reading and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The levels behind `host/<host>/`.
    pub levels: String,
    /// The payload.
    pub value: Value,
}

/// `part` of `whole` in per cent, to a tenth, 0 to 100; 0 of nothing.
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { tenths((part as f64 / whole as f64 * 100.0).clamp(0.0, 100.0)) }
}

/// `bytes` in `elapsed` as bytes a second; 0 in no time.
pub fn per_second(bytes: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { tenths(bytes as f64 / elapsed.as_secs_f64()) }
}

/// `value` rounded to a tenth.
pub fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rate_is_by_the_time_that_really_passed() {
        assert_eq!(per_second(3000, Duration::from_millis(1500)), 2000.0);
        assert_eq!(per_second(3000, Duration::ZERO), 0.0);
    }

    #[test]
    fn a_reading_is_an_object_with_its_units() {
        let load = Value::Load(Load { one: 0.5, five: 0.25, fifteen: 0.1 });
        assert_eq!(serde_json::to_string(&load).unwrap(), r#"{"one":0.5,"five":0.25,"fifteen":0.1}"#);
    }

    proptest! {
        #[test]
        fn a_part_is_never_below_0_or_above_100_per_cent(part: u64, whole: u64) {
            prop_assert!((0.0..=100.0).contains(&percent(part, whole)));
        }
    }
}
