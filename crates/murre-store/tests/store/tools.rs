//! What an operator does with a store: check, back up, export, import.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use murre_core::log::{KeepRules, ReadFrom};
use murre_protocol::{
    Format, Position, Timestamp,
    packet::{Message, MessageOptions},
};
use murre_store::{Archive, Import};
use tempfile::TempDir;

use crate::harness::{BEGINNING, Publish, World, files, keep_all, keep_last, options};

const TOPICS: [&str; 3] = ["site/a", "site/b", "plant/x"];

fn filled() -> World {
    let mut world = World::new(options(&[keep_last("site/#", 1000), keep_all("plant/#")]));
    world.publish(&[Publish::new("loose", "value").retained()]);
    for batch in 0..20 {
        world.publish_many(&TOPICS, batch * 99, 99);
    }
    world
}

#[test]
fn check_says_what_is_kept_for_which_topics() {
    let world = filled();
    let keep = world.options.keep.clone();
    let report = Archive::open(world.has_ended().path(), keep).unwrap().check();
    assert!(report.is_good(), "{report:?}");
    let rules: Vec<_> =
        report.rules.iter().map(|rule| (rule.rule.map(|id| id.0), rule.topics, rule.records)).collect();
    assert_eq!(rules, [(Some(0), 2, 1320), (Some(1), 1, 660), (None, 1, 1)]);
    let topic = &report.topics["plant/x"];
    assert!(topic.records == 660 && topic.first < topic.last && !topic.is_retained);
    assert!(report.topics["loose"].is_retained);
}

#[test]
fn check_finds_a_flipped_bit() {
    let world = filled();
    world.store().flush().unwrap();
    let (dir, keep) = (world.has_ended(), KeepRules::default());
    let blobs = files(dir.path()).into_iter().find(|file| file.to_string_lossy().contains("blobs/")).unwrap();
    let mut bytes = std::fs::read(&blobs).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blobs, bytes).unwrap();
    let report = Archive::open(dir.path(), keep).unwrap().check();
    assert_eq!((report.is_good(), report.damaged), (false, 1), "{:?}", report.damages);
}

#[test]
fn a_check_changes_nothing_and_finds_the_same_again() {
    let mut world = filled();
    world.store().flush().unwrap();
    world.publish_many(&TOPICS, 0, 9);
    let dir = world.has_ended();
    let file = |part: &str| files(dir.path()).into_iter().find(|file| file.to_string_lossy().contains(part));
    flip(&file(".jnl").unwrap(), 30);
    flip(&file("blobs/").unwrap(), 200);
    let before = contents(dir.path());
    let check = || Archive::open(dir.path(), KeepRules::default()).unwrap().check();
    let (first, second) = (check(), check());
    assert!(first.journal.len() == 1 && first.damaged > 0 && !first.is_good(), "{first:?}");
    assert_eq!((&second.journal, &second.damages), (&first.journal, &first.damages));
    assert_eq!(first.journal[0].file, file(".jnl").unwrap());
    assert_eq!(contents(dir.path()), before);
}

/// Flips a bit of a file.
fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

/// All files with what is in them.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn a_backup_of_a_store_in_use_is_a_store() {
    let mut world = filled();
    let before = world.read("#", BEGINNING);
    let target = TempDir::new().unwrap();
    let backup = world.store().backup(target.path()).unwrap();
    world.publish(&[Publish::new("site/a", "later")]);
    let mut copy = World::at(target, world.options.clone());
    assert_eq!(copy.read("#", BEGINNING), before);
    assert!(copy.start().epoch == backup.epoch && backup.epoch != world.start().epoch);
    assert_eq!(copy.values().len(), 4);
    assert_eq!(copy.start().shards[0].intact, copy.start().shards[0].used);
    let copy = copy.has_ended();
    assert!(world.store().backup(copy.path()).unwrap_err().to_string().contains("is not empty"));
}

#[test]
fn an_export_has_every_record_in_order() {
    let mut world = filled();
    let read = world.read("#", BEGINNING);
    let archive = Archive::open(world.has_ended().path(), KeepRules::default()).unwrap();
    let records: Vec<_> = archive.records(0).map(Result::unwrap).collect();
    let exported: Vec<_> = records.iter().map(|record| (record.position, record.topic.clone())).collect();
    assert_eq!(exported, read.into_iter().map(|got| (got.position, got.topic)).collect::<Vec<_>>());
}

#[test]
fn what_is_imported_expires_so_many_seconds_after_its_own_time() {
    let dir = TempDir::new().unwrap();
    let mut import = Import::open(dir.path(), options(&[keep_all("#")])).unwrap();
    let time = Timestamp::from_millis(1_600_000_000_000);
    let options = MessageOptions { expiry: Some(60), ..MessageOptions::default() };
    let (topic, payload, position) = ("a".into(), b"1".as_slice().into(), Position::NONE);
    let options = Some(Box::new(options));
    import.push(Message { topic, format: Format::Text, payload, time, position, options }, false).unwrap();
    import.finish().unwrap();

    let archive = Archive::open(dir.path(), KeepRules::default()).unwrap();
    let record = (0..archive.shards()).flat_map(|shard| archive.records(shard)).next().unwrap().unwrap();
    assert_eq!(record.expires, Some(Timestamp::from_millis(time.millis() + 60_000)));
}

#[test]
fn an_import_goes_behind_what_is_there() {
    let mut world = World::new(options(&[keep_all("#")]));
    world.publish(&[Publish::new("a", "first")]);
    let (options, used) = (world.options.clone(), world.used.clone());
    world.store.take().unwrap().close(used);
    let mut import = Import::open(world.path(), options.clone()).unwrap();
    for number in 0..3000 {
        let payload = format!("imported {number}");
        let time = Timestamp::from_millis(1_600_000_000_000 + number);
        let (topic, payload) = ("a".into(), payload.as_bytes().into());
        let position = Position::NONE;
        import
            .push(Message { topic, format: Format::Text, payload, time, position, options: None }, false)
            .unwrap();
    }
    import.finish().unwrap();
    let mut world = World::at(world.has_ended(), options);
    assert_eq!(world.payloads("a", ReadFrom::LastN(1)), ["imported 2999"]);
    assert_eq!(world.payloads("a", BEGINNING)[..2], ["first", "imported 0"]);
    assert_eq!(world.start().shards[0].intact, 3001);
}
