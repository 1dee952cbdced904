//! Many clients that connect at the same moment, and come back at the same moment, are all served, and nobody who was
//! there before loses a message by it.
//!
//! Sizes: 500 clients (`MURRE_FULL=1`: 5,000).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use murre_tests::load::sized;
use murre_tests::raw::upgrade_request;
use murre_tests::{Broker, Client, Frame, Kind, Packet, RawSocket, json};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Threads that make the storm. Each has all its connections under way at once.
const THREADS: usize = 4;

/// Lets all connect at once, subscribe to `all` and to a topic of their own, and waits until each is live.
fn storm(broker: &Broker, clients: usize) -> Vec<RawSocket> {
    let since = Instant::now();
    let names: Vec<usize> = (0..clients).collect();
    let sockets = thread::scope(|scope| {
        let groups = names.chunks(clients.div_ceil(THREADS));
        let threads: Vec<_> = groups.map(|names| scope.spawn(move || storm_of(broker, names))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("all are served")).collect()
    });
    println!("{clients} clients were served in {:?}", since.elapsed());
    sockets
}

fn storm_of(broker: &Broker, names: &[usize]) -> Vec<RawSocket> {
    let mut sockets: Vec<_> = names.iter().map(|_| RawSocket::open(broker)).collect();
    let request = upgrade_request(broker, "/ws", &["Sec-WebSocket-Protocol: murre.v1.msgpack".to_owned()]);
    for socket in &mut sockets {
        socket.send(&request);
    }
    for (socket, name) in sockets.iter_mut().zip(names) {
        assert_eq!(socket.ask("").status, 101);
        let connect = Packet::connect(json!({ "client_id": format!("storm-{name}") }));
        let all = Packet::subscribe(1, "all", json!({ "from": "live" }));
        let own = Packet::subscribe(2, &format!("own/{name}"), json!({ "from": "live" }));
        socket.send(
            Frame::binary([connect, all, own].iter().flat_map(Packet::encode).collect::<Vec<_>>()).encode(),
        );
    }
    for socket in &mut sockets {
        let mut caught_up = 0;
        while caught_up < 2 {
            for packet in socket.packets() {
                assert!(!packet.is(Kind::Disconnect), "{packet:?}");
                assert!(!packet.is(Kind::Subscribed) || packet.number(2) == 0, "{packet:?}");
                caught_up += usize::from(packet.is(Kind::CaughtUp));
            }
        }
    }
    sockets
}

/// Publishes number after number until `enough`, then "end"; says how many numbers there were.
fn stream(device: &mut Client, enough: &AtomicBool) -> usize {
    let mut count = 0;
    while !enough.load(Ordering::Acquire) {
        device.publish("stream", &count.to_string());
        count += 1;
    }
    device.publish("stream", "end");
    count
}

/// Ends the stream, also when the test fails meanwhile.
struct EndOfStream<'a>(&'a AtomicBool);

impl Drop for EndOfStream<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn all_are_served_twice_and_those_who_were_there_miss_nothing() {
    let clients = sized(500, 5_000);
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the hard limit");
    let broker = Broker::with(&[("server.workers", "2")]);
    let (mut device, mut reader) = (Client::connect(&broker), Client::connect(&broker));
    reader.subscribe_live(1, "stream");
    let enough = AtomicBool::new(false);

    let (sockets, sent, got) = thread::scope(|scope| {
        let sent = scope.spawn(|| stream(&mut device, &enough));
        let got = scope.spawn(|| reader.messages_until("end"));
        let end = EndOfStream(&enough);
        drop(storm(&broker, clients));
        // they come back under their names, those that are still thought to be there as well
        let sockets = storm(&broker, clients);
        drop(end);
        (sockets, sent.join().expect("the publisher"), got.join().expect("the reader"))
    });

    let numbers = got.iter().map(|message| message.text().parse::<usize>().expect("a number"));
    assert!(numbers.eq(0..sent), "the reader got all {sent} messages in order");
    assert!(sent > 0);
    assert!(
        broker.counter("accepts_put_off") > 0,
        "the sessions had their turns between handfuls of new ones"
    );
    Client::connect(&broker).publish("all", "everyone");
    for mut socket in sockets {
        let packets = socket.packets();
        assert!(packets[0].is(Kind::Message), "its subscription is there again: {packets:?}");
    }
}
