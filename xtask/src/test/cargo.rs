//! The Rust tests: units, end to end, documentation.

use std::path::Path;

use anyhow::Result;

use super::BINARY_VARIABLE;
use crate::shell::{self, Kept};

pub(super) fn test(binary: &Path) -> Result<Kept> {
    let mut command = shell::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).env(BINARY_VARIABLE, binary);
    let kept = shell::run_keeping(&mut command, |line| line.starts_with("test result:"))?;
    Ok(Kept { lines: vec![sum(&kept.lines)], success: kept.success })
}

/// One line for all suites: cargo closes each test binary with a line of its own.
fn sum(closing_lines: &[String]) -> String {
    let total = |word: &str| closing_lines.iter().map(|line| count_before(line, word)).sum::<u64>();
    format!(
        "{} passed; {} failed; {} ignored, in {} suites",
        total("passed"),
        total("failed"),
        total("ignored"),
        closing_lines.len()
    )
}

/// The number before a word in a closing line such as `test result: ok. 5 passed; 0 failed; …`.
fn count_before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    words
        .windows(2)
        .find(|pair| pair[1].trim_end_matches(';') == word)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_over_the_suites() {
        let lines = [
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ]
        .map(String::from);

        assert_eq!(sum(&lines), "7 passed; 1 failed; 3 ignored, in 2 suites");
    }
}
