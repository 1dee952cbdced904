//! `murre store check`: every checksum, what is kept for which topics, and what is damaged.

use std::fs;
use std::path::{Path, PathBuf};

use murre_tests::tools::murre;
use murre_tests::{Broker, Client, Packet};
use tempfile::{TempDir, tempdir};

const KEEP: &str = "[[keep]]\nfilter = 'site/#'\ndurable = true\n[[keep]]\nfilter = 'host/+'\nlast = 10\n";

/// A folder with a store that a broker has filled and left.
fn filled() -> TempDir {
    let folder = tempdir().expect("a folder");
    let broker = Broker::with_store(folder.path(), KEEP);
    let mut device = Client::connect(&broker);
    for n in 0..200 {
        device.send(&Packet::publish(&format!("site/{}", n % 5), format!("{n} {}", "x".repeat(1_000)), 0));
    }
    device.publish("site/last", "1");
    device.publish("host/a", "1");
    broker.terminate();
    assert!(broker.wait().success());
    folder
}

/// Flips a bit in the middle of what a file has.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("a file");
    // a journal has room for more behind it
    let room = bytes.rchunks_exact(4096).take_while(|piece| *piece == [0; 4096]).count() * 4096;
    let middle = (bytes.len() - room) / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("a file");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_good_store_is_said_to_be_good_and_what_it_keeps_is_told() {
    let folder = filled();

    let check = murre(folder.path(), &["store", "check", "store", "--topics"]);
    let json = murre(folder.path(), &["store", "check", "store", "--json"]).objects().remove(0);

    assert_eq!((check.code, check.said.as_str()), (0, ""), "{}", check.out);
    for word in ["202 records", "keep[0] site/#", "keep[1] host/+", "site/last", "every checksum is right"] {
        assert!(check.out.contains(word), "{word}: {}", check.out);
    }
    assert_eq!((json["records"].as_u64(), json["is_good"].as_bool()), (Some(202), Some(true)));
    assert_eq!(json["rules"][0]["topics"], 6);
}

#[test]
fn a_flipped_bit_is_found_and_named() {
    let folder = filled();
    let journal =
        files(&folder.path().join("store")).into_iter().find(|file| file.extension() == Some("jnl".as_ref()));
    let journal = journal.expect("a journal");
    damage(&journal);

    let check = murre(folder.path(), &["store", "check", "store"]);

    assert_eq!(check.code, 1, "{check:?}");
    let name = journal.file_name().unwrap().to_str().unwrap();
    assert!(check.out.contains("damaged: ") && check.out.contains(name), "{}", check.out);
    assert!(check.said.contains("is damaged"), "{}", check.said);
}

#[test]
fn a_flipped_bit_in_any_file_of_messages_is_found() {
    let folder = filled();
    let mut tried = 0;
    for file in files(&folder.path().join("store/db")) {
        let is_table =
            file.parent().is_some_and(|parent| parent.ends_with("tables") || parent.ends_with("blobs"));
        if !is_table {
            continue;
        }
        let good = fs::read(&file).unwrap();
        damage(&file);
        let check = murre(folder.path(), &["store", "check", "store"]);
        assert_eq!(check.code, 1, "{}: {check:?}", file.display());
        fs::write(&file, good).unwrap();
        tried += 1;
    }
    assert!(tried > 0, "there are tables");
    assert_eq!(murre(folder.path(), &["store", "check", "store"]).code, 0);
}

#[test]
fn what_is_no_store_or_has_a_broker_cannot_be_checked() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let broker = Broker::with_store(folder.path(), KEEP);

    let in_use = murre(folder.path(), &["store", "check", "store"]);
    let none = murre(folder.path(), &["store", "check", "."]);
    let nowhere = murre(folder.path(), &["store", "check", "nowhere"]);

    assert!(in_use.code == 2 && in_use.said.contains("in use"), "{in_use:?}");
    assert!(none.code == 2 && none.said.contains("no store"), "{none:?}");
    assert!(nowhere.code == 2 && nowhere.said.contains("no folder nowhere"), "{nowhere:?}");
    drop(broker);
}
