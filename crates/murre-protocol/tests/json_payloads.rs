//! Payloads between JSON clients and others: what is read, and what is written for each format.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod packets;

use std::borrow::Cow;

use murre_protocol::{
    Codec, Format, Position, Timestamp,
    packet::{BrokerPacket, ClientPacket, Message, Publish},
};
use proptest::{collection::vec, prelude::*, sample::select};

/// What of a MESSAGE with this payload stands between `format` and `time`.
fn written(format: Format, payload: &[u8]) -> String {
    let mut out = Vec::new();
    let (time, position) = (Timestamp::default(), Position::NONE);
    let message =
        Message { topic: "a".into(), format, payload: Cow::Borrowed(payload), time, position, options: None };
    Codec::Json.write_broker(&BrokerPacket::Message { sub: 1, message }, &mut out);
    let line = String::from_utf8(out).unwrap();
    let (_, line) = line.split_once(&format!(r#""format":{},"#, format.number())).unwrap();
    line.strip_suffix(",\"time\":0,\"position\":0}\n").unwrap().to_owned()
}

/// The PUBLISH with these elements beside topic and id.
fn read(elements: &str) -> Result<Publish<'static>, String> {
    let packet: &'static str = format!(r#"{{"type":"publish","topic":"a","id":1,{elements}}}"#).leak();
    match Codec::Json.client_packet(packet.as_bytes(), usize::MAX) {
        Ok(Some((ClientPacket::Publish(publish), _))) => Ok(publish),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn a_publish_without_a_format_is_json_or_text_or_raw_by_its_payload() {
    for (elements, format, payload) in [
        (r#""payload":{ "a" : 1.50 }"#, Format::Json, &br#"{ "a" : 1.50 }"#[..]),
        (r#""payload":null"#, Format::Json, b"null"),
        (r#""payload":"a\nb""#, Format::Text, b"a\nb"),
        (r#""payload":"a","format":2"#, Format::Json, br#""a""#),
        (r#""payload":"a","format":3"#, Format::Text, b"a"),
        (r#""payload":"a","format":1"#, Format::MessagePack, b"\xa1a"),
        (r#""payload":"","format":null"#, Format::Text, b""),
        (r#""payload_base64":"AQL/""#, Format::Raw, b"\x01\x02\xff"),
        (r#""payload_base64":"AQI","format":2"#, Format::Json, b"\x01\x02"),
    ] {
        let publish = read(elements).unwrap();
        assert_eq!((publish.format, &*publish.payload), (format, payload), "{elements}");
    }
}

#[test]
fn topic_and_json_payload_are_borrowed_from_the_frame() {
    let publish = read(r#""payload":{"celsius":21.4}"#).unwrap();
    assert!(matches!(publish.topic, Cow::Borrowed(_)));
    assert!(matches!(publish.payload, Cow::Borrowed(_)));
    let publish = read(r#""payload":"plain""#).unwrap();
    assert!(matches!(publish.payload, Cow::Borrowed(_)));
}

#[test]
fn a_payload_that_does_not_fit_its_format_is_named() {
    for (elements, reason) in [
        (r#""payload":1,"format":3"#, "PUBLISH.payload: expected str, found number"),
        (r#""payload":1,"format":0"#, "PUBLISH.payload_base64: is missing"),
        (r#""format":2"#, "PUBLISH.payload: is missing"),
        (r#""payload_base64":"?""#, "PUBLISH.payload_base64: is not base64"),
        (
            r#""payload":1,"payload_base64":"""#,
            "PUBLISH.payload: exactly one of payload and payload_base64 is needed",
        ),
        (&*format!(r#""format":1,"payload":{}"#, nested(65)), "PUBLISH.payload: is nested too deep"),
    ] {
        assert_eq!(read(elements).unwrap_err(), reason);
    }
    assert!(read(r#""payload":"\ud800""#).unwrap_err().starts_with("PUBLISH.payload: is not JSON: "));
}

#[test]
fn messagepack_with_a_json_form_is_written_as_json() {
    for (payload, json) in [
        (&b"\xc0"[..], "null"),
        (b"\x93\xc2\xc3\xe0", "[false,true,-32]"),
        (
            b"\x94\xd0\x80\xd1\x80\0\xd2\x80\0\0\0\xd3\x80\0\0\0\0\0\0\0",
            "[-128,-32768,-2147483648,-9223372036854775808]",
        ),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
        (b"\xca\x41\xab\x33\x33", "21.4"),
        (b"\xcb\x40\x35\x66\x66\x66\x66\x66\x66", "21.4"),
        (b"\x82\xa1a\x90\xa1\"\x80", r#"{"a":[],"\"":{}}"#),
    ] {
        assert_eq!(written(Format::MessagePack, payload), format!(r#""payload":{json}"#));
    }
}

#[test]
fn what_has_no_json_form_is_written_as_base64() {
    let deep = [vec![0x91; 64], vec![0x90]].concat();
    let deep_json = nested(65);
    for (format, payload) in [
        (Format::Raw, &b"text"[..]),
        (Format::MessagePack, b"\xc4\x01a"),
        (Format::MessagePack, b"\xd4\x01a"),
        (Format::MessagePack, b"\x81\x01\x02"),
        (Format::MessagePack, b"\x81\xc0\x02"),
        (Format::MessagePack, b"\xca\x7f\xc0\0\0"),
        (Format::MessagePack, b"\xcb\x7f\xf0\0\0\0\0\0\0"),
        (Format::MessagePack, b"\x01\x02"),
        (Format::MessagePack, b"\x92\x01"),
        (Format::MessagePack, b""),
        (Format::MessagePack, b"\xc1"),
        (Format::MessagePack, b"\xa1\xff"),
        (Format::MessagePack, &deep),
        (Format::Json, b""),
        (Format::Json, b"{oops"),
        (Format::Json, b"1 2"),
        (Format::Json, b"\"\xff\""),
        (Format::Json, deep_json.as_bytes()),
        (Format::Text, b"\xff"),
    ] {
        let text = written(format, payload);
        assert!(text.starts_with(r#""payload_base64":""#), "{format} {payload:x?}: {text}");
    }
}

#[test]
fn sixty_four_levels_still_have_a_json_form() {
    let json = nested(64);
    assert_eq!(written(Format::Json, json.as_bytes()), format!(r#""payload":{json}"#));
    let msgpack = [vec![0x91; 63], vec![0x90]].concat();
    assert_eq!(written(Format::MessagePack, &msgpack), format!(r#""payload":{json}"#));
}

#[test]
fn json_keeps_its_text_but_for_newlines() {
    let payload = b" {\r\n  \"a\": 1.50,\n  \"b\\n\": \"[{\"\n}\n";
    assert_eq!(written(Format::Json, payload), r#""payload":{  "a": 1.50,  "b\n": "[{"}"#);
}

/// A JSON text of brackets, quotes and escapes in whatever order, valid or not.
fn brackets() -> impl Strategy<Value = String> {
    vec(select(vec!["[", "]", "{", "}", "\"", "\\\"", "\\\\", ":", ",", "1", " ", "\n"]), 0..40)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn every_message_to_a_json_client_is_valid_json(
        format in select(&Format::ALL[..]),
        payload in prop_oneof![vec(any::<u8>(), 0..60), brackets().prop_map(String::into_bytes)],
    ) {
        let text = written(format, &payload);
        let value: serde_json::Value = serde_json::from_str(&format!("{{{text}}}")).unwrap();
        prop_assert_eq!(value.as_object().unwrap().len(), 1);
        prop_assert!(!text.contains('\n'));
    }

    #[test]
    fn a_json_value_published_as_messagepack_is_that_value(value in packets::values::json_value()) {
        let publish = read(&format!(r#""format":1,"payload":{value}"#)).unwrap();
        let back: serde_json::Value = rmp_serde::from_slice(&publish.payload).unwrap();
        prop_assert_eq!(&back, &value);
        let text = written(Format::MessagePack, &publish.payload);
        let again: serde_json::Value = serde_json::from_str(&format!("{{{text}}}")).unwrap();
        prop_assert_eq!(&again["payload"], &value);
    }
}
