//! Documents: what they link to or name by path is there.

use std::path::Path;

use super::Finding;
use super::files::File;

/// Where paths named in a document begin.
const FOLDERS: [&str; 6] = ["crates/", "examples/", "tests/", "docs/", "xtask/", "clients/"];
const EXTENSIONS: [&str; 10] =
    [".rs", ".md", ".toml", ".js", ".mjs", ".py", ".html", ".css", ".json", ".svg"];

pub(super) fn check(file: &File, root: &Path, findings: &mut Vec<Finding>) {
    if !file.has_extension(&["md"]) {
        return;
    }
    let folder = root.join(&file.path).parent().unwrap_or(root).to_owned();
    for (number, line) in file.lines() {
        for target in links(line).filter(|target| !folder.join(target).exists()) {
            findings.push(Finding::new(file, number, format!("links to {target}, which isn't there")));
        }
        for path in named_paths(line).filter(|path| !root.join(path).exists()) {
            findings.push(Finding::new(file, number, format!("names {path}, which isn't there")));
        }
    }
}

/// The files that a line of Markdown links to, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

/// Paths of files in the repository that a line names, such as `crates/murre-core/src/outbox.rs`.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !(character.is_ascii_alphanumeric() || "/._-*…<>{}".contains(character)))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| EXTENSIONS.iter().any(|extension| word.ends_with(extension)))
        .filter(|word| !word.contains(['*', '…', '<', '{']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_without_anchors_and_other_hosts() {
        let line = "See [one](a.md#part), [two](https://example.org/b.md) and [here](#below).";

        assert_eq!(links(line).collect::<Vec<_>>(), ["a.md"]);
    }

    #[test]
    fn paths_named_in_the_text_are_found() {
        let line = "`crates/murre-core/src/outbox.rs`, tests/node/*.mjs and crates/x/src/lib.rs.";

        let found: Vec<_> = named_paths(line).collect();

        assert_eq!(found, ["crates/murre-core/src/outbox.rs", "crates/x/src/lib.rs"]);
    }
}
