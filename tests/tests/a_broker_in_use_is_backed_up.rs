//! `murre backup`: a copy of the store of a running broker, which is a store of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use murre_tests::tools::murre;
use murre_tests::{Broker, Client, Kind, Packet};
use tempfile::tempdir;

const KEEP: &str = "[store]\nbackups = 'backups'\n[[keep]]\nfilter = 'load/#'\ndurable = true\n";

/// The numbers in a broker's history, by topic.
fn numbers(broker: &Broker, folder: &Path) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in broker.murre(folder, &["export"]).objects() {
        let number = message["payload"].as_str().and_then(|text| text.parse().ok()).expect("a number");
        found.entry(message["topic"].as_str().expect("a topic").to_owned()).or_default().push(number);
    }
    found
}

/// Publishes numbers from 1 on, a few at a time, and says how many were acknowledged.
fn publish(broker: &Broker, topic: &str, acknowledged: &AtomicU64, ends: &AtomicBool) {
    let mut device = Client::connect(broker);
    let mut next = 1;
    while !ends.load(SeqCst) {
        let packets: Vec<Packet> =
            (next..next + 20).map(|n| Packet::publish(topic, n.to_string(), n)).collect();
        device.send_all(&packets);
        for _ in &packets {
            assert_eq!(device.wait_for(Kind::Published).number(2), 0);
        }
        next += 20;
        acknowledged.store(next - 1, SeqCst);
    }
}

#[test]
fn a_backup_under_load_has_all_that_was_acknowledged_before_and_is_whole() {
    const TOPICS: [&str; 3] = ["load/a", "load/b", "load/c"];
    let folder = tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP);
    let (acknowledged, ends) = ([const { AtomicU64::new(0) }; 3], AtomicBool::new(false));

    let (before, backup) = thread::scope(|scope| {
        for (topic, acknowledged) in TOPICS.iter().zip(&acknowledged) {
            scope.spawn(|| publish(&broker, topic, acknowledged, &ends));
        }
        let count = |acknowledged: &AtomicU64| acknowledged.load(SeqCst);
        while acknowledged.iter().any(|acknowledged| count(acknowledged) < 200) {
            thread::yield_now();
        }
        let before = acknowledged.each_ref().map(count);
        let backup = broker.murre(folder.path(), &["backup", "first"]);
        ends.store(true, SeqCst);
        (before, backup)
    });

    assert_eq!(backup.code, 0, "{}", backup.said);
    assert!(backup.out.trim_end().ends_with("/backups/first"), "{}", backup.out);
    let check = murre(folder.path(), &["store", "check", "backups/first"]);
    assert_eq!(check.code, 0, "{check:?}");
    let restored = tempdir().unwrap();
    std::fs::rename(folder.path().join("backups/first"), restored.path().join("store")).unwrap();
    let copy = Broker::with_store(restored.path(), KEEP);
    let found = numbers(&copy, restored.path());
    for (topic, before) in TOPICS.iter().zip(before) {
        let numbers = &found[*topic];
        assert!(numbers.len() as u64 >= before, "{topic}: {} of {before}", numbers.len());
        assert_eq!(*numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{topic}: without a gap");
    }
}

#[test]
fn a_restored_store_is_another_run_of_positions_and_goes_on_by_itself() {
    let folder = tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP);
    let mut device = Client::connect(&broker);
    let last = (1..=5).map(|n| device.publish("load/a", &n.to_string())).last().unwrap();
    let cursor = broker.get("/history/load/a?limit=2").json()["next"].as_str().unwrap().to_owned();
    broker.murre(folder.path(), &["backup", "first"]);
    let restored = tempdir().unwrap();
    std::fs::rename(folder.path().join("backups/first"), restored.path().join("store")).unwrap();

    let copy = Broker::with_store(restored.path(), KEEP);

    copy.get(&format!("/history/load/a?after={cursor}")).problem(410);
    let next = Client::connect(&copy).publish("load/a", "6");
    assert!(next > last, "{next} comes behind {last}");
    assert_eq!(numbers(&copy, restored.path())["load/a"], [1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers(&broker, folder.path())["load/a"], [1, 2, 3, 4, 5]);
}

#[test]
fn a_backup_has_the_time_as_its_name_where_none_is_given_and_replaces_no_other() {
    let folder = tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP);

    let unnamed = broker.murre(folder.path(), &["backup"]);
    let named = [(); 2].map(|()| broker.murre(folder.path(), &["backup", "one"]));

    assert!(unnamed.code == 0 && unnamed.out.contains("/backups/20"), "{unnamed:?}");
    assert_eq!((named[0].code, named[1].code), (0, 4));
    assert!(named[1].said.contains("already"), "{}", named[1].said);
}

#[test]
fn a_backup_goes_nowhere_but_into_the_folder_for_backups() {
    let folder = tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), KEEP);
    for name in ["../out", "/tmp/out", "..", ".", "a/b"] {
        let refused = broker.murre(folder.path(), &["backup", name]);
        assert!(refused.code == 4 && refused.said.contains("name: expected"), "{name}: {refused:?}");
    }
    broker.request("POST", "/admin/backup", &[("origin", &broker.http(""))], "").problem(403);
    broker.request("POST", "/admin/backup", &[("x-forwarded-for", "10.0.0.5")], "").problem(403);
    broker.request("POST", "/admin/backup", &[("host", "murre.example")], "").problem(403);
    broker.get("/admin/backup").problem(405);
    assert!(!folder.path().join("backups").exists(), "nothing was written");
}

#[test]
fn a_broker_that_has_no_folder_for_backups_or_no_store_says_so() {
    let folder = tempdir().unwrap();
    let without = Broker::with_store(folder.path(), "").murre(folder.path(), &["backup"]);
    let in_memory = Broker::with(&[("store.backups", "backups")]).murre(folder.path(), &["backup"]);

    assert!(without.code == 4 && without.said.contains("set store.backups"), "{without:?}");
    assert!(in_memory.code == 4 && in_memory.said.contains("in memory"), "{in_memory:?}");
}
