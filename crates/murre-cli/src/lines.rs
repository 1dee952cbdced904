//! Messages as lines of JSON: what `murre export` writes and `murre import` reads, the same as
//! [`/history`](https://github.com/murre-broker/murre/blob/main/docs/http.md#history) gives.

use std::io::{self, BufRead, Read};

use murre_protocol::{
    Codec, TopicName,
    packet::{BrokerPacket, Message},
};
use serde::Deserialize;

/// What a line of a message begins with.
pub(crate) const MESSAGE_START: &str = r#"{"type":"message""#;

/// The longest line. This bounds memory; a broker takes less.
const LINE_BYTES_MAX: u64 = 512 << 20;

/// Appends a message, with its newline.
pub(crate) fn write(message: &Message<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(MESSAGE_START.as_bytes());
    Codec::Json.message_tail(message, out);
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub(crate) enum Line<'a> {
    /// A message.
    Message(Box<Message<'a>>),
    /// Messages are missing where it was exported, for this reason.
    Lost(String),
    /// Nothing.
    Blank,
}

/// Reads a line. `sub` and `position` may be missing in a message. `scratch` is for what has to be changed before it
/// is read.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn read<'a>(line: &[u8], scratch: &'a mut Vec<u8>) -> Result<Line<'a>, String> {
    let line = line.trim_ascii();
    let Some(rest) = line.strip_prefix(b"{") else {
        return if line.is_empty() { Ok(Line::Blank) } else { Err("expected a JSON object".to_owned()) };
    };
    let head: Head = serde_json::from_slice(line).map_err(|error| format!("it is not JSON: {error}"))?;
    match (head.kind.as_deref(), head.lost) {
        (Some("message"), _) => {}
        (Some("lost"), why) => return Ok(Line::Lost(why.unwrap_or_default())),
        (Some("next"), _) => {
            return Err(
                "it says that there is more, so what was saved is not whole; save it with murre export, \
                        which follows the cursor"
                    .to_owned(),
            );
        }
        (kind, _) => {
            let kind = kind.map_or("no type".to_owned(), |kind| format!("the type {kind:?}"));
            return Err(format!("it has {kind}; expected a message, {MESSAGE_START},…}}"));
        }
    }
    scratch.clear();
    // of a name that comes twice the last one counts
    scratch.extend_from_slice(br#"{"sub":0,"position":0,"#);
    scratch.extend_from_slice(rest);
    match Codec::Json.broker_packet(scratch, usize::MAX) {
        Ok(Some((BrokerPacket::Message { message, .. }, _))) => {
            check_topic(&message.topic)?;
            Ok(Line::Message(Box::new(message)))
        }
        Ok(_) => Err("expected a message".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn check_topic(topic: &str) -> Result<(), String> {
    TopicName::parse(topic).map_err(|why| format!("the topic {topic:?}: {why}"))?;
    match topic.split('/').next() {
        Some("$murre") => Err(format!("the topic {topic:?} is the broker's own")),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<String>,
    lost: Option<String>,
}

/// The lines of something, each with its number from 1.
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// From its first line on.
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = (u64, io::Result<Vec<u8>>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        self.number += 1;
        let line = match read {
            Ok(0) => return None,
            Ok(bytes) if bytes as u64 == LINE_BYTES_MAX => Err(io::Error::other("the line is too long")),
            Ok(_) => Ok(line),
            Err(error) => Err(error),
        };
        Some((self.number, line))
    }
}

#[cfg(test)]
mod tests {
    use murre_protocol::{Format, Position, Timestamp, packet::MessageOptions};
    use proptest::prelude::*;

    use super::*;

    fn refused(line: &str) -> String {
        read(line.as_bytes(), &mut Vec::new()).unwrap_err()
    }

    #[test]
    fn a_message_needs_a_topic_a_payload_and_a_time() {
        let line = br#"{"type":"message","topic":"site/a","payload":{"c":21.4},"time":1700000000000}"#;
        let mut scratch = Vec::new();
        let Line::Message(message) = read(line, &mut scratch).unwrap() else { panic!("a message") };
        assert_eq!((&*message.topic, &*message.payload), ("site/a", br#"{"c":21.4}"#.as_slice()));
        assert_eq!((message.time.millis(), message.position), (1_700_000_000_000, Position::NONE));
        assert!(refused(r#"{"type":"message","topic":"site/a","payload":1}"#).contains("time"));
    }

    #[test]
    fn what_is_no_message_is_said_to_be_what_it_is() {
        assert_eq!(refused("topic,time"), "expected a JSON object");
        assert!(refused("{").starts_with("it is not JSON"));
        assert!(refused("{}").starts_with("it has no type"));
        assert!(refused(r#"{"type":"ping"}"#).starts_with("it has the type \"ping\""));
        assert!(refused(r#"{"type":"next","after":"x"}"#).contains("not whole"));
        let topic = r#"{"type":"message","payload":1,"time":1700000000000,"topic":"#;
        assert!(refused(&format!("{topic}\"a/+\"}}")).starts_with("the topic \"a/+\""));
        assert!(refused(&format!("{topic}\"$murre/a\"}}")).ends_with("the broker's own"));
        let lost =
            read(br#"{"type":"lost","lost":"kept"}"#, &mut Vec::new()).unwrap() == Line::Lost("kept".into());
        assert!(lost);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let lines: Vec<_> = Lines::new(b"a\n\nb".as_slice()).map(|(at, line)| (at, line.unwrap())).collect();
        assert_eq!(lines, [(1, b"a\n".to_vec()), (2, b"\n".to_vec()), (3, b"b".to_vec())]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            format in 0..4_u64, payload: Vec<u8>, time in 0..1_u64 << 53, offset in 1..1_u64 << 45, retain: bool,
            expiry in prop::option::of(0..1_u64 << 40),
        ) {
            let options = MessageOptions { retain, expiry, ..MessageOptions::default() };
            let message = Message {
                topic: "site/ä \"b\"".into(),
                format: Format::from_wire(format).unwrap(),
                payload: payload.into(),
                time: Timestamp::from_millis(time),
                position: Position::new(offset, 3),
                options: (options != MessageOptions::default()).then(|| Box::new(options)),
            };
            let (mut line, mut scratch) = (Vec::new(), Vec::new());
            write(&message, &mut line);
            let Line::Message(read) = read(&line, &mut scratch).unwrap() else { panic!("a message") };
            let mut again = Vec::new();
            write(&read, &mut again);
            prop_assert_eq!(again, line);
            prop_assert_eq!(&read.options, &message.options);
        }

        #[test]
        fn any_line_is_answered(line: Vec<u8>) {
            let _ = read(&line, &mut Vec::new());
        }
    }
}
