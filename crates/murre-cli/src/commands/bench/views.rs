//! Views of a load's subscribers, and readings that conditions can be about.

use bytes::Bytes;
use murre_client::SubscribeBuilder;
use murre_protocol::Format;

/// What subscribers ask the broker to do with readings before it sends them.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Views of the subscribers")]
pub(super) struct ViewFlags {
    /// At most N messages a second for each, by one view of all
    #[arg(long, value_name = "N")]
    max_rate: Option<f64>,
    /// A condition of its own for each, which one in 200 readings meets
    #[arg(long)]
    conditions: bool,
}

/// The readings' values are from 0 up to here.
const VALUE_END: f64 = 1000.0;
/// How much of that meets a condition.
const BAND: f64 = VALUE_END / 200.0;
/// Spreads the values of readings that follow each other: the golden ratio.
const STEP: f64 = 0.618_033_988_749_895;
/// Bytes before the stamp in [`ViewFlags::payload`].
const STAMP_AT: usize = 19;

impl ViewFlags {
    /// Whether subscribers have views, so that not every message is for each.
    pub(super) fn are_given(&self) -> bool {
        self.max_rate.is_some() || self.conditions
    }

    /// Asks for the view of the subscriber `number` of `count`.
    pub(super) fn ask(&self, mut subscribe: SubscribeBuilder, number: u32, count: u32) -> SubscribeBuilder {
        if let Some(rate) = self.max_rate {
            subscribe = subscribe.max_rate(rate);
        }
        if self.conditions {
            subscribe = subscribe.where_(condition(number, count));
        }
        subscribe
    }

    /// The reading of this number: the stamp alone, or where there are conditions `{"v": value, "s": stamp}`.
    pub(super) fn payload(&self, number: u64, stamp: Bytes) -> (Format, Bytes) {
        if !self.conditions {
            return (Format::Raw, stamp);
        }
        let mut payload = Vec::with_capacity(STAMP_AT + stamp.len());
        payload.extend_from_slice(b"\x82\xa1v\xcb");
        payload.extend_from_slice(&value(number).to_be_bytes());
        payload.extend_from_slice(b"\xa1s\xc6");
        // Fits: payloads have 64 MiB at most.
        payload.extend_from_slice(&(stamp.len() as u32).to_be_bytes());
        payload.extend_from_slice(&stamp);
        (Format::MessagePack, payload.into())
    }

    /// The stamp in a payload.
    pub(super) fn stamp<'p>(&self, payload: &'p [u8]) -> &'p [u8] {
        if self.conditions { payload.get(STAMP_AT..).unwrap_or_default() } else { payload }
    }
}

fn value(number: u64) -> f64 {
    (number as f64 * STEP).fract() * VALUE_END
}

/// A band of values that begins elsewhere for each subscriber.
fn condition(number: u32, count: u32) -> String {
    let from = f64::from(number) / f64::from(count.max(1)) * (VALUE_END - BAND);
    format!("payload.v >= {from:.4} && payload.v < {:.4}", from + BAND)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn conditions_are_all_different() {
        let conditions: HashSet<_> = (0..2000).map(|number| condition(number, 2000)).collect();
        assert_eq!(conditions.len(), 2000);
    }

    #[test]
    fn one_in_200_readings_lies_in_a_band() {
        let met = (0..20_000).map(value).filter(|value| (300.0..300.0 + BAND).contains(value)).count();
        assert!((95..=105).contains(&met), "{met} of 20,000");
    }

    #[derive(serde::Deserialize)]
    struct Reading {
        v: f64,
        #[expect(dead_code, reason = "the bytes of the stamp are looked at as they are")]
        s: serde::de::IgnoredAny,
    }

    #[test]
    fn a_reading_has_its_value_and_its_stamp() {
        let flags = ViewFlags { conditions: true, ..ViewFlags::default() };
        let (format, payload) = flags.payload(1, Bytes::from_static(b"0123456789abcdef"));
        let mut rest = &payload[..];
        let reading: Reading = rmp_serde::from_read(&mut rest).unwrap();
        assert_eq!((format, rest.len()), (Format::MessagePack, 0));
        assert_eq!(reading.v, value(1));
        assert_eq!(flags.stamp(&payload), b"0123456789abcdef");
        assert_eq!(ViewFlags::default().stamp(b"abc"), b"abc");
    }
}
