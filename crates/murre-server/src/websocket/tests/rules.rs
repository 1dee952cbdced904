//! The rules of RFC 6455, each by itself.

use super::*;
use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};

/// The failure that these frames give, which has to be owed this code.
fn failure(frames: &[ClientFrame], code: u16) -> DecodeError {
    failure_of_bytes(&bytes_of(frames), code)
}

fn failure_of_bytes(bytes: &[u8], code: u16) -> DecodeError {
    let error = decode(bytes).expect_err("the frames break a rule");
    assert_eq!(error.close_code(), code, "{error}");
    error
}

/// A close frame with this code and reason.
fn close_frame(code: u16, reason: &[u8]) -> ClientFrame {
    frame(Close, [&code.to_be_bytes(), reason].concat())
}

#[test]
fn messages_pings_pongs_and_a_close_come_in_order() {
    let frames = [
        frame(Text, "a€"),
        frame(Ping, "p"),
        frame(Binary, [1, 2]),
        frame(Pong, ""),
        close_frame(1001, b"bye"),
    ];

    let events = decode_frames(&frames).unwrap();

    let close = Event::Close { code: Some(1001), reason: "bye".into() };
    assert_eq!(events, [text("a€"), ping(b"p"), binary(&[1, 2]), Event::Pong, close]);
}

#[test]
fn a_fragmented_message_is_joined_and_pings_may_come_between() {
    let frames = [
        frame(Text, "one ").unfinished(),
        frame(Ping, "p"),
        frame(Continuation, "").unfinished(),
        frame(Continuation, "two"),
    ];

    assert_eq!(decode_frames(&frames).unwrap(), [ping(b"p"), text("one two")]);
}

#[test]
fn a_character_may_be_split_between_fragments() {
    let bird = "🐦".as_bytes();
    let frames = [frame(Text, &bird[..1]).unfinished(), frame(Continuation, &bird[1..])];

    assert_eq!(decode_frames(&frames).unwrap(), [text("🐦")]);
}

#[test]
fn empty_messages_are_messages() {
    let frames = [frame(Text, ""), frame(Binary, ""), frame(Text, "").unfinished(), frame(Continuation, "")];

    assert_eq!(decode_frames(&frames).unwrap(), [text(""), binary(b""), text("")]);
}

#[test]
fn a_close_may_be_empty() {
    assert_eq!(decode_frames(&[frame(Close, "")]).unwrap(), [Event::Close { code: None, reason: "".into() }]);
}

#[test]
fn nothing_comes_after_a_close() {
    let mut connection = Connection::new(Limits::default());

    connection.read(&bytes_of(&[frame(Close, ""), frame(Text, "late")])).unwrap();
    connection.read(b"no frame at all").unwrap();

    assert_eq!(connection.events, [Event::Close { code: None, reason: "".into() }]);
    assert!(connection.decoder.is_ended());
}

#[test]
fn nothing_comes_after_a_failure() {
    let mut connection = Connection::new(Limits::default());
    connection.read(&[0xff, 0xff]).unwrap_err();

    connection.read(&frame(Text, "late").bytes()).unwrap();

    assert_eq!(connection.events, []);
    assert!(connection.decoder.is_ended());
    assert_eq!(connection.decoder.buffered(), 0);
}

#[test]
fn reserved_bits_fail() {
    for reserved in [0x40, 0x20, 0x10] {
        let mut broken = frame(Text, "a");
        broken.first |= reserved;
        assert_eq!(failure(&[broken], 1002), DecodeError::ReservedBits(reserved >> 4));
    }
}

#[test]
fn unknown_opcodes_fail() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let mut broken = frame(Text, "a");
        broken.first = 0x80 | opcode;
        assert_eq!(failure(&[broken], 1002), DecodeError::UnknownOpcode(opcode));
    }
}

#[test]
fn a_frame_without_mask_fails() {
    assert_eq!(failure_of_bytes(&[0x81, 1, b'a'], 1002), DecodeError::Unmasked);
}

#[test]
fn what_is_wrong_in_the_first_bytes_fails_before_the_rest_arrives() {
    assert_eq!(failure_of_bytes(&[0xf1], 1002), DecodeError::ReservedBits(7));
    assert_eq!(failure_of_bytes(&[0x83], 1002), DecodeError::UnknownOpcode(3));
    assert_eq!(failure_of_bytes(&[0x89, 0xfe], 1002), DecodeError::ControlTooLong);
}

#[test]
fn a_fragmented_control_frame_fails() {
    for opcode in [Close, Ping, Pong] {
        assert_eq!(failure(&[frame(opcode, "").unfinished()], 1002), DecodeError::FragmentedControl);
    }
}

#[test]
fn a_control_frame_carries_125_bytes_and_no_more() {
    let most = [7; 125];

    assert_eq!(decode_frames(&[frame(Ping, most)]).unwrap(), [ping(&most)]);
    for opcode in [Close, Ping, Pong] {
        assert_eq!(failure(&[frame(opcode, [7; 126])], 1002), DecodeError::ControlTooLong);
    }
}

#[test]
fn a_continuation_of_nothing_fails() {
    assert_eq!(failure(&[frame(Continuation, "a")], 1002), DecodeError::StrayContinuation);
    let after_a_whole_message = [frame(Text, "a"), frame(Continuation, "b")];
    assert_eq!(failure(&after_a_whole_message, 1002), DecodeError::StrayContinuation);
}

#[test]
fn a_new_message_inside_a_fragmented_one_fails() {
    for opcode in [Text, Binary] {
        let frames = [frame(Text, "a").unfinished(), frame(opcode, "b")];
        assert_eq!(failure(&frames, 1002), DecodeError::InterruptedMessage);
    }
}

#[test]
fn a_length_in_more_bytes_than_it_needs_fails() {
    let of_16_bits = [0x82, 0xfe, 0, 125];
    let of_64_bits = [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

    assert_eq!(failure_of_bytes(&of_16_bits, 1002), DecodeError::LengthNotMinimal(125));
    assert_eq!(failure_of_bytes(&of_64_bits, 1002), DecodeError::LengthNotMinimal(65_535));
}

#[test]
fn a_length_with_its_highest_bit_set_fails() {
    let bytes = [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0];

    assert_eq!(failure_of_bytes(&bytes, 1002), DecodeError::LengthTooGreat);
}

#[test]
fn a_close_of_one_byte_fails() {
    assert_eq!(failure(&[frame(Close, [3])], 1002), DecodeError::ClosePayload);
}

#[test]
fn a_close_code_that_may_not_be_sent_fails() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert_eq!(failure(&[close_frame(code, b"")], 1002), DecodeError::CloseCode(code));
    }
}

#[test]
fn a_close_reason_that_is_not_utf8_fails() {
    assert_eq!(failure(&[close_frame(1000, &[0xff])], 1007), DecodeError::CloseReasonNotUtf8);
}

#[test]
fn text_that_is_not_utf8_fails_however_it_comes() {
    let half_a_bird = &"🐦".as_bytes()[..2];
    let in_one_frame = [frame(Text, [b'a', 0xff])];
    let cut_short = [frame(Text, half_a_bird)];
    let cut_short_in_fragments = [frame(Text, half_a_bird).unfinished(), frame(Continuation, "")];

    assert_eq!(failure(&in_one_frame, 1007), DecodeError::TextNotUtf8);
    assert_eq!(failure(&cut_short, 1007), DecodeError::TextNotUtf8);
    assert_eq!(failure(&cut_short_in_fragments, 1007), DecodeError::TextNotUtf8);
}

#[test]
fn text_that_can_not_become_utf8_fails_before_its_frame_ends() {
    let mut bytes = frame(Text, [&[b'a', 0xff][..], &[b'x'; 100]].concat()).bytes();
    bytes.truncate(10);

    assert_eq!(failure_of_bytes(&bytes, 1007), DecodeError::TextNotUtf8);
}

#[test]
fn a_binary_message_carries_any_bytes() {
    assert_eq!(decode_frames(&[frame(Binary, [0xff, 0xfe])]).unwrap(), [binary(&[0xff, 0xfe])]);
}
