//! A selection sends the selected values under the same structure.

use murre_protocol::Format;
use murre_view::{select::Selection, value::Unusable};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use crate::values::{key, map, path_text, payloads, read};

/// The naive way: each path's value is put where it was.
fn picked(value: &Value, paths: &[Vec<String>]) -> Option<Value> {
    let Value::Object(map) = value else { return None };
    let mut kept = Map::new();
    for (name, value) in map {
        let under: Vec<Vec<String>> =
            paths.iter().filter(|path| path[0] == *name).map(|path| path[1..].to_vec()).collect();
        let value = if under.iter().any(Vec::is_empty) {
            Some(value.clone())
        } else if under.is_empty() {
            None
        } else {
            picked(value, &under)
        };
        value.map(|value| kept.insert(name.clone(), value));
    }
    (!kept.is_empty()).then_some(Value::Object(kept))
}

proptest! {
    #[test]
    fn a_selection_keeps_what_its_paths_name(value in map(), paths in vec(vec(key(), 1..4), 1..20)) {
        let texts: Vec<String> = paths.iter().map(|path| path_text(path)).collect();
        let selection = Selection::compile(texts.iter().map(|text| &**text)).unwrap();
        for (format, payload) in payloads(&value) {
            let mut out = b"kept".to_vec();
            let written = selection.write(format, &payload, &mut out);
            match picked(&value, &paths) {
                None => prop_assert_eq!((written, &*out), (Err(Unusable::Missing), &b"kept"[..])),
                Some(expected) => prop_assert_eq!(read(format, &out[4..]), expected),
            }
        }
    }
}

#[test]
fn more_paths_than_a_short_map_has_entries_are_selected() {
    let names: Vec<String> = (0..32).map(|n| format!("k{n}")).collect();
    let value: Value = names.iter().map(|name| (name.clone(), json!(1))).collect::<Map<_, _>>().into();
    let selection = Selection::compile(names.iter().map(|name| &**name)).unwrap();
    for (format, payload) in payloads(&value) {
        let mut out = Vec::new();
        selection.write(format, &payload, &mut out).unwrap();
        assert_eq!(read(format, &out), value);
    }
}

#[test]
fn text_and_bytes_have_nothing_to_select() {
    let selection = Selection::compile(["a"]).unwrap();
    for format in [Format::Raw, Format::Text] {
        assert_eq!(selection.write(format, b"{\"a\":1}", &mut Vec::new()), Err(Unusable::Missing));
    }
    assert!(Selection::compile([""]).is_err());
}
