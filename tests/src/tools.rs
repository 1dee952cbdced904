//! Commands that end by themselves, and what they said.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::{
    Broker,
    broker::{command, output},
};

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// What it said to people.
    pub said: String,
}

impl Ran {
    /// Standard output as JSON objects, a line each.
    pub fn objects(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{}", self.said);
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            said: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Runs `murre` in a folder.
pub fn murre(folder: &Path, arguments: &[&str]) -> Ran {
    output(command(arguments).current_dir(folder)).into()
}

impl Broker {
    /// Runs `murre` with this as its broker.
    pub fn murre(&self, folder: &Path, arguments: &[&str]) -> Ran {
        output(command(arguments).current_dir(folder).env("MURRE_BROKER", self.ws())).into()
    }
}
