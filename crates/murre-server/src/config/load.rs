//! Laying one source over the other.

use std::collections::BTreeMap;

use config::{ConfigError as LayerError, File, FileFormat, Map, Source, Value, ValueKind};

use super::{Config, ConfigError, Origin, Sources, rules, sources::VARIABLE_PREFIX, suggest, validate};

/// A configuration together with where each setting comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration, checked.
    pub config: Config,
    settings: Vec<Setting>,
}

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Section and key: `server.bind`.
    pub key: String,
    /// The value as TOML writes it; none where the key is not set and has no default.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

impl Loaded {
    /// Every setting, section by section, in the order of the keys.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Where the setting `key` (such as `server.bind`) comes from; a key that there is not has its default.
    pub fn origin(&self, key: &str) -> &Origin {
        self.settings
            .iter()
            .find(|setting| setting.key == key)
            .map_or(&Origin::Default, |setting| &setting.origin)
    }
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// The first thing that is wrong, in one line: a file that can't be read, an unknown key, a value that its
    /// key can't have, two values that don't fit together.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        let defaults = flat(&Config::default());
        let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
        let mut layered = Layered::default();
        layered.add(file_layer(sources)?, &known)?;
        layered.add(variable_layer(sources), &known)?;
        layered.add(flag_layer(sources), &known)?;
        let config = layered.merge(&defaults)?;
        let settings = settings(&config, &layered);
        validate::check(&config, &|key| found(&settings, key))?;
        Ok(Loaded { config, settings })
    }
}

/// What one source sets: a value, and where it was found, for each `section.key`.
type Layer = Vec<(String, Value, Origin)>;

/// What all sources set, the last of each key.
#[derive(Default)]
struct Layered(BTreeMap<String, (Value, Origin)>);

impl Layered {
    fn add(&mut self, layer: Layer, known: &[&str]) -> Result<(), ConfigError> {
        for (key, value, origin) in layer {
            if let Some(list) = rules::meant(&key) {
                list.check(&key, &value, &origin)?;
            }
            if is_empty_section(&key, &value, known) {
                continue;
            }
            if !known.contains(&key.as_str()) {
                return Err(unknown(key, origin, known));
            }
            self.0.insert(key, (value, origin));
        }
        Ok(())
    }

    fn merge(&self, defaults: &BTreeMap<String, Value>) -> Result<Config, ConfigError> {
        let build = || {
            let mut builder = config::Config::builder();
            for (key, value) in defaults {
                builder = builder.set_default(key, value.clone())?;
            }
            for (key, (value, _)) in &self.0 {
                builder = builder.set_override(key, value.clone())?;
            }
            builder.build()?.try_deserialize::<Config>()
        };
        build().map_err(|error| self.explain(&error))
    }

    /// Puts key, value and origin before what the layers say is wrong.
    fn explain(&self, error: &LayerError) -> ConfigError {
        let (path, expected) = match error {
            LayerError::At { key, error, .. } => (key.as_deref(), plain(error)),
            LayerError::Type { key, .. } => (key.as_deref(), plain(error)),
            _ => (None, plain(error)),
        };
        // Of an item in a list the error names the index too.
        let path = path.unwrap_or_default();
        let key = path.split('[').next().unwrap_or(path);
        let Some((value, origin)) = self.0.get(key) else {
            let (key, value) = (key.to_owned(), "?".to_owned());
            return ConfigError::Value { key, value, origin: Origin::Default, expected };
        };
        let (key, value) = rules::at_path(value, path).unwrap_or_else(|| (key.to_owned(), value));
        ConfigError::Value { key, value: literal(value), origin: origin.clone(), expected }
    }
}

/// What is expected, without serde's words for what was found: the value itself is shown.
fn plain(error: &LayerError) -> String {
    let text = match error {
        LayerError::Type { expected, .. } => return format!("expected {expected}"),
        LayerError::At { error, .. } => return plain(error),
        other => other.to_string(),
    };
    match text.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid type") => format!("expected {expected}"),
        _ => text,
    }
}

fn is_section(name: &str, known: &[&str]) -> bool {
    known.iter().any(|key| key.split('.').next() == Some(name))
}

fn is_empty_section(key: &str, value: &Value, known: &[&str]) -> bool {
    matches!(&value.kind, ValueKind::Table(keys) if keys.is_empty()) && is_section(key, known)
}

fn unknown(key: String, origin: Origin, known: &[&str]) -> ConfigError {
    if is_section(&key, known) {
        return ConfigError::NotASection { section: key, origin };
    }
    let hint = suggest::hint(&key, known, &origin);
    let key = match &origin {
        Origin::Variable(name) => name.clone(),
        _ => key,
    };
    ConfigError::UnknownKey { key, origin, hint }
}

fn file_layer(sources: &Sources) -> Result<Layer, ConfigError> {
    let Some(path) = &sources.file else { return Ok(Layer::new()) };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !sources.file_required => {
            return Ok(Layer::new());
        }
        Err(error) => return Err(ConfigError::Unreadable { path: path.clone(), why: error.to_string() }),
    };
    let map = File::from_str(&text, FileFormat::Toml)
        .collect()
        .map_err(|error| ConfigError::Syntax { path: path.clone(), why: one_line(&error.to_string()) })?;
    Ok(flatten(map).into_iter().map(|(key, value)| (key, value, Origin::File(path.clone()))).collect())
}

/// TOML's errors draw the line in question between what they say first and last.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => {
            format!("{}: {}", first.trim().trim_start_matches("TOML parse error "), last.trim())
        }
        (first, _) => first.unwrap_or_default().to_owned(),
    }
}

fn variable_layer(sources: &Sources) -> Layer {
    let set = sources.variables.iter().filter(|(_, value)| !value.trim().is_empty());
    set.map(|(name, value)| {
        let key = name.trim_start_matches(VARIABLE_PREFIX).to_lowercase().replace("__", ".");
        let list = rules::meant(&key).filter(|list| list.name == key);
        let value = list.map_or_else(|| Value::from(value.as_str()), |list| list.of_variable(value));
        (key, value, Origin::Variable(name.clone()))
    })
    .collect()
}

fn flag_layer(sources: &Sources) -> Layer {
    let flags = sources.flags.iter();
    flags
        .map(|flag| (flag.key.to_owned(), Value::from(flag.value.as_str()), Origin::Flag(flag.flag)))
        .collect()
}

/// `section.key` and value for everything in `map`; what stands outside of a section keeps its bare name.
///
/// In the order of the keys, so that of two mistakes always the same one is reported.
fn flatten(map: Map<String, Value>) -> BTreeMap<String, Value> {
    let in_section = |(section, value): (String, Value)| match value.kind {
        ValueKind::Table(keys) if !keys.is_empty() => {
            keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)).collect()
        }
        // An empty section sets nothing, but its name may still be wrong.
        kind => vec![(section, Value::new(None, kind))],
    };
    map.into_iter().flat_map(in_section).collect()
}

/// `config` as the layers have it. It is made of plain values, which always have such a form. (By way of JSON, since
/// the layers' own serializer leaves out an empty list.)
fn flat(config: &Config) -> BTreeMap<String, Value> {
    serde_json::to_value(config).and_then(serde_json::from_value).map(flatten).unwrap_or_default()
}

fn settings(config: &Config, layered: &Layered) -> Vec<Setting> {
    let setting = |(key, value): (String, Value)| {
        let origin = layered.0.get(&key).map_or(Origin::Default, |(_, origin)| origin.clone());
        let value = (!matches!(value.kind, ValueKind::Nil)).then(|| literal(&value));
        Setting { key, value, origin }
    };
    flat(config).into_iter().map(setting).collect()
}

fn found(settings: &[Setting], key: &str) -> (String, Origin) {
    let setting = settings.iter().find(|setting| setting.key == key);
    let value = setting.and_then(|setting| setting.value.clone());
    (value.unwrap_or_default(), setting.map_or(Origin::Default, |setting| setting.origin.clone()))
}

/// The value as TOML writes it.
pub(super) fn literal(value: &Value) -> String {
    match &value.kind {
        // JSON's strings are TOML's basic strings.
        ValueKind::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        ValueKind::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        ValueKind::Table(keys) => {
            let mut pairs: Vec<String> =
                keys.iter().map(|(key, value)| format!("{key} = {}", literal(value))).collect();
            pairs.sort();
            format!("{{ {} }}", pairs.join(", "))
        }
        _ => value.to_string(),
    }
}
