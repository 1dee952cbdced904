//! Values of elements.

use std::borrow::Cow;

use murre_protocol::{Code, Format, Position, Timestamp};
use proptest::{collection::vec, prelude::*, sample::select};

pub(crate) fn text() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        3 => "[a-z/]{0,40}",
        1 => vec(any::<char>(), 0..12).prop_map(String::from_iter),
        1 => Just("\"\\\n\u{2028}".to_owned()),
    ]
    .prop_map(Cow::Owned)
}

pub(crate) fn bytes() -> impl Strategy<Value = Cow<'static, [u8]>> {
    vec(any::<u8>(), 0..300).prop_map(Cow::Owned)
}

pub(crate) fn uint() -> impl Strategy<Value = u64> {
    // Each width of the encoding, not only the widest.
    (any::<u64>(), 0..64_u32).prop_map(|(n, shift)| n >> shift)
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    uint().prop_map(Timestamp::from_millis)
}

pub(crate) fn position() -> impl Strategy<Value = Position> {
    uint().prop_map(|n| Position::from_wire(n & Position::MAX).unwrap())
}

pub(crate) fn code() -> impl Strategy<Value = Code> {
    prop_oneof![select(Code::ALL), any::<u16>().prop_map(Code::from_wire)]
}

pub(crate) fn properties() -> impl Strategy<Value = Vec<(Cow<'static, str>, Cow<'static, str>)>> {
    vec((text(), text()), 0..4)
}

/// A JSON value without what differs between parsers.
pub(crate) fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has no other", |n| n.is_finite()).prop_map(Into::into),
        text().prop_map(|text| text.into_owned().into()),
    ];
    leaf.prop_recursive(5, 40, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Into::into),
            proptest::collection::btree_map("[a-z]{0,9}", inner, 0..20)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A format with a payload that both encodings carry byte for byte: valid ones as the broker writes them itself,
/// and such that the format has no value for.
pub(crate) fn payload() -> impl Strategy<Value = (Format, Cow<'static, [u8]>)> {
    prop_oneof![
        bytes().prop_map(|bytes| (Format::Raw, bytes)),
        json_value().prop_map(|value| (Format::Json, Cow::Owned(value.to_string().into_bytes()))),
        json_value().prop_map(|value| (Format::MessagePack, Cow::Owned(rmp_serde::to_vec(&value).unwrap()))),
        text().prop_map(|text| (Format::Text, Cow::Owned(text.into_owned().into_bytes()))),
        (select(&Format::ALL[1..]), bytes())
            .prop_map(|(format, bytes)| (format, Cow::Owned([b"\xc1\xff", &*bytes].concat()))),
    ]
}
