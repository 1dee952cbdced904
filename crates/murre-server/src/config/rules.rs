//! `[[keep]]` and `[[expect]]` in the layers: the keys that are lists of tables. A source sets a whole list or nothing of
//! it.

use config::{FileFormat, Format as _, Map, Value, ValueKind};

use super::{ConfigError, Origin, load::literal, suggest};

/// A list of rules.
#[derive(Debug)]
pub(super) struct List {
    /// Its name.
    pub(super) name: &'static str,
    /// Keys of a rule.
    keys: &'static [&'static str],
    /// Those that a rule must have, with an example.
    needed: &'static [(&'static str, &'static str)],
    /// A rule as a variable has it.
    example: &'static str,
}

/// `[[keep]]`.
pub(super) const KEEP: List = List {
    name: "keep",
    keys: &["filter", "last", "age", "bytes", "durable"],
    needed: &[("filter", "a filter, such as filter = \"site/#\"")],
    example: "{ filter = \"site/#\", last = 100 }",
};

/// `[[expect]]`.
pub(super) const EXPECT: List = List {
    name: "expect",
    keys: &["filter", "every", "grace"],
    needed: &[
        ("filter", "a filter, such as filter = \"site/#\""),
        ("every", "how often topics are heard, such as every = \"10s\""),
    ],
    example: "{ filter = \"site/#\", every = \"10s\" }",
};

/// The list that `key` means: `keep`, and `keep.filter` as someone writes it who takes it for a section.
pub(super) fn meant(key: &str) -> Option<&'static List> {
    let name = key.split('.').next()?;
    [&KEEP, &EXPECT].into_iter().find(|list| list.name == name)
}

impl List {
    /// What a variable has: the list as TOML writes it in one line.
    pub(super) fn of_variable(&self, text: &str) -> Value {
        let file = FileFormat::Toml.parse(None, &format!("{} = {text}", self.name));
        let list = file.ok().filter(|map| map.len() == 1).and_then(|mut map| map.remove(self.name));
        // what is no list in TOML stays a text, and is refused as such
        list.unwrap_or_else(|| Value::from(text))
    }

    /// Checks that the list has tables, and those the keys of rules.
    pub(super) fn check(&self, key: &str, list: &Value, origin: &Origin) -> Result<(), ConfigError> {
        let not_a_list = || {
            let (list, origin, hint) = (self.name, origin.clone(), self.how(origin));
            ConfigError::NotAList { list, origin, hint }
        };
        let ValueKind::Array(rules) = &list.kind else { return Err(not_a_list()) };
        if key != self.name {
            return Err(not_a_list());
        }
        for (at, rule) in rules.iter().enumerate() {
            let ValueKind::Table(rule) = &rule.kind else { return Err(not_a_list()) };
            self.check_rule(at, rule, origin)?;
        }
        Ok(())
    }

    fn check_rule(&self, at: usize, rule: &Map<String, Value>, origin: &Origin) -> Result<(), ConfigError> {
        let mut unknown: Vec<&String> =
            rule.keys().filter(|key| !self.keys.contains(&key.as_str())).collect();
        unknown.sort();
        if let Some(key) = unknown.first() {
            let hint = match suggest::nearest(key, self.keys) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("a rule has {}", self.keys.join(", ")),
            };
            return Err(ConfigError::UnknownKey { key: self.path(at, key), origin: origin.clone(), hint });
        }
        if let Some((_, example)) = self.needed.iter().find(|(key, _)| !rule.contains_key(*key)) {
            return Err(ConfigError::Value {
                key: format!("{}[{at}]", self.name),
                value: literal(&Value::from(rule.clone())),
                origin: origin.clone(),
                expected: format!("expected {example}"),
            });
        }
        Ok(())
    }

    /// How rules are written where `origin` is.
    fn how(&self, origin: &Origin) -> String {
        match origin {
            Origin::Variable(_) => {
                format!("set {}='[{}]', a list of tables in TOML", suggest::variable(self.name), self.example)
            }
            _ => format!("write [[{}]] before each rule, and its keys below it", self.name),
        }
    }

    /// The path of a rule's key; rules are counted from 0.
    pub(super) fn path(&self, at: usize, key: &str) -> String {
        format!("{}[{at}].{key}", self.name)
    }
}

/// Path and value of the key that the layers mean by `words`: `keep[2]age`, with or without a dot between.
pub(super) fn at_path<'a>(list: &'a Value, words: &str) -> Option<(String, &'a Value)> {
    let (name, rest) = words.split_once('[')?;
    let (at, key) = rest.split_once(']')?;
    let (at, key) = (at.parse::<usize>().ok()?, key.trim_start_matches('.'));
    let ValueKind::Array(rules) = &list.kind else { return None };
    Some((meant(name)?.path(at, key), in_rule(rules.get(at)?, key)?))
}

fn in_rule<'a>(rule: &'a Value, key: &str) -> Option<&'a Value> {
    match &rule.kind {
        ValueKind::Table(keys) => keys.get(key),
        _ => None,
    }
}
