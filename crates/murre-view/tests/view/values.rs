//! Payloads of any structure.

use murre_protocol::Format;
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

/// Keys are few, so that paths meet; some need escapes in JSON, some look like places in a list.
pub(crate) fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[abc]", 1 => "[01]", 1 => Just("a.b".to_owned()), 1 => Just("\"\n\u{e9}\\".to_owned())]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        key().prop_map(Value::from),
        "[a-z]{30,40}".prop_map(Value::from),
    ]
}

/// Any value that JSON has.
pub(crate) fn value() -> BoxedStrategy<Value> {
    leaf()
        .prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Value::from),
                vec((key(), inner), 0..20).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
        .boxed()
}

/// Any map that JSON has.
pub(crate) fn map() -> BoxedStrategy<Value> {
    vec((key(), value()), 0..20).prop_map(|pairs| Value::Object(Map::from_iter(pairs))).boxed()
}

/// A value as payloads: JSON without space and with much, and MessagePack.
pub(crate) fn payloads(value: &Value) -> [(Format, Vec<u8>); 3] {
    [
        (Format::Json, serde_json::to_vec(value).unwrap()),
        (Format::Json, serde_json::to_vec_pretty(value).unwrap()),
        (Format::MessagePack, rmp_serde::to_vec(value).unwrap()),
    ]
}

/// The value that a payload is.
pub(crate) fn read(format: Format, payload: &[u8]) -> Value {
    match format {
        Format::Json => serde_json::from_slice(payload).unwrap(),
        _ => rmp_serde::from_slice(payload).unwrap(),
    }
}

/// A path's text, its dots escaped.
pub(crate) fn path_text(names: &[String]) -> String {
    let escaped = names.iter().map(|name| name.replace('\\', "\\\\").replace('.', "\\."));
    escaped.collect::<Vec<_>>().join(".")
}

/// What stands at a path, the naive way.
pub(crate) fn at<'v>(value: &'v Value, names: &[String]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| match value {
        Value::Object(map) => map.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}
