//! A client that stops reading changes nothing for the others. Before it loses anything it gets a lower rate, which is
//! turned off where its rule is looked at.

use murre_tests::load::{number, publish_numbered, publish_numbered_and};
use murre_tests::{Broker, Client, Kind, json};

const MESSAGES: usize = 4_000;
const PAYLOAD: usize = 10_000;

/// A broker in which nothing comes before the rule for slow clients.
fn strict() -> Broker {
    Broker::with(&[("degrade.enabled", "false")])
}

#[test]
fn others_get_everything_and_the_stalled_one_is_told_what_it_missed() {
    let broker = strict();
    let mut stalled = Client::connect(&broker);
    stalled.subscribe_live(1, "flood");
    let mut reader = Client::connect(&broker);
    reader.subscribe_live(1, "flood");
    let mut got = Vec::new();

    // A batch is less than an outbox holds, so that a reader that comes late on a busy machine is no slow one.
    publish_numbered_and(&mut Client::connect(&broker), &["flood"], MESSAGES, PAYLOAD, |count| {
        got.extend(reader.messages(count).iter().map(number));
    });

    assert_eq!(got, (0..MESSAGES).collect::<Vec<_>>());
    let notice = stalled.wait_for(Kind::Notice);
    assert_eq!(notice.info("kind").as_str(), Some("dropped"), "{notice:?}");
    assert!(notice.info("count").as_u64() > Some(0), "{notice:?}");
}

#[test]
fn a_conflating_subscription_ends_with_the_newest() {
    let broker = strict();
    let mut stalled = Client::connect(&broker);
    stalled.subscribe_with(1, "flood", json!({ "from": "live", "on_slow": "conflate" }));

    publish_numbered(&mut Client::connect(&broker), &["flood"], MESSAGES, PAYLOAD);

    let mut last = 0;
    while last != MESSAGES - 1 {
        last = number(&stalled.waited_message());
    }
}

#[test]
fn a_subscription_that_wants_no_gaps_is_disconnected_instead() {
    let broker = strict();
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "$murre/clients/stalled");
    let mut stalled = Client::connect_as(&broker, "stalled");
    assert_eq!(watcher.message().json()["state"], "online");
    stalled.subscribe_with(1, "flood", json!({ "from": "live", "on_slow": "disconnect" }));

    let mut device = Client::connect(&broker);
    let publishing = std::thread::spawn(move || publish_numbered(&mut device, &["flood"], MESSAGES, PAYLOAD));

    // it is heard out for a few seconds only, so it listens as soon as it is to go
    assert_eq!(watcher.message().json()["state"], "offline");
    let (disconnect, ending) = stalled.disconnected();
    assert_eq!((disconnect.number(1), ending.code), (4410, Some(4410)));
    publishing.join().expect("everything is published");
}
