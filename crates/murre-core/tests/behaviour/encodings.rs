//! MessagePack and JSON subscribers of the same topic get the same.

use murre_core::testing::{Broker, Client};
use murre_protocol::{
    Codec, Format,
    packet::{ClientPacket, Connect, Publish, PublishOptions},
};

fn publish(client: &Client, format: Format, payload: &[u8], options: Option<PublishOptions<'_>>) {
    let publish =
        Publish { topic: "t".into(), format, payload: payload.into(), id: 0, options: options.map(Box::new) };
    client.send(&ClientPacket::Publish(publish));
}

#[test]
fn both_encodings_carry_equal_messages() {
    let broker = Broker::new(2, 1);
    let binary = broker.connect_with(0, Codec::MessagePack, Connect::default());
    let text = broker.connect_with(1, Codec::Json, Connect::default());
    let (a, b) = (binary.subscribe("t"), text.subscribe("t"));
    let publisher = broker.connect("p");
    publish(&publisher, Format::Raw, &[0, 255, 1], None);
    publish(&publisher, Format::Text, "Grüße\n\"zitiert\"".as_bytes(), None);
    publish(&publisher, Format::Json, br#"{"celsius":21.4,"ok":true,"list":[1,null]}"#, None);
    // {"celsius": 21}
    publish(&publisher, Format::MessagePack, b"\x81\xa7celsius\x15", None);
    let options = PublishOptions {
        reply_to: Some("r".into()),
        correlation: Some([9, 8].as_slice().into()),
        properties: vec![("k".into(), "v".into())],
        ..Default::default()
    };
    publish(&publisher, Format::Text, b"", Some(options));
    broker.settle();
    let (from_binary, from_text) = (binary.messages(a), text.messages(b));
    assert_eq!(from_binary.len(), 5);
    assert_eq!(from_binary, from_text);
}

#[test]
fn snapshots_are_equal_too() {
    let broker = Broker::new(2, 1);
    let names: Vec<String> = (0..2_000).map(|n| format!("t/{n}")).collect();
    broker.publish_all(names.iter().map(|name| (name.as_str(), "21.4")));
    let binary = broker.connect_with(0, Codec::MessagePack, Connect::default());
    let text = broker.connect_with(1, Codec::Json, Connect::default());
    let (a, b) = (binary.subscribe("t/#"), text.subscribe("t/#"));
    assert_eq!(binary.messages(a).len(), 2_000);
    assert_eq!(binary.messages(a), text.messages(b));
}

#[test]
fn a_json_client_that_reads_too_slowly_loses_whole_messages() {
    let broker = Broker::with_limits(2, 1, |limits| {
        limits.outbox_max = 8 * 1024;
        limits.degrade = None;
    });
    let text = broker.connect_with(1, Codec::Json, Connect::default());
    let sub = text.subscribe_with("t", murre_core::testing::live());
    text.stall();
    broker.publish_all((0..2_000).map(|_| ("t", "a \"value\" with { braces } and \\ signs")));
    text.resume();
    assert_eq!(text.messages(sub).len() as u64 + text.dropped(sub), 2_000);
}
