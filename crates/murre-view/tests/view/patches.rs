//! Applying all patches gives the value.

use murre_protocol::{Format, merge_patch, packet::ViewOptions};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use crate::{
    driver::{Driver, message},
    values::{key, map, payloads, read, value},
};

fn patched() -> ViewOptions<'static> {
    ViewOptions { patch: true, ..Default::default() }
}

/// RFC 7386, section 2, as it is written there.
fn apply(target: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut target = match target {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    for (name, value) in changes {
        if value.is_null() {
            target.remove(name);
        } else {
            let before = target.remove(name).unwrap_or(Value::Null);
            target.insert(name.clone(), apply(before, value));
        }
    }
    Value::Object(target)
}

/// Something that changes one value into the next.
#[derive(Debug, Clone)]
enum Change {
    Set(String, Value),
    Remove(String),
    Within(String, Box<Change>),
    All(Value),
}

fn change() -> impl Strategy<Value = Change> {
    let leaf = prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| Change::Set(key, value)),
        1 => key().prop_map(Change::Remove),
        1 => value().prop_map(Change::All),
    ];
    leaf.prop_recursive(2, 4, 1, |inner| {
        (key(), inner).prop_map(|(key, change)| Change::Within(key, Box::new(change)))
    })
}

fn changed(value: &mut Value, change: &Change) {
    match (value, change) {
        (value, Change::All(new)) => *value = new.clone(),
        (Value::Object(map), Change::Set(key, new)) => drop(map.insert(key.clone(), new.clone())),
        (Value::Object(map), Change::Remove(key)) => drop(map.remove(key)),
        (Value::Object(map), Change::Within(key, within)) => {
            if let Some(value) = map.get_mut(key) {
                changed(value, within);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn who_applies_every_patch_has_the_value(first in map(), changes in vec(change(), 1..12), encoding in 0..3_usize) {
        let mut driver = Driver::new(&patched());
        let (mut value, mut mirror, mut whole) = (first, Value::Null, Vec::new());
        for (offset, change) in (1..).zip(&changes) {
            let (format, payload) = payloads(&value)[encoding].clone();
            driver.offer(message(offset, "t", format, payload.clone(), offset));
            let sent = driver.sent.last().unwrap();
            prop_assert!(sent.payload.len() <= payload.len());
            mirror = if sent.patch { apply(mirror, &sent.value()) } else { sent.value() };
            prop_assert_eq!(&mirror, &value);
            whole = if sent.patch { merge_patch::merge(format, &whole, &sent.payload).unwrap() } else { sent.payload.clone() };
            prop_assert_eq!(&read(format, &whole), &value);
            changed(&mut value, change);
        }
    }
}

fn publish_all(driver: &mut Driver, values: &[Value]) -> Vec<(bool, Value)> {
    for (at, value) in values.iter().enumerate() {
        driver.publish(at as u64, "t", value.to_string());
    }
    driver.sent.iter().map(|sent| (sent.patch, sent.value())).collect()
}

#[test]
fn after_the_first_value_only_what_changed_is_sent() {
    let values = [
        json!({"celsius": 21.4, "unit": "C", "position": {"lat": 49.01, "lon": 8.4}}),
        json!({"celsius": 21.5, "unit": "C", "position": {"lat": 49.01, "lon": 8.4}}),
        json!({"celsius": 21.5, "position": {"lat": 49.01, "lon": 8.5}}),
        json!({"celsius": 21.5, "position": {"lat": 49.01, "lon": 8.5}}),
    ];
    let sent = publish_all(&mut Driver::new(&patched()), &values);
    let expected = [
        (false, values[0].clone()),
        (true, json!({"celsius": 21.5})),
        (true, json!({"position": {"lon": 8.5}, "unit": null})),
        (true, json!({})),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn what_no_patch_can_say_is_sent_as_a_whole() {
    let values =
        [json!({"a": 1, "b": 2}), json!({"a": null, "b": 2}), json!({"a": {"b": null}, "b": 2}), json!([1])];
    let sent = publish_all(&mut Driver::new(&patched()), &values);
    assert_eq!(sent, values.map(|value| (false, value)));
}

#[test]
fn after_a_loss_the_whole_value_is_sent() {
    let mut driver = Driver::new(&patched());
    driver.publish(0, "t", r#"{"a":1,"b":2}"#);
    driver.send_whole();
    driver.publish(1, "t", r#"{"a":2,"b":2}"#);
    assert_eq!(driver.texts(), [r#"{"a":1,"b":2}"#, r#"{"a":2,"b":2}"#]);
}

#[test]
fn a_map_whose_keys_all_moved_is_sent_as_a_whole() {
    let map = |keys: &mut dyn Iterator<Item = u32>| {
        let entries: Vec<_> = keys.map(|n| format!(r#""k{n}":{n}"#)).collect();
        format!("{{{}}}", entries.join(",")).into_bytes()
    };
    let mut driver = Driver::new(&patched());
    for (offset, payload) in (1..).zip([map(&mut (0..300)), map(&mut (0..300).rev())]) {
        driver.offer(message(offset, "t", Format::Json, payload, offset));
    }
    assert!(!driver.sent[1].patch);
}
