//! What holds for any messages, however they are fragmented and however the network delivers them.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// Something that a client sends, with the points where a message is parted into fragments.
#[derive(Debug, Clone)]
enum Sent {
    Message { kind: MessageKind, payload: Vec<u8>, cuts: Vec<Index>, pings: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn payload() -> impl Strategy<Value = (MessageKind, Vec<u8>)> {
    let short = 0_usize..300;
    prop_oneof![
        ".{0,80}".prop_map(|text| (MessageKind::Text, text.into_bytes())),
        vec(any::<u8>(), short).prop_map(|bytes| (MessageKind::Binary, bytes)),
        (65_000_usize..70_000, any::<u8>()).prop_map(|(len, byte)| (MessageKind::Binary, vec![byte; len])),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let control = || vec(any::<u8>(), 0..=125);
    prop_oneof![
        4 => (payload(), vec(any::<Index>(), 0..6), any::<bool>())
            .prop_map(|((kind, payload), cuts, pings)| Sent::Message { kind, payload, cuts, pings }),
        1 => control().prop_map(Sent::Ping),
        1 => control().prop_map(Sent::Pong),
    ]
}

impl Sent {
    fn frames(&self) -> Vec<ClientFrame> {
        match self {
            Self::Ping(payload) => vec![frame(Opcode::Ping, payload.clone())],
            Self::Pong(payload) => vec![frame(Opcode::Pong, payload.clone())],
            Self::Message { kind, payload, cuts, pings } => fragments(*kind, &parts(payload, cuts), *pings),
        }
    }

    fn events(&self) -> Vec<Event<'_>> {
        match self {
            Self::Ping(payload) => vec![ping(payload)],
            Self::Pong(_) => vec![Event::Pong],
            Self::Message { kind, payload, cuts, pings } => {
                let pings = if *pings { cuts.len() } else { 0 };
                let message = Event::Message { kind: *kind, bytes: payload.into() };
                std::iter::repeat_n(ping(b"between"), pings).chain([message]).collect()
            }
        }
    }
}

/// The fragments of a message, with a ping between each two where `pings`.
fn fragments(kind: MessageKind, parts: &[&[u8]], pings: bool) -> Vec<ClientFrame> {
    let first = if kind == MessageKind::Text { Opcode::Text } else { Opcode::Binary };
    let mut frames = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let fragment = frame(if i == 0 { first } else { Opcode::Continuation }, *part);
        if i + 1 == parts.len() {
            frames.push(fragment);
        } else {
            frames.push(fragment.unfinished());
            frames.extend(pings.then(|| frame(Opcode::Ping, "between")));
        }
    }
    frames
}

/// `bytes`, parted at these points.
fn parts<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    let starts = std::iter::once(0).chain(at.iter().copied());
    let ends = at.iter().copied().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// Reads of these sizes, over and over.
fn reads<'a>(mut bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    sizes.iter().cycle().map_while(move |size| {
        let (read, rest) = bytes.split_at((*size).min(bytes.len()));
        bytes = rest;
        (!read.is_empty()).then_some(read)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_sent_is_what_comes_however_it_was_split(
        sent in vec(sent(), 0..8),
        masks in vec(any::<[u8; 4]>(), 1..4),
        sizes in vec(prop_oneof![1_usize..20, 1_usize..5_000, Just(65_536)], 1..8),
    ) {
        let frames = sent.iter().flat_map(Sent::frames).zip(masks.iter().cycle());
        let bytes: Vec<u8> = frames.flat_map(|(frame, mask)| frame.masked_with(*mask).bytes()).collect();
        let expected: Vec<Event<'_>> = sent.iter().flat_map(Sent::events).collect();
        let mut connection = Connection::new(Limits::default());

        for read in reads(&bytes, &sizes) {
            connection.read(read).unwrap();
        }

        prop_assert_eq!(&connection.events, &expected);
        prop_assert!(!connection.decoder.is_unfinished());
        prop_assert_eq!(connection.decoder.buffered(), 0);
    }

    #[test]
    fn no_bytes_bring_it_down_nor_make_it_hold_more_than_twice_of_them(
        frames in vec((any::<u8>(), prop_oneof![0_u64..200, any::<u64>()], vec(any::<u8>(), 0..200)), 0..20),
        noise in vec(any::<u8>(), 0..40),
        sizes in vec(1_usize..300, 1..5),
    ) {
        let mut bytes: Vec<u8> = frames
            .into_iter()
            .flat_map(|(first, len, payload)| [header(first & 0x8f, len, [1, 2, 3, 4]), payload].concat())
            .collect();
        bytes.extend(noise);
        let mut connection = Connection::new(Limits::default());
        let mut fed = 0;

        for read in reads(&bytes, &sizes) {
            fed += read.len();
            let result = connection.read(read);
            prop_assert!(connection.decoder.buffered() <= 2 * fed);
            if result.is_err() {
                prop_assert!(connection.decoder.is_ended());
                prop_assert_eq!(connection.decoder.buffered(), 0);
            }
        }
    }

    #[test]
    fn the_verdict_on_any_bytes_does_not_depend_on_how_they_were_split(
        bytes in vec(prop_oneof![Just(0x81_u8), Just(0x01), Just(0x80), Just(0x00), any::<u8>()], 0..200),
        sizes in vec(1_usize..20, 1..5),
    ) {
        let mut whole = Connection::new(Limits::default());
        let mut split = Connection::new(Limits::default());

        let verdict = whole.read(&bytes);
        let verdict_in_parts = reads(&bytes, &sizes).try_for_each(|read| split.read(read));

        prop_assert_eq!(verdict.err().map(DecodeError::close_code),
            verdict_in_parts.err().map(DecodeError::close_code));
        prop_assert_eq!(whole.events, split.events);
    }

    #[test]
    fn text_is_taken_exactly_when_it_is_utf8(
        bytes in vec(prop_oneof![Just(0xe2_u8), Just(0x82), Just(0xac), Just(0xf0), any::<u8>()], 0..12),
        cuts in vec(any::<Index>(), 0..4),
        size in 1_usize..30,
    ) {
        let frames = fragments(MessageKind::Text, &parts(&bytes, &cuts), false);
        let sent = bytes_of(&frames);
        let mut connection = Connection::new(Limits::default());

        let verdict = reads(&sent, &[size]).try_for_each(|read| connection.read(read));

        match std::str::from_utf8(&bytes) {
            Ok(valid) => prop_assert_eq!(connection.events, [text(valid)]),
            Err(_) => prop_assert_eq!(verdict, Err(DecodeError::TextNotUtf8)),
        }
    }
}
