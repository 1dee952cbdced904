//! Patches to payloads, as RFC 7386 has them.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use murre_protocol::{Format, Problem, merge_patch::merge};
use proptest::{collection::vec, prelude::*};
use serde_json::Value;

fn merged(target: &str, patch: &str) -> String {
    String::from_utf8(merge(Format::Json, target.as_bytes(), patch.as_bytes()).unwrap()).unwrap()
}

/// The same in MessagePack, as JSON.
fn merged_msgpack(target: &str, patch: &str) -> Value {
    let encoded = |json: &str| rmp_serde::to_vec(&serde_json::from_str::<Value>(json).unwrap()).unwrap();
    let merged = merge(Format::MessagePack, &encoded(target), &encoded(patch)).unwrap();
    rmp_serde::from_slice(&merged).unwrap()
}

/// RFC 7386, appendix A: target, patch, result.
const EXAMPLES: [[&str; 3]; 15] = [
    [r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
    [r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#],
    [r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#],
    [r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#],
    [r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
    [r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#],
    [r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#],
    [r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#],
    [r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#],
    [r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#],
    [r#"{"a":"foo"}"#, "null", "null"],
    [r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#],
    [r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#],
    ["[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#],
    ["{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#],
];

#[test]
fn a_patch_does_what_the_rfc_says() {
    for [target, patch, result] in EXAMPLES {
        assert_eq!(merged(target, patch), result, "{target} and {patch}");
        let in_msgpack = merged_msgpack(target, patch);
        assert_eq!(in_msgpack, serde_json::from_str::<Value>(result).unwrap(), "{target} and {patch}");
    }
}

#[test]
fn what_a_patch_leaves_alone_keeps_its_text_and_place() {
    let target = r#"{ "celsius": 21.40, "\u00fc": {"n": 18446744073709551615, "x": 1e2}, "unit": "C" }"#;
    assert_eq!(
        merged(target, r#"{"ü":{"x":1E3},"unit":"F"}"#),
        r#"{"celsius":21.40,"\u00fc":{"n":18446744073709551615,"x":1E3},"unit":"F"}"#
    );
}

#[test]
fn maps_of_any_size_are_put_together() {
    for entries in [15, 16, 70_000_usize] {
        let target: Value = (0..entries).map(|n| (n.to_string(), Value::from(n))).collect();
        let made = merged_msgpack(&target.to_string(), r#"{"7":null,"new":1}"#);
        assert_eq!((made["7"].is_null(), made["new"].as_u64()), (true, Some(1)));
        assert_eq!(made.as_object().unwrap().len(), entries);
    }
}

#[test]
fn what_cannot_be_put_together_is_an_error() {
    let nested = r#"{"a":"#.repeat(65) + "1" + &"}".repeat(65);
    assert_eq!(merge(Format::Json, b"{}", nested.as_bytes()), Err(Problem::TooDeep));
    assert!(matches!(merge(Format::Text, b"a", b"b"), Err(Problem::Type { .. })));
    assert!(matches!(merge(Format::Json, b"{\"a\":", b"{}"), Err(Problem::Json(_))));
    assert_eq!(merge(Format::MessagePack, b"\x81\xa1a", b"\x80"), Err(Problem::Truncated));
    // a key that is no text
    assert!(matches!(merge(Format::MessagePack, b"\x81\x01\x02", b"\x80"), Err(Problem::Type { .. })));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(format in 1_u64..3, target in vec(any::<u8>(), 0..40), patch in vec(any::<u8>(), 0..40)) {
        let _ = merge(Format::from_wire(format).unwrap(), &target, &patch);
    }
}
