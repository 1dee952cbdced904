//! The disk is full: what would have to be on it is refused, everything else goes on, and so does the store once there
//! is room, without a restart.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{io::Write, path::Path};

use murre_tests::{Broker, Client, Device, FailingDisk, SmallDisk, json};

const KEEP_ALL: &str = "[[keep]]\nfilter = 'load/#'\ndurable = true\n";

/// A disk that can be full, as real as this process may have it.
enum Disk {
    Small(SmallDisk),
    Failing(FailingDisk),
}

impl Disk {
    fn new(folder: &Path) -> Self {
        match SmallDisk::mount(folder, 160 << 20) {
            Ok(disk) => Self::Small(disk),
            Err(why) => {
                // past the test's captured output, so that it is seen
                let said = "no small file system could be mounted; instead every write of the store's fails";
                writeln!(std::io::stderr(), "{said}: {why}").ok();
                Self::Failing(FailingDisk::under(folder))
            }
        }
    }

    fn start(&self, folder: &Path) -> Broker {
        match self {
            Self::Small(_) => Broker::with_store(folder, KEEP_ALL),
            Self::Failing(disk) => Broker::with_store_on(disk, folder, KEEP_ALL),
        }
    }

    fn fill(&self) {
        match self {
            Self::Small(disk) => disk.fill(),
            Self::Failing(disk) => disk.fail("write", 1, "stuck"),
        }
    }

    fn clear(&self) {
        match self {
            Self::Small(disk) => disk.clear(),
            Self::Failing(disk) => disk.mend(),
        }
    }
}

fn is_refused_and_then_goes_on(disk: &Disk, folder: &Path) {
    let broker = disk.start(folder);
    let mut device = Device::new(&broker, "device", "load/a", 20_000);
    let mut live = Client::connect(&broker);
    // not the device's: who reads nothing while those come is a slow client
    live.subscribe_live(1, "other");
    live.subscribe_live(2, "load/b");
    for round in 0..3 {
        device.publish();
        device.settle();
        disk.fill();
        while device.publish() {}
        assert!(device.refused.keys().all(|code| *code == 4429), "{:?}", device.refused);
        device.check(&broker);
        // neither kept nor durable: the store has nothing to do with it
        let text = format!("round {round}");
        Client::connect(&broker).publish("other", &text);
        live.messages_until(&text);
        let refused = Client::connect(&broker).try_publish("load/b", &text, json!({}));
        assert_eq!(refused.number(2), 4429, "{refused:?}");
        live.messages_until(&text);
        disk.clear();
        device.settle();
        device.check(&broker);
    }
    broker.kill();
    let broker = disk.start(folder);
    device.check(&broker);
    let all = json!({ "from": { "since": 0 } });
    let refused = Client::connect(&broker).subscribe_with(1, "load/b", all);
    assert!(refused.is_empty(), "what was refused never turns up");
}

#[test]
fn acknowledgements_fail_live_traffic_goes_on_and_the_store_too_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new(folder.path());
    is_refused_and_then_goes_on(&disk, folder.path());
}

#[test]
fn the_same_where_every_write_fails() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::Failing(FailingDisk::under(folder.path()));
    is_refused_and_then_goes_on(&disk, folder.path());
}
