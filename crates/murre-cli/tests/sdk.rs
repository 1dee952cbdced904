//! The SDK against a broker that `murre serve` runs, over connections that break and brokers that are killed.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeMap, future::IntoFuture, path::Path, time::Duration};

use futures_util::future::try_join_all;
use murre_client::{
    Acknowledge, Backoff, Client, ClientBuilder, Event, From, Message, Spool, SpoolSync, Subscription,
    SubscriptionEvent, Timestamp,
};

use support::{Broker, link::Link};

/// A client of the broker behind `link`, which comes back at once.
fn behind(link: &Link) -> ClientBuilder {
    let soon = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(20) };
    Client::builder(link.url()).backoff(soon)
}

async fn next_message(subscription: &mut Subscription) -> Message {
    subscription.next().await.unwrap()
}

fn number(message: &Message) -> u64 {
    message.decode().unwrap()
}

/// Everything that the broker's log has of `filter`.
async fn history(broker: &Broker, filter: &str) -> Vec<Message> {
    let client = Client::builder(&broker.url).connect().await.unwrap();
    let from = From::Since(Timestamp::from_millis(0));
    let mut subscription = client.subscribe(filter).from(from).backpressure().await.unwrap();
    let mut messages = Vec::new();
    while let Some(event) = subscription.next_event().await {
        match event {
            SubscriptionEvent::Message(message) => messages.push(message),
            SubscriptionEvent::CaughtUp { .. } => break,
            _ => {}
        }
    }
    messages
}

#[tokio::test]
async fn a_subscription_goes_on_over_broken_connections_without_gap_or_duplicate() {
    const BREAKS: usize = 10;
    let broker = Broker::configured("[[keep]]\nfilter = 'n'\nlast = 10000\n", &["serve"]);
    let link = Link::new().await;
    link.lead_to(broker.address());
    let listener = behind(&link).connect().await.unwrap();
    let mut numbers = listener.subscribe("n").from(From::Live).resume().await.unwrap();
    assert!(numbers.caught_up().await);

    let device = Client::builder(&broker.url).connect().await.unwrap();
    let publishing = tokio::spawn(async move {
        for n in 1.. {
            if device.publish("n").json(&n).unwrap().await.is_err() {
                break;
            }
        }
    });
    let (mut last, mut resumed) = (0, 0);
    while resumed < BREAKS || last < 20 * BREAKS as u64 {
        match numbers.next_event().await.unwrap() {
            SubscriptionEvent::Message(message) => {
                assert_eq!(number(&message), last + 1);
                last += 1;
                if resumed < BREAKS && last % 20 == 0 {
                    link.cut();
                }
            }
            SubscriptionEvent::Resumed(recovery) => {
                assert!(recovery.recovered, "{recovery:?}");
                resumed += 1;
            }
            SubscriptionEvent::CaughtUp { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    publishing.abort();
}

#[tokio::test]
async fn what_a_restart_without_a_store_lost_is_told() {
    let link = Link::new().await;
    let broker = Broker::start(&["serve"]);
    link.lead_to(broker.address());
    let listener = behind(&link).connect().await.unwrap();
    let mut subscription = listener.subscribe("n").resume().await.unwrap();
    assert!(subscription.caught_up().await);
    broker.kill();

    let broker = Broker::start(&["serve"]);
    broker.lines(&["pub", "n", "1"]);
    link.lead_to(broker.address());

    assert_eq!(number(&next_message(&mut subscription).await), 1);
    assert_eq!(subscription.recovery().unwrap().lost, Some(murre_client::Lost::Epoch));
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_over_broken_connections() {
    let broker = Broker::configured("[[keep]]\nfilter = 'n'\n[limits]\ninflight_max = 5\n", &["serve"]);
    let link = Link::new().await;
    link.lead_to(broker.address());
    let listener = behind(&link).connect().await.unwrap();
    let subscribe = listener.subscribe("n").from(From::Live).resume().acknowledge(Acknowledge::Explicit);
    let mut numbers = subscribe.await.unwrap();
    assert!(numbers.caught_up().await);
    let wanted: Vec<String> = (1..=100).map(|n| n.to_string()).collect();
    assert!(broker.publish_lines(&["pub", "n"], &wanted.join("\n")).status.success());

    let mut handled = 0;
    while handled < 100 {
        let message = next_message(&mut numbers).await;
        assert_eq!(number(&message), handled + 1);
        if number(&message) % 20 == 3 {
            // Neither this one nor what waits behind it is acknowledged: all of it comes again.
            link.cut();
            let resumed = async {
                loop {
                    if let Some(SubscriptionEvent::Resumed(recovery)) = numbers.next_event().await {
                        return recovery;
                    }
                }
            };
            assert!(resumed.await.recovered);
            assert_eq!(number(&next_message(&mut numbers).await), handled + 1);
        }
        handled += 1;
        numbers.acknowledge(message.position());
    }
}

const KEEP_BOILER: &str = "[[keep]]\nfilter = 'boiler/#'\ndurable = true\n";

/// A broker with its store in `folder`, behind `link`.
fn broker_with_store(folder: &Path, link: &Link) -> Broker {
    broker_configured(folder, link, KEEP_BOILER)
}

fn broker_configured(folder: &Path, link: &Link, file: &str) -> Broker {
    std::fs::write(folder.join("murre.toml"), file).unwrap();
    let broker = Broker::start_in(folder, &["serve", "--data", "store"]);
    link.lead_to(broker.address());
    broker
}

/// Publishes to new topics until the broker takes none in any shard; those that it took.
async fn fill(client: &Client) -> Vec<String> {
    let mut taken = Vec::new();
    for topic in (0..400).map(|n| format!("boiler/{n}")) {
        if client.publish(topic.as_str()).json(&0).unwrap().await.is_ok() {
            taken.push(topic);
        }
    }
    taken
}

#[tokio::test]
async fn what_was_refused_for_now_is_in_the_log_once_behind_what_was_accepted_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let link = Link::new().await;
    let broker =
        broker_configured(folder.path(), &link, &format!("{KEEP_BOILER}[limits]\ntopics_max = 64\n"));
    let taken = fill(&Client::builder(&broker.url).connect().await.unwrap()).await;
    let spool = Spool::at(folder.path().join("spool")).sync(SpoolSync::Never).rate(0.0);
    let device = behind(&link).client_id("boiler-7").spool(spool).start().unwrap();
    let refused = device.publish("boiler/new").json(&1).unwrap().enqueue().await.unwrap();
    let later = taken.iter().map(|topic| device.publish(topic.as_str()).json(&2).unwrap().into_future());
    try_join_all(later).await.unwrap();
    broker.kill();

    let broker = broker_with_store(folder.path(), &link);
    refused.await.unwrap();
    let logged = history(&broker, "boiler/new").await;
    assert_eq!(logged.iter().map(number).collect::<Vec<_>>(), [1]);
}

/// When reading `n` was taken.
fn taken_at(n: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + n * 1000)
}

/// Hands readings to the device's spool.
async fn measure(device: &Client, readings: std::ops::RangeInclusive<u64>) {
    for n in readings {
        let reading = device.publish(format!("boiler/{}", n % 3)).time(taken_at(n)).json(&n).unwrap();
        reading.enqueue().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_device_spools_is_in_the_log_once_in_order_and_with_its_time_however_often_the_broker_is_killed()
 {
    const ROUNDS: u64 = 5;
    let folder = tempfile::tempdir().unwrap();
    let link = Link::new().await;
    let spool = Spool::at(folder.path().join("spool")).sync(SpoolSync::Never).rate(0.0);
    let device = behind(&link).client_id("boiler-7").spool(spool).start().unwrap();
    for round in 0..ROUNDS {
        let broker = broker_with_store(folder.path(), &link);
        let watcher = Client::builder(&broker.url).connect().await.unwrap();
        let mut live = watcher.subscribe("boiler/#").from(From::Live).await.unwrap();
        let first = round * 300 + 1;
        measure(&device, first..=first + 199).await;
        for _ in 0..50 {
            next_message(&mut live).await;
        }
        broker.kill();
        measure(&device, first + 200..=first + 299).await;
    }

    let broker = broker_with_store(folder.path(), &link);
    let all = ROUNDS * 300 + 1;
    device.publish(format!("boiler/{}", all % 3)).time(taken_at(all)).json(&all).unwrap().await.unwrap();

    let mut by_topic: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in history(&broker, "boiler/#").await {
        assert_eq!(message.source_time(), Some(taken_at(number(&message))));
        by_topic.entry(message.topic().to_owned()).or_default().push(number(&message));
    }
    for (topic, numbers) in (0..3).map(|n| (format!("boiler/{n}"), (1..=all).filter(move |all| all % 3 == n)))
    {
        assert_eq!(by_topic[&topic], numbers.collect::<Vec<_>>(), "{topic}");
    }
}

/// A client whose session the broker keeps.
async fn archive(link: &Link) -> Client {
    behind(link).client_id("archive").session_expiry(Duration::from_secs(3600)).connect().await.unwrap()
}

async fn archived(client: &Client) -> Subscription {
    client.subscribe("n").from(From::Live).acknowledge(Acknowledge::Explicit).await.unwrap()
}

/// Takes so many messages and acknowledges them; their numbers.
async fn handle(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let message = next_message(subscription).await;
        message.acknowledge();
        numbers.push(number(&message));
    }
    numbers
}

/// Waits until the broker has what was acknowledged: packets are handled in order.
async fn settle(client: &Client) {
    client.publish("settled").json(&1).unwrap().await.unwrap();
}

fn publish(broker: &Broker, numbers: std::ops::RangeInclusive<u64>) {
    let lines: Vec<String> = numbers.map(|n| n.to_string()).collect();
    assert!(broker.publish_lines(&["pub", "n"], &lines.join("\n")).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_brings_what_was_published_meanwhile_and_what_was_not_acknowledged() {
    let broker = Broker::start(&["serve"]);
    let link = Link::new().await;
    link.lead_to(broker.address());
    let client = archive(&link).await;
    let mut subscription = archived(&client).await;
    publish(&broker, 1..=5);
    assert_eq!(handle(&mut subscription, 2).await, [1, 2]);
    let third = next_message(&mut subscription).await;
    settle(&client).await;
    let mut events = client.events();
    link.take_down();
    publish(&broker, 6..=8);
    link.lead_to(broker.address());

    while !matches!(events.next().await.unwrap(), Event::Connected { session_present: true, .. }) {}
    let (again, rest) = (next_message(&mut subscription).await, handle(&mut subscription, 5).await);
    assert_eq!((number(&third), number(&again), rest), (3, 3, vec![4, 5, 6, 7, 8]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_process_goes_on_with_the_session_also_after_its_broker_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let link = Link::new().await;
    let broker = broker_with_store(folder.path(), &link);
    let client = archive(&link).await;
    let mut subscription = archived(&client).await;
    publish(&broker, 1..=5);
    assert_eq!(handle(&mut subscription, 3).await, [1, 2, 3]);
    settle(&client).await;
    drop(subscription);
    client.close().await;
    publish(&broker, 6..=7);
    broker.lines(&["pub", "written", "--retain", "1"]);
    broker.kill();

    let broker = broker_with_store(folder.path(), &link);
    publish(&broker, 8..=9);
    let client = archive(&link).await;
    let mut subscription = archived(&client).await;
    assert_eq!(handle(&mut subscription, 6).await, [4, 5, 6, 7, 8, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_was_closed_is_no_part_of_the_session() {
    let broker = Broker::start(&["serve"]);
    let link = Link::new().await;
    link.lead_to(broker.address());
    let client = archive(&link).await;
    archived(&client).await.close().await;
    client.close().await;
    publish(&broker, 1..=3);

    let client = archive(&link).await;
    let mut subscription = archived(&client).await;
    publish(&broker, 4..=4);
    // It is new to the session, and begins with the last value.
    assert_eq!(handle(&mut subscription, 2).await, [3, 4]);
}
