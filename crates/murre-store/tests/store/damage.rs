//! What a store makes of files that are cut or damaged, and of directories that aren't its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use murre_core::log::{Lost, ReadFrom};
use murre_store::StoreError;
use tempfile::TempDir;

use crate::harness::{BEGINNING, Publish, World, copy_all, files, keep_all, open, options};

/// A store whose last batches are the last that stand in its journal, and where they begin there.
struct Written {
    world: World,
    journal: Vec<u8>,
    ends: Vec<usize>,
}

fn journal_of(dir: &Path) -> PathBuf {
    files(dir).into_iter().find(|file| file.extension().is_some_and(|extension| extension == "jnl")).unwrap()
}

/// The journal without the zeros behind it.
fn read_journal(dir: &Path) -> Vec<u8> {
    let mut bytes = fs::read(journal_of(dir)).unwrap();
    bytes.truncate(bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count());
    bytes
}

fn written(payloads: &[&str]) -> Written {
    let mut world = World::new(options(&[keep_all("#")]));
    let mut ends = vec![read_journal(world.path()).len()];
    for payload in payloads {
        world.publish(&[Publish::new("topic", payload)]);
        ends.push(read_journal(world.path()).len());
    }
    let journal = read_journal(world.path());
    Written { world, journal, ends }
}

impl Written {
    /// Opens a copy that has these bytes as its journal.
    fn with_journal(&self, journal: &[u8]) -> World {
        let copy = TempDir::new().unwrap();
        for file in files(self.world.path()) {
            let target = copy.path().join(file.strip_prefix(self.world.path()).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            if file == journal_of(self.world.path()) {
                fs::write(target, journal).unwrap();
            } else {
                fs::copy(&file, target).unwrap();
            }
        }
        World::at(copy, self.world.options.clone())
    }
}

#[test]
fn a_journal_cut_at_any_byte_keeps_what_is_whole() {
    let payloads = ["one", "two", "three"];
    let written = written(&payloads);
    for cut in written.ends[1]..=written.journal.len() {
        let mut world = written.with_journal(&written.journal[..cut]);
        let whole = written.ends[1..].iter().filter(|end| **end <= cut).count();
        assert_eq!(world.payloads("#", BEGINNING), payloads[..whole], "cut at {cut}");
        let is_torn = !written.ends.contains(&cut);
        assert_eq!(world.opened.journal.len(), usize::from(is_torn), "cut at {cut}");
        assert!(world.opened.journal.iter().all(|damage| !damage.is_in_the_middle));
        world.publish(&[Publish::new("topic", "goes on")]);
    }
}

#[test]
fn a_damaged_byte_costs_its_own_batch_and_is_reported() {
    let written = written(&["one", "two", "three"]);
    // the engine's number of a batch is behind a byte and four of a count, and is repaired
    let number = written.ends[1] + 5..written.ends[1] + 13;
    for at in (written.ends[1]..written.ends[2]).filter(|at| !number.contains(at)) {
        let mut journal = written.journal.clone();
        journal[at] ^= 1 << (at % 8);
        let mut world = written.with_journal(&journal);
        let (read, lost) = world.read_slices(0, "#", BEGINNING, 1000);
        let payloads: Vec<_> = read.iter().map(|got| got.payload.as_str()).collect();
        assert_eq!((payloads, lost), (vec!["one", "three"], Some(Lost::Crash)), "byte {at}");
        let damage = &world.opened.journal[0];
        assert!(damage.is_in_the_middle && damage.at == written.ends[1] as u64, "{damage:?}");
    }
}

#[test]
fn a_damaged_number_costs_nothing() {
    let written = written(&["one", "two", "three"]);
    for batch in 0..3 {
        for at in written.ends[batch] + 5..written.ends[batch] + 13 {
            let mut journal = written.journal.clone();
            journal[at] ^= 1 << (at % 8);
            let mut world = written.with_journal(&journal);
            assert_eq!(world.payloads("#", BEGINNING), ["one", "two", "three"], "byte {at}");
            world.publish(&[Publish::new("topic", "four")]);
            assert_eq!(
                world.restart().payloads("#", BEGINNING),
                ["one", "two", "three", "four"],
                "byte {at}"
            );
        }
    }
}

#[test]
fn damaged_tables_are_reported_and_the_rest_is_read() {
    let mut world = World::new(options(&[keep_all("#")]));
    for batch in 0..20 {
        world.publish_many(&["a", "b"], batch * 100, 100);
    }
    world.store().flush().unwrap();
    let whole = world.read("#", BEGINNING);
    let dir = world.restart().has_ended();
    let blobs = files(dir.path()).into_iter().find(|file| file.to_string_lossy().contains("blobs/")).unwrap();
    let mut bytes = fs::read(&blobs).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&blobs, bytes).unwrap();
    let mut world = World::at(dir, options(&[keep_all("#")]));
    let (read, lost) = world.read_slices(0, "#", BEGINNING, 10_000);
    assert!(matches!(lost, Some(Lost::Damaged | Lost::Crash)), "{lost:?}");
    assert!(read.len() < whole.len() && read.len() > whole.len() / 2, "{}", read.len());
    assert!(read.iter().all(|got| whole.contains(got)));
    assert!(world.store().stats().damaged > 0);
    assert_eq!(world.read("a", ReadFrom::LastN(3)).len(), 3);
}

#[test]
fn a_store_that_is_in_use_is_refused() {
    let world = World::new(options(&[]));
    let error = open(world.path(), &world.options).err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("stop that one first"));
}

#[test]
fn a_store_of_a_later_format_is_refused() {
    let dir = World::new(options(&[])).has_ended();
    fs::write(dir.path().join("FORMAT"), "murre-store 2\n").unwrap();
    let error = open(dir.path(), &options(&[])).err().unwrap();
    assert!(matches!(error, StoreError::LaterFormat { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_directory_with_other_files_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("thesis.tex"), "mine").unwrap();
    let error = open(dir.path(), &options(&[])).err().unwrap();
    assert!(matches!(error, StoreError::NoStore { .. }), "{error}");
    assert_eq!(fs::read(dir.path().join("thesis.tex")).unwrap(), b"mine");
}

#[test]
fn a_store_that_was_never_finished_is_made_anew() {
    let dir = World::new(options(&[])).has_ended();
    let copy = TempDir::new().unwrap();
    copy_all(dir.path(), copy.path());
    fs::remove_file(copy.path().join("FORMAT")).unwrap();
    let mut world = World::at(copy, options(&[keep_all("#")]));
    world.publish(&[Publish::new("a", "new")]);
    assert_eq!(world.payloads("#", BEGINNING), ["new"]);
}
