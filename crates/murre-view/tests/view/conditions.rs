//! Conditions mean what CEL says, and bad ones are refused with place and reason.

use murre_protocol::Format;
use murre_view::{
    condition::{Condition, Subject},
    value::Unusable,
};
use proptest::prelude::*;
use serde_json::json;

use crate::values::payloads;

fn subject(format: Format, payload: &[u8]) -> Subject<'_> {
    Subject { topic: "plant/boiler/7", time_ms: 1_700_000_000_000, format, payload }
}

/// What a condition says of one payload, the same in each encoding.
fn says(condition: &str) -> Result<bool, Unusable> {
    let value = json!({
        "celsius": 31.5, "count": 21, "huge": u64::MAX, "low": -3, "ok": true, "none": null, "name": "Kessel \"A\"",
        "tags": ["hot", "wet", 3], "position": {"lat": 49.01, "lon": 8.4}, "a-b": 1,
    });
    let condition = Condition::compile(condition).unwrap();
    let said = payloads(&value).map(|(format, payload)| condition.is_met(&subject(format, &payload)));
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    said[0]
}

#[test]
fn a_condition_says_what_it_does_in_cel() {
    for met in [
        "payload.celsius > 30.0 && levels[1] == \"boiler\"",
        "payload.celsius > 30",
        "payload.count == 21 && payload.count == 21.0",
        "payload.count >= 21u",
        "payload.huge > 9223372036854775807",
        "payload.low == -3",
        "payload.celsius * 2.0 + 1.0 == 64.0",
        "payload.count / 2 == 10 && payload.count % 2 == 1 && payload.count - 22 == -1",
        "payload.celsius - payload.count > 10",
        "payload.ok && !false",
        "payload.none == null",
        "payload.name == 'Kessel \"A\"'",
        "payload.name.startsWith('Kess') && payload.name.endsWith('\"') && payload.name.contains('l \"A')",
        "payload.name.matches('^K.*A') && matches(topic, '[0-9]$')",
        "payload.name > 'Kessel' && payload.name.size() == 10",
        "'hot' in payload.tags && 3.0 in payload.tags && !('dry' in payload.tags)",
        "'lat' in payload.position",
        "'boiler' in levels && size(levels) == 3",
        "payload.tags[1] == 'wet' && payload['celsius'] == 31.5 && payload.position['lat'] > 49",
        "levels[1] in ['pump', 'boiler']",
        "has(payload.celsius) && !has(payload.pressure)",
        "topic == 'plant/boiler/7'",
        "time == 1700000000000",
        "format != 0",
        "payload.`a-b` == 1",
        "payload.celsius > 100.0 ? false : payload.ok",
        "double('31.5') == payload.celsius && int(payload.celsius) == 31",
        "payload.pressure > 3 || payload.ok",
        "payload.ok || payload.pressure > 3",
        "payload.tags != 'hot'",
        "b'a' < b'b'",
    ] {
        assert_eq!(says(met), Ok(true), "{met}");
        assert_eq!(says(&format!("!({met})")), Ok(false), "{met}");
    }
}

#[test]
fn what_is_neither_true_nor_false_is_an_error() {
    for (condition, why) in [
        ("payload.pressure > 3", Unusable::Missing),
        ("payload.celsius.deep > 3", Unusable::Missing),
        ("payload.tags[3] == 1", Unusable::Missing),
        ("payload.tags[-1] == 1", Unusable::Missing),
        ("payload.pressure > 3 || !payload.ok", Unusable::Missing),
        ("payload.ok && payload.pressure > 3", Unusable::Missing),
        ("payload.name > 3", Unusable::Types),
        ("payload.name + 'a' == 'b'", Unusable::Types),
        ("payload.celsius", Unusable::Types),
        ("payload.count / 0 == 1", Unusable::Arithmetic),
        ("payload.huge + 1 > 0", Unusable::Arithmetic),
        ("int(1e300) > 0", Unusable::Arithmetic),
        ("double(payload.name) > 1.0", Unusable::NotANumber),
    ] {
        assert_eq!(says(condition), Err(why), "{condition}");
    }
}

#[test]
fn text_and_bytes_are_the_payload_itself() {
    let met = |condition: &str, format, payload: &[u8]| {
        Condition::compile(condition).unwrap().is_met(&subject(format, payload))
    };
    assert_eq!(met("payload == 'on'", Format::Text, b"on"), Ok(true));
    assert_eq!(met("double(payload) > 20", Format::Text, b"21.5"), Ok(true));
    assert_eq!(met("size(payload) == 2", Format::Raw, b"\xff\x00"), Ok(true));
    assert_eq!(met("payload == 'on'", Format::Text, b"\xff"), Err(Unusable::Malformed));
    assert_eq!(met("topic.startsWith('plant')", Format::Text, b"\xff"), Ok(true));
}

#[test]
fn a_bad_condition_is_refused_with_place_and_reason() {
    let deep = format!("{}1{} == 1", "[".repeat(40), "]".repeat(40));
    let large = vec!["1"; 300].join("+") + " > 1";
    for (condition, reason) in [
        (
            "payload.celsius >",
            "line 1, column 18: Syntax error: mismatched input '<EOF>' expecting expression",
        ),
        (
            "payload.ok &&\n  celsius > 3",
            "line 2, column 3: \"celsius\" is not known; there are payload, topic",
        ),
        ("payload.name == 'open", "line 1, column 17: unterminated string literal"),
        ("payload.tags.exists(t, t == 'hot')", "line 1, column 14: macros that go over a list"),
        ("payload.tags.all(t, t == 'hot')", "line 1, column 14: macros that go over a list"),
        (
            "lower(payload.name) == 'a'",
            "line 1, column 1: there is no function \"lower\" for these arguments",
        ),
        ("payload.name.matches('(')", "line 1, column 14: the regular expression: regex parse error"),
        (
            "payload.name.matches(topic)",
            "line 1, column 14: the regular expression of matches has to be written out",
        ),
        (
            "payload.name.matches('(a{1000}){1000}')",
            "line 1, column 14: the regular expression: Compiled regex exceeds",
        ),
        ("[1, 2] == payload.tags", "a list can stand only behind `in`"),
        ("{'a': 1} == payload", "maps and messages can't be made here"),
        ("", "line 1, column 1: Syntax error"),
        (&*deep, "expression recursion limit exceeded: 24"),
        (&*large, "it is too large: at most 256 parts, 64 deep"),
    ] {
        let error = Condition::compile(condition).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{condition}: {error}");
    }
    let error = Condition::compile(&" ".repeat(1025)).unwrap_err().to_string();
    assert_eq!(error, "it has 1025 bytes, at most 1024 are allowed");
}

/// Pieces of conditions, put together at random.
fn rubble() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "payload",
        ".",
        "celsius",
        "levels[1]",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "?",
        ":",
        "<",
        "==",
        "-",
        "+",
        "*",
        "/",
        "%",
        "1",
        "2.5",
        "1u",
        "1e",
        "'",
        "\"",
        "b'",
        "r'",
        "\\",
        "\\u00",
        "é",
        "\u{0}",
        "\n",
        "//",
        " in ",
        "has(",
        ".exists(x,",
        "`",
        "null",
        "true",
        "'a'",
        "size(",
        ".matches('a*')",
        "9223372036854775807",
    ]);
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn no_text_does_harm(source in prop_oneof![rubble(), "\\PC{0,60}"], payload: Vec<u8>) {
        if let Ok(condition) = Condition::compile(&source) {
            for format in Format::ALL {
                let _ = condition.is_met(&subject(format, &payload));
            }
        }
    }
}
