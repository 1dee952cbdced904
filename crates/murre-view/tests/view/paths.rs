//! A path finds what stands there, in either format.

use murre_view::{
    path::Path,
    value::{Raw, Unusable, Value},
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::values::{at, key, path_text, payloads, read, value};

proptest! {
    #[test]
    fn a_path_finds_what_stands_there_and_nothing_else(value in value(), names in vec(key(), 0..4)) {
        let path = Path::parse(&path_text(&names)).unwrap();
        for (format, payload) in payloads(&value) {
            let found = path.find(Raw::of(format, &payload).unwrap());
            match at(&value, &names) {
                None => prop_assert_eq!(found, Err(Unusable::Missing)),
                Some(expected) => {
                    prop_assert_eq!(&read(format, found.unwrap().bytes().unwrap()), expected);
                }
            }
        }
    }

    #[test]
    fn a_number_is_read_as_it_was_written(number in prop_oneof![any::<i32>().prop_map(f64::from), -1e300..1e300]) {
        for (format, payload) in payloads(&json!({"a": {"b": number}})) {
            prop_assert_eq!(Path::parse("a.b").unwrap().number(format, &payload), Ok(number));
        }
    }
}

#[test]
fn the_empty_path_is_the_payload_itself() {
    use murre_protocol::Format;
    let path = Path::parse("").unwrap();
    for (format, payload) in [
        (Format::Json, &b" 21.5 "[..]),
        (Format::MessagePack, b"\xcb\x40\x35\x80\0\0\0\0\0"),
        (Format::Text, b"21.5\n"),
    ] {
        assert_eq!(path.number(format, payload), Ok(21.5), "{format:?}");
    }
}

#[test]
fn what_is_no_finite_number_is_none() {
    use murre_protocol::Format;
    let path = Path::parse("").unwrap();
    for (format, payload) in [
        (Format::Json, &b"\"21.5\""[..]),
        (Format::Json, b"true"),
        (Format::Json, b"1e999"),
        (Format::MessagePack, b"\xcb\x7f\xf8\0\0\0\0\0\0"),
        (Format::Text, b"nan"),
        (Format::Text, b"warm"),
        (Format::Raw, b"21.5"),
    ] {
        assert_eq!(path.number(format, payload), Err(Unusable::NotANumber), "{payload:?}");
    }
}

#[test]
fn a_path_that_is_none_is_refused_with_the_reason() {
    for path in [".", "a.", ".a", "a..b"] {
        let error = Path::parse(path).unwrap_err().to_string();
        assert!(error.contains(&format!("{path:?} has an empty key")), "{error}");
    }
    let error = Path::parse(&["a"; 17].join(".")).unwrap_err().to_string();
    assert!(error.ends_with("has more than 16 keys"), "{error}");
}

#[test]
fn of_keys_that_come_twice_the_first_counts() {
    let json = Raw::Json(br#"{"a":1,"a":2}"#);
    let msgpack = Raw::MessagePack(b"\x82\xa1a\x01\xa1a\x02");
    for raw in [json, msgpack] {
        assert_eq!(raw.get("a").unwrap().value(), Ok(Value::Int(1)));
    }
}
