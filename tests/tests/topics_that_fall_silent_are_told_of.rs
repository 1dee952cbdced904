//! `[[expect]]`: a topic that has spoken and falls silent is told of on `$murre/fresh/<topic>`, and again when it
//! returns.

use murre_tests::{Broker, Client, Message, json};

const RULES: &str = r#"
[[expect]]
filter = "site/+/door"
every = "1h"

[[expect]]
filter = "site/#"
every = "300ms"
grace = "100ms"
"#;

fn state(message: &Message) -> (String, String) {
    (message.topic.clone(), message.json()["state"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn those_that_listen_hear_it_and_those_that_come_later_see_it() {
    let broker = Broker::configured(RULES);
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "$murre/fresh/#");
    let mut device = Client::connect(&broker);
    device.publish("site/a/door", "open");
    device.publish("other", "1");
    device.publish("site/a/temp", "20");

    let fresh = "$murre/fresh/site/a/temp".to_owned();
    let stale = watcher.waited_message();
    assert_eq!(state(&stale), (fresh.clone(), "stale".to_owned()));
    assert!(stale.json()["last"].as_u64().is_some_and(|last| last + 400 <= stale.time), "{stale:?}");
    let late = Client::connect(&broker).subscribe(1, "$murre/fresh/#");
    assert_eq!(late.iter().map(state).collect::<Vec<_>>(), [(fresh.clone(), "stale".to_owned())]);
    assert_eq!(broker.counter("stale_topics"), 1);

    device.publish("site/a/temp", "21");
    assert_eq!(state(&watcher.waited_message()), (fresh.clone(), "fresh".to_owned()));

    device.publish_with("site/a/temp", "", json!({ "retain": true }));
    let mut last = watcher.waited_message();
    while !last.payload.is_empty() {
        last = watcher.waited_message();
    }
    assert_eq!(last.topic, fresh, "what was told goes with the topic");
    assert_eq!(Client::connect(&broker).subscribe(1, "$murre/fresh/#").len(), 0);
}
