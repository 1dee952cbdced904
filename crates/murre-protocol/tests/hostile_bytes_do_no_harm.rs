//! Whatever bytes come, the answer is a packet or an error, never a panic and never without end.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod packets;

use murre_protocol::{Codec, Problem};
use packets::{CODECS, Packet, packet, take_broker, take_client};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Reads all of `bytes` as either side would, up to the first error.
fn read_all(codec: Codec, bytes: &[u8], max: usize) -> Result<(), TestCaseError> {
    for take in [take_client, take_broker] {
        let mut rest = bytes;
        while let Ok(Some((_, behind))) = take(codec, rest, max) {
            prop_assert!(behind.len() < rest.len());
            rest = behind;
        }
    }
    while let Some((packet, rest)) = codec.split_packet(bytes).filter(|(packet, _)| packet.is_empty()) {
        prop_assert!(packet.len() + rest.len() == bytes.len());
    }
    let _ = codec.peek_message(bytes);
    Ok(())
}

/// A change of one place of a packet.
fn mutated(mut bytes: Vec<u8>, at: Index, kind: u8, byte: u8) -> Vec<u8> {
    let at = at.index(bytes.len());
    match kind {
        0 => bytes[at] = byte,
        1 => bytes[at] ^= 1 << (byte % 8),
        2 => bytes.insert(at, byte),
        _ => drop(bytes.remove(at)),
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..200), max in 0..300_usize) {
        for codec in CODECS {
            read_all(codec, &bytes, max)?;
        }
    }

    #[test]
    fn random_text(text in r#"[{}\[\]",:\\0-9a-z \n.eE+-]{0,80}"#) {
        read_all(Codec::Json, text.as_bytes(), usize::MAX)?;
        let packet = format!(r#"{{"type":"publish","topic":{text}"#);
        read_all(Codec::Json, packet.as_bytes(), usize::MAX)?;
    }

    #[test]
    fn packets_changed_in_some_places(
        packet in packet(),
        changes in vec((any::<Index>(), 0..4_u8, any::<u8>()), 1..4),
    ) {
        for codec in CODECS {
            let mut bytes = packet.written(codec);
            for (at, kind, byte) in &changes {
                if !bytes.is_empty() {
                    bytes = mutated(bytes, *at, *kind, *byte);
                }
            }
            read_all(codec, &bytes, usize::MAX)?;
        }
    }

    #[test]
    fn what_was_read_of_a_changed_packet_is_a_packet(packet in packet(), at in any::<Index>(), byte in any::<u8>()) {
        let bytes = mutated(packet.written(Codec::MessagePack), at, 0, byte);
        if let Ok(Some((read, _))) = packet.take_alike(Codec::MessagePack, &bytes, usize::MAX) {
            let again = read.written(Codec::MessagePack);
            let (twice, _) = packet.take_alike(Codec::MessagePack, &again, usize::MAX).unwrap().unwrap();
            prop_assert_eq!(without_what_is_not_written(read), twice);
        }
    }

    #[test]
    fn every_truncation_is_an_error(packet in packet()) {
        for codec in CODECS {
            let bytes = packet.written(codec);
            let bytes = bytes.strip_suffix(b"\n").filter(|_| codec == Codec::Json).unwrap_or(&bytes);
            for cut in 1..bytes.len() {
                let error = packet.take_alike(codec, &bytes[..cut], usize::MAX).unwrap_err();
                prop_assert_eq!(error.problem, Problem::Truncated, "cut at {}", cut);
            }
        }
    }

    #[test]
    fn a_packet_past_the_limit_is_refused_as_too_large(packet in packet(), behind in vec(any::<u8>(), 0..9)) {
        for codec in CODECS {
            let mut bytes = packet.written(codec);
            let length = bytes.trim_ascii_end().len().max(1);
            let length = if codec == Codec::Json { length } else { bytes.len() };
            bytes.extend_from_slice(&behind);
            let error = packet.take_alike(codec, &bytes, length - 1).unwrap_err();
            let problem = Problem::TooLarge { bytes: bytes.len(), max: length - 1 };
            prop_assert_eq!(error.problem, problem);
            prop_assert!(packet.take_alike(codec, &bytes, length).is_ok());
        }
    }
}

/// Invalid options are not written.
fn without_what_is_not_written(mut packet: Packet<'_>) -> Packet<'_> {
    if let Packet::Client(murre_protocol::packet::ClientPacket::Subscribe(subscribe)) = &mut packet {
        subscribe.options.invalid = None;
    }
    packet
}

/// `depth` arrays in one another.
fn nested(codec: Codec, depth: usize) -> Vec<u8> {
    match codec {
        Codec::MessagePack => [vec![0x91; depth - 1], vec![0x90]].concat(),
        Codec::Json => [vec![b'['; depth], vec![b']'; depth]].concat(),
    }
}

/// A PING with an element that this version doesn't know.
fn ping_with(codec: Codec, element: &[u8]) -> Vec<u8> {
    match codec {
        Codec::MessagePack => [b"\x92\x0b", element].concat(),
        Codec::Json => [br#"{"type":"ping","new":"#, element, b"}"].concat(),
    }
}

#[test]
fn depth_is_bounded() {
    for codec in CODECS {
        assert!(take_client(codec, &ping_with(codec, &nested(codec, 32)), usize::MAX).is_ok());
        for depth in [33, 100_000] {
            let bytes = ping_with(codec, &nested(codec, depth));
            let error = take_client(codec, &bytes, usize::MAX).unwrap_err();
            assert_eq!((error.packet, error.problem), ("PING", Problem::TooDeep));
        }
    }
}

#[test]
fn a_claimed_length_costs_nothing() {
    let claims = [
        &b"\xdd\xff\xff\xff\xff\x0b"[..],
        b"\x95\x03\xdb\xff\xff\xff\xffa",
        b"\x95\x03\xa1a\x00\xc6\xff\xff\xff\xff\x00",
        b"\x94\x05\x01\xa1a\xdf\xff\xff\xff\xff\xa1a",
        b"\x94\x05\x01\xa1a\x81\xa4from\x82\xa5after\xdd\xff\xff\xff\xff\x00",
        b"\x92\x0b\xc9\xff\xff\xff\xff\x00",
    ];
    for bytes in claims {
        let error = take_client(Codec::MessagePack, bytes, usize::MAX).unwrap_err();
        assert_eq!(error.problem, Problem::Truncated, "{bytes:x?}");
    }
}
