//! A publisher has a bounded number of bytes under way; then the broker reads it no further.

use murre_core::testing::{Broker, Client, live};

const VALUE: &str = "a value that takes some room on its way through the broker";

fn publish_much(client: &Client, rounds: usize) {
    for round in 0..rounds {
        let names: Vec<String> = (0..50).map(|n| format!("t/{round}/{n}")).collect();
        client.publish_all(names.iter().map(|name| (name.as_str(), VALUE)));
    }
}

/// A topic that is accepted although a worker is held: one of another worker's.
fn accepted_topic(broker: &Broker, client: &Client) -> String {
    let accepted = (0..1000).map(|n| format!("x/{n}")).find(|topic| {
        let answered = client.answers().len();
        client.send_publish(topic);
        broker.settle();
        client.answers().len() > answered
    });
    accepted.expect("topics of the worker that is not busy are accepted")
}

fn broker() -> Broker {
    Broker::with_limits(2, 1, |limits| limits.publish_inflight_max = 4096)
}

#[test]
fn a_publisher_is_read_no_further_while_another_worker_is_busy_and_goes_on_after() {
    let broker = broker();
    let (publisher, watcher) = (broker.connect_on(0, "p"), broker.connect_on(0, "w"));
    let sub = watcher.subscribe_with("t/#", live());
    broker.hold(1);
    publish_much(&publisher, 40);
    broker.settle();
    assert!(publisher.unread() > 30, "{} of 40 messages unread", publisher.unread());
    assert!(broker.count(|c| &c.paused) > 0);
    broker.release(1);
    broker.settle();
    assert_eq!((publisher.unread(), watcher.messages(sub).len()), (0, 2_000));
}

#[test]
fn credit_comes_back_only_when_all_hubs_have_the_messages() {
    let broker = Broker::with_limits(3, 1, |limits| limits.publish_inflight_max = 4096);
    let publisher = broker.connect_on(0, "p");
    let watcher = broker.connect_on(2, "w");
    let sub = watcher.subscribe_with("t/#", live());
    broker.hold(2);
    publish_much(&publisher, 40);
    broker.settle();
    assert!(publisher.unread() > 20, "the watcher's worker is busy");
    broker.release(2);
    broker.settle();
    assert_eq!((publisher.unread(), watcher.messages(sub).len()), (0, 2_000));
}

#[test]
fn topics_of_the_publishers_own_worker_count_where_others_listen() {
    let broker = broker();
    let (publisher, watcher) = (broker.connect_on(0, "p"), broker.connect_on(1, "w"));
    broker.hold(1);
    let topic = accepted_topic(&broker, &publisher);
    broker.release(1);
    let sub = watcher.subscribe_with(&topic, live());
    broker.hold(1);
    publisher.publish_all((0..5_000).map(|_| (topic.as_str(), VALUE)));
    broker.settle();
    assert!(publisher.unread() > 10, "{} messages unread", publisher.unread());
    broker.release(1);
    broker.settle();
    assert_eq!((publisher.unread(), watcher.messages(sub).len()), (0, 5_000));
}

#[test]
fn other_publishers_go_on() {
    let broker = broker();
    let (paused, other) = (broker.connect_on(0, "p"), broker.connect_on(0, "q"));
    let watcher = broker.connect_on(0, "w");
    let sub = watcher.subscribe_with("mine", live());
    broker.hold(1);
    publish_much(&paused, 40);
    broker.settle();
    accepted_topic(&broker, &other);
    broker.release(1);
    broker.publish("mine", "1");
    assert_eq!(watcher.texts(sub), ["1"]);
}

#[test]
fn a_client_that_asks_and_never_reads_the_answers_is_read_no_further() {
    let broker = Broker::with_limits(1, 1, |limits| limits.outbox_max = 16 * 1024);
    let client = broker.connect("a");
    client.stall();
    for _ in 0..200 {
        let ping = [0x91, 11].repeat(1_000);
        client.send_bytes(&ping);
    }
    broker.settle();
    assert!(client.unread() > 100, "{}", client.unread());
    let bound = 16 * 1024 + 64 * 1024 + 2_000;
    assert!(client.waiting_max() <= bound, "{}", client.waiting_max());
    client.resume();
    assert_eq!(client.unread(), 0);
    let pongs = client.heard().iter().filter(|said| matches!(said, murre_core::testing::Said::Pong)).count();
    assert_eq!(pongs, 200_000);
}
