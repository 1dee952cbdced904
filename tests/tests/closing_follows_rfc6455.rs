//! The WebSocket layer as RFC 6455 has it: fragments, pings, sizes, UTF-8, and the right code at the end.

use murre_tests::frame::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use murre_tests::{Broker, Client, Frame, Kind, Packet, RawSocket, json};

/// The code that a connected MessagePack client's frames are closed with; TCP ends as well.
fn closed_by(frames: &[Frame]) -> Option<u16> {
    let broker = Broker::start();
    let mut socket = RawSocket::connected(&broker);
    socket.send_frames(frames);
    socket.closed()
}

#[test]
fn a_close_is_answered_with_its_own_code() {
    let broker = Broker::start();
    for code in [1000, 1001, 4000] {
        let mut socket = RawSocket::connected(&broker);
        socket.send_frames(&[Frame::close(code)]);
        assert_eq!(socket.closed(), Some(code));
    }
}

#[test]
fn a_close_without_a_code_is_a_normal_end() {
    assert!(matches!(closed_by(&[Frame::new(CLOSE, "")]), None | Some(1000)));
}

#[test]
fn a_disconnect_is_answered_with_a_normal_close() {
    let broker = Broker::start();
    let mut socket = RawSocket::connected(&broker);

    socket.send_packet(&Packet::new(Kind::Disconnect, [0.into(), "bye".into()]));

    assert_eq!(socket.closed(), Some(1000));
}

#[test]
fn frames_against_the_protocol_are_closed_with_1002() {
    let ping = Frame::new(PING, "");
    let wrong = [
        ("no mask", Frame::binary("x").unmasked()),
        ("reserved bits", Frame::binary("x").reserved(0b100)),
        ("reserved opcode", Frame::new(0x3, "")),
        ("reserved control opcode", Frame::new(0xb, "")),
        ("fragmented ping", ping.unfinished()),
        ("ping of 126 bytes", Frame::new(PING, [0; 126])),
        ("continuation of nothing", Frame::new(CONTINUATION, "x")),
        ("close of one byte", Frame::new(CLOSE, [3])),
        ("close code that may not be sent", Frame::close(1005)),
    ];
    for (what, frame) in wrong {
        assert_eq!(closed_by(&[frame]), Some(1002), "{what}");
    }
}

#[test]
fn a_message_inside_another_is_closed_with_1002() {
    assert_eq!(closed_by(&[Frame::binary("x").unfinished(), Frame::binary("y")]), Some(1002));
}

#[test]
fn text_that_is_not_utf8_is_closed_with_1007() {
    let broker = Broker::start();
    let mut socket = RawSocket::upgraded(&broker, "/ws", "murre.v1.json");

    socket.send_frames(&[Frame::text([b'"', 0xff, b'"'])]);

    assert_eq!(socket.closed(), Some(1007));
}

#[test]
fn a_close_reason_that_is_not_utf8_is_closed_with_1007() {
    let code = closed_by(&[Frame::new(CLOSE, [0x03, 0xe8, 0xff])]);

    assert_eq!(code, Some(1007));
}

#[test]
fn a_kind_of_message_that_the_subprotocol_has_not_is_closed_with_1003() {
    let broker = Broker::start();
    for (subprotocol, opcode) in [("murre.v1.msgpack", TEXT), ("murre.v1.json", BINARY)] {
        let mut socket = RawSocket::upgraded(&broker, "/ws", subprotocol);
        socket.send_frames(&[Frame::new(opcode, "{}")]);
        assert_eq!(socket.closed(), Some(1003), "{subprotocol}");
    }
}

#[test]
fn a_header_that_claims_too_much_is_closed_with_1009_before_any_of_it_comes() {
    let header = Frame::binary("").claiming(1 << 40);

    assert_eq!(closed_by(&[header]), Some(1009));
}

#[test]
fn fragments_that_together_are_too_large_are_closed_with_1009() {
    let broker = Broker::with(&[("limits.max_packet", "16 KiB"), ("limits.max_message", "64 KiB")]);
    let mut socket = RawSocket::connected(&broker);

    let parts = [[b'x'; 30 << 10].as_slice(); 3];
    socket.send_frames(&Frame::fragments(BINARY, &parts));

    assert_eq!(socket.closed(), Some(1009));
}

#[test]
fn headers_that_claim_too_much_cost_no_memory() {
    let broker = Broker::start();
    let before = broker.memory();
    let mut held = Vec::new();

    for _ in 0..16 {
        let mut socket = RawSocket::connected(&broker);
        socket.send(Frame::binary("").claiming(1 << 40).encode());
        // What claims to be its payload; the broker may close at any point of it.
        let chunk = vec![0; 64 << 10];
        (0..64).take_while(|_| socket.try_send(&chunk).is_ok()).count();
        held.push(socket);
    }

    let grown = broker.memory().saturating_sub(before);
    assert!(grown < 32 << 20, "64 MiB of claimed payload made the broker grow by {grown} bytes");
}

#[test]
fn a_ping_is_answered_also_between_fragments() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "site/#");
    let mut socket = RawSocket::connected(&broker);
    let publish = Packet::publish("site/a", "in three parts", 0).encode();
    let mut frames = Frame::fragments(BINARY, &[&publish[..3], &publish[3..9], &publish[9..]]);

    frames.insert(1, Frame::new(PING, "between"));
    socket.send_frames(&frames);

    assert_eq!(socket.frame(), Frame { masked: false, ..Frame::new(PONG, "between") });
    assert_eq!(subscriber.message().text(), "in three parts");
}

#[test]
fn a_pong_that_nobody_asked_for_is_passed_over() {
    let broker = Broker::start();
    let mut socket = RawSocket::connected(&broker);

    socket.send_frames(&[Frame::new(PONG, "unasked"), Frame::new(PING, "after")]);

    assert_eq!(socket.frame().payload, b"after");
}

#[test]
fn several_packets_in_one_message_and_one_in_many_writes_are_the_same() {
    let broker = Broker::start();
    let mut subscriber = Client::connect(&broker);
    subscriber.subscribe_live(1, "site/a");
    let mut socket = RawSocket::connected(&broker);
    let publish = |text: &str| Packet::publish("site/a", text, 0).encode();

    socket.send_frames(&[Frame::binary([publish("1"), publish("2")].concat())]);
    for byte in Frame::binary(publish("3")).encode() {
        socket.send([byte]);
    }

    let texts: Vec<_> = subscriber.messages(3).iter().map(|message| message.text().to_owned()).collect();
    assert_eq!(texts, ["1", "2", "3"]);
}

#[test]
fn without_a_subprotocol_the_first_message_decides() {
    let broker = Broker::start();

    let mut json = RawSocket::upgraded(&broker, "/ws", "");
    json.send_frames(&[Frame::text(json!({ "type": "connect", "options": {} }).to_string())]);
    assert_eq!(json.frame().opcode, TEXT, "text is answered in text");

    let mut msgpack = RawSocket::upgraded(&broker, "/ws", "");
    msgpack.send_packet(&Packet::connect(json!({})));
    assert_eq!(msgpack.frame().opcode, BINARY, "binary is answered in binary");
}
