//! One received message as a line, for people and for machines.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use murre_client::{Freshness, FreshnessState, Message};
use murre_protocol::{Format, Position, Timestamp};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::{Style, age, escape};
use crate::time::in_calendar;

/// How many bytes of a payload without a readable form are shown.
const BYTES_SHOWN: usize = 16;

/// The age from which on it is shown with a message.
const AGE_SHOWN_FROM: Duration = Duration::from_secs(1);

/// What of a message is shown.
#[derive(Debug, Clone)]
pub(crate) struct Reading<'a> {
    /// Where it was published.
    pub(crate) topic: &'a str,
    /// How the payload is to be read.
    pub(crate) format: Format,
    /// The payload.
    pub(crate) payload: &'a [u8],
    /// When the broker had it.
    pub(crate) time: Timestamp,
    /// When it was measured, where the device said so.
    pub(crate) source_time: Option<Timestamp>,
    /// Where it stands in its shard's order.
    pub(crate) position: Position,
    /// Whether this is a kept value, sent because the subscription began.
    pub(crate) is_retained: bool,
    /// How old it is, by the broker's clock.
    pub(crate) age: Duration,
    /// What it tells of another topic, where it was made for that.
    pub(crate) freshness: Option<Freshness>,
}

impl<'a> Reading<'a> {
    /// What of `message` is shown at `now` by the broker's clock.
    pub(crate) fn of(message: &'a Message, now: Timestamp) -> Self {
        Self {
            topic: message.topic(),
            format: message.format(),
            payload: message.payload(),
            time: message.time(),
            source_time: message.source_time(),
            position: message.position(),
            is_retained: message.is_retained(),
            age: message.age(now),
            freshness: message.freshness(),
        }
    }

    /// `12:34:56.789  site/a/temp  {"celsius":21.4}`, in local time, with the date where that isn't
    /// today; a kept value has a `*` behind the time, and what isn't new its age at the end.
    pub(crate) fn line(&self, style: Style) -> String {
        let kept = if self.is_retained { '*' } else { ' ' };
        let time = style.dim(format_args!("{}{kept}", clock(self.time)));
        let (topic, payload) = match &self.freshness {
            Some(Freshness { topic, state, last, .. }) => {
                let silent = self.time.millis().saturating_sub(last.millis());
                (topic.as_str(), style.strong(told(*state, Duration::from_millis(silent))))
            }
            None => (self.topic, self.shown()),
        };
        let line = format!("{time} {}  {payload}", style.topic(escape(topic)));
        match self.age {
            age if age < AGE_SHOWN_FROM => line.trim_end().to_owned(),
            old => format!("{}  {}", line.trim_end(), style.dim(format_args!("({} old)", age(old)))),
        }
    }

    /// The payload as a person reads it, on one line.
    pub(crate) fn shown(&self) -> String {
        match self.value() {
            Some(Payload::Json(json)) => escape(json.get()),
            Some(Payload::Text(text)) => escape(text),
            None if self.payload.is_empty() => String::new(),
            None => bytes(self.payload),
        }
    }

    /// `{"topic":…,"payload":…,"time":…,"age":…,"position":…}`: times in Unix milliseconds, the age in milliseconds; a
    /// payload without a JSON form is in `payload_base64`.
    pub(crate) fn json(&self) -> String {
        let value = self.value();
        let (json, text) = match &value {
            Some(Payload::Json(json)) => (Some(&**json), None),
            Some(Payload::Text(text)) => (None, Some(*text)),
            None => (None, None),
        };
        let line = Line {
            topic: self.topic,
            format: self.format.to_string(),
            payload: json,
            text,
            payload_base64: value.is_none().then(|| STANDARD.encode(self.payload)),
            time: self.time.millis(),
            age: u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX),
            source_time: self.source_time.map(Timestamp::millis),
            position: self.position.get(),
            retained: self.is_retained,
        };
        // Strings and numbers always have a JSON form.
        serde_json::to_string(&line).unwrap_or_default()
    }

    fn value(&self) -> Option<Payload<'_>> {
        match self.format {
            Format::Json => {
                let text = std::str::from_utf8(self.payload).ok()?;
                // Line ends are allowed between JSON's tokens only, so this changes no value.
                let raw = RawValue::from_string(text.trim().replace(['\n', '\r'], " ")).ok()?;
                Some(Payload::Json(raw))
            }
            Format::MessagePack => {
                let mut rest = self.payload;
                let value: Value = rmp_serde::from_read(&mut rest).ok()?;
                let is_whole = rest.is_empty();
                is_whole.then(|| serde_json::value::to_raw_value(&value).ok()).flatten().map(Payload::Json)
            }
            Format::Text => std::str::from_utf8(self.payload).ok().map(Payload::Text),
            Format::Raw => None,
        }
    }
}

/// That a topic fell silent or returned.
fn told(state: FreshnessState, silent: Duration) -> String {
    match state {
        FreshnessState::Fresh => "fresh again".to_owned(),
        _ => format!("stale: silent for {}", age(silent)),
    }
}

/// A payload in readable form.
enum Payload<'a> {
    Json(Box<RawValue>),
    Text(&'a str),
}

#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(rename = "payload", skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    time: u64,
    age: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_time: Option<u64>,
    position: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retained: bool,
}

/// Local time of day to the millisecond; with the date where that isn't today.
fn clock(time: Timestamp) -> String {
    let Some(timestamp) = in_calendar(time) else { return format!("{} ms", time.millis()) };
    let now = jiff::Zoned::now();
    let local = timestamp.to_zoned(now.time_zone().clone());
    let form = if local.date() == now.date() { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" };
    local.strftime(form).to_string()
}

/// `3 bytes: 01 02 ff`.
fn bytes(payload: &[u8]) -> String {
    let shown: Vec<String> = payload.iter().take(BYTES_SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let more = if payload.len() > BYTES_SHOWN { " …" } else { "" };
    let unit = if payload.len() == 1 { "byte" } else { "bytes" };
    format!("{} {unit}: {}{more}", payload.len(), shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(format: Format, payload: &[u8]) -> Reading<'_> {
        Reading {
            topic: "site/a/temp",
            format,
            payload,
            time: Timestamp::from_millis(1_700_000_000_123),
            source_time: None,
            position: Position::new(7, 3),
            is_retained: false,
            age: Duration::ZERO,
            freshness: None,
        }
    }

    #[test]
    fn a_person_sees_time_topic_and_the_decoded_payload() {
        let line = reading(Format::MessagePack, b"\x81\xa1c\x15").line(Style::Plain);
        assert!(line.ends_with(".123  site/a/temp  {\"c\":21}"), "{line}");
        let kept = Reading { is_retained: true, ..reading(Format::Text, b"on") }.line(Style::Plain);
        assert!(kept.ends_with(".123* site/a/temp  on"), "{kept}");
    }

    #[test]
    fn a_value_from_before_has_its_age() {
        let old = Reading { age: Duration::from_secs(185), ..reading(Format::Text, b"on") };
        assert!(old.line(Style::Plain).ends_with(" site/a/temp  on  (3m old)"), "{}", old.line(Style::Plain));
        assert!(old.json().contains(r#""age":185000,"#));
    }

    #[test]
    fn that_a_topic_fell_silent_is_said_in_words() {
        assert_eq!(told(FreshnessState::Stale, Duration::from_secs(10)), "stale: silent for 10s");
        assert_eq!(told(FreshnessState::Fresh, Duration::ZERO), "fresh again");
    }

    #[test]
    fn a_line_of_another_day_has_its_date() {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap();
        let shown = |millis| clock(Timestamp::from_millis(millis));
        assert!(shown(1_700_000_000_123).starts_with("2023-11-1"));
        assert!(shown(now + 3 * 86_400_000).starts_with("20"));
        assert_eq!(shown(u64::MAX), format!("{} ms", u64::MAX));
    }

    #[test]
    fn colours_are_there_only_when_asked_for() {
        let reading = reading(Format::Json, b"1");
        assert!(reading.line(Style::Colours).contains("\u{1b}[36msite/a/temp\u{1b}[0m"));
        assert!(!reading.line(Style::Plain).contains('\u{1b}'));
    }

    #[test]
    fn a_machine_gets_one_object_a_line() {
        assert_eq!(
            reading(Format::Json, b"{\n  \"c\": 21.40\n}").json(),
            r#"{"topic":"site/a/temp","format":"json","payload":{   "c": 21.40 },"time":1700000000123,"age":0,"position":1795}"#
        );
        assert_eq!(
            Reading { is_retained: true, ..reading(Format::Text, b"a\nb") }.json(),
            r#"{"topic":"site/a/temp","format":"text","payload":"a\nb","time":1700000000123,"age":0,"position":1795,"retained":true}"#
        );
    }

    #[test]
    fn what_has_no_json_form_is_base64_for_machines_and_bytes_for_people() {
        for broken in [
            reading(Format::Json, b"{"),
            reading(Format::MessagePack, b"\x01\x02"),
            reading(Format::Raw, b"ab"),
        ] {
            let line: Value = serde_json::from_str(&broken.json()).unwrap();
            assert_eq!(line["payload_base64"], STANDARD.encode(broken.payload));
            assert_eq!(line.get("payload"), None);
            assert!(
                broken
                    .shown()
                    .contains(&format!("byte{}: ", if broken.payload.len() == 1 { "" } else { "s" }))
            );
        }
        assert_eq!(reading(Format::Raw, &[7; 20]).shown(), format!("20 bytes: {}…", "07 ".repeat(16)));
    }

    proptest::proptest! {
        #[test]
        fn no_payload_breaks_a_line(format in 0u64..4, payload in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let reading = reading(Format::from_wire(format).unwrap(), &payload);
            let json = reading.json();
            proptest::prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
            proptest::prop_assert!(!json.contains('\n'));
            proptest::prop_assert!(!reading.line(Style::Plain).chars().any(char::is_control));
        }
    }
}
