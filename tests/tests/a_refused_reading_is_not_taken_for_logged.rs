//! A numbered reading that was refused is logged when it comes again, also behind greater numbers and after a crash.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use murre_tests::{Broker, Client, json};

/// Four topics in each shard.
const CONFIG: &str = "[[keep]]\nfilter = 'load/#'\ndurable = true\n[limits]\ntopics_max = 64\n";

/// Publishes to new topics until all shards are full.
fn fill(client: &mut Client) -> Vec<String> {
    let names = (0..300).map(|n| format!("load/{n}"));
    names.filter(|name| client.try_publish(name, "x", json!({})).number(2) == 0).collect()
}

#[test]
fn a_refused_reading_is_logged_once_when_it_comes_again_behind_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), CONFIG);
    // it stays: its presence is a topic too, whose place would be free when it is gone
    let mut other = Client::connect(&broker);
    let taken = fill(&mut other);
    let mut device = Client::connect_as(&broker, "device");
    let refused = device.try_publish("load/new", "first", json!({ "sequence": 1 }));
    assert_eq!(refused.number(2), 4429, "{refused:?}");
    for (name, sequence) in taken.iter().zip(2..) {
        device.publish_with(name, "later", json!({ "sequence": sequence }));
        device.publish_with(name, "", json!({ "retain": true }));
    }
    broker.kill();

    let broker = Broker::with_store(folder.path(), CONFIG);
    let mut device = Client::connect_as(&broker, "device");
    let positions = [(); 2].map(|()| device.publish_with("load/new", "first", json!({ "sequence": 1 })));
    assert!(positions[0] > 0 && positions[1] == 0, "{positions:?}");
    let all = json!({ "from": { "since": 0 } });
    let history = Client::connect(&broker).subscribe_with(1, "load/new", all);
    assert_eq!(history.iter().map(|message| message.text()).collect::<Vec<_>>(), ["first"]);
}
