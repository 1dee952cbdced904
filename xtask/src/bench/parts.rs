//! The hot parts, measured by criterion; its lines are read back for the table.

use anyhow::{Result, bail};

use super::Request;
use crate::shell;

/// The packages that have benchmarks.
const PACKAGES: [&str; 3] = ["murre-protocol", "murre-view", "murre-core"];

/// What criterion found for one benchmark, in its own words.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Part {
    /// `group/benchmark/parameter`.
    pub(super) name: String,
    /// The likeliest time of an iteration.
    pub(super) time: String,
    /// Elements a second; empty where none are counted.
    pub(super) throughput: String,
}

/// Runs the benchmarks that the request wants.
pub(super) fn measure(request: &Request) -> Result<Vec<Part>> {
    let mut command = shell::cargo();
    command.arg("bench");
    PACKAGES.iter().for_each(|package| _ = command.args(["--package", package]));
    command.args(["--", "--noplot", "--color=never"]);
    if request.quick {
        command.arg("--quick");
    }
    if !request.filters.is_empty() {
        // criterion takes one regular expression
        command.arg(request.filters.iter().map(|word| escaped(word)).collect::<Vec<_>>().join("|"));
    }
    let kept = shell::run_keeping(&mut command, is_of_interest)?;
    if !kept.success {
        bail!("the benchmarks did not run to their end");
    }
    Ok(read(&kept.lines))
}

/// A word as a regular expression that finds it.
fn escaped(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "_/".contains(character);
    word.chars().fold(String::new(), |mut text, character| {
        if !is_plain(character) {
            text.push('\\');
        }
        text.push(character);
        text
    })
}

/// A benchmark's name, its time or its throughput; not the change since another run, which has a percentage.
fn is_of_interest(line: &str) -> bool {
    let has_figures = (line.contains("time: ") || line.contains("thrpt: ")) && !line.contains('%');
    has_figures || line.starts_with(|first: char| first.is_ascii_lowercase())
}

/// A name that leaves no room for the time stands on a line of its own.
fn read(lines: &[String]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut name_before = "";
    for line in lines {
        if let Some((name, figures)) = line.split_once("time: ") {
            let name = if name.trim().is_empty() { name_before } else { name.trim() };
            parts.push(Part { name: name.into(), time: likeliest(figures), ..Part::default() });
        } else if let Some((_, figures)) = line.split_once("thrpt: ") {
            if let Some(part) = parts.last_mut() {
                part.throughput = likeliest(figures);
            }
        } else {
            name_before = line.trim();
        }
    }
    parts
}

/// The middle one of `[1.0 ns 1.1 ns 1.2 ns]`.
fn likeliest(figures: &str) -> String {
    let words: Vec<&str> = figures.trim().trim_matches(['[', ']']).split_whitespace().collect();
    words.get(2..4).map(|middle| middle.join(" ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterions_lines_are_read_back() {
        let output = "\
match/exact/10          time:   [18.01 µs 18.20 µs 18.41 µs]
                        thrpt:  [55.61 Melem/s 56.26 Melem/s 56.84 Melem/s]
                 change:
                        time:   [−1.0% +0.1% +1.2%] (p = 0.05 < 0.05)
                        thrpt:  [−1.2% −0.1% +1.0%]
Found 3 outliers among 100 measurements (3.00%)
subscribe_and_leave/exact/10
                        time:   [90.1 ns 91.2 ns 92.3 ns]
";
        let lines: Vec<String> =
            output.lines().filter(|line| is_of_interest(line)).map(String::from).collect();
        let part = |name: &str, time: &str, throughput: &str| Part {
            name: name.into(),
            time: time.into(),
            throughput: throughput.into(),
        };

        assert_eq!(
            read(&lines),
            [
                part("match/exact/10", "18.20 µs", "56.26 Melem/s"),
                part("subscribe_and_leave/exact/10", "91.2 ns", ""),
            ]
        );
    }

    #[test]
    fn a_word_is_found_as_it_is_written() {
        assert_eq!(escaped("fan_out/1"), "fan_out/1");
        assert_eq!(escaped("a.b"), "a\\.b");
    }
}
