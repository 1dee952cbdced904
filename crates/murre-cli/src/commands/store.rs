//! `murre store`: looking at a store that no broker has open.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use murre_core::log::KeepRules;
use murre_protocol::Timestamp;
use murre_server::config::Config;
use murre_store::{Archive, Report, StoreError, TopicReport};
use serde_json::{Value, json};

use crate::{
    configuration::Flags,
    failure::Failure,
    output::{Align, Output, Table, escape, thousands},
    time::in_calendar,
};

/// Flags of `murre store`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
Examples:
  murre store check ./murre-data
  murre store check ./murre-data --topics
  murre store check ./murre-data --json | jq .damages",
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Verify every checksum of a store, and say what is kept for which topics
    ///
    /// No broker may have the store open. The store stays as it is; the folder has to be writable, since what is
    /// looked at is a mirror in it, which takes as much room as the journal. Exit code 0: all is well; 1: something
    /// is damaged; 2: it can't be looked at.
    Check(Check),
}

#[derive(Debug, clap::Args)]
struct Check {
    /// The store's folder
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// List every topic
    #[arg(long)]
    topics: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Configuration file with the keep rules [default: murre.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Does what was asked for.
///
/// # Errors
/// The store is damaged, or can't be opened.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.action {
        Action::Check(check) => run_check(&check),
    }
}

fn run_check(args: &Check) -> Result<(), Failure> {
    let data = Some(args.path.to_string_lossy().into_owned());
    let flags = Flags { config: args.config.clone(), data, ..Flags::default() };
    let config = flags.load()?.config;
    let archive = open(&args.path, config.keep_rules())?;
    let report = archive.check();
    let mut output = Output::stdout();
    if args.json {
        output.line(as_json(&report, &config, archive.epoch(), args.topics).to_string())?;
    } else {
        let (shards, path) = (archive.shards(), args.path.display());
        output.line(format!("the store in {path}: epoch {}, {shards} shards", archive.epoch()))?;
        for line in as_text(&report, &config, args.topics, &output) {
            output.line(line)?;
        }
    }
    output.flush()?;
    match report.is_good() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("the store in {} is damaged", args.path.display()))),
    }
}

/// Opens a store that no broker has open.
pub(crate) fn open(path: &Path, keep: KeepRules) -> Result<Archive, Failure> {
    if !path.is_dir() {
        return Err(Failure::Usage(format!("there is no folder {}", path.display())));
    }
    Archive::open(path, keep).map_err(opening)
}

/// Why a store could not be opened: what is damaged is a failure, all else is something to do differently.
pub(crate) fn opening(error: StoreError) -> Failure {
    let text = error.to_string();
    match error {
        StoreError::Damaged { .. } | StoreError::Engine { .. } => Failure::Failed(text),
        _ => Failure::Usage(text),
    }
}

fn as_text(report: &Report, config: &Config, topics: bool, output: &Output) -> Vec<String> {
    let mut lines = vec![format!(
        "{} records in {} blocks, {} bytes before compression",
        thousands(report.records),
        thousands(report.blocks),
        thousands(report.bytes)
    )];
    let mut rules = Table::new(&[
        ("rule", Align::Left),
        ("topics", Align::Right),
        ("records", Align::Right),
        ("bytes", Align::Right),
    ]);
    for rule in &report.rules {
        let name = rule_name(rule.rule.map(|rule| rule.0), config);
        rules.row([escape(&name), thousands(rule.topics), thousands(rule.records), thousands(rule.bytes)]);
    }
    lines.push(String::new());
    lines.extend(rules.lines(output.style()));
    if topics {
        lines.push(String::new());
        lines.extend(topics_table(report, config).lines(output.style()));
    }
    lines.push(String::new());
    lines.extend(said_of_damage(report));
    lines
}

fn rule_name(rule: Option<u16>, config: &Config) -> String {
    match rule {
        Some(at) => {
            let filter = config.keep.get(usize::from(at)).map_or("", |rule| rule.filter.as_str());
            format!("keep[{at}] {filter}")
        }
        None => "none: retained values alone stay".to_owned(),
    }
}

fn topics_table(report: &Report, config: &Config) -> Table {
    let mut table = Table::new(&[
        ("topic", Align::Left),
        ("records", Align::Right),
        ("bytes", Align::Right),
        ("first", Align::Left),
        ("last", Align::Left),
        ("kept by", Align::Left),
    ]);
    for (name, topic) in &report.topics {
        let TopicReport { records, bytes, first, last, .. } = *topic;
        table.row([
            escape(name),
            thousands(records),
            thousands(bytes),
            time(first),
            time(last),
            escape(&kept_by(topic, config)),
        ]);
    }
    table
}

fn kept_by(topic: &TopicReport, config: &Config) -> String {
    match (topic.rule, topic.is_retained) {
        (Some(rule), _) => rule_name(Some(rule.0), config),
        (None, true) => "retain".to_owned(),
        (None, false) => "nothing: it waits to be deleted".to_owned(),
    }
}

fn time(time: Timestamp) -> String {
    in_calendar(time).map_or_else(String::new, |time| time.to_string())
}

fn said_of_damage(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for damage in &report.journal {
        let (file, at, bytes) = (damage.file.display(), damage.at, damage.bytes);
        lines.push(match damage.is_in_the_middle {
            true => format!("damaged: {file}, at byte {at}: {bytes} bytes make no sense; a start of the broker takes them out"),
            false => format!(
                "{file}, at byte {at}: {bytes} bytes of a write that was interrupted; nothing acknowledged is in \
                 them, and a start of the broker cuts them off"
            ),
        });
    }
    lines.extend(report.damages.iter().map(|damage| format!("damaged: {damage}")));
    let listed = report.damages.len() as u64;
    if report.damaged > listed {
        lines.push(format!("and {} more", thousands(report.damaged - listed)));
    }
    if report.is_good() {
        lines.push("every checksum is right".to_owned());
    } else {
        let mut advice = String::from("what is damaged is lost; the rest can be read");
        // writing to a String never fails
        let _ = write!(advice, ": keep a copy, then restore a backup, or go on with what is there");
        lines.push(advice);
    }
    lines
}

fn as_json(report: &Report, config: &Config, epoch: &str, topics: bool) -> Value {
    let rules: Vec<Value> = report
        .rules
        .iter()
        .map(|rule| {
            let filter = rule.rule.and_then(|id| config.keep.get(usize::from(id.0))).map(|rule| &rule.filter);
            json!({ "rule": rule.rule.map(|id| id.0), "filter": filter, "topics": rule.topics,
                    "records": rule.records, "bytes": rule.bytes })
        })
        .collect();
    let damages = report
        .damages
        .iter()
        .map(|damage| json!({ "shard": damage.shard, "offset": damage.offset, "what": damage.what }));
    let journal = report.journal.iter().map(|damage| {
        json!({ "file": damage.file, "at": damage.at, "bytes": damage.bytes,
                "is_in_the_middle": damage.is_in_the_middle })
    });
    let mut object = json!({
        "epoch": epoch,
        "is_good": report.is_good(),
        "blocks": report.blocks,
        "records": report.records,
        "bytes": report.bytes,
        "rules": rules,
        "damaged": report.damaged,
        "damages": damages.collect::<Vec<_>>(),
        "journal": journal.collect::<Vec<_>>(),
    });
    if topics {
        let topics = report.topics.iter().map(|(name, topic)| {
            json!({ "topic": name, "rule": topic.rule.map(|id| id.0), "records": topic.records,
                    "bytes": topic.bytes, "first": topic.first.millis(), "last": topic.last.millis(),
                    "is_retained": topic.is_retained })
        });
        object["topics"] = topics.collect();
    }
    object
}
