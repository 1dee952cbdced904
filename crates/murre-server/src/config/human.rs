//! Durations and sizes as people write them, with serde.
//!
//! Every refusal reads "expected …": who loads the configuration puts key, value and origin before it.

use std::{fmt, net::SocketAddr, time::Duration};

use serde::{
    Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use super::sections::{LogFormat, SyncMode, WhenFull};

const A_DURATION: &str = "a duration with its unit, such as 500ms, 10s, 5m or 1h30m";
const A_SIZE: &str = "a size with its unit, such as 512 B, 64 KiB or 1 MiB";
const A_COUNT: &str = "a whole number that is not negative";
const A_FLAG: &str = "true or false";
const A_LIST: &str =
    "a list of texts, such as [\"https://dashboard.example\"]; in a variable, parted by commas";
const AN_ADDRESS: &str = "an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080";
const A_LOG_FORMAT: &str = "text or json";
const A_SYNC: &str = "always, interval or never";
const A_WHEN_FULL: &str = "refuse or drop_oldest";

/// `Duration` as text: `10s`, `1h 30m`.
pub(super) mod duration {
    use super::*;

    pub(in super::super) fn serialize<S: serde::Serializer>(
        value: &Duration,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.serialize_str(&show_duration(*value))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        d.deserialize_any(Text { expected: A_DURATION, parse: parse_duration })
    }
}

/// A number of bytes as text: `64 KiB`, `1.5 MiB`.
pub(super) mod size {
    use super::*;

    pub(in super::super) fn serialize<S: serde::Serializer>(value: &usize, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&show_size(*value))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<usize, D::Error> {
        d.deserialize_any(Text { expected: A_SIZE, parse: parse_size })
    }
}

/// The same where a value may be absent.
macro_rules! some {
    ($name:ident: $value:ty, $with:literal) => {
        pub(super) mod $name {
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            use super::*;

            #[derive(Serialize, Deserialize)]
            struct Present(#[serde(with = $with)] $value);

            pub(in super::super) fn serialize<S: Serializer>(
                value: &Option<$value>,
                s: S,
            ) -> Result<S::Ok, S::Error> {
                value.map(Present).serialize(s)
            }

            pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
                d: D,
            ) -> Result<Option<$value>, D::Error> {
                Ok(Option::<Present>::deserialize(d)?.map(|present| present.0))
            }
        }
    };
}

some!(some_duration: Duration, "duration");
some!(some_size: usize, "size");

pub(super) fn some_count<'de, D: Deserializer<'de>>(d: D) -> Result<Option<usize>, D::Error> {
    count(d).map(Some)
}

pub(super) fn address<'de, D: Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    d.deserialize_any(Text { expected: AN_ADDRESS, parse: |text| text.parse().ok() })
}

pub(super) fn log_format<'de, D: Deserializer<'de>>(d: D) -> Result<LogFormat, D::Error> {
    d.deserialize_any(Text {
        expected: A_LOG_FORMAT,
        parse: |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        },
    })
}

pub(super) fn sync<'de, D: Deserializer<'de>>(d: D) -> Result<SyncMode, D::Error> {
    d.deserialize_any(Text {
        expected: A_SYNC,
        parse: |text| match text {
            "always" => Some(SyncMode::Always),
            "interval" => Some(SyncMode::Interval),
            "never" => Some(SyncMode::Never),
            _ => None,
        },
    })
}

pub(super) fn when_full<'de, D: Deserializer<'de>>(d: D) -> Result<WhenFull, D::Error> {
    d.deserialize_any(Text {
        expected: A_WHEN_FULL,
        parse: |text| match text {
            "refuse" => Some(WhenFull::Refuse),
            "drop_oldest" => Some(WhenFull::DropOldest),
            _ => None,
        },
    })
}

pub(super) fn count<'de, D: Deserializer<'de>>(d: D) -> Result<usize, D::Error> {
    d.deserialize_any(Count)
}

pub(super) fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    d.deserialize_any(Flag)
}

pub(super) fn list<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    d.deserialize_any(List)
}

/// The duration as the configuration writes it: `1h 30m`.
pub fn show_duration(value: Duration) -> String {
    humantime::format_duration(value).to_string()
}

/// The size as the configuration writes it, in the largest unit that divides it: `64 KiB`, `1025 B`.
pub fn show_size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value != 0 && value.is_multiple_of(1024) && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS.get(unit).unwrap_or(&"B"))
}

/// Without a unit a number could be anything, so it is refused.
fn has_unit(text: &str) -> bool {
    text.ends_with(|last: char| last.is_ascii_alphabetic())
}

fn parse_duration(text: &str) -> Option<Duration> {
    has_unit(text).then(|| humantime::parse_duration(text).ok()).flatten()
}

fn parse_size(text: &str) -> Option<usize> {
    let size: bytesize::ByteSize = has_unit(text).then(|| text.parse().ok()).flatten()?;
    usize::try_from(size.as_u64()).ok()
}

/// Takes a text that `parse` understands.
struct Text<T> {
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text.trim()).ok_or_else(|| E::custom(format_args!("expected {}", self.expected)))
    }
}

/// Takes a whole number, or a text with one (a variable has only text).
struct Count;

impl Visitor<'_> for Count {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A_COUNT)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<usize, E> {
        usize::try_from(number).map_err(|_| E::custom(format_args!("expected {A_COUNT}")))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<usize, E> {
        usize::try_from(number).map_err(|_| E::custom(format_args!("expected {A_COUNT}")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        text.trim().parse().map_err(|_| E::custom(format_args!("expected {A_COUNT}")))
    }
}

struct Flag;

impl Visitor<'_> for Flag {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A_FLAG)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<bool, E> {
        Ok(flag)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        text.trim().parse().map_err(|_| E::custom(format_args!("expected {A_FLAG}")))
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A_LIST)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_as_it_would_be_written() {
        for text in ["0 B", "1 B", "64 KiB", "1 MiB", "1536 KiB", "1 GiB", "1025 B"] {
            assert_eq!(show_size(parse_size(text).unwrap()), text);
        }
    }

    #[test]
    fn a_number_without_a_unit_is_neither_size_nor_duration() {
        assert_eq!(parse_size("1024"), None);
        assert_eq!(parse_duration("10"), None);
        assert_eq!(parse_duration("0"), None);
        assert_eq!(parse_duration("0s"), Some(Duration::ZERO));
        assert_eq!(parse_size("1.5MiB"), Some(1_572_864));
    }
}
