//! No payload does harm, whatever looks into it.

use murre_protocol::{
    Format,
    packet::{self, LeastChange},
};
use murre_view::{
    condition::{Condition, Subject},
    deadband::Deadband,
    path::Path,
    select::Selection,
    value::{PAYLOAD_BYTES_MAX, Raw, Unusable, Value},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::values::{map, payloads};

/// Everything that looks into a payload does so.
fn look_into(format: Format, payload: &[u8]) {
    let condition = "payload.a.b > 1 || 'a' in payload || size(payload) > 1 || payload[0] == payload[1]";
    let condition = Condition::compile(condition).unwrap();
    let _ = condition.is_met(&Subject { topic: "a/b", time_ms: 1, format, payload });
    let mut out = Vec::new();
    let _ = Selection::compile(["a.b", "b", "0.1"]).unwrap().write(format, payload, &mut out);
    let least = LeastChange::Absolute(1.0);
    let options = packet::Deadband { path: "a.0".into(), least, silence_max_ms: None };
    let _ = Deadband::compile(&options).unwrap().passes((format, payload, 1), &mut None);
    if let Some(raw) = Raw::of(format, payload) {
        let _ = (raw.bytes(), raw.len(), raw.at(3));
        let mut entries = raw.entries();
        while let Ok(Some(entries)) = &mut entries
            && let Ok(Some(entry)) = entries.next()
        {
            let _ = (entry.key.map(|key| key.plain().is_ok()), entry.value.value());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_borne(payload: Vec<u8>) {
        for format in Format::ALL {
            look_into(format, &payload);
        }
    }

    #[test]
    fn a_payload_that_was_damaged_is_borne(value in map(), damage in vec((any::<Index>(), any::<u8>()), 1..4), cut: Index) {
        for (format, mut payload) in payloads(&value) {
            for (at, byte) in &damage {
                let at = at.index(payload.len());
                payload[at] = *byte;
            }
            look_into(format, &payload);
            look_into(format, &payload[..cut.index(payload.len())]);
        }
    }
}

#[test]
fn depth_is_bounded() {
    for depth in [65, 60_000] {
        for (format, payload) in [
            (Format::Json, [vec![b'['; depth], vec![b']'; depth]].concat()),
            (Format::MessagePack, [vec![0x91; depth], vec![0xc0]].concat()),
        ] {
            assert_eq!(Raw::of(format, &payload).unwrap().bytes(), Err(Unusable::Malformed));
            look_into(format, &payload);
        }
    }
}

#[test]
fn a_claimed_length_costs_nothing() {
    for payload in [
        &b"\xdf\xff\xff\xff\xff\xa1a"[..],
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xffa",
        b"\xc9\xff\xff\xff\xff",
    ] {
        assert_eq!(Raw::MessagePack(payload).bytes(), Err(Unusable::Malformed));
        look_into(Format::MessagePack, payload);
    }
}

#[test]
fn a_payload_that_is_too_long_is_not_read() {
    let payload = vec![b' '; PAYLOAD_BYTES_MAX + 1];
    assert_eq!(Value::of(Format::Json, &payload), Err(Unusable::TooLong));
    assert_eq!(Path::parse("a").unwrap().number(Format::Json, &payload), Err(Unusable::TooLong));
}
