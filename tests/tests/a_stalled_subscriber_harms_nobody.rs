//! A client that stops reading changes nothing for the others.

use murre_tests::{Broker, Client, Kind, Packet, json};

const MESSAGES: usize = 4_000;

/// Publishes many large readings of one topic, a few at a time, each batch acknowledged; `published` is told how many
/// a batch had.
fn publish_many(device: &mut Client, mut published: impl FnMut(usize)) {
    let payload = "x".repeat(10_000);
    for batch in (0..MESSAGES).collect::<Vec<_>>().chunks(50) {
        let publish = |n: &usize| Packet::publish("flood", format!("{n} {payload}"), *n as u64 + 1);
        device.send_all(&batch.iter().map(publish).collect::<Vec<_>>());
        for _ in batch {
            assert_eq!(device.wait_for(Kind::Published).number(2), 0);
        }
        published(batch.len());
    }
}

fn numbers(messages: &[murre_tests::Message]) -> Vec<usize> {
    let number =
        |text: &str| text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    messages.iter().map(|message| number(message.text())).collect()
}

#[test]
fn others_get_everything_and_the_stalled_one_is_told_what_it_missed() {
    let broker = Broker::start();
    let mut stalled = Client::connect(&broker);
    stalled.subscribe_live(1, "flood");
    let mut reader = Client::connect(&broker);
    reader.subscribe_live(1, "flood");
    let mut got = Vec::new();

    // A batch is less than an outbox holds, so that a reader that comes late on a busy machine is no slow one.
    publish_many(&mut Client::connect(&broker), |count| got.extend(numbers(&reader.messages(count))));

    assert_eq!(got, (0..MESSAGES).collect::<Vec<_>>());
    let notice = stalled.wait_for(Kind::Notice);
    assert_eq!(notice.info("kind").as_str(), Some("dropped"), "{notice:?}");
    assert!(notice.info("count").as_u64() > Some(0), "{notice:?}");
}

#[test]
fn a_conflating_subscription_ends_with_the_newest() {
    let broker = Broker::start();
    let mut stalled = Client::connect(&broker);
    stalled.subscribe_with(1, "flood", json!({ "from": "live", "on_slow": "conflate" }));

    publish_many(&mut Client::connect(&broker), |_| {});

    let mut last = 0;
    while last != MESSAGES - 1 {
        last = numbers(&[stalled.waited_message()])[0];
    }
}

#[test]
fn a_subscription_that_wants_no_gaps_is_disconnected_instead() {
    let broker = Broker::start();
    let mut stalled = Client::connect(&broker);
    stalled.subscribe_with(1, "flood", json!({ "from": "live", "on_slow": "disconnect" }));

    publish_many(&mut Client::connect(&broker), |_| {});

    let (disconnect, ending) = stalled.disconnected();
    assert_eq!((disconnect.number(1), ending.code), (4410, Some(4410)));
}
