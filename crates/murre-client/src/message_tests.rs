use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::fresh::FreshnessState;

fn message(format: Format, payload: impl Into<Bytes>) -> Message {
    Message {
        topic: "a".into(),
        format,
        payload: payload.into(),
        time: Timestamp::default(),
        position: Position::NONE,
        options: None,
        acknowledger: None,
    }
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Reading {
    celsius: f64,
}

#[test]
fn a_payload_is_read_by_its_format() {
    let packed = rmp_serde::to_vec_named(&BTreeMap::from([("celsius", 21.4)])).unwrap();
    for payload in [message(Format::Json, &br#"{"celsius":21.4}"#[..]), message(Format::MessagePack, packed)]
    {
        assert_eq!(payload.decode::<Reading>().unwrap(), Reading { celsius: 21.4 });
    }
}

#[test]
fn text_is_a_string_and_can_be_a_number() {
    let text = message(Format::Text, "21.5");
    assert_eq!(text.decode::<String>().unwrap(), "21.5");
    assert_eq!(text.decode::<f64>().unwrap(), 21.5);
}

#[test]
fn a_value_has_an_age_and_none_before_its_time() {
    let message = Message { time: Timestamp::from_millis(1_000), ..message(Format::Json, "1") };
    assert_eq!(message.age(Timestamp::from_millis(181_000)), Duration::from_secs(180));
    assert_eq!(message.age(Timestamp::from_millis(999)), Duration::ZERO);
}

#[test]
fn that_a_topic_fell_silent_is_read_from_its_message() {
    let told = |topic: &str, payload: &'static str| {
        Message { topic: topic.into(), ..message(Format::Json, payload) }.freshness()
    };
    let expected = Freshness {
        topic: "plant/temp".into(),
        state: FreshnessState::Stale,
        last: Timestamp::from_millis(7),
    };
    assert_eq!(told("$murre/fresh/plant/temp", r#"{"state":"stale","last":7}"#), Some(expected));
    assert_eq!(told("plant/temp", r#"{"state":"stale","last":7}"#), None);
    assert_eq!(told("$murre/fresh/plant/temp", "{}"), None);
}

#[test]
fn a_payload_that_does_not_fit_says_where_it_came_from() {
    let error = message(Format::Json, "{}").decode::<Reading>().unwrap_err().to_string();
    assert!(error.contains("\"a\"") && error.contains("celsius"), "{error}");
    assert!(matches!(message(Format::Raw, "x").decode::<String>(), Err(DecodeError::Raw { .. })));
}

#[test]
fn every_payload_can_be_shown_as_json() {
    // {1: bytes, "n": nil}
    let packed = vec![0x82, 0x01, 0xc4, 0x02, 0xff, 0x00, 0xa1, b'n', 0xc0];
    let shown = message(Format::MessagePack, packed).to_json();
    assert_eq!(shown, json!({ "1": { "base64": "/wA=" }, "n": null }));
    assert_eq!(message(Format::Text, "hi").to_json(), json!("hi"));
    assert_eq!(message(Format::Json, "[1]").to_json(), json!([1]));
    assert_eq!(message(Format::Json, "[1").to_json(), json!({ "base64": "WzE=" }));
    assert_eq!(message(Format::Raw, "x").to_json(), json!({ "base64": "eA==" }));
}

#[test]
fn a_small_payload_does_not_hold_its_frame() {
    let frame = Bytes::from(vec![7; 1000]);
    let (small, large) = (share_or_copy(&frame[10..20], &frame), share_or_copy(&frame[10..900], &frame));
    assert!(!frame.as_ptr_range().contains(&small.as_ptr()));
    assert!(frame.as_ptr_range().contains(&large.as_ptr()));
    assert_eq!((small.len(), large.len()), (10, 890));
}
