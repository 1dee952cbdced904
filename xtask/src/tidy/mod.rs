//! `cargo xtask tidy`: what the repository itself must keep to, so that nobody has to say it in a review.

mod code;
mod docs;
mod files;

use anyhow::{Result, bail};

use crate::shell;

/// One thing that is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// From the repository's root.
    path: String,
    /// From 1; 0: the file as a whole.
    line: usize,
    problem: String,
}

impl Finding {
    fn new(file: &files::File, line: usize, problem: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, problem: problem.into() }
    }
}

/// Checks everything and shows all that is wrong.
pub(crate) fn run() -> Result<()> {
    let root = shell::root();
    let files = files::all(&root)?;
    let mut findings = Vec::new();
    for file in &files {
        code::check(file, &mut findings);
        docs::check(file, &root, &mut findings);
    }
    for Finding { path, line, problem } in &findings {
        match line {
            0 => println!("{path}: {problem}"),
            _ => println!("{path}:{line}: {problem}"),
        }
    }
    if findings.is_empty() {
        println!("tidy: {} files, nothing to say", files.len());
        return Ok(());
    }
    bail!("tidy: {} findings in {} files", findings.len(), files.len())
}
