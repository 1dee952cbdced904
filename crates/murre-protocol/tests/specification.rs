//! `docs/protocol.md` is true: every example, table of packets, codes and words in it is what the codecs do.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod document;
mod packets;

use document::{Example, Side, TEXT, examples, malformed, rows};
use murre_protocol::{
    Code, Codec, DecodeError, Format, Problem, TopicFilter, TopicName,
    packet::{Figure, NoticeKind, OnError, OnSlow, ViewKey, WindowTime},
};
use packets::{CODECS, Packet, take_broker, take_client};

fn take(side: Side, codec: Codec, bytes: &[u8]) -> Result<Option<(Packet<'_>, &[u8])>, DecodeError> {
    match side {
        Side::Client => take_client(codec, bytes, bytes.len()),
        Side::Broker => take_broker(codec, bytes, bytes.len()),
    }
}

/// The one packet that `bytes` are.
fn packet(example: &Example, side: Side, codec: Codec, bytes: &[u8]) -> Packet<'static> {
    let leaked = Box::leak(bytes.to_vec().into_boxed_slice());
    match take(side, codec, leaked) {
        Ok(Some((packet, rest))) if rest.trim_ascii().is_empty() => packet,
        other => panic!("{} in {codec:?}: {other:?}", example.name),
    }
}

#[test]
fn every_example_is_the_same_packet_in_both_encodings_and_is_written_like_that() {
    for example in examples() {
        for &side in example.sides {
            let read = CODECS.map(|codec| packet(&example, side, codec, example.bytes(codec)));
            assert_eq!(read[0], read[1], "{}", example.name);
            for codec in CODECS {
                let written = read[0].written(codec);
                assert_eq!(
                    written.escape_ascii().to_string(),
                    example.bytes(codec).escape_ascii().to_string()
                );
            }
        }
    }
}

#[test]
fn every_other_form_of_an_example_is_read_as_the_same_packet() {
    for example in examples() {
        for (codec, bytes) in &example.also {
            for &side in example.sides {
                let expected = packet(&example, side, *codec, example.bytes(*codec));
                assert_eq!(packet(&example, side, *codec, bytes), expected, "{}", example.name);
            }
        }
    }
}

#[test]
fn every_truncation_of_an_example_is_an_error() {
    for example in examples() {
        let forms = CODECS.map(|codec| (codec, example.bytes(codec)));
        let also = example.also.iter().map(|(codec, bytes)| (*codec, &**bytes));
        for (codec, bytes) in forms.into_iter().chain(also) {
            let bytes = if codec == Codec::Json { bytes.trim_ascii() } else { bytes };
            for cut in 1..bytes.len() {
                let error = take(example.sides[0], codec, &bytes[..cut]).unwrap_err();
                assert_eq!(error.problem, Problem::Truncated, "{} cut at {cut}: {error}", example.name);
            }
        }
    }
}

#[test]
fn examples_back_to_back_are_taken_one_by_one() {
    for codec in CODECS {
        for side in [Side::Client, Side::Broker] {
            let of_side: Vec<_> = examples().into_iter().filter(|it| it.sides.contains(&side)).collect();
            let all: Vec<u8> = of_side.iter().flat_map(|example| example.bytes(codec)).copied().collect();
            let (mut rest, mut count) = (&*all, 0);
            while let Some((_, behind)) = take(side, codec, rest).unwrap() {
                (rest, count) = (behind, count + 1);
            }
            assert_eq!(count, of_side.len());
        }
    }
}

#[test]
fn every_malformed_packet_is_refused_for_the_reason_given() {
    let all = malformed();
    assert!(all.len() > 10);
    for case in all {
        let error = take(Side::Client, case.codec, &case.bytes).unwrap_err();
        assert_eq!(error.to_string(), case.reason);
    }
}

#[test]
fn every_packet_has_a_row_a_section_and_an_example() {
    let rows = document::packets();
    let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
    for row in rows {
        assert!(TEXT.contains(&format!("\n### {}\n", row.name)), "{}", row.name);
        for side in row.sides {
            let has = |example: &Example| {
                example.sides.contains(side) && u64::from(example.msgpack[1]) == row.number
            };
            assert!(examples().iter().any(has), "{} from {side:?}", row.name);
        }
    }
}

#[test]
fn a_packet_is_taken_only_from_the_side_that_sends_it() {
    let rows = document::packets();
    for example in examples() {
        let row = rows.iter().find(|row| row.number == u64::from(example.msgpack[1])).unwrap();
        for side in [Side::Client, Side::Broker] {
            for codec in CODECS {
                let is_taken = take(side, codec, example.bytes(codec)).is_ok();
                assert_eq!(is_taken, row.sides.contains(&side), "{} from {side:?}", example.name);
            }
        }
    }
}

#[test]
fn the_table_of_codes_is_the_code_s() {
    let documented: Vec<_> = rows("## Codes").iter().map(|row| (row[0].to_owned(), row[1], row[2])).collect();
    let known: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            (code.number().to_string(), code.text(), if code.should_reconnect() { "yes" } else { "no" })
        })
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn the_table_of_filters_says_what_matches() {
    let topics = |cell: &'static str| cell.split(", ").map(|topic| topic.trim_matches('`'));
    for row in rows("## Topics and filters") {
        let filter = TopicFilter::parse(row[0].trim_matches('`')).unwrap();
        for (cell, expected) in [(row[1], true), (row[2], false)] {
            for topic in topics(cell) {
                let is_match = filter.matches(&TopicName::parse(topic).unwrap());
                assert_eq!(is_match, expected, "{filter} on {topic}");
            }
        }
    }
}

#[test]
fn every_word_on_the_wire_is_explained() {
    let on_slow = [OnSlow::DropOldest, OnSlow::Conflate, OnSlow::Disconnect].map(|rule| rule.word());
    let kinds = NoticeKind::ALL.map(|kind| kind.word());
    for word in on_slow.iter().chain(&kinds) {
        assert!(TEXT.contains(&format!("\n| `\"{word}\"` |")), "{word}");
    }
    for key in ViewKey::ALL {
        assert!(TEXT.contains(&format!("`{}`", key.word())), "{key:?}");
    }
    let figures = Figure::ALL.map(Figure::word);
    let rules = [OnError::Skip, OnError::Pass].map(OnError::word);
    let clocks = [WindowTime::Broker, WindowTime::Source].map(WindowTime::word);
    for word in figures.iter().chain(&rules).chain(&clocks) {
        assert!(TEXT.contains(&format!("`\"{word}\"`")), "{word}");
    }
    let formats: Vec<_> = rows("### Formats of payloads").iter().map(|row| row[0]).collect();
    assert_eq!(formats, Format::ALL.map(|format| format.number().to_string()));
}
