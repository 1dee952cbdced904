//! Source files: their length, the length of functions, unfinished places, and what the core must not know.

use super::Finding;
use super::files::File;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const SOURCE: [&str; 8] = ["rs", "ts", "js", "mjs", "py", "html", "css", "sh"];

/// What makes a core that has no clock, no socket, no random source and no web server, by what would break it.
const FORBIDDEN_IN_CORE: [(&str, &str); 11] = [
    ("actix_web", "the core knows no web server"),
    ("actix_http", "the core knows no web server"),
    ("tokio::net", "the core has no sockets"),
    ("std::net", "the core has no sockets"),
    ("SystemTime", "the core has no clock: the time comes in as an argument"),
    ("Instant", "the core has no clock: the time comes in as an argument"),
    ("rand::", "the core has no random source: randomness comes in as an argument"),
    ("fastrand::", "the core has no random source: randomness comes in as an argument"),
    ("getrandom::", "the core has no random source: randomness comes in as an argument"),
    ("std::thread", "the core starts no thread"),
    ("actix::", "only the actor shell knows actix"),
];
/// The one place in the core that may know actix: `actor.rs`, or the modules of a folder `actor`.
const ACTOR_SHELL: &str = "crates/murre-core/src/actor";
/// Seeded randomness drives the simulation.
const SIMULATION: &str = "crates/murre-core/src/testing";

pub(super) fn check(file: &File, findings: &mut Vec<Finding>) {
    if !file.has_extension(&SOURCE) {
        return;
    }
    check_length(file, findings);
    if file.has_extension(&["rs"]) {
        check_functions(file, findings);
        check_unfinished(file, findings);
        check_layout(file, findings);
        check_core(file, findings);
    }
}

fn check_length(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        let problem = format!("{lines} lines, at most {FILE_LINES_MAX}: look for the second idea in it");
        findings.push(Finding::new(file, 0, problem));
    }
}

/// By indentation, which rustfmt makes reliable: a function ends at the first `}` as far left as its `fn`.
fn check_functions(file: &File, findings: &mut Vec<Finding>) {
    let lines: Vec<&str> = file.text.lines().collect();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let indentation = &line[..line.len() - line.trim_start().len()];
        let end = lines[start..].iter().position(|line| {
            line.strip_prefix(indentation).is_some_and(|rest| rest.starts_with('}') || rest == ";")
        });
        // Without a body of its own line there is nothing to measure: `fn a() -> u8;` or `fn a() {}`.
        if line.ends_with(';') || line.ends_with('}') {
            continue;
        }
        let length = end.map_or(0, |end| end + 1);
        if length > FUNCTION_LINES_MAX {
            let problem = format!(
                "a function of {length} lines, at most {FUNCTION_LINES_MAX}: it does more than one thing"
            );
            findings.push(Finding::new(file, start + 1, problem));
        }
    }
}

fn begins_function(line: &str) -> bool {
    let mut words = line.trim_start().split(' ');
    words.by_ref().find(|word| {
        !matches!(*word, "pub" | "pub(crate)" | "pub(super)" | "const" | "async" | "extern" | "default")
    }) == Some("fn")
}

fn check_unfinished(file: &File, findings: &mut Vec<Finding>) {
    // Put together, so that this file doesn't find itself.
    let words =
        [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("TO", "DO"), concat!("FIX", "ME")];
    for (number, line) in file.lines() {
        if let Some(word) = words.iter().find(|word| line.contains(**word)) {
            findings.push(Finding::new(file, number, format!("{word} is an unfinished place")));
        }
    }
}

/// Every library of the project begins with a map of its modules.
fn check_layout(file: &File, findings: &mut Vec<Finding>) {
    let is_crate = file.path.starts_with("crates/") || file.path == "tests/src/lib.rs";
    if !is_crate || !file.path.ends_with("/src/lib.rs") {
        return;
    }
    let map: String = file.text.lines().filter(|line| line.starts_with("//!")).collect();
    if !map.contains("# Layout") {
        findings.push(Finding::new(
            file,
            1,
            "lib.rs must begin with a map of its modules under \"# Layout\"",
        ));
        return;
    }
    let mut line_before = "";
    for (number, line) in file.lines() {
        let is_test = std::mem::replace(&mut line_before, line).trim() == "#[cfg(test)]";
        let declared = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        if let Some(module) = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
            && !is_test
            && !map.contains(&format!("`{module}`"))
        {
            findings.push(Finding::new(
                file,
                number,
                format!("the map under \"# Layout\" leaves out `{module}`"),
            ));
        }
    }
}

fn check_core(file: &File, findings: &mut Vec<Finding>) {
    if !file.path.starts_with("crates/murre-core/src/") {
        return;
    }
    for (number, line) in file.lines().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for (word, why) in FORBIDDEN_IN_CORE {
            let is_allowed = (word == "actix::" && file.path.starts_with(ACTOR_SHELL))
                || (word.ends_with("rand::") && file.path.starts_with(SIMULATION));
            if !is_allowed && has_word(line, word) {
                findings.push(Finding::new(file, number, format!("{word} in the core: {why}")));
            }
        }
    }
}

/// Whether the word stands in the line and not as the tail or head of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    line.match_indices(word).any(|(start, _)| {
        let before = start.checked_sub(1).and_then(|index| line.as_bytes().get(index));
        let after = line.as_bytes().get(start + word.len());
        !is_name(before) && (word.ends_with(':') || !is_name(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&File { path: path.into(), text: text.into() }, &mut findings);
        findings.into_iter().map(|finding| format!("{}: {}", finding.line, finding.problem)).collect()
    }

    #[test]
    fn a_clock_in_the_core_is_found() {
        let found =
            findings("crates/murre-core/src/hub.rs", "use std::time::Duration;\nlet now = Instant::now();\n");

        assert_eq!(
            found,
            ["2: Instant in the core: the core has no clock: the time comes in as an argument"]
        );
    }

    #[test]
    fn only_the_actor_shell_may_know_actix() {
        let text = "use actix::Actor;\n";

        assert_eq!(findings("crates/murre-core/src/actor.rs", text), [""; 0]);
        assert_eq!(findings("crates/murre-core/src/hub.rs", text).len(), 1);
    }

    #[test]
    fn a_long_function_is_found_and_a_short_one_is_not() {
        let body = |lines: usize| format!("fn f() {{\n{}}}\nfn g() {{}}\n", "    step();\n".repeat(lines));

        assert_eq!(findings("xtask/src/a.rs", &body(68)), [""; 0]);
        assert_eq!(findings("xtask/src/a.rs", &body(69)).len(), 1);
    }

    #[test]
    fn a_module_that_the_map_leaves_out_is_found() {
        let text = "//! # Layout\n//! | [`hub`] | delivery |\npub mod hub;\nmod outbox;\n";

        let found = findings("crates/murre-core/src/lib.rs", text);

        assert_eq!(found, ["4: the map under \"# Layout\" leaves out `outbox`"]);
    }

    #[test]
    fn an_unfinished_place_is_found() {
        let text = format!("fn f() {{\n    {}\n}}\n", concat!("todo", "!()"));

        assert_eq!(findings("xtask/src/a.rs", &text).len(), 1);
    }
}
