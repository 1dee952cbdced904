//! What a decoder holds, and what it refuses to hold.

use super::*;
use Opcode::{Binary, Continuation, Ping};

const SMALL: Limits = Limits { max_message: 100, max_fragments: 3 };

/// The failure that these bytes give under the small limits.
fn failure(bytes: &[u8]) -> DecodeError {
    Connection::new(SMALL).read(bytes).expect_err("the bytes pass a limit")
}

#[test]
fn a_small_frame_is_read_where_it_lies_and_nothing_is_held() {
    let mut decoder = decoder();
    let mut scratch = bytes_of(&[frame(Binary, "reading"), frame(Ping, "p")]);
    let range = scratch.as_ptr_range();
    let mut input = scratch.as_mut_slice();

    let Some(Event::Message { bytes: Cow::Borrowed(message), .. }) = decoder.decode(&mut input).unwrap()
    else {
        panic!("a message that was not copied");
    };
    let Some(Event::Ping(Cow::Borrowed(ping))) = decoder.decode(&mut input).unwrap() else {
        panic!("a ping that was not copied");
    };

    assert_eq!((message, ping), (&b"reading"[..], &b"p"[..]));
    assert!(range.contains(&message.as_ptr()) && range.contains(&ping.as_ptr()));
    assert!(!decoder.is_unfinished());
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 40, "{} bytes", size_of::<Decoder>());
}

#[test]
fn a_header_that_claims_a_terabyte_fails_at_once_and_costs_nothing() {
    let mut connection = Connection::new(Limits::default());

    let error = connection.read(&header(0x82, 1 << 40, [1; 4])).unwrap_err();

    let expected = DecodeError::MessageTooBig { size: 1 << 40, max: Limits::MAX_MESSAGE };
    assert_eq!((error, error.close_code()), (expected, 1009));
    assert_eq!(connection.decoder.buffered(), 0);
}

#[test]
fn a_declared_length_is_no_reason_to_hold_memory() {
    let mut connection = Connection::new(Limits::default());
    let mut bytes = header(0x82, Limits::MAX_MESSAGE as u64, [1; 4]);
    bytes.extend([7; 1000]);

    connection.read(&bytes).unwrap();

    assert!(connection.decoder.is_unfinished());
    assert!((1000..=2000).contains(&connection.decoder.buffered()), "{}", connection.decoder.buffered());
}

#[test]
fn a_buffer_is_let_go_with_its_message() {
    let mut connection = Connection::new(Limits::default());
    let bytes = frame(Binary, [7; 1000]).bytes();

    connection.read(&bytes[..500]).unwrap();
    connection.read(&bytes[500..]).unwrap();

    assert_eq!(connection.events, [binary(&[7; 1000])]);
    assert!(!connection.decoder.is_unfinished());
    assert_eq!(connection.decoder.buffered(), 0);
}

#[test]
fn a_message_at_the_limit_passes_and_one_byte_more_fails() {
    let mut connection = Connection::new(SMALL);

    connection.read(&frame(Binary, [7; 100]).bytes()).unwrap();

    assert_eq!(connection.events, [binary(&[7; 100])]);
    assert_eq!(failure(&frame(Binary, [7; 101]).bytes()), DecodeError::MessageTooBig { size: 101, max: 100 });
}

#[test]
fn the_fragments_of_a_message_count_together() {
    let first = frame(Binary, [7; 60]).unfinished().bytes();
    let claim = header(0x80, 41, [1; 4]);

    assert_eq!(failure(&[first, claim].concat()), DecodeError::MessageTooBig { size: 101, max: 100 });
}

#[test]
fn lengths_that_overflow_together_fail() {
    let first = frame(Binary, "a").unfinished().bytes();
    let claim = header(0x80, i64::MAX as u64, [1; 4]);

    assert_eq!(failure(&[first, claim].concat()).close_code(), 1009);
}

#[test]
fn a_message_of_endless_empty_fragments_fails() {
    let mut frames = vec![frame(Binary, "").unfinished()];
    frames.extend(vec![frame(Continuation, "").unfinished(); 3]);

    let error = failure(&bytes_of(&frames));

    assert_eq!((error, error.close_code()), (DecodeError::TooManyFragments { max: 3 }, 1008));
}

#[test]
fn as_many_fragments_as_allowed_pass_again_and_again() {
    let mut connection = Connection::new(SMALL);
    let message =
        [frame(Binary, "a").unfinished(), frame(Continuation, "b").unfinished(), frame(Continuation, "c")];

    for _ in 0..3 {
        connection.read(&bytes_of(&message)).unwrap();
    }

    assert_eq!(connection.events, [binary(b"abc"), binary(b"abc"), binary(b"abc")]);
}

#[test]
fn who_stops_early_finds_what_is_left() {
    let mut decoder = decoder();
    let late = frame(Binary, "two").bytes();
    let mut scratch = [frame(Binary, "one").bytes(), late.clone()].concat();
    let mut input = scratch.as_mut_slice();

    let first = decoder.decode(&mut input).unwrap().map(owned);

    assert_eq!(first, Some(binary(b"one")));
    assert_eq!(input, late);
}
