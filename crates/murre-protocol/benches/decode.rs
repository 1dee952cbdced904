//! What it costs to read a client's packets off the bytes of a WebSocket message.
//!
//! Each benchmark reads a message of 64 packets that are alike, as a device sends them that publishes often, and
//! reports packets a second: one PUBLISH of 64 bytes without options, one with a time and a sequence number, one
//! whose payload is JSON, and a SUBSCRIBE; each in MessagePack and in JSON.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use murre_protocol::{
    Codec, Format, Timestamp,
    packet::{ClientPacket, From, OnSlow, Publish, PublishOptions, Subscribe, SubscribeOptions},
};

const PACKETS: u64 = 64;
const PACKET_BYTES_MAX: usize = 1 << 20;
/// 64 bytes, as an application in JSON sends them.
const READING: &[u8] = br#"{"celsius":21.43,"percent":48.25,"battery":3.71,"ok":true,"n":7}"#;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for codec in [Codec::MessagePack, Codec::Json] {
        decode(&mut criterion, codec);
    }
    criterion.final_summary();
}

fn decode(criterion: &mut Criterion, codec: Codec) {
    let encoding = if codec == Codec::Json { "json" } else { "msgpack" };
    let mut group = criterion.benchmark_group(format!("decode/{encoding}"));
    group.throughput(Throughput::Elements(PACKETS));
    for (name, packet) in packets() {
        let mut message = Vec::new();
        (0..PACKETS).for_each(|_| codec.write_client(&packet, &mut message));
        group.bench_function(name, |bencher| bencher.iter(|| read_all(codec, black_box(&message))));
    }
    group.finish();
}

fn read_all(codec: Codec, message: &[u8]) {
    let mut rest = message;
    while let Some((packet, behind)) = codec.client_packet(rest, PACKET_BYTES_MAX).expect("a valid packet") {
        black_box(packet);
        rest = behind;
    }
}

fn packets() -> [(&'static str, ClientPacket<'static>); 4] {
    let plain = Publish {
        topic: "site/north/boiler-7/temp".into(),
        format: Format::Raw,
        payload: vec![0x5a; 64].into(),
        id: 0,
        options: None,
    };
    let options = PublishOptions {
        time: Some(Timestamp::from_millis(1_700_000_000_123)),
        sequence: Some(123_456),
        ..Default::default()
    };
    let with_options = Publish { id: 70_000, options: Some(Box::new(options)), ..plain.clone() };
    let json = Publish { format: Format::Json, payload: READING.into(), ..plain.clone() };
    let subscribe = Subscribe {
        sub: 7,
        filter: "site/+/boiler-7/#".into(),
        options: SubscribeOptions {
            from: Some(From::Live),
            on_slow: Some(OnSlow::Conflate),
            ..Default::default()
        },
    };
    [
        ("publish", ClientPacket::Publish(plain)),
        ("publish_with_options", ClientPacket::Publish(with_options)),
        ("publish_of_json", ClientPacket::Publish(json)),
        ("subscribe", ClientPacket::Subscribe(Box::new(subscribe))),
    ]
}
