//! `/echo` sends every message back, where it is switched on.

use murre_tests::frame::{BINARY, TEXT};
use murre_tests::raw::upgrade_request;
use murre_tests::{Broker, Frame, RawSocket};

fn echo() -> (Broker, RawSocket) {
    let broker = Broker::with(&[("server.echo", "true")]);
    let socket = RawSocket::upgraded(&broker, "/echo", "");
    (broker, socket)
}

#[test]
fn it_is_off_unless_asked_for() {
    let broker = Broker::start();

    assert_eq!(RawSocket::open(&broker).ask(&upgrade_request(&broker, "/echo", &[])).status, 404);
}

#[test]
fn messages_come_back_as_they_are() {
    let (_broker, mut socket) = echo();

    for frame in
        [Frame::text("héllo"), Frame::binary([0, 255, 7]), Frame::text(""), Frame::binary([7; 70_000])]
    {
        socket.send_frames(std::slice::from_ref(&frame));
        assert_eq!(socket.message(), (frame.opcode, frame.payload));
    }
}

#[test]
fn fragments_come_back_as_one_message() {
    let (_broker, mut socket) = echo();

    socket.send_frames(&Frame::fragments(TEXT, &[b"one, ", b"", b"t\xc3", b"\xb6wo"]));
    assert_eq!(socket.message(), (TEXT, "one, t\u{f6}wo".as_bytes().to_vec()));

    socket.send_frames(&Frame::fragments(BINARY, &[&[1], &[2], &[3]]));
    assert_eq!(socket.message(), (BINARY, vec![1, 2, 3]));
}

#[test]
fn closing_follows_the_same_rules() {
    let (_broker, mut socket) = echo();

    socket.send_frames(&[Frame::text([0xff])]);

    assert_eq!(socket.closed(), Some(1007));
}
