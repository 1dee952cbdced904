//! Messages in the form that was asked for, one at a time.
//!
//! Each form says where there is more: JSON in `next`, lines of JSON in a last line `{"type":"next","after":"…"}`, CSV in
//! a last row without a topic, of format `next`. In the same way each says by `lost` that messages are missing which
//! were there once. Nothing is said in a header, since an answer is on its way before its end is known, and nothing in a
//! trailer, which few tools show.

use std::io;

use base64::{Engine, prelude::BASE64_STANDARD};
use csv::{Terminator, WriterBuilder};
use murre_core::log::Lost;
use murre_protocol::{Codec, Format, packet::Message};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Cursor, HistoryForm};

/// What every JSON MESSAGE here begins with: the packet's name, and no subscription.
const MESSAGE_START: &[u8] = br#"{"type":"message""#;
/// The columns.
const COLUMNS: [&str; 5] = ["topic", "time", "position", "format", "payload"];
/// The format of the row that has the cursor.
const NEXT: &str = "next";
/// The format of the row that says why messages are missing.
const LOST: &str = "lost";
/// The format of a row that says what a view could not do.
const NOTICE: &str = "notice";

/// Writes an answer: [`begin`](Self::begin), each [`message`](Self::message), [`end`](Self::end). Each appends bytes.
#[derive(Debug)]
pub(crate) struct HistoryWriter {
    form: HistoryForm,
    messages: usize,
    /// For what has to be looked at before it is written.
    scratch: Vec<u8>,
}

impl HistoryWriter {
    /// A writer that has written nothing yet.
    pub(crate) fn new(form: HistoryForm) -> Self {
        Self { form, messages: 0, scratch: Vec::new() }
    }

    /// Messages that were written.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// What stands before all messages.
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        match self.form {
            HistoryForm::Json => out.extend_from_slice(br#"{"messages":["#),
            HistoryForm::Ndjson => {}
            HistoryForm::Csv => row(COLUMNS.map(str::as_bytes), out),
        }
    }

    /// A message.
    pub(crate) fn message(&mut self, message: &Message<'_>, out: &mut Vec<u8>) {
        match self.form {
            HistoryForm::Json => {
                if self.messages > 0 {
                    out.push(b',');
                }
                line(message, out);
                out.truncate(out.trim_ascii_end().len());
            }
            HistoryForm::Ndjson => line(message, out),
            HistoryForm::Csv => self.csv(message, out),
        }
        self.messages += 1;
    }

    /// What stands behind all messages: why some are missing, where some are, what a view could not do, and what leads
    /// on to more, where there are.
    pub(crate) fn end(
        self,
        lost: Option<Lost>,
        notices: &[String],
        next: Option<&Cursor>,
        out: &mut Vec<u8>,
    ) {
        // neither a cursor's text nor a word of the protocol needs escapes
        let (lost, next) = (lost.map(Lost::word), next.map(Cursor::to_string));
        let in_json = |notice: &String| serde_json::Value::from(notice.as_str()).to_string();
        match self.form {
            HistoryForm::Json => {
                let next = next.map_or("null".to_owned(), |next| format!("\"{next}\""));
                let lost = lost.map_or(String::new(), |lost| format!(",\"lost\":\"{lost}\""));
                let notices: Vec<String> = notices.iter().map(in_json).collect();
                let notices = match &*notices {
                    [] => String::new(),
                    notices => format!(",\"notices\":[{}]", notices.join(",")),
                };
                out.extend_from_slice(format!("],\"next\":{next}{lost}{notices}}}\n").as_bytes());
            }
            HistoryForm::Ndjson => {
                if let Some(lost) = lost {
                    out.extend_from_slice(format!("{{\"type\":\"lost\",\"lost\":\"{lost}\"}}\n").as_bytes());
                }
                for notice in notices.iter().map(in_json) {
                    let line = format!("{{\"type\":\"notice\",\"reason\":{notice}}}\n");
                    out.extend_from_slice(line.as_bytes());
                }
                if let Some(next) = next {
                    out.extend_from_slice(format!("{{\"type\":\"next\",\"after\":\"{next}\"}}\n").as_bytes());
                }
            }
            HistoryForm::Csv => {
                let lost = lost.map(|lost| (LOST, lost.to_owned()));
                let notices = notices.iter().map(|notice| (NOTICE, notice.clone()));
                let next = next.map(|next| (NEXT, next));
                for (format, text) in lost.into_iter().chain(notices).chain(next) {
                    row([b"", b"", b"", format.as_bytes(), text.as_bytes()], out);
                }
            }
        }
    }

    fn csv(&mut self, message: &Message<'_>, out: &mut Vec<u8>) {
        let text = match message.format {
            Format::Text => std::str::from_utf8(&message.payload).ok(),
            Format::Raw => None,
            Format::Json | Format::MessagePack => {
                self.scratch.clear();
                line(message, &mut self.scratch);
                payload_in(&self.scratch)
            }
        };
        let (format, payload) = match text {
            Some(text) => (message.format.to_string(), text.into()),
            None => (format!("{};base64", message.format), BASE64_STANDARD.encode(&message.payload)),
        };
        let (time, position) = (message.time.millis().to_string(), message.position.get().to_string());
        let fields = [&*message.topic, &*time, &*position, &*format, &*payload];
        row(fields.map(str::as_bytes), out);
    }
}

/// A message as a line of JSON.
fn line(message: &Message<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(MESSAGE_START);
    Codec::Json.message_tail(message, out);
}

/// The payload's JSON in a line; none where the payload has no such form and is there as base64.
fn payload_in(line: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        payload: Option<&'a RawValue>,
    }
    serde_json::from_slice::<Line<'_>>(line).ok()?.payload.map(RawValue::get)
}

/// A row of a table, by RFC 4180: lines end with CR LF, quotes are doubled.
fn row(fields: [&[u8]; COLUMNS.len()], out: &mut Vec<u8>) {
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).buffer_capacity(256).from_writer(out);
    // writing to memory never fails
    let _: io::Result<()> = csv.write_record(fields).map_err(io::Error::from).and_then(|()| csv.flush());
}

#[cfg(test)]
mod tests {
    use murre_protocol::{
        Position, Timestamp,
        packet::{BrokerPacket, MessageOptions},
    };
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn message<'a>(topic: &'a str, format: Format, payload: &'a [u8]) -> Message<'a> {
        Message {
            topic: topic.into(),
            format,
            payload: payload.into(),
            time: Timestamp::from_millis(1_795_503_356_662),
            position: Position::new(7, 2),
            options: None,
        }
    }

    fn answer(form: HistoryForm, messages: &[Message<'_>], next: Option<&Cursor>) -> String {
        let (mut writer, mut out) = (HistoryWriter::new(form), Vec::new());
        writer.begin(&mut out);
        messages.iter().for_each(|message| writer.message(message, &mut out));
        assert_eq!(writer.messages(), messages.len());
        writer.end(None, &[], next, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn cursor() -> Cursor {
        let mut cursor = Cursor::new("9f0c2a7d5b1e4c33");
        cursor.raise(Position::new(7, 2));
        cursor
    }

    /// What a WebSocket client would get, but for the number of its subscription.
    fn over_websocket(message: &Message<'_>) -> Value {
        let mut packet = Vec::new();
        let message = message.clone();
        Codec::Json.write_broker(&BrokerPacket::Message { sub: 1, message }, &mut packet);
        let mut object: Value = serde_json::from_slice(&packet).unwrap();
        object.as_object_mut().unwrap().remove("sub");
        object
    }

    fn rows(answer: &str) -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_reader(answer.as_bytes());
        assert_eq!(reader.headers().unwrap(), COLUMNS.as_slice());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn json_is_one_object_whose_next_leads_on() {
        let two = [message("a", Format::Json, b"{\"c\":21.4}"), message("b", Format::Text, b"on")];
        let read = |next| serde_json::from_str::<Value>(&answer(HistoryForm::Json, &two, next)).unwrap();

        let next = cursor();
        let (more, all) = (read(Some(&next)), read(None));

        assert_eq!(more["messages"], Value::from(two.each_ref().map(over_websocket).to_vec()));
        assert_eq!(more["next"], next.to_string());
        assert_eq!(all["next"], Value::Null);
    }

    #[test]
    fn an_answer_without_messages_is_whole_in_every_form() {
        assert_eq!(answer(HistoryForm::Json, &[], None), "{\"messages\":[],\"next\":null}\n");
        assert_eq!(answer(HistoryForm::Ndjson, &[], None), "");
        assert_eq!(answer(HistoryForm::Csv, &[], None), "topic,time,position,format,payload\r\n");
    }

    #[test]
    fn lines_of_json_end_with_a_line_that_leads_on() {
        let one = [message("a", Format::Json, b"1")];
        let next = cursor();
        let text = answer(HistoryForm::Ndjson, &one, Some(&next));
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["type"], "message");
        assert_eq!((&lines[1]["type"], &lines[1]["after"]), (&"next".into(), &next.to_string().into()));
        assert_eq!(answer(HistoryForm::Ndjson, &one, None).lines().count(), 1);
    }

    #[test]
    fn every_form_says_why_messages_are_missing_and_what_a_view_could_not_do() {
        let end = |form| {
            let (mut writer, mut out) = (HistoryWriter::new(form), Vec::new());
            writer.begin(&mut out);
            writer.end(Some(Lost::Kept), &["left \"out\"".to_owned()], Some(&cursor()), &mut out);
            String::from_utf8(out).unwrap()
        };
        let json: Value = serde_json::from_str(&end(HistoryForm::Json)).unwrap();
        assert_eq!((&json["lost"], &json["next"]), (&"kept".into(), &cursor().to_string().into()));
        assert_eq!(json["notices"], serde_json::json!(["left \"out\""]));
        let lines = end(HistoryForm::Ndjson);
        let types: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            types[..2],
            [
                serde_json::json!({ "type": "lost", "lost": "kept" }),
                serde_json::json!({ "type": "notice", "reason": "left \"out\"" }),
            ]
        );
        assert_eq!(types[2]["type"], "next");
        let said: Vec<_> = rows(&end(HistoryForm::Csv)).into_iter().map(|row| row[3..].join("=")).collect();
        assert_eq!(said[..2], ["lost=kept", "notice=left \"out\""]);
        assert!(said[2].starts_with("next="));
    }

    #[test]
    fn a_table_ends_with_a_row_without_a_topic_that_leads_on() {
        let next = cursor();
        let rows = rows(&answer(HistoryForm::Csv, &[message("a", Format::Text, b"on")], Some(&next)));
        assert_eq!(rows[0][0], "a");
        assert_eq!(rows[1], ["", "", "", "next", &next.to_string()]);
    }

    #[test]
    fn a_table_shows_payloads_as_text_wherever_they_have_one() {
        let shown = |format, payload: &[u8]| {
            let row = rows(&answer(HistoryForm::Csv, &[message("a", format, payload)], None)).remove(0);
            (row[3].clone(), row[4].clone())
        };
        let pair = |format: &str, payload: &str| (format.to_owned(), payload.to_owned());
        assert_eq!(shown(Format::Json, br#"{"c":"x, y"}"#), pair("json", r#"{"c":"x, y"}"#));
        assert_eq!(
            shown(Format::Text, b"two\r\nlines, \"quoted\""),
            pair("text", "two\r\nlines, \"quoted\"")
        );
        assert_eq!(shown(Format::MessagePack, &[0x81, 0xa1, b'c', 21]), pair("msgpack", r#"{"c":21}"#));
        assert_eq!(shown(Format::Raw, b"on"), pair("raw;base64", "b24="));
        for (format, name) in [(Format::Text, "text;base64"), (Format::Json, "json;base64")] {
            assert_eq!(shown(format, &[0xff, 0xfe]), pair(name, "//4="));
        }
        assert_eq!(shown(Format::MessagePack, &[0xc1]), pair("msgpack;base64", "wQ=="));
        assert_eq!(shown(Format::Json, b""), pair("json;base64", ""));
    }

    prop_compose! {
        fn any_message()(
            topic in "[^\\x00+#]{1,12}", format in 0..4_u64, payload: Vec<u8>, time in 0..1_u64 << 53,
            offset in 1..1_u64 << 45, shard: u8, source_time in prop::option::of(0..1_u64 << 53),
        ) -> Message<'static> {
            let options = source_time.map(|time| {
                Box::new(MessageOptions { time: Some(Timestamp::from_millis(time)), ..Default::default() })
            });
            Message {
                topic: topic.into(),
                format: Format::from_wire(format).unwrap(),
                payload: payload.into(),
                time: Timestamp::from_millis(time),
                position: Position::new(offset, shard),
                options,
            }
        }
    }

    proptest! {
        #[test]
        fn a_line_of_json_is_the_message_that_websocket_has(messages in prop::collection::vec(any_message(), 0..5)) {
            let text = answer(HistoryForm::Ndjson, &messages, None);
            let lines: Vec<Value> = text.split_terminator('\n').map(|l| serde_json::from_str(l).unwrap()).collect();
            prop_assert_eq!(lines, messages.iter().map(over_websocket).collect::<Vec<_>>());
        }

        #[test]
        fn a_table_can_be_read_back(messages in prop::collection::vec(any_message(), 0..5)) {
            let rows = rows(&answer(HistoryForm::Csv, &messages, None));
            prop_assert_eq!(rows.len(), messages.len());
            for (row, message) in rows.iter().zip(&messages) {
                prop_assert_eq!(&row[0], &*message.topic);
                prop_assert_eq!(row[1].parse(), Ok(message.time.millis()));
                prop_assert_eq!(row[2].parse(), Ok(message.position.get()));
                if let Some(format) = row[3].strip_suffix(";base64") {
                    prop_assert_eq!(format, message.format.to_string());
                    prop_assert_eq!(BASE64_STANDARD.decode(&row[4]).unwrap(), message.payload.to_vec());
                } else if message.format == Format::Text {
                    prop_assert_eq!(row[4].as_bytes(), &*message.payload);
                }
            }
        }
    }
}
