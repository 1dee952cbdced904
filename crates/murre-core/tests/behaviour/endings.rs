//! However a connection ends, what came before is handled and nothing is left of it.

use murre_core::testing::{Broker, live};
use murre_protocol::Codec;

#[test]
fn a_client_that_publishes_and_ends_at_once_loses_nothing() {
    for seed in 0..50 {
        let broker = Broker::new(2, seed);
        let watcher = broker.connect("watcher");
        let sub = watcher.subscribe_with("t/#", live());
        let names: Vec<String> = (0..50).map(|n| format!("t/{n}")).collect();
        let all = || names.iter().map(|name| (name.as_str(), "x"));
        let (closes, ends) = (broker.connect("closes"), broker.connect("ends"));
        closes.publish_all(all());
        closes.close(1000);
        ends.publish_all(all());
        ends.end();
        assert_eq!(watcher.messages(sub).len(), 100, "seed {seed}");
    }
}

#[test]
fn also_while_the_broker_has_paused_reading_it() {
    let broker = Broker::with_limits(2, 1, |limits| limits.publish_inflight_max = 500);
    let watcher = broker.connect_on(0, "watcher");
    let sub = watcher.subscribe_with("t/#", live());
    let client = broker.connect_on(0, "c");
    broker.hold(1);
    for round in 0..50 {
        let names: Vec<String> = (0..20).map(|n| format!("t/{round}/{n}")).collect();
        client.publish_all(names.iter().map(|name| (name.as_str(), "a value that takes some room")));
    }
    client.close(1000);
    broker.settle();
    assert!(client.unread() > 10, "the broker has paused reading");
    broker.release(1);
    broker.settle();
    assert_eq!(watcher.messages(sub).len(), 1_000);
}

#[test]
fn after_all_have_gone_nothing_is_left() {
    let broker = Broker::new(2, 1);
    let clients: Vec<_> = (0..20).map(|n| broker.connect(&format!("c{n}"))).collect();
    for client in &clients {
        client.subscribe("a/+");
        client.subscribe("b/#");
        client.subscribe("$share/g/c");
    }
    for (n, client) in clients.iter().enumerate() {
        match n % 4 {
            0 => client.break_off(),
            1 => client.disconnect(),
            2 => client.close(1001),
            _ => client.end(),
        }
    }
    assert!(clients.iter().all(murre_core::testing::Client::is_gone));
    let remains = broker.remains();
    assert!(remains.hubs.iter().all(|hub| *hub == Default::default()), "{remains:?}");
    assert_eq!((remains.interests, remains.clients), (vec![0, 0], vec![0, 0]));
    assert_eq!(remains.topics, [0, 0], "no presence of any of them either");
    assert_eq!(broker.count(|c| &c.sessions) + broker.count(|c| &c.subscriptions), 0);
}

#[test]
fn a_client_that_never_reads_its_farewell_is_cut_off() {
    let broker = Broker::new(2, 1);
    let client = broker.connect_with(0, Codec::MessagePack, Default::default());
    client.stall();
    client.send_bytes(&[0xc1]);
    broker.settle();
    assert!(!client.is_gone());
    broker.run_for(std::time::Duration::from_secs(6));
    assert!(client.is_gone());
    assert_eq!(broker.remains().hubs[0].sessions, 0);
}
