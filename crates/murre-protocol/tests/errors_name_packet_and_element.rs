//! Wherever a packet is wrong, the error says which packet and which element.
//!
//! The packets are the examples of `docs/protocol.md`, changed in one place each.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod document;
mod packets;

use document::{Example, PacketRow, Side, examples};
use murre_protocol::{
    Codec, DecodeError, Problem,
    packet::{ClientPacket, From, Subscribe, ViewKey},
};
use packets::{take_broker, take_client};
use rmpv::Value;

fn refused(side: Side, codec: Codec, bytes: &[u8]) -> DecodeError {
    let taken = match side {
        Side::Client => take_client(codec, bytes, usize::MAX),
        Side::Broker => take_broker(codec, bytes, usize::MAX),
    };
    match taken {
        Err(error) => error,
        Ok(packet) => panic!("{} was read as {packet:?}", bytes.escape_ascii()),
    }
}

fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

fn row(example: &Example) -> PacketRow {
    document::packets().into_iter().find(|row| row.number == u64::from(example.msgpack[1])).unwrap()
}

/// Calls `each` with every place in a tree of maps and arrays, by a path as errors have it.
fn change_each_map_value(value: &Value, path: &str, each: &mut dyn FnMut(&str, Value)) {
    let Value::Map(entries) = value else { return };
    for (at, (key, inner)) in entries.iter().enumerate() {
        let path = format!("{path}.{}", key.as_str().unwrap());
        let put = |new: Value| {
            let mut entries = entries.clone();
            entries[at].1 = new;
            Value::Map(entries)
        };
        // The application's own keys have no name in an error.
        if !path.ends_with(".properties") && !path.ends_with(".topics") {
            change_each_map_value(inner, &path, &mut |path, new| each(path, put(new)));
        }
        each(&path, put(Value::Ext(1, vec![0])));
    }
}

#[test]
fn an_element_of_another_type_is_named_in_messagepack() {
    for example in examples() {
        let row = row(&example);
        let Value::Array(elements) = rmpv::decode::read_value(&mut &*example.msgpack).unwrap() else {
            panic!()
        };
        let check = |at: usize, element: &str, new: Value| {
            let mut elements = elements.clone();
            elements[at] = new;
            let error = refused(example.sides[0], Codec::MessagePack, &written(&Value::Array(elements)));
            assert_eq!((error.packet, &*error.element), (row.name, element), "{}: {error}", example.name);
            assert!(matches!(error.problem, Problem::Type { found: "ext", .. }), "{error}");
        };
        for (at, element) in (1..elements.len()).zip(&row.elements) {
            check(at, element.name, Value::Ext(1, vec![0]));
            change_each_map_value(&elements[at], element.name, &mut |path, new| check(at, path, new));
        }
    }
}

#[test]
fn an_element_of_another_type_is_named_in_json() {
    for example in examples() {
        let row = row(&example);
        let whole: serde_json::Value = serde_json::from_slice(&example.json).unwrap();
        for (name, value) in whole.as_object().unwrap() {
            let mut paths = vec![(name.clone(), format!("/{name}"))];
            let inner = value.as_object().filter(|_| name == "options" || name == "info");
            for (key, _) in inner.into_iter().flatten() {
                paths.push((format!("{name}.{key}"), format!("/{name}/{key}")));
            }
            // Any JSON value may be a payload.
            for (path, pointer) in paths.into_iter().filter(|(path, _)| path != "payload") {
                let mut changed = whole.clone();
                *changed.pointer_mut(&pointer).unwrap() = serde_json::json!([[]]);
                let error = refused(example.sides[0], Codec::Json, changed.to_string().as_bytes());
                let packet = if path == "type" { "packet" } else { row.name };
                assert_eq!((error.packet, &*error.element), (packet, &*path), "{}: {error}", example.name);
                assert!(matches!(error.problem, Problem::Type { found: "array", .. }), "{error}");
            }
        }
    }
}

#[test]
fn a_missing_element_is_named_and_an_optional_one_may_be_missing() {
    for example in examples() {
        let row = row(&example);
        let Value::Array(elements) = rmpv::decode::read_value(&mut &*example.msgpack).unwrap() else {
            panic!()
        };
        for (count, element) in (1..elements.len()).zip(&row.elements) {
            let bytes = written(&Value::Array(elements[..count].to_vec()));
            if element.is_optional {
                let taken = take_client(Codec::MessagePack, &bytes, usize::MAX);
                assert!(taken.or_else(|_| take_broker(Codec::MessagePack, &bytes, usize::MAX)).is_ok());
            } else {
                let error = refused(example.sides[0], Codec::MessagePack, &bytes);
                let found = (error.packet, &*error.element, error.problem);
                assert_eq!(found, (row.name, element.name, Problem::Missing), "{}", example.name);
            }
        }
    }
}

#[test]
fn numbers_that_are_no_uints_are_of_another_type() {
    for (number, found) in [
        ("-1", "negative number"),
        ("1.0", "number with a fraction or exponent"),
        ("1e3", "number with a fraction or exponent"),
        ("18446744073709551616", "number above 2^64 - 1"),
    ] {
        let packet = format!(r#"{{"type":"unsubscribe","sub":{number}}}"#);
        let error = refused(Side::Client, Codec::Json, packet.as_bytes());
        assert_eq!(error.problem, Problem::Type { expected: "uint", found });
    }
    for (bytes, found) in
        [(&b"\x92\x07\xff"[..], "int"), (b"\x92\x07\xd0\x01", "int"), (b"\x92\x07\xca\0\0\0\0", "float")]
    {
        let error = refused(Side::Client, Codec::MessagePack, bytes);
        assert_eq!(error.problem, Problem::Type { expected: "uint", found });
    }
}

#[test]
fn a_position_past_2_to_the_53_is_out_of_range() {
    let error = refused(Side::Client, Codec::Json, br#"{"type":"ack","sub":1,"position":9007199254740992}"#);
    assert_eq!(error, DecodeError::new("ACK", "position", Problem::Range(1 << 53)));
    let largest = br#"{"type":"ack","sub":1,"position":9007199254740991}"#;
    assert!(take_client(Codec::Json, largest, usize::MAX).is_ok());
}

#[test]
fn a_topic_that_is_not_utf_8_is_named() {
    let error = refused(Side::Client, Codec::MessagePack, b"\x95\x03\xa2a\xff\x00\xc4\x00\x00");
    assert_eq!(error, DecodeError::new("PUBLISH", "topic", Problem::Utf8));
}

#[test]
fn a_long_wrong_value_is_repeated_in_part() {
    let packet = format!(r#"{{"type":"{}"}}"#, "x".repeat(1_000));
    let error = refused(Side::Client, Codec::Json, packet.as_bytes());
    assert_eq!(error.problem, Problem::Value("x".repeat(64)));
}

fn subscribe(options: &str) -> Subscribe<'static> {
    let packet = format!(r#"{{"type":"subscribe","sub":1,"filter":"a","options":{options}}}"#);
    let packet: &'static str = packet.leak();
    match Codec::Json.client_packet(packet.as_bytes(), usize::MAX) {
        Ok(Some((ClientPacket::Subscribe(subscribe), _))) => *subscribe,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_option_with_an_unknown_value_is_kept_for_the_packet_s_own_answer() {
    let many = format!(r#"{{"from":{{"after":{:?},"epoch":"e"}}}}"#, vec![1; 257]);
    for (options, reason) in [
        (r#"{"on_slow":"explode"}"#, r#"SUBSCRIBE.options.on_slow: "explode" is none of the known values"#),
        (r#"{"from":"yesterday"}"#, r#"SUBSCRIBE.options.from: "yesterday" is none of the known values"#),
        (r#"{"from":{}}"#, "SUBSCRIBE.options.from: exactly one of last, since and after is needed"),
        (
            r#"{"from":{"last":1,"since":2}}"#,
            "SUBSCRIBE.options.from: exactly one of last, since and after is needed",
        ),
        (&*many, "SUBSCRIBE.options.from.after: 257 is out of range"),
    ] {
        let options = subscribe(options).options;
        assert_eq!(options.invalid.unwrap().to_string(), reason);
        assert_eq!((options.from, options.on_slow), (None, None));
    }
    assert_eq!(subscribe(r#"{"from":{"last":3}}"#).options.invalid, None);
}

#[test]
fn after_without_an_epoch_is_malformed() {
    let packet = br#"{"type":"subscribe","sub":1,"filter":"a","options":{"from":{"after":[1]}}}"#;
    let error = refused(Side::Client, Codec::Json, packet);
    assert_eq!(error, DecodeError::new("SUBSCRIBE", "options.from.epoch", Problem::Missing));
}

#[test]
fn of_a_view_s_key_that_comes_twice_the_last_counts_and_null_is_none() {
    let options =
        subscribe(r#"{"max_rate":5,"where":"a","patch":null,"max_rate":6,"from":{"last":3}}"#).options;
    let view = options.view.unwrap();
    assert_eq!(view.keys().collect::<Vec<_>>(), [ViewKey::MaxRate, ViewKey::Where]);
    assert_eq!(view.max_rate, Some(6.0));
    assert_eq!(options.from, Some(From::LastN(3)));
}

#[test]
fn a_view_s_option_out_of_bounds_is_named_with_what_it_may_be() {
    let long = format!(r#"{{"where":"{}"}}"#, "a".repeat(1025));
    let paths = format!(r#"{{"select":{:?}}}"#, vec!["a"; 33]);
    let path = format!(r#"{{"select":["{}"]}}"#, "a".repeat(257));
    for (options, reason) in [
        (r#"{"max_rate":0}"#, "max_rate: 0 is out of bounds, expected 0.01 to 1000 messages a second"),
        (r#"{"max_rate":1e4}"#, "max_rate: 10000 is out of bounds, expected 0.01 to 1000 messages a second"),
        (&*long, "where: 1025 bytes is out of bounds, expected at most 1024"),
        (r#"{"select":[]}"#, "select: an empty list is out of bounds, expected 1 to 32 paths"),
        (&*paths, "select: a longer list is out of bounds, expected at most 32 paths"),
        (&*path, "select: a path of 257 bytes is out of bounds, expected at most 256"),
        (r#"{"deadband":{"path":"a"}}"#, "deadband: exactly one of abs and percent is needed"),
        (r#"{"deadband":{"abs":1,"percent":2}}"#, "deadband: exactly one of abs and percent is needed"),
        (
            r#"{"deadband":{"abs":-1}}"#,
            "deadband.abs: -1 is out of bounds, expected a finite number, 0 or more",
        ),
        (
            r#"{"deadband":{"percent":0}}"#,
            "deadband.percent: 0 is out of bounds, expected above 0, at most 1000",
        ),
        (
            r#"{"deadband":{"abs":1,"silence_max":0.05}}"#,
            "deadband.silence_max: 0.05 is out of bounds, expected 0.1 to 86400 seconds",
        ),
        (
            r#"{"window":{"seconds":86401,"of":["a"],"give":["min"]}}"#,
            "window.seconds: 86401 is out of bounds, expected 0.1 to 86400 seconds",
        ),
        (
            r#"{"window":{"seconds":0.2505,"of":["a"],"give":["min"]}}"#,
            "window.seconds: 0.2505 is out of bounds, expected whole milliseconds",
        ),
        (
            r#"{"window":{"seconds":60,"step":7,"of":["a"],"give":["min"]}}"#,
            "window.step: 7 is out of bounds, expected a part of window.seconds without a rest",
        ),
        (
            r#"{"window":{"seconds":60,"step":0.1,"of":["a"],"give":["min"]}}"#,
            "window.step: 0.1 is out of bounds, expected at least a 120th of window.seconds",
        ),
        (
            r#"{"window":{"seconds":60,"of":["a"],"give":["median"]}}"#,
            r#"window.give: "median" is none of the known values"#,
        ),
        (r#"{"expect":0}"#, "expect: 0 is out of bounds, expected 0.1 to 604800 seconds"),
        (r#"{"on_error":"panic"}"#, r#"on_error: "panic" is none of the known values"#),
    ] {
        let options = subscribe(options).options;
        assert_eq!(options.invalid.unwrap().to_string(), format!("SUBSCRIBE.options.{reason}"));
    }
}

#[test]
fn a_view_s_option_of_the_wrong_type_or_without_a_needed_key_is_malformed() {
    for (options, reason) in [
        (r#"{"max_rate":"fast"}"#, "max_rate: expected number, found string"),
        (r#"{"where":{"a":1}}"#, "where: expected str, found object"),
        (r#"{"select":"celsius"}"#, "select: expected array, found string"),
        (r#"{"deadband":0.5}"#, "deadband: expected map, found number"),
        (r#"{"window":{"of":["a"],"give":["min"]}}"#, "window.seconds: is missing"),
        (r#"{"window":{"seconds":1,"give":["min"]}}"#, "window.of: is missing"),
        (r#"{"window":{"seconds":1,"of":["a"]}}"#, "window.give: is missing"),
        (r#"{"patch":1}"#, "patch: expected bool, found number"),
    ] {
        let packet = format!(r#"{{"type":"subscribe","sub":1,"filter":"a","options":{options}}}"#);
        let error = refused(Side::Client, Codec::Json, packet.as_bytes());
        assert_eq!(error.to_string(), format!("SUBSCRIBE.options.{reason}"));
    }
}
