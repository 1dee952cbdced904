//! Into a new store.

use std::{
    io::BufRead,
    mem,
    path::{Path, PathBuf},
};

use murre_core::log::KeepRules;
use murre_protocol::packet::MessageOptions;
use murre_store::{Import, ImportError, Options};

use super::{Expired, Imported, expiry_left, in_line, lost};
use crate::{
    commands::store::opening,
    configuration::Flags,
    failure::Failure,
    lines::{self, Line, Lines},
    time::now,
};

/// Makes the store. What was put in before a failure stays.
pub(super) fn import(
    path: &Path,
    config: Option<PathBuf>,
    input: Box<dyn BufRead + Send>,
    name: &str,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let data = Some(path.to_string_lossy().into_owned());
    let keep = Flags { config, data, ..Flags::default() }.load()?.config.keep_rules();
    if path.join("FORMAT").exists() {
        let path = path.display();
        return Err(Failure::Usage(format!(
            "{path} has a store already; give another folder, or start a broker with it and import into that"
        )));
    }
    let options = Options { keep: keep.clone(), delete: false, ..Options::default() };
    let mut import = Import::open(path, options).map_err(opening)?;
    let outcome = put_all(&mut import, &keep, input, name, imported);
    let finished = import.finish().map_err(|error| not_written(&error, imported));
    outcome.and(finished)
}

fn put_all(
    import: &mut Import,
    keep: &KeepRules,
    input: Box<dyn BufRead + Send>,
    name: &str,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let (mut scratch, mut unkept) = (Vec::new(), 0);
    for (number, line) in Lines::new(input) {
        let line = line.map_err(|error| in_line(name, number, error))?;
        let mut message = match lines::read(&line, &mut scratch).map_err(|why| in_line(name, number, why))? {
            Line::Message(message) => message,
            Line::Lost(why) => {
                imported.notes.push(lost(name, number, &why));
                continue;
            }
            Line::Blank => continue,
        };
        if expiry_left(&message, now()) == Err(Expired) {
            imported.expired += 1;
            continue;
        }
        let retain = message.options.as_mut().is_some_and(|options| mem::take(&mut options.retain));
        message.options = message.options.filter(|options| **options != MessageOptions::default());
        unkept += u64::from(!retain && keep.of_text(&message.topic).is_none());
        let pushed = import.push(*message, retain);
        pushed.map_err(|error| in_line(name, number, not_written(&error, imported)))?;
        imported.took(number);
    }
    if unkept > 0 {
        imported.notes.push(format!(
            "{unkept} messages have topics without a keep rule: a broker with this configuration deletes them"
        ));
    }
    Ok(())
}

fn not_written(error: &ImportError, imported: &mut Imported) -> Failure {
    imported
        .notes
        .push("the last messages that were counted may be missing: delete the folder and begin anew".into());
    Failure::Failed(error.to_string())
}
