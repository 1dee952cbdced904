//! `[[keep]]` in the layers: the one key that is a list of tables. A source sets the whole list or nothing of it.

use config::{FileFormat, Format as _, Map, Value, ValueKind};

use super::{ConfigError, Origin, load::literal, suggest};

/// The list's name.
pub(super) const KEEP: &str = "keep";
/// Keys of a rule.
const KEYS: [&str; 5] = ["filter", "last", "age", "bytes", "durable"];

/// What a variable has: the list as TOML writes it in one line.
pub(super) fn of_variable(text: &str) -> Value {
    let file = FileFormat::Toml.parse(None, &format!("{KEEP} = {text}"));
    let list = file.ok().filter(|map| map.len() == 1).and_then(|mut map| map.remove(KEEP));
    // what is no list in TOML stays a text, and is refused as such
    list.unwrap_or_else(|| Value::from(text))
}

/// Whether `key` means the list: `keep`, and `keep.filter` as someone writes it who takes it for a section.
pub(super) fn is_meant(key: &str) -> bool {
    key.split('.').next() == Some(KEEP)
}

/// Checks that the list has tables, and those the keys of rules.
pub(super) fn check(key: &str, list: &Value, origin: &Origin) -> Result<(), ConfigError> {
    let not_a_list = || ConfigError::NotAList { origin: origin.clone(), hint: how(origin) };
    let ValueKind::Array(rules) = &list.kind else { return Err(not_a_list()) };
    if key != KEEP {
        return Err(not_a_list());
    }
    for (at, rule) in rules.iter().enumerate() {
        let ValueKind::Table(rule) = &rule.kind else { return Err(not_a_list()) };
        check_rule(at, rule, origin)?;
    }
    Ok(())
}

fn check_rule(at: usize, rule: &Map<String, Value>, origin: &Origin) -> Result<(), ConfigError> {
    let mut unknown: Vec<&String> = rule.keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
    unknown.sort();
    if let Some(key) = unknown.first() {
        let hint = match suggest::nearest(key, &KEYS) {
            Some(known) => format!("did you mean {known}?"),
            None => format!("a rule has {}", KEYS.join(", ")),
        };
        return Err(ConfigError::UnknownKey { key: path(at, key), origin: origin.clone(), hint });
    }
    if !rule.contains_key("filter") {
        return Err(ConfigError::Value {
            key: format!("{KEEP}[{at}]"),
            value: literal(&Value::from(rule.clone())),
            origin: origin.clone(),
            expected: "expected a filter, such as filter = \"site/#\"".to_owned(),
        });
    }
    Ok(())
}

/// How rules are written where `origin` is.
fn how(origin: &Origin) -> String {
    match origin {
        Origin::Variable(_) => format!(
            "set {}='[{{ filter = \"site/#\", last = 100 }}]', a list of tables in TOML",
            suggest::variable(KEEP)
        ),
        _ => "write [[keep]] before each rule, and its keys below it".to_owned(),
    }
}

/// Path and value of the key that the layers mean by `words`: `keep[2]age`, with or without a dot between.
pub(super) fn at_path<'a>(list: &'a Value, words: &str) -> Option<(String, &'a Value)> {
    let (at, key) = words.strip_prefix(KEEP)?.strip_prefix('[')?.split_once(']')?;
    let (at, key) = (at.parse::<usize>().ok()?, key.trim_start_matches('.'));
    let ValueKind::Array(rules) = &list.kind else { return None };
    Some((path(at, key), in_rule(rules.get(at)?, key)?))
}

/// The path of a rule's key; rules are counted from 0.
pub(super) fn path(at: usize, key: &str) -> String {
    format!("{KEEP}[{at}].{key}")
}

fn in_rule<'a>(rule: &'a Value, key: &str) -> Option<&'a Value> {
    match &rule.kind {
        ValueKind::Table(keys) => keys.get(key),
        _ => None,
    }
}
