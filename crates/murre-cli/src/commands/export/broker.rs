//! From a running broker, an answer of `/history` after the other.

use std::io::BufRead;

use murre_protocol::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Exported, Wanted};
use crate::{failure::Failure, http::Http, lines::MESSAGE_START, output::Output};

/// Behind the messages of an answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Lost { lost: String },
    Next { after: String },
}

/// Writes the messages, following the cursor.
pub(super) fn export(
    url: &str,
    wanted: &Wanted,
    output: &mut Output,
    exported: &mut Exported,
) -> Result<(), Failure> {
    let http = Http::of(url)?;
    let mut after = None;
    loop {
        let mut answer = http.get(&path(wanted, after.as_deref()), "application/x-ndjson")?;
        after = copy(&mut answer, output, exported)?;
        output.flush()?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Times are told as such, since how long ago they were changes from answer to answer.
fn path(wanted: &Wanted, after: Option<&str>) -> String {
    let millis = |time: Option<Timestamp>| time.map(|time| time.millis().to_string());
    let parameters = [
        ("filter", Some(wanted.filter.as_str().to_owned())),
        ("since", millis(wanted.since)),
        ("until", millis(wanted.until)),
        ("after", after.map(str::to_owned)),
    ];
    let mut path = format!("/history?limit={}", wanted.limit);
    for (name, value) in parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        path.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    }
    path
}

/// Copies an answer; gives the cursor that it ends with.
fn copy(
    answer: &mut impl BufRead,
    output: &mut Output,
    exported: &mut Exported,
) -> Result<Option<String>, Failure> {
    let mut line = String::new();
    let mut next = None;
    loop {
        line.clear();
        let cut = |error| Failure::Failed(format!("the broker's answer was cut: {error}"));
        if answer.read_line(&mut line).map_err(cut)? == 0 {
            return Ok(next);
        }
        let line = line.trim_end();
        if line.starts_with(MESSAGE_START) {
            output.line(line)?;
            exported.messages += 1;
            continue;
        }
        match serde_json::from_str(line) {
            Ok(Said::Next { after }) => next = Some(after),
            Ok(Said::Lost { lost }) => lose(&lost, exported),
            Err(error) => return Err(Failure::Failed(format!("the answer makes no sense: {error}"))),
        }
    }
}

fn lose(why: &str, exported: &mut Exported) {
    match why {
        "kept" | "expired" | "limit" => exported.note(format!(
            "messages that were there when it began are not in the export: the broker let them go meanwhile ({why})"
        )),
        _ => exported.incomplete = Some(format!("messages are missing: the broker could not read them ({why})")),
    }
}
