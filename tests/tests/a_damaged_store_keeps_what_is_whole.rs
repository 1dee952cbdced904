//! Between two runs of the broker the newest file of its store is cut, or a bit of it flips: the broker starts, says what
//! it found, and has everything that is whole.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use murre_tests::{Broker, Client, json, load::sized};

const KEEP_ALL: &str = "[[keep]]\nfilter = 'load/#'\ndurable = true\n";
const MESSAGES: usize = 40;

/// A store after `kill -9`.
struct Killed {
    folder: tempfile::TempDir,
    /// Bytes of the journal after each message, as far as they are used.
    lengths: Vec<usize>,
    /// The last message's.
    position: u64,
}

/// The file that commits are written to first.
fn journal(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("store/db")).unwrap().map(|file| file.unwrap().path());
    let journals: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|kind| kind == "jnl")).collect();
    assert_eq!(journals.len(), 1, "{journals:?}");
    journals[0].clone()
}

/// Zeros at the end are room for more; not a byte at a time, as they are many.
fn used(bytes: &[u8]) -> usize {
    let zeros = bytes.rchunks(4096).take_while(|chunk| **chunk == [0; 4096][..chunk.len()]);
    let bytes = &bytes[..bytes.len() - zeros.map(<[u8]>::len).sum::<usize>()];
    bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

/// Publishes one message after the other, each alone in its commit.
fn killed() -> Killed {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP_ALL);
    let mut device = Client::connect(&broker);
    let (mut lengths, mut position) = (Vec::new(), 0);
    for number in 0..MESSAGES {
        position = device.publish("load/a", &number.to_string());
        lengths.push(used(&fs::read(journal(folder.path())).unwrap()));
    }
    broker.kill();
    Killed { folder, lengths, position }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            let bytes = fs::read(entry.path()).unwrap();
            let mut file = File::create(target).unwrap();
            file.write_all(&bytes[..used(&bytes)]).unwrap();
            file.set_len(bytes.len() as u64).unwrap();
        }
    }
}

impl Killed {
    /// What a broker has after `change` was done to the journal, and what it says. It goes on behind all positions.
    fn after(&self, change: impl FnOnce(&Path)) -> (Vec<usize>, String) {
        let folder = tempfile::tempdir().unwrap();
        copy(&self.folder.path().join("store"), &folder.path().join("store"));
        change(&journal(folder.path()));
        let broker = Broker::with_store(folder.path(), KEEP_ALL);
        let mut client = Client::connect(&broker);
        let messages = client.subscribe_with(1, "load/a", json!({ "from": { "since": 0 } }));
        let position = Client::connect(&broker).publish("load/a", "next");
        assert!(position > self.position, "{position} was given out again");
        (messages.iter().map(|message| message.text().parse().unwrap()).collect(), broker.log())
    }

    /// Some places behind that of message `from`, all in the full run.
    fn places(&self, from: usize) -> Vec<usize> {
        let (start, end) = (self.lengths[from], self.lengths[MESSAGES - 1]);
        let count = sized(14, end - start);
        (0..count).map(|n| start + n * (end - start) / count).collect()
    }
}

#[test]
fn a_journal_that_was_cut_keeps_all_that_is_whole_before_the_cut() {
    let killed = killed();
    for place in killed.places(MESSAGES - 4) {
        let cut = |journal: &Path| {
            File::options().write(true).open(journal).unwrap().set_len(place as u64).unwrap();
        };
        let (numbers, said) = killed.after(cut);
        let whole = killed.lengths.iter().filter(|length| **length <= place).count();
        assert_eq!(numbers, (0..whole).collect::<Vec<_>>(), "cut at {place} of {:?}", killed.lengths);
        let is_between = killed.lengths.contains(&place);
        assert!(is_between || said.contains("ends in a write that was interrupted"), "{place}: {said}");
    }
}

#[test]
fn a_bit_that_flipped_costs_the_message_that_it_is_in() {
    let killed = killed();
    for (place, bit) in killed.places(MESSAGES / 2).into_iter().zip((0..8).cycle()) {
        let flip = |journal: &Path| {
            let file = File::options().read(true).write(true).open(journal).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, place as u64).unwrap();
            file.write_all_at(&[byte[0] ^ (1 << bit)], place as u64).unwrap();
        };
        let (numbers, said) = killed.after(flip);
        let hit = killed.lengths.iter().filter(|length| **length <= place).count();
        let without = |number: &usize| *number != hit || numbers.contains(&hit);
        let wanted: Vec<usize> = (0..MESSAGES).filter(without).collect();
        assert_eq!(numbers, wanted, "bit {bit} of byte {place}");
        let is_told = said.contains("journal is damaged") || said.contains("was interrupted");
        assert!(is_told || numbers.contains(&hit), "bit {bit} of byte {place}: {said}");
    }
}
