//! The engine's write-ahead journal, read with our own eyes before the engine opens it.
//!
//! The engine stops reading a journal at the first thing that it doesn't understand, and throws the rest away; where
//! a batch's checksum is wrong, it doesn't open at all. The first loses what was acknowledged behind a damaged byte,
//! the second is what a power failure in the midst of a write may well leave behind. So we look first: a torn end is
//! cut off, a damaged batch in the middle is taken out, and both are reported.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use scan::Scan;

mod scan;

/// What was found in a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalDamage {
    /// The journal.
    pub file: PathBuf,
    /// Where the damage begins, in bytes from the file's start.
    pub at: u64,
    /// How many bytes are of no use.
    pub bytes: u64,
    /// Whether whole batches follow: if not, it is what a write leaves that was interrupted.
    pub is_in_the_middle: bool,
}

/// Whether a file of an engine is a journal, by its name.
pub(crate) fn is_journal(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "jnl")
}

/// The journals of an engine, the newest last.
fn journals(engine: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(engine)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let (true, Some(number)) = (is_journal(&path), number) {
            journals.push((number, path));
        }
    }
    journals.sort_unstable();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// Takes damage out, so that the engine opens and finds everything that is whole.
pub(crate) fn repair(engine: &Path) -> io::Result<Vec<JournalDamage>> {
    let mut damages = Vec::new();
    for file in journals(engine)? {
        let bytes = fs::read(&file)?;
        let scan = Scan::new(&bytes);
        let found = damage_of(&file, &scan);
        if !found.is_empty() || scan.batches.iter().any(|batch| batch.is_renumbered) {
            replace(&file, &bytes, &scan, u64::MAX)?;
        }
        damages.extend(found);
    }
    for damage in &damages {
        let JournalDamage { file, at, bytes, is_in_the_middle } = damage;
        let file = file.display();
        if *is_in_the_middle {
            tracing::error!(%file, at, bytes, "the store's journal is damaged; what was written there is lost");
        } else {
            tracing::warn!(%file, at, bytes, "the store's journal ends in a write that was interrupted; it is cut off");
        }
    }
    Ok(damages)
}

/// Writes what is whole of each journal into another directory, and says what isn't.
pub(crate) fn copy_whole(engine: &Path, to: &Path) -> io::Result<Vec<JournalDamage>> {
    let mut damages = Vec::new();
    for file in journals(engine)? {
        let (bytes, target) = (fs::read(&file)?, file.file_name().map(|name| to.join(name)));
        let scan = Scan::new(&bytes);
        target.map_or(Ok(()), |target| replace(&target, &bytes, &scan, u64::MAX))?;
        damages.extend(damage_of(&file, &scan));
    }
    Ok(damages)
}

fn damage_of(file: &Path, scan: &Scan) -> Vec<JournalDamage> {
    let damages = scan.damages.iter().map(|range| JournalDamage {
        file: file.into(),
        at: range.start as u64,
        bytes: range.len() as u64,
        is_in_the_middle: scan.batches.last().is_some_and(|batch| batch.range.start >= range.end),
    });
    damages.collect()
}

/// Cuts the newest journal behind its last batch with a number below `end`.
pub(crate) fn cut(engine: &Path, end: u64) -> io::Result<()> {
    let Some(file) = journals(engine)?.pop() else { return Ok(()) };
    let scan = Scan::new(&fs::read(&file)?);
    let keeps = scan.batches.iter().take_while(|batch| batch.number < end).last();
    let file = File::options().write(true).open(file)?;
    file.set_len(keeps.map_or(0, |batch| batch.range.end as u64))?;
    file.sync_all()
}

/// Writes the newest journal into a new file: its batches with numbers below `end`.
pub(crate) fn rewrite(engine: &Path, end: u64) -> io::Result<()> {
    // older ones were synced before the newest was begun, or it would not have been
    let Some(file) = journals(engine)?.pop() else { return Ok(()) };
    let bytes = fs::read(&file)?;
    replace(&file, &bytes, &Scan::new(&bytes), end)
}

/// Puts a new file in a journal's place, in one step, with the whole batches below `end`.
fn replace(file: &Path, bytes: &[u8], scan: &Scan, end: u64) -> io::Result<()> {
    let new = file.with_extension("new");
    let write = || {
        let mut out = io::BufWriter::new(File::create(&new)?);
        for batch in scan.batches.iter().filter(|batch| batch.number < end) {
            let bytes = bytes.get(batch.range.clone()).unwrap_or_default();
            let (head, items) = bytes.split_at_checked(scan::HEAD).unwrap_or_default();
            out.write_all(head.get(..scan::HEAD - 8).unwrap_or_default())?;
            out.write_all(&batch.number.to_le_bytes())?;
            out.write_all(items)?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&new, file)?;
        file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().inspect_err(|_| {
        // it may be what there is no room for
        let _ = fs::remove_file(&new);
    })
}
