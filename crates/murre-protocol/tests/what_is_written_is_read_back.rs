//! Every packet survives both encodings, and what is written is what others read too.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod packets;

use std::borrow::Cow;

use murre_protocol::{
    Codec, Format,
    codec::MessagePeek,
    packet::{BrokerPacket, ClientPacket, Publish},
};
use packets::{CODECS, Packet, message, packet};
use proptest::{collection::vec, prelude::*};

proptest! {
    #[test]
    fn a_packet_comes_back_as_it_was(packet in packet()) {
        for codec in CODECS {
            let bytes = packet.written(codec);
            let (read, rest) = packet.take_alike(codec, &bytes, bytes.len()).unwrap().unwrap();
            prop_assert_eq!(&read, &packet);
            prop_assert!(rest.trim_ascii().is_empty());
        }
    }

    #[test]
    fn packets_back_to_back_are_taken_one_by_one(sent in vec(message(), 0..5)) {
        for codec in CODECS {
            let sent = sent.iter().cloned().map(|message| BrokerPacket::Message { sub: 9, message });
            let mut bytes = Vec::new();
            sent.clone().for_each(|packet| codec.write_broker(&packet, &mut bytes));
            let (mut rest, mut read) = (&*bytes, Vec::new());
            while let Some((packet, behind)) = codec.broker_packet(rest, bytes.len()).unwrap() {
                rest = behind;
                read.push(packet);
            }
            prop_assert_eq!(read, sent.collect::<Vec<_>>());
        }
    }

    #[test]
    fn head_and_tail_make_the_message(sub in any::<u64>(), message in message()) {
        for codec in CODECS {
            let (mut tail, mut parts, mut whole) = (Vec::new(), Vec::new(), Vec::new());
            let has_options = codec.message_tail(&message, &mut tail);
            codec.message_head(sub, has_options, &mut parts);
            parts.extend_from_slice(&tail);
            codec.write_broker(&BrokerPacket::Message { sub, message: message.clone() }, &mut whole);
            prop_assert_eq!(parts, whole);
        }
    }

    #[test]
    fn written_messagepack_is_valid_and_the_shortest(packet in packet()) {
        let bytes = packet.written(Codec::MessagePack);
        let value = rmpv::decode::read_value(&mut &*bytes).unwrap();
        let mut again = Vec::new();
        rmpv::encode::write_value(&mut again, &value).unwrap();
        prop_assert_eq!(bytes, again);
    }

    #[test]
    fn written_json_is_one_line(packet in packet()) {
        let bytes = packet.written(Codec::Json);
        let (last, line) = bytes.split_last().unwrap();
        prop_assert_eq!(*last, b'\n');
        prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        let value: serde_json::Value = serde_json::from_slice(line).unwrap();
        prop_assert!(value["type"].is_string());
    }

    #[test]
    fn a_look_at_written_packets_splits_them_and_knows_messages(packets in vec(packet(), 0..6)) {
        for codec in CODECS {
            let written: Vec<_> = packets.iter().map(|packet| packet.written(codec)).collect();
            let all = written.concat();
            let mut rest = &*all;
            for (packet, bytes) in packets.iter().zip(&written) {
                let (first, behind) = codec.split_packet(rest).unwrap();
                rest = behind;
                prop_assert_eq!(first, &**bytes);
                let seen = codec.peek_message(first).map(|MessagePeek { sub, retain, .. }| (sub, retain));
                prop_assert_eq!(seen, sub_and_retain(packet));
            }
            prop_assert_eq!(codec.split_packet(rest), None);
        }
    }

    #[test]
    fn the_peeked_topic_is_the_same_for_the_same_topic_only(one in message(), other in message()) {
        for codec in CODECS {
            let [a, b, again] = [&one, &other, &one].map(|message| {
                let packet = BrokerPacket::Message { sub: 1, message: message.clone() };
                Packet::Broker(packet).written(codec)
            });
            let topic = |bytes| codec.peek_message(bytes).unwrap().topic.to_vec();
            prop_assert_eq!(topic(&a), topic(&again));
            prop_assert_eq!(topic(&a) == topic(&b), one.topic == other.topic);
            let peeked = topic(&a);
            prop_assert_eq!(codec.peeked_topic(&peeked), &*one.topic);
        }
    }
}

fn sub_and_retain(packet: &Packet<'_>) -> Option<(u64, bool)> {
    match packet {
        Packet::Broker(BrokerPacket::Message { sub, message }) => {
            Some((*sub, message.options.as_deref().is_some_and(|options| options.retain)))
        }
        _ => None,
    }
}

#[test]
fn a_publish_is_borrowed_from_the_frame() {
    for codec in CODECS {
        let (topic, payload) = ("site/a/temp".into(), br#"{"celsius":21.4}"#.as_slice().into());
        let sent =
            ClientPacket::Publish(Publish { topic, format: Format::Json, payload, id: 1, options: None });
        let bytes = Packet::Client(sent).written(codec);
        let Ok(Some((ClientPacket::Publish(read), _))) = codec.client_packet(&bytes, bytes.len()) else {
            panic!("a PUBLISH comes back as another packet");
        };
        assert!(matches!((read.topic, read.payload), (Cow::Borrowed(_), Cow::Borrowed(_))));
    }
}
