//! A second connection with the same client id takes the first one over.

use murre_tests::{Broker, Client, Frame, Kind, Packet, RawSocket, json};

#[test]
fn the_first_is_told_and_the_second_goes_on() {
    let broker = Broker::start();
    let mut first = Client::connect_as(&broker, "boiler-7");

    let mut second = Client::connect_as(&broker, "boiler-7");

    let (disconnect, ending) = first.disconnected();
    assert_eq!((disconnect.number(1), ending.code), (4409, Some(4409)));
    second.publish("site/a", "still here");
}

#[test]
fn the_will_of_the_first_is_not_sent() {
    let broker = Broker::start();
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "wills/#");
    let will = json!({ "topic": "wills/boiler-7", "format": 2, "payload": "lost" });
    // In JSON, since a will's payload is then simply a value.
    let mut first = RawSocket::upgraded(&broker, "/ws", "murre.v1.json");
    let connect = json!({ "type": "connect", "options": { "client_id": "boiler-7", "will": will } });
    first.send_frames(&[Frame::text(connect.to_string())]);
    first.frame();

    let mut second = Client::connect_as(&broker, "boiler-7");
    assert_eq!(first.closed(), Some(4409));

    second.publish("wills/boiler-7", "none");
    assert_eq!(watcher.message().text(), "none");
}

#[test]
fn presence_stays_online_through_it() {
    let broker = Broker::start();
    let mut first = Client::connect_as(&broker, "boiler-7");
    let _second = Client::connect_as(&broker, "boiler-7");
    first.disconnected();

    let snapshot = Client::connect(&broker).subscribe(1, "$murre/clients/boiler-7");

    assert_eq!(snapshot[0].json()["state"], "online");
}

#[test]
fn many_at_once_leave_exactly_one() {
    let broker = Broker::start();
    let mut clients: Vec<_> = (0..20).map(|_| Client::open(&broker)).collect();
    for client in &mut clients {
        client.send(&Packet::connect(json!({ "client_id": "contested" })));
    }

    // CONNECTED goes out when the one before has let go: after everybody's first answer, all is decided.
    let answers: Vec<_> = clients.iter_mut().map(Client::packet).collect();
    let left = clients.iter_mut().zip(answers).filter(|(_, answer)| answer.is(Kind::Connected));

    assert_eq!(left.filter_map(|(client, _)| client.outlives_takeover().then_some(())).count(), 1);
}
