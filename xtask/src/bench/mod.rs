//! `cargo xtask bench`: what the hot parts cost, then what a whole broker does over real sockets, in one table.
//!
//! The parts are measured by criterion, in the crates' own `benches/`. The broker is the release binary in a process
//! of its own, and `murre bench` puts the load on it from another.

mod broker;
mod load;
mod parts;
mod table;

use anyhow::{Result, bail};

use crate::binary::{self, Profile};
use broker::Broker;
use table::Table;

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Request {
    /// Fewer repeats and shorter runs: done in about a minute once all is built, and less exact.
    quick: bool,
    /// Measures only what has one of these words in its name; all, where there are none.
    filters: Vec<String>,
}

impl Request {
    fn parse(arguments: &[String]) -> Result<Self> {
        let (flags, filters): (Vec<_>, Vec<_>) =
            arguments.iter().cloned().partition(|argument| argument.starts_with('-'));
        if let Some(unknown) = flags.iter().find(|flag| *flag != "--quick") {
            bail!("there is no flag {unknown}; bench has --quick, and words that the names must have one of");
        }
        Ok(Self { quick: !flags.is_empty(), filters })
    }

    fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }
}

/// Measures, and prints one table at the end.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let request = Request::parse(arguments)?;
    let parts = parts::measure(&request)?;
    let mut parts_table = Table::new(["part", "time", "throughput"]);
    parts.into_iter().for_each(|part| parts_table.add([part.name, part.time, part.throughput]));

    let mut loads_table = Table::new(load::HEADINGS);
    let wanted: Vec<_> = load::SETTINGS.iter().filter(|setting| request.wants(setting.name)).collect();
    if !wanted.is_empty() {
        let binary = binary::build(Profile::Release)?;
        for setting in wanted {
            // Each has a broker of its own, which nothing has warmed or filled.
            let broker = Broker::start(&binary, setting.needs())?;
            loads_table.add(setting.measure(&binary, &broker, request.quick)?);
        }
    }
    if parts_table.is_empty() && loads_table.is_empty() {
        bail!("nothing that is measured has {:?} in its name", request.filters.join(" or "));
    }
    print!("\n{parts_table}\n{loads_table}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Request> {
        Request::parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_choose_what_is_measured() {
        let request = parse(&["match", "--quick", "fan_out"]).unwrap();

        assert!(request.quick && request.wants("match/exact/10") && request.wants("broker/fan_out/1"));
        assert!(!request.wants("decode/json/publish"));
        assert!(parse(&[]).unwrap().wants("decode/json/publish"));
    }

    #[test]
    fn an_unknown_flag_is_named() {
        let error = parse(&["--fast"]).unwrap_err().to_string();

        assert!(error.contains("--fast") && error.contains("--quick"), "{error}");
    }
}
