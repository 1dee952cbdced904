//! A broker that is asked to stop says so to its clients, lets what is pending out, and ends well.

use murre_tests::{Broker, Client, Frame, Kind, Packet, RawSocket, json};

#[test]
fn clients_are_told_and_the_process_ends_with_0() {
    let broker = Broker::start();
    let mut clients = [Client::connect(&broker), Client::connect(&broker)];

    broker.terminate();

    for client in &mut clients {
        let notice = client.expect(Kind::Notice);
        assert_eq!(notice.info("kind").as_str(), Some("shutdown"), "{notice:?}");
        let (disconnect, ending) = client.disconnected();
        assert_eq!(disconnect.number(1), 4503, "{disconnect:?}");
        assert!(matches!(ending.code, Some(4503 | 1001)), "{ending:?}");
    }
    assert_eq!(broker.wait().code(), Some(0));
}

#[test]
fn json_clients_are_told_in_json() {
    let broker = Broker::start();
    let mut socket = RawSocket::upgraded(&broker, "/ws", "murre.v1.json");
    socket.send_frames(&[Frame::text(json!({ "type": "connect", "options": {} }).to_string())]);
    socket.frame();

    broker.terminate();

    assert!(String::from_utf8_lossy(&socket.frame().payload).contains("\"shutdown\""));
    assert!(matches!(socket.closed(), Some(4503 | 1001)));
    assert_eq!(broker.wait().code(), Some(0));
}

#[test]
fn what_was_accepted_before_is_delivered_first() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "site/#");
    let mut device = Client::connect(&broker);

    let publishes: Vec<_> = (0..500).map(|n| Packet::publish("site/a", format!("{n}"), n + 1)).collect();
    device.send_all(&publishes);
    for _ in 0..500 {
        device.wait_for(Kind::Published);
    }
    broker.terminate();

    let texts: Vec<_> = subscriber.messages(500).iter().map(|message| message.text().to_owned()).collect();
    assert_eq!(texts.last().map(String::as_str), Some("499"));
    assert_eq!(broker.wait().code(), Some(0));
}

#[test]
fn a_client_that_does_not_answer_holds_nothing_up() {
    let broker = Broker::with(&[("server.shutdown_timeout", "200ms")]);
    let _silent = RawSocket::connected(&broker);
    let _unfinished = RawSocket::open(&broker);

    broker.terminate();

    assert_eq!(broker.wait().code(), Some(0));
}
