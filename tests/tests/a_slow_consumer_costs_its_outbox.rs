//! A client that stops reading, while its own packets are still handled, costs the broker its outbox and nobody else
//! anything; what its subscriptions ask for happens, and the counts of what it missed are exact.
//!
//! What a slow client gets before anything is dropped, a lower rate, is turned off here.
//!
//! Sizes: 16 stalled sessions and 8 MiB for each (`MURRE_FULL=1`: 64 and 64 MiB).

use murre_tests::load::{Tally, mib, number, publish_numbered, sized};
use murre_tests::{Broker, Client, Frame, Kind, Packet, RawSocket, json};

const MIB: usize = 1 << 20;
const PAYLOAD: usize = 2_000;

fn messages() -> usize {
    sized(8, 64) * MIB / PAYLOAD
}

/// A client that subscribes to all of `flood/` under this rule, and then reads nothing more.
fn stalled(broker: &Broker, rule: &str) -> Client {
    let mut client = Client::connect_narrow(broker, &Packet::connect(json!({})));
    client.subscribe_with(1, "flood/#", json!({ "from": "live", "on_slow": rule }));
    client
}

#[test]
fn each_costs_its_outbox_while_others_get_everything_and_its_own_packets_are_handled() {
    let sessions = sized(16, 64);
    let broker =
        Broker::with(&[("server.workers", "1"), ("limits.outbox_max", "1MiB"), ("degrade.enabled", "false")]);
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "alive/#");
    let mut stalled: Vec<_> = (0..sessions).map(|_| stalled(&broker, "drop_oldest")).collect();
    let mut reader = Client::connect(&broker);
    reader.subscribe_live(1, "flood/#");
    let reader = std::thread::spawn(move || reader.messages(messages()));
    let before = broker.forget_peak();

    publish_numbered(&mut Client::connect(&broker), &["flood/a"], messages(), PAYLOAD);
    for (place, client) in stalled.iter_mut().enumerate() {
        client.send(&Packet::publish(&format!("alive/{place}"), "yes", 1));
    }

    let got = reader.join().expect("the reader gets all");
    assert!(got.iter().map(number).eq(0..messages()), "the reader gets all, in order");
    assert_eq!(watcher.messages(sessions).len(), sessions);
    // 1 MiB each, half of it for the ends of blocks and what the allocator adds, and 4 MiB for the flood itself
    let (cost, bound) = (broker.peak_memory() - before, (sessions * MIB * 3 / 2 + 4 * MIB) as u64);
    println!("{sessions} stalled sessions of 1 MiB cost {:.1} MiB, of {:.1} allowed", mib(cost), mib(bound));
    assert!(cost <= bound, "{cost} bytes for {sessions} sessions");
    assert_eq!(stalled[0].wait_for(Kind::Published).number(2), 0);
}

#[test]
fn received_and_dropped_add_up_for_each_subscription() {
    let broker = Broker::with(&[("limits.outbox_max", "256KiB"), ("degrade.enabled", "false")]);
    let mut client = stalled(&broker, "drop_oldest");
    client.subscribe_with(2, "flood/+", json!({ "from": "live", "on_slow": "conflate" }));

    publish_numbered(&mut Client::connect(&broker), &["flood/a", "flood/b"], messages(), PAYLOAD);

    let tally = Tally::of(&mut client, &[1, 2], messages());
    assert_eq!((tally.total(1), tally.total(2)), (messages(), messages()), "received and dropped");
    assert!(tally.dropped[&1] > 0 && tally.dropped[&2] > 0, "both missed some");
    for (sub, received) in &tally.received {
        for topic in 0..2 {
            let of_topic: Vec<_> = received.iter().filter(|n| *n % 2 == topic).collect();
            assert!(of_topic.is_sorted(), "what came on {sub} came in order");
            assert_eq!(of_topic.last(), Some(&&(messages() - 2 + topic)), "and the newest is there");
        }
    }
    assert_eq!(broker.counter("dropped"), tally.dropped_in_all());
}

#[test]
fn a_conflating_subscription_misses_no_topic() {
    let topics: Vec<String> = (0..50).map(|n| format!("flood/{n}")).collect();
    let broker = Broker::with(&[("limits.outbox_max", "256KiB"), ("degrade.enabled", "false")]);
    let mut client = stalled(&broker, "conflate");

    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    publish_numbered(&mut Client::connect(&broker), &names, messages(), PAYLOAD);

    let tally = Tally::of(&mut client, &[1], messages());
    let newest = (messages() - topics.len())..messages();
    assert!(
        newest.clone().all(|n| tally.received[&1].contains(&n)),
        "the newest of each topic came: {newest:?}"
    );
    assert!(tally.dropped[&1] > 0);
}

#[test]
fn the_socket_of_one_that_asked_to_be_disconnected_is_really_closed() {
    let broker = Broker::with(&[("limits.outbox_max", "256KiB"), ("degrade.enabled", "false")]);
    let mut deaf = stalled(&broker, "disconnect");
    let mut listening = stalled(&broker, "disconnect");
    // two connections that stay: the publisher's and the one that the counters are read over
    let mut device = Client::connect(&broker);

    let publishing = std::thread::spawn(move || {
        publish_numbered(&mut device, &["flood/a"], messages(), PAYLOAD);
        device
    });

    // it is heard out for a few seconds only, so it listens as soon as it is to go
    assert_eq!(broker.wait_for_counter("slow_disconnected", |count| count > 1), 2);
    let (disconnect, ending) = listening.disconnected();
    let _device = publishing.join().expect("everything is published");
    assert_eq!((disconnect.number(1), ending.code), (4410, Some(4410)));
    broker.wait_for_counter("sessions", |sessions| sessions == 1);
    assert!(
        deaf.writes_until_refused(),
        "the broker has closed the connection of the one that reads nothing"
    );
}

/// Each answer is many times as long as what asks for it.
#[test]
fn the_answers_to_a_clients_own_packets_are_bounded_too() {
    let broker = Broker::with(&[("server.workers", "1"), ("limits.outbox_max", "1MiB")]);
    let mut client = RawSocket::connected(&broker);
    let refused = Packet::publish("+", "", 1).encode();
    let count = 4 * MIB / refused.len();
    let before = broker.forget_peak();

    client.send(Frame::binary(refused.repeat(count)).encode());

    broker.wait_for_counter("publishes_refused", |count| count > 0);
    // the message itself, what of it waits, both with room to grow; and the outbox
    let (cost, bound) = (broker.peak_memory() - before, 20 * MIB as u64);
    println!(
        "{count} refused publishes in a message cost {:.1} MiB, of {:.1} allowed",
        mib(cost),
        mib(bound)
    );
    assert!(cost <= bound, "{cost} bytes for answers that nobody reads");
    let mut answers = 0;
    while answers < count {
        answers += client.packets().iter().filter(|answer| answer.number(2) == 4422).count();
    }
    assert_eq!(answers, count, "each is answered once there is room");
}
