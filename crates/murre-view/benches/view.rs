//! The parts that look at every reading, on a MessagePack map of 64 bytes and on the same in JSON.

#![allow(clippy::unwrap_used, reason = "in a benchmark a panic is the report")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use murre_protocol::{
    Format,
    packet::{self, LeastChange},
};
use murre_view::{
    condition::{Condition, Subject},
    deadband::Deadband,
    select::Selection,
};

const JSON: &[u8] = br#"{"id":"boiler-7","celsius":31.25,"bar":1.8,"ok":true,"n":123456,"unit":"C"}"#;

/// 64 bytes.
fn msgpack() -> Vec<u8> {
    let mut bytes = vec![0x86];
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.push(0xa0 | text.len() as u8);
        bytes.extend_from_slice(text.as_bytes());
    };
    for (key, value) in [("id", "boiler-7"), ("unit", "deg"), ("site", "ka")] {
        text(&mut bytes, key);
        text(&mut bytes, value);
    }
    for (key, value) in [("bar", 1.8_f64), ("celsius", 31.25)] {
        text(&mut bytes, key);
        bytes.push(0xcb);
        bytes.extend_from_slice(&value.to_be_bytes());
    }
    text(&mut bytes, "ok");
    bytes.push(0xc3);
    bytes
}

fn parts(c: &mut Criterion) {
    let msgpack = msgpack();
    assert_eq!(msgpack.len(), 64);
    for (name, format, payload) in [("msgpack", Format::MessagePack, &*msgpack), ("json", Format::Json, JSON)]
    {
        let condition = Condition::compile(r#"payload.celsius > 30.0 && levels[1] == "boiler""#).unwrap();
        let subject = Subject { topic: "plant/boiler/7", time_ms: 1_700_000_000_000, format, payload };
        c.bench_function(&format!("where/{name}"), |b| b.iter(|| condition.is_met(black_box(&subject))));

        let selection = Selection::compile(["celsius", "ok"]).unwrap();
        let mut out = Vec::new();
        c.bench_function(&format!("select/{name}"), |b| {
            b.iter(|| {
                out.clear();
                selection.write(format, black_box(payload), &mut out)
            });
        });

        let options = packet::Deadband {
            path: "celsius".into(),
            least: LeastChange::Absolute(0.5),
            silence_max_ms: Some(60_000),
        };
        let deadband = Deadband::compile(&options).unwrap();
        let mut last = None;
        c.bench_function(&format!("deadband/{name}"), |b| {
            b.iter(|| deadband.passes((format, black_box(payload), 1_700_000_000_000), &mut last));
        });
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);
