//! An option of SUBSCRIBE that can't be is answered with its name and the reason, whichever way it comes: of the wrong
//! type or without a key that it needs with DISCONNECT 4400, of the right type with SUBSCRIBED 4422. `/events` and
//! `murre sub` say the same.

use murre_tests::{Broker, Client, Frame, Packet, RawSocket, json};
use serde_json::Value;

const MALFORMED: u64 = 4400;
const INVALID: u64 = 4422;

/// Options, the code, and how the reason begins behind `SUBSCRIBE.options.`.
type Row = (Value, u64, &'static str);

/// A window, with one key changed.
fn window(key: &str, value: Value) -> Value {
    let mut window = json!({ "seconds": 60, "of": ["c"], "give": ["mean"] });
    window[key] = value;
    json!({ "window": window })
}

fn wrong_types() -> Vec<Row> {
    [
        (json!({ "from": 5 }), "from: expected "),
        (json!({ "ack": 1 }), "ack: expected bool, found "),
        (json!({ "on_slow": 1 }), "on_slow: expected str, found "),
        (json!({ "max_rate": "fast" }), "max_rate: expected number, found "),
        (json!({ "where": 5 }), "where: expected str, found "),
        (json!({ "select": "c" }), "select: expected array, found "),
        (json!({ "select": [1] }), "select: expected str, found "),
        (json!({ "deadband": 0.5 }), "deadband: expected map, found "),
        (json!({ "deadband": { "path": 1, "abs": 1 } }), "deadband.path: expected str, found "),
        (json!({ "deadband": { "abs": "far" } }), "deadband.abs: expected number, found "),
        (json!({ "deadband": { "percent": true } }), "deadband.percent: expected number, found "),
        (
            json!({ "deadband": { "abs": 1, "silence_max": "1m" } }),
            "deadband.silence_max: expected number, found ",
        ),
        (json!({ "window": 60 }), "window: expected map, found "),
        (window("seconds", "1m".into()), "window.seconds: expected number, found "),
        (window("seconds", Value::Null), "window.seconds: is missing"),
        (window("step", "1s".into()), "window.step: expected number, found "),
        (window("of", "c".into()), "window.of: expected array, found "),
        (window("of", json!([1])), "window.of: expected str, found "),
        (window("of", Value::Null), "window.of: is missing"),
        (window("give", "mean".into()), "window.give: expected array, found "),
        (window("give", json!([1])), "window.give: expected str, found "),
        (window("give", Value::Null), "window.give: is missing"),
        (window("by", 1.into()), "window.by: expected str, found "),
        (window("empty", "yes".into()), "window.empty: expected bool, found "),
        (json!({ "patch": 1 }), "patch: expected bool, found "),
        (json!({ "expect": "10s" }), "expect: expected number, found "),
        (json!({ "on_error": 1 }), "on_error: expected str, found "),
    ]
    .map(|(options, reason)| (options, MALFORMED, reason))
    .into()
}

fn wrong_values() -> Vec<Row> {
    [
        (json!({ "from": "first" }), "from: \"first\" is none of the known values"),
        (json!({ "on_slow": "wait" }), "on_slow: \"wait\" is none of the known values"),
        (json!({ "max_rate": 0 }), "max_rate: 0 is out of bounds, expected 0.01 to 1000 messages a second"),
        (json!({ "max_rate": 1001 }), "max_rate: 1001 is out of bounds"),
        (json!({ "where": "a".repeat(1025) }), "where: 1025 bytes is out of bounds, expected at most 1024"),
        (json!({ "where": "payload.c >" }), "where: line 1, column 12: "),
        (json!({ "where": "payload.all(x, x)" }), "where: line 1, column 9: macros"),
        (json!({ "select": [] }), "select: an empty list is out of bounds, expected 1 to 32 paths"),
        (
            json!({ "select": vec!["c"; 33] }),
            "select: a longer list is out of bounds, expected at most 32 paths",
        ),
        (json!({ "select": ["c".repeat(257)] }), "select: a path of 257 bytes is out of bounds"),
        (json!({ "select": ["a..b"] }), "select: \"a..b\" has an empty key"),
        (
            json!({ "select": ["a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"] }),
            "select: \"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a\" has more than 16 keys",
        ),
        (json!({ "deadband": { "abs": -1 } }), "deadband.abs: -1 is out of bounds, expected a finite number"),
        (json!({ "deadband": { "percent": 0 } }), "deadband.percent: 0 is out of bounds, expected above 0"),
        (json!({ "deadband": { "percent": 1001 } }), "deadband.percent: 1001 is out of bounds"),
        (
            json!({ "deadband": { "abs": 1, "silence_max": 0.05 } }),
            "deadband.silence_max: 0.05 is out of bounds",
        ),
        (json!({ "deadband": { "abs": 1, "path": "a." } }), "deadband.path: \"a.\" has an empty key"),
        (json!({ "deadband": { "path": "c" } }), "deadband: exactly one of abs and percent is needed"),
        (
            json!({ "deadband": { "abs": 1, "percent": 2 } }),
            "deadband: exactly one of abs and percent is needed",
        ),
        (
            window("seconds", 86_401.into()),
            "window.seconds: 86401 is out of bounds, expected 0.1 to 86400 seconds",
        ),
        (
            window("seconds", json!(0.2505)),
            "window.seconds: 0.2505 is out of bounds, expected whole milliseconds",
        ),
        (window("step", 7.into()), "window.step: 7 is out of bounds, expected a part of window.seconds"),
        (window("step", json!(0.1)), "window.step: 0.1 is out of bounds, expected at least a 120th"),
        (window("of", json!([])), "window.of: an empty list is out of bounds, expected 1 to 32 paths"),
        (window("of", json!(["a..b"])), "window.of: \"a..b\" has an empty key"),
        (
            window("give", json!([])),
            "window.give: an empty list is out of bounds, expected at least one figure",
        ),
        (window("give", json!(["median"])), "window.give: \"median\" is none of the known values"),
        (window("by", "me".into()), "window.by: \"me\" is none of the known values"),
        (json!({ "expect": 0 }), "expect: 0 is out of bounds, expected 0.1 to 604800 seconds"),
        (json!({ "on_error": "panic" }), "on_error: \"panic\" is none of the known values"),
        // what goes together with nothing that comes before it
        (
            json!({ "select": ["a"], "deadband": { "path": "b", "abs": 1 } }),
            "deadband.path: select leaves \"b\" out",
        ),
        (
            json!({ "select": ["a"], "window": { "seconds": 60, "of": ["b"], "give": ["mean"] } }),
            "window.of: select leaves \"b\" out",
        ),
    ]
    .map(|(options, reason)| (options, INVALID, reason))
    .into()
}

fn rows() -> Vec<Row> {
    [wrong_types(), wrong_values()].concat()
}

fn assert_told((options, code, reason): &Row, told: (u64, String)) {
    let expected = format!("SUBSCRIBE.options.{reason}");
    assert!(
        told.0 == *code && told.1.starts_with(&expected),
        "{options}: expected {code} {expected}, got {told:?}"
    );
}

#[test]
fn over_websocket_in_messagepack() {
    let broker = Broker::start();
    for row in rows() {
        let mut client = Client::connect(&broker);
        let told = if row.1 == MALFORMED {
            client.send(&Packet::subscribe(1, "a/#", row.0.clone()));
            let (farewell, _) = client.disconnected();
            (farewell.number(1), farewell.text(2).to_owned())
        } else {
            let answer = client.try_subscribe(1, "a/#", row.0.clone());
            let reason = answer.info("reason").as_str().expect("a reason").to_owned();
            // a refusal ends nothing
            client.subscribe_live(1, "a/#");
            (answer.number(2), reason)
        };
        assert_told(&row, told);
    }
}

#[test]
fn over_websocket_in_json() {
    let broker = Broker::start();
    for row in rows() {
        let mut client = RawSocket::upgraded(&broker, "/ws", "murre.v1.json");
        let subscribe = json!({ "type": "subscribe", "sub": 1, "filter": "a/#", "options": row.0 });
        client.send_frames(&[Frame::text(r#"{"type":"connect"}"#), Frame::text(subscribe.to_string())]);
        let told = loop {
            let (_, text) = client.message();
            let lines = String::from_utf8(text).expect("UTF-8");
            let packets = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            if let Some(told) = packets.into_iter().find_map(|packet| told(&packet)) {
                break told;
            }
        };
        assert_told(&row, told);
    }
}

/// Code and reason of an answer in JSON to a SUBSCRIBE.
fn told(packet: &Value) -> Option<(u64, String)> {
    let info = match packet["type"].as_str()? {
        "disconnect" => packet,
        "subscribed" => &packet["info"],
        _ => return None,
    };
    Some((packet["code"].as_u64()?, info["reason"].as_str()?.to_owned()))
}

/// The options as a query, where a query can say them.
fn query(options: &Value) -> Option<String> {
    let parameter = |(name, value): (&String, &Value)| {
        let text = match (name.as_str(), value) {
            ("where" | "on_error" | "from" | "on_slow", Value::String(text)) => text.clone(),
            ("select", Value::Array(paths)) if !paths.is_empty() && paths[0].is_string() => {
                paths.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            ("max_rate" | "deadband" | "window" | "patch" | "expect", value) => value.to_string(),
            _ => return None,
        };
        Some(format!("&{name}={}", escaped(&text)))
    };
    options.as_object()?.iter().map(parameter).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn over_http_in_a_query() {
    let broker = Broker::start();
    let mut asked = 0;
    for (options, _, reason) in rows() {
        let Some(query) = query(&options) else { continue };
        let detail = broker.get(&format!("/events?filter=a%2F%23{query}")).problem(422);
        let name = reason.split(':').next().expect("a name");
        assert!(detail.contains(name), "{options}: {detail}");
        if !["from", "on_slow"].contains(&name) {
            assert!(
                detail.trim_start_matches("SUBSCRIBE.options.").starts_with(reason),
                "{options}: {detail}"
            );
        }
        asked += 1;
    }
    assert!(asked > 40, "{asked}");
    let detail = broker.get("/events?max_rat=2").problem(422);
    assert!(
        detail.starts_with("max_rat: is no parameter; there are filter, from, on_slow, max_rate"),
        "{detail}"
    );
}

/// By the protocol a reader ignores keys that it doesn't know; what is in force is said.
#[test]
fn a_key_that_is_none_is_no_part_of_the_view_in_force() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    let answer = client.try_subscribe(1, "a/#", json!({ "max_rat": 2, "expect": 10 }));
    assert_eq!(
        (answer.number(2), answer.0.last().expect("info").to_string()),
        (0, r#"{"view": {"expect": 10}}"#.into())
    );
}

#[test]
fn by_murre_sub() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().expect("a folder");
    const USAGE: i32 = 2;
    const REFUSED: i32 = 4;
    for (flags, code, reason) in [
        (&["--max-rat", "2"][..], USAGE, "unexpected argument '--max-rat' found"),
        (&["--max-rate", "fast"], USAGE, "invalid value 'fast' for '--max-rate <N>'"),
        (&["--max-rate", "0"], REFUSED, "options.max_rate: 0 is out of bounds"),
        (&["--where", "payload.c >"], REFUSED, "options.where: line 1, column 12: "),
        (&["--select", "a..b"], REFUSED, "options.select: \"a..b\" has an empty key"),
        (
            &["--deadband", "c"],
            USAGE,
            "invalid value 'c' for '--deadband <PATH=N[%]>': expected a path and how far",
        ),
        (&["--deadband", "c=-1"], REFUSED, "options.deadband.abs: -1 is out of bounds"),
        (&["--deadband", "c=0%"], REFUSED, "options.deadband.percent: 0 is out of bounds"),
        (
            &["--window", "60s"],
            USAGE,
            "for '--window <TIME:PATHS:FIGURES>': expected a time, paths and figures",
        ),
        (&["--window", "60s:c:median"], USAGE, "\"median\" is no figure"),
        (&["--window", "25h:c:mean"], REFUSED, "options.window.seconds: 90000 is out of bounds"),
        (
            &["--expect", "10"],
            USAGE,
            "invalid value '10' for '--expect <DURATION>': expected a duration with its unit",
        ),
        (&["--expect", "8days"], REFUSED, "options.expect: 691200 is out of bounds"),
        (&["--select", "a", "--deadband", "b=1"], REFUSED, "options.deadband.path: select leaves \"b\" out"),
        (&["--last", "3", "--live"], USAGE, "the argument '--last <N>' cannot be used with '--live'"),
    ] {
        let ran = broker.murre(folder.path(), &[&["sub", "a/#"], flags].concat());
        assert!(ran.code == code && ran.said.contains(reason), "{flags:?}: {} {}", ran.code, ran.said);
    }
}
