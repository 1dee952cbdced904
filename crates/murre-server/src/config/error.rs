//! What can be wrong with a configuration, in one line each.

use std::path::PathBuf;

use super::Origin;

/// Why a configuration can't be used. Every message is one line that names the key, the value, where it comes from
/// and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file that was asked for isn't there, or can't be read.
    #[error("{path}: cannot read the configuration file: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The file isn't TOML.
    #[error("{path}: not valid TOML: {why}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        why: String,
    },
    /// A variable of Murre's that is not UTF-8.
    #[error("variable {variable}: the value is not UTF-8; set it to plain text")]
    VariableNotText {
        /// The variable's name.
        variable: String,
    },
    /// A section's name with something else than keys in it.
    #[error("{origin}: {section} is a section; write [{section}] and its keys below it")]
    NotASection {
        /// The section.
        section: String,
        /// Where it was found.
        origin: Origin,
    },
    /// The name of the list of rules with something else than rules in it.
    #[error("{origin}: {list} is a list of rules; {hint}")]
    NotAList {
        /// The list.
        list: &'static str,
        /// Where it was found.
        origin: Origin,
        /// How rules are written there.
        hint: String,
    },
    /// A key that there is not.
    #[error("{origin}: unknown key {key}; {hint}")]
    UnknownKey {
        /// The key as it was found.
        key: String,
        /// Where it was found.
        origin: Origin,
        /// The nearest known key, or where all are listed.
        hint: String,
    },
    /// A value that the key can't have.
    #[error("{key} = {value} ({origin}): {expected}")]
    Value {
        /// The key.
        key: String,
        /// The value, as TOML writes it.
        value: String,
        /// Where it was found.
        origin: Origin,
        /// What the key can have.
        expected: String,
    },
}
