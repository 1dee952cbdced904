//! What it costs to write the packets that a broker sends most, in both encodings.
//!
//! A MESSAGE's tail is written once for each publish and encoding, its head once for each delivery or run of
//! deliveries; PUBLISHED once for each acknowledged publish. Payloads have 64 bytes. What a JSON client gets for
//! bytes that are no JSON is base64, so its tail is measured for both formats.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use murre_protocol::{
    Code, Codec, Format, Position, Timestamp,
    codec::HasOptions,
    packet::{BrokerPacket, Message, MessageOptions, Published},
};

/// 64 bytes, as an application in JSON sends them.
const READING: &[u8] = br#"{"celsius":21.43,"percent":48.25,"battery":3.71,"ok":true,"n":7}"#;
/// Enough for any packet here.
const ROOM: usize = 4096;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for codec in [Codec::MessagePack, Codec::Json] {
        encode(&mut criterion, codec);
    }
    criterion.final_summary();
}

fn encode(criterion: &mut Criterion, codec: Codec) {
    let encoding = if codec == Codec::Json { "json" } else { "msgpack" };
    let mut group = criterion.benchmark_group(format!("encode/{encoding}"));
    group.throughput(Throughput::Elements(1));
    for (name, message) in messages() {
        measure(&mut group, name, |out| {
            black_box(codec.message_tail(black_box(&message), out));
        });
    }
    for (name, sub) in [("message_head_small_sub", 7), ("message_head_large_sub", 70_000)] {
        measure(&mut group, name, |out| codec.message_head(black_box(sub), HasOptions(false), out));
    }
    let published = BrokerPacket::Published(Published {
        id: 70_000,
        code: Code::OK,
        position: Position::new(123_456_789, 3),
        reason: None,
    });
    measure(&mut group, "published", |out| codec.write_broker(black_box(&published), out));
    group.finish();
}

/// Writes again and again into the same memory, as a broker does.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, write: impl Fn(&mut Vec<u8>)) {
    let mut out = Vec::with_capacity(ROOM);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            out.clear();
            write(&mut out);
            black_box(out.len())
        });
    });
}

fn messages() -> [(&'static str, Message<'static>); 3] {
    let bytes = Message {
        topic: "site/north/boiler-7/temp".into(),
        format: Format::Raw,
        payload: vec![0x5a; 64].into(),
        time: Timestamp::from_millis(1_700_000_000_456),
        position: Position::new(123_456_789, 3),
        options: None,
    };
    let json = Message { format: Format::Json, payload: READING.into(), ..bytes.clone() };
    let options =
        MessageOptions { time: Some(Timestamp::from_millis(1_700_000_000_123)), ..Default::default() };
    let with_options = Message { options: Some(Box::new(options)), ..bytes.clone() };
    [("message_tail", bytes), ("message_tail_of_json", json), ("message_tail_with_options", with_options)]
}
