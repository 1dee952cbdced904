use std::{collections::BTreeMap, fs::OpenOptions};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const NOW: u64 = 1_700_000_000_000;

fn options(directory: &TempDir) -> Options {
    Options {
        directory: directory.path().to_owned(),
        client_id: "device".into(),
        bytes_max: 64 << 10,
        when_full: SpoolFull::Refuse,
        durable: false,
    }
}

fn open(directory: &TempDir) -> Store {
    Store::open(options(directory), NOW).unwrap()
}

/// A packet that says its sequence.
fn packet(sequence: u64, bytes: usize) -> Vec<u8> {
    let mut packet = sequence.to_be_bytes().to_vec();
    packet.resize(bytes.max(8), b'M');
    packet
}

fn append(store: &mut Store, bytes: usize) -> Result<u64, Refused> {
    store.append(|sequence| packet(sequence, bytes)).map(|(sequence, _)| sequence)
}

fn read(store: &mut Store) -> Vec<u64> {
    let read = store.read(usize::MAX, usize::MAX).unwrap();
    for (sequence, packet) in &read {
        assert!(packet.starts_with(&sequence.to_be_bytes()));
    }
    read.into_iter().map(|(sequence, _)| sequence).collect()
}

fn files(directory: &TempDir) -> Vec<PathBuf> {
    segment::list(directory.path()).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn what_was_not_finished_comes_back_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory);
    let sequences: Vec<_> = (0..5).map(|_| append(&mut store, 20).unwrap()).collect();
    assert_eq!(read(&mut store), sequences);
    assert!(read(&mut store).is_empty());
    store.finish(&[sequences[0], sequences[3]]).unwrap();
    drop(store);
    let mut store = open(&directory);
    assert_eq!(store.undone(), 3);
    assert_eq!(read(&mut store), [sequences[1], sequences[2], sequences[4]]);
}

#[test]
fn two_clients_on_one_spool_are_refused_with_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(&directory);
    let second = Store::open(options(&directory), NOW).unwrap_err();
    assert!(second.to_string().contains("is used by another client"), "{second}");
    drop(first);
    drop(open(&directory));
    let other = Options { client_id: "other".into(), ..options(&directory) };
    let error = Store::open(other, NOW).unwrap_err().to_string();
    assert!(error.contains("belongs to the client \"device\""), "{error}");
}

#[test]
fn the_disk_use_is_bounded_and_a_full_spool_refuses_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory);
    let mut taken = 0;
    let refused = loop {
        match append(&mut store, 1000) {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, Refused::Full) && taken > 50);
    let on_disk: u64 = files(&directory).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(on_disk <= 64 << 10 && on_disk == store.bytes());
    let oldest: Vec<u64> = read(&mut store).into_iter().take(10).collect();
    store.finish(&oldest).unwrap();
    append(&mut store, 1000).unwrap();
}

#[test]
fn a_full_spool_may_drop_the_oldest_and_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let mut store =
        Store::open(Options { when_full: SpoolFull::DropOldest, ..options(&directory) }, NOW).unwrap();
    let (mut sequences, mut dropped) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let (sequence, gone) = store.append(|sequence| packet(sequence, 1000)).unwrap();
        sequences.push(sequence);
        dropped.extend(gone.unread);
        assert!(store.bytes() <= 64 << 10);
    }
    assert_eq!(sequences[..dropped.len()], dropped);
    assert_eq!(store.undone() as usize, sequences.len() - dropped.len());
    assert_eq!(read(&mut store), sequences[dropped.len()..]);
}

#[test]
fn what_is_being_sent_is_not_counted_as_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let mut store =
        Store::open(Options { when_full: SpoolFull::DropOldest, ..options(&directory) }, NOW).unwrap();
    let first = append(&mut store, 1000).unwrap();
    assert_eq!(read(&mut store), [first]);
    let mut gone = Gone::default();
    for _ in 0..300 {
        gone.extend(store.append(|sequence| packet(sequence, 1000)).unwrap().1);
    }
    assert!(!gone.unread.is_empty() && !gone.unread.contains(&first));
    assert!(gone.handed.contains(&first));
    store.finish(&[first]).unwrap();
    assert_eq!(store.undone() as usize, 300 - gone.unread.len());
}

#[test]
fn a_message_that_could_fill_the_spool_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = append(&mut open(&directory), 20_000).unwrap_err();
    assert!(matches!(refused, Refused::TooLarge { max: 16_384, .. }), "{refused:?}");
}

#[test]
fn a_message_that_is_larger_than_a_file_or_a_read_is_kept_whole() {
    let directory = tempfile::tempdir().unwrap();
    let large = Options { bytes_max: 8 << 20, ..options(&directory) };
    let mut store = Store::open(large.clone(), NOW).unwrap();
    let sequences: Vec<_> = (0..4).map(|_| append(&mut store, 1 << 20).unwrap()).collect();
    drop(store);
    assert_eq!(read(&mut Store::open(large, NOW).unwrap()), sequences);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_refuses_what_is_new_and_costs_nothing_that_was_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory);
    let mut sequences = vec![append(&mut store, 600).unwrap()];
    // Whichever message the next file begins with, the disk is full when it does.
    let next = sequences[0] + 1;
    let names: Vec<_> =
        (next..next + 20).map(|first| directory.path().join(format!("{first:020}.spool"))).collect();
    names.iter().for_each(|name| std::os::unix::fs::symlink("/dev/full", name).unwrap());
    let refused = loop {
        match append(&mut store, 600) {
            Ok(sequence) => sequences.push(sequence),
            Err(refused) => break refused,
        }
    };
    assert!(
        matches!(&refused, Refused::Io(error) if error.kind() == io::ErrorKind::StorageFull),
        "{refused:?}"
    );
    names.iter().for_each(|name| fs::remove_file(name).unwrap());
    sequences.push(append(&mut store, 600).unwrap());
    assert!(sequences.is_sorted_by(|a, b| a < b));
    assert_eq!(read(&mut store), sequences);
    drop(store);
    assert_eq!(read(&mut open(&directory)), sequences);
}

#[test]
fn the_files_of_a_later_version_are_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(&directory));
    let file = files(&directory).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[11] = 9;
    let end = bytes.len() - 8;
    let check = xxhash_rust::xxh3::xxh3_64(&bytes[..end]).to_be_bytes();
    bytes[end..].copy_from_slice(&check);
    fs::write(&file, &bytes).unwrap();
    let error = Store::open(options(&directory), NOW).unwrap_err().to_string();
    assert!(error.contains("has format 9") && fs::read(&file).unwrap() == bytes, "{error}");
}

#[test]
fn cut_at_every_byte_the_last_file_gives_all_whole_messages_and_goes_on_above() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory);
    let mut ends = Vec::new();
    let sequences: Vec<_> = (0..6)
        .map(|n| {
            let sequence = append(&mut store, 10 + n).unwrap();
            ends.push(store.bytes());
            sequence
        })
        .collect();
    drop(store);
    let file = files(&directory).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    for cut in 0..=whole.len() as u64 {
        let copy = tempfile::tempdir().unwrap();
        for name in ["sequence", file.file_name().unwrap().to_str().unwrap()] {
            fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
        }
        let name = copy.path().join(file.file_name().unwrap());
        OpenOptions::new().write(true).open(name).unwrap().set_len(cut).unwrap();
        let count = ends.iter().filter(|&&end| end <= cut).count();
        let mut store = open(&copy);
        assert_eq!(read(&mut store), sequences[..count], "cut at {cut}");
        let next = append(&mut store, 10).unwrap();
        assert!(next > sequences[5], "cut at {cut}");
        drop(store);
        assert_eq!(read(&mut open(&copy)), [&sequences[..count], &[next]].concat(), "cut at {cut}");
    }
}

/// What may happen to a spool.
#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Read(usize),
    /// Finishes the n-th of those that were handed out.
    Finish(prop::sample::Index),
    /// The process ends without a word, and another one begins.
    Crash,
    /// The same, and so many bytes of what was written last are gone; no sync was promised.
    LosePower(usize),
    /// Removes the whole `sequence` file while nobody uses the spool.
    LoseSequenceFile,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..600_usize).prop_map(Step::Append),
        4 => (1..9_usize).prop_map(Step::Read),
        6 => any::<prop::sample::Index>().prop_map(Step::Finish),
        1 => Just(Step::Crash),
        1 => (0..700_usize).prop_map(Step::LosePower),
        1 => Just(Step::LoseSequenceFile),
    ];
    prop::collection::vec(step, 1..120)
}

/// A plain account of the same spool.
struct Account {
    directory: TempDir,
    store: Option<Store>,
    /// Taken and not finished, by sequence; whether this process was handed it.
    owed: BTreeMap<u64, bool>,
    /// Finished, but the disk may not know it after a loss of power.
    finished: BTreeMap<u64, ()>,
    greatest: u64,
}

impl Account {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Some(open(&directory));
        Self { directory, store, owed: BTreeMap::new(), finished: BTreeMap::new(), greatest: 0 }
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    fn append(&mut self, bytes: usize) {
        match append(self.store(), bytes) {
            Ok(sequence) => {
                assert!(sequence > self.greatest, "{sequence} came after {}", self.greatest);
                self.greatest = sequence;
                self.owed.insert(sequence, false);
            }
            Err(refused) => assert!(matches!(refused, Refused::Full), "{refused:?}"),
        }
    }

    fn read(&mut self, count: usize) {
        let read = self.store().read(count, usize::MAX).unwrap();
        let expected: Vec<u64> = self
            .owed
            .iter()
            .filter(|(_, handed)| !**handed)
            .map(|(sequence, _)| *sequence)
            .take(count)
            .collect();
        assert_eq!(read.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), expected);
        for sequence in expected {
            self.owed.insert(sequence, true);
        }
    }

    fn finish(&mut self, index: prop::sample::Index) {
        let handed: Vec<u64> =
            self.owed.iter().filter(|(_, handed)| **handed).map(|(sequence, _)| *sequence).collect();
        if handed.is_empty() {
            return;
        }
        let sequence = *index.get(&handed);
        self.store().finish(&[sequence]).unwrap();
        self.owed.remove(&sequence);
        self.finished.insert(sequence, ());
    }

    fn restart(&mut self) {
        self.store = Some(open(&self.directory));
        self.owed.values_mut().for_each(|handed| *handed = false);
    }

    /// Cuts the last file; takes over what is left, which has to be a beginning of what was owed, and perhaps some of
    /// what was finished.
    fn lose_power(&mut self, bytes: usize) {
        self.store = None;
        let last = files(&self.directory).pop().unwrap();
        let length = fs::metadata(&last).unwrap().len();
        OpenOptions::new()
            .write(true)
            .open(&last)
            .unwrap()
            .set_len(length.saturating_sub(bytes as u64))
            .unwrap();
        self.restart();
        let left = read(self.store());
        let known = |sequence: &u64| self.owed.contains_key(sequence) || self.finished.contains_key(sequence);
        assert!(left.iter().all(known) && left.is_sorted());
        let kept: Vec<u64> = left.iter().copied().filter(|s| self.owed.contains_key(s)).collect();
        let expected: Vec<u64> = self.owed.keys().copied().take(kept.len()).collect();
        assert_eq!(kept, expected);
        self.owed = left.into_iter().map(|sequence| (sequence, true)).collect();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append(bytes) => self.append(bytes),
            Step::Read(count) => self.read(count),
            Step::Finish(index) => self.finish(index),
            Step::Crash => {
                self.store = None;
                self.restart();
            }
            Step::LosePower(bytes) => self.lose_power(bytes),
            Step::LoseSequenceFile => {
                self.store = None;
                // It may be lost already.
                let _ = fs::remove_file(self.directory.path().join("sequence"));
                self.restart();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_every_taken_message_that_is_owed_comes_once_and_in_order(steps in steps()) {
        let mut account = Account::new();
        for step in steps {
            account.step(step);
            let owed = account.owed.len() as u64;
            prop_assert_eq!(account.store().undone(), owed);
            prop_assert!(account.store().bytes() <= (64 << 10) + 4096);
        }
        account.step(Step::Crash);
        account.step(Step::Read(usize::MAX));
    }

    #[test]
    fn a_flipped_bit_in_any_file_costs_at_most_one_message(at: prop::sample::Index, bit in 0..8) {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(&directory);
        let sequences: Vec<_> = (0..30).map(|_| append(&mut store, 600).unwrap()).collect();
        drop(store);
        let files = files(&directory);
        let sizes: Vec<u64> = files.iter().map(|file| fs::metadata(file).unwrap().len()).collect();
        let mut at = at.index(sizes.iter().sum::<u64>() as usize);
        let hit = sizes.iter().position(|&size| {
            let here = at < size as usize;
            at -= if here { 0 } else { size as usize };
            here
        });
        let file = &files[hit.unwrap()];
        let mut bytes = fs::read(file).unwrap();
        bytes[at] ^= 1_u8 << bit;
        fs::write(file, bytes).unwrap();
        let left = read(&mut open(&directory));
        prop_assert!(left.len() + 1 >= sequences.len());
        prop_assert!(left.iter().all(|sequence| sequences.contains(sequence)) && left.is_sorted());
    }
}
