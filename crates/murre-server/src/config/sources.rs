//! Where settings are looked for, and where one was found.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use super::ConfigError;

/// The file that is read where it is present and no other was asked for.
pub const DEFAULT_FILE: &str = "murre.toml";
/// What the environment variables of settings begin with: `MURRE__SERVER__BIND` sets `server.bind`.
pub const VARIABLE_PREFIX: &str = "MURRE__";

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Variable(String),
    /// A flag of the command, such as `--bind`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A setting given by a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FlagSetting {
    pub(super) key: &'static str,
    pub(super) flag: &'static str,
    pub(super) value: String,
}

/// Where settings are looked for beside the defaults. Later calls of a method win over earlier ones, flags over
/// variables, variables over the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    pub(super) file: Option<PathBuf>,
    pub(super) file_required: bool,
    pub(super) variables: Vec<(String, String)>,
    pub(super) flags: Vec<FlagSetting>,
}

impl Sources {
    /// Nothing but the defaults.
    pub fn none() -> Self {
        Self::default()
    }

    /// `murre.toml` in the working directory where it is present, and this process's environment.
    ///
    /// # Errors
    /// A variable that begins with [`VARIABLE_PREFIX`] and is not UTF-8.
    pub fn of_this_process() -> Result<Self, ConfigError> {
        let sources = Self { file: Some(PathBuf::from(DEFAULT_FILE)), ..Self::default() };
        sources.environment(std::env::vars_os())
    }

    /// Takes those of `variables` that begin with [`VARIABLE_PREFIX`]; an empty one counts as not set.
    ///
    /// # Errors
    /// A variable that begins with the prefix and is not UTF-8.
    pub fn environment(
        mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        for (name, value) in variables {
            let name = name.to_string_lossy();
            if !name.starts_with(VARIABLE_PREFIX) {
                continue;
            }
            match value.into_string() {
                Ok(value) => self = self.variable(name, value),
                Err(_) => return Err(ConfigError::VariableNotText { variable: name.into_owned() }),
            }
        }
        Ok(self)
    }

    /// Reads `path`, which has to exist, in place of `murre.toml`.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(path.as_ref().to_owned());
        self.file_required = true;
        self
    }

    /// Adds one environment variable, by its whole name.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Sets `key` (such as `server.bind`) by the flag named `flag` (such as `--bind`).
    pub fn flag(mut self, key: &'static str, flag: &'static str, value: impl Into<String>) -> Self {
        self.flags.push(FlagSetting { key, flag, value: value.into() });
        self
    }
}
