//! Windows are what a plain computation over all readings gives.

use murre_protocol::{
    Format, Timestamp,
    packet::{Figure, MessageOptions, ViewOptions, Window, WindowTime},
};
use murre_view::Unusable;
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use crate::driver::{Driver, message, with_options};

fn window(length_ms: u64, step_ms: u64) -> Window<'static> {
    let of = vec!["v".into()];
    Window { length_ms, step_ms, of, give: Figure::ALL.to_vec(), by: WindowTime::Broker, empty: false }
}

fn view(window: Window<'static>) -> ViewOptions<'static> {
    ViewOptions { window: Some(window), ..Default::default() }
}

/// The figures of some values, by their definitions.
fn figures(values: &[f64]) -> Map<String, Value> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let percentile = |share: f64| {
        let rank = share * (count - 1.0);
        let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
        below + (above - below) * rank.fract()
    };
    let all = [
        ("min", sorted[0]),
        ("max", sorted[sorted.len() - 1]),
        ("mean", mean),
        ("count", count),
        ("first", values[0]),
        ("last", values[values.len() - 1]),
        ("stddev", variance.sqrt()),
        ("p50", percentile(0.5)),
        ("p95", percentile(0.95)),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// Every window of the whole input, in order.
fn naive(readings: &[(u64, f64)], (length, step): (u64, u64)) -> Vec<(u64, u64, Vec<f64>)> {
    let last = readings.last().map_or(0, |reading| reading.0) + length + step;
    (1..=last / step)
        .map(|n| (n * step).saturating_sub(length)..n * step)
        .map(|span| {
            let values = readings.iter().filter(|reading| span.contains(&reading.0)).map(|reading| reading.1);
            (span.start, span.end, values.collect())
        })
        .filter(|(_, _, values): &(_, _, Vec<f64>)| !values.is_empty())
        .collect()
}

fn is_near(a: &Value, b: &Value) -> bool {
    let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
    (a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    #[test]
    fn windows_are_those_of_a_plain_computation(
        waits in vec((0..900_u64, -1000.0..1000.0_f64), 1..60),
        step in 100..500_u64,
        steps in 1..5_u64,
    ) {
        let mut now = 10_000;
        let readings: Vec<_> = waits.iter().map(|&(wait, value)| { now += wait; (now, value) }).collect();
        let mut driver = Driver::new(&view(window(step * steps, step)));
        for (at, value) in &readings {
            driver.publish(*at, "t", json!({ "v": value }).to_string());
        }
        driver.run_until(now + step * (steps + 1));
        let expected = naive(&readings, (step * steps, step));
        prop_assert_eq!(driver.sent.len(), expected.len());
        for (sent, (start, end, values)) in driver.sent.iter().zip(expected) {
            let given = sent.value();
            prop_assert_eq!(sent.at_ms, end);
            prop_assert_eq!(&given["start"], &json!(start));
            prop_assert_eq!(&given["end"], &json!(end));
            prop_assert_eq!(&given["count"], &json!(values.len()));
            for (name, expected) in figures(&values) {
                prop_assert!(is_near(&given["v"][&name], &expected), "{} of {:?}: {}", name, values, given);
            }
        }
    }

    #[test]
    fn by_the_source_s_time_it_is_the_same_however_late_all_is_sent(
        waits in vec((0..900_u64, -1000.0..1000.0_f64), 1..60),
        late_ms in 0..10_000_000_u64,
        steps in 1..5_u64,
    ) {
        let mut now = 10_000;
        let readings: Vec<_> = waits.iter().map(|&(wait, value)| { now += wait; (now, value) }).collect();
        let by_source = Window { by: WindowTime::Source, give: vec![Figure::Last], ..window(1000 * steps, 1000) };
        let mut driver = Driver::new(&view(by_source));
        for (offset, (at, value)) in (1..).zip(&readings) {
            driver.run_until(now + late_ms + offset);
            driver.offer(late(now + late_ms + offset, *at, *value, offset));
        }
        driver.run_until(now + late_ms + 100_000);
        let ends: Vec<_> = driver.sent.iter().map(|sent| sent.value()["end"].clone()).collect();
        let lasts: Vec<_> = driver.sent.iter().map(|sent| sent.value()["v"]["last"].clone()).collect();
        let expected = naive(&readings, (1000 * steps, 1000));
        prop_assert_eq!(ends, expected.iter().map(|window| json!(window.1)).collect::<Vec<_>>());
        prop_assert_eq!(lasts, expected.iter().map(|window| json!(window.2.last())).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn percentiles_of_very_many_values_are_near(values in vec(-1000.0..1000.0_f64, 600..6_000)) {
        let mut driver = Driver::new(&view(window(86_400_000, 86_400_000)));
        for (at, value) in values.iter().enumerate() {
            driver.publish(at as u64, "t", json!({ "v": value }).to_string());
        }
        driver.run_until(86_400_000);
        let given = driver.sent[0].value();
        for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
            let found = given["v"][name].as_f64().unwrap();
            let below = values.iter().filter(|value| **value < found).count() as f64 / values.len() as f64;
            prop_assert!((below - share).abs() < 0.01, "{}: {} of the values are below", name, below);
        }
    }
}

#[test]
fn windows_without_a_reading_are_sent_where_they_are_asked_for() {
    let mut driver =
        Driver::new(&view(Window { empty: true, give: vec![Figure::Max], ..window(1000, 1000) }));
    driver.publish(500, "t", r#"{"v":7}"#);
    driver.run_until(3_000);
    assert_eq!(
        driver.texts(),
        [
            r#"{"start":0,"end":1000,"count":1,"v":{"max":7.0}}"#,
            r#"{"start":1000,"end":2000,"count":0}"#,
            r#"{"start":2000,"end":3000,"count":0}"#,
        ]
    );
}

#[test]
fn behind_a_long_gap_the_latest_empty_windows_are_sent() {
    let mut driver = Driver::new(&view(Window { empty: true, ..window(1000, 1000) }));
    driver.offer(message(500, "t", Format::Json, br#"{"v":7}"#.to_vec(), 1));
    driver.offer(message(9_000_000_500, "t", Format::Json, br#"{"v":8}"#.to_vec(), 2));
    assert_eq!(driver.sent.len(), 1 + 1441);
    assert_eq!(driver.sent.last().unwrap().value()["end"], 9_000_000_000_u64);
}

#[test]
fn a_window_is_in_the_format_of_its_readings() {
    for (format, payload, expected) in [
        (Format::MessagePack, &b"\x81\xa1v\x07"[..], Format::MessagePack),
        (Format::Json, br#"{"v":7}"#, Format::Json),
    ] {
        let mut driver = Driver::new(&view(window(1000, 1000)));
        driver.offer(message(0, "t", format, payload.to_vec(), 1));
        driver.run_until(1000);
        let sent = &driver.sent[0];
        assert_eq!(sent.format, expected);
        assert_eq!(sent.value()["v"]["mean"], 7.0);
    }
}

#[test]
fn a_payload_that_is_a_number_is_a_value_by_that_name() {
    let mut driver = Driver::new(&view(Window { of: vec!["".into()], ..window(1000, 1000) }));
    driver.offer(message(0, "t", Format::Text, b"21.5".to_vec(), 1));
    driver.offer(message(1, "t", Format::Json, b"20.5".to_vec(), 2));
    driver.run_until(1000);
    assert_eq!(driver.sent[0].value()["value"]["mean"], 21.0);
}

fn late(
    at_ms: u64,
    source_ms: u64,
    value: impl std::fmt::Display,
    offset: u64,
) -> murre_protocol::packet::Message<'static> {
    let options = MessageOptions { time: Some(Timestamp::from_millis(source_ms)), ..Default::default() };
    with_options(
        message(at_ms, "t", Format::Json, format!(r#"{{"v":{value}}}"#).into_bytes(), offset),
        options,
    )
}

#[test]
fn by_the_source_s_time_readings_that_were_sent_late_count_when_they_were_taken() {
    let by_source = Window { by: WindowTime::Source, give: vec![Figure::Max], ..window(1000, 1000) };
    let mut driver = Driver::new(&view(by_source));
    driver.offer(late(10_000, 5_100, 1, 1));
    driver.offer(late(10_001, 5_900, 2, 2));
    driver.offer(late(10_002, 6_100, 3, 3));
    driver.offer(late(10_003, 5_950, 9, 4));
    driver.run_until(20_000);
    assert_eq!(
        driver.texts(),
        [
            r#"{"start":5000,"end":6000,"count":2,"v":{"max":2.0}}"#,
            r#"{"start":6000,"end":7000,"count":1,"v":{"max":3.0}}"#,
        ]
    );
    assert_eq!(driver.troubles().unwrap().first, Some(("t".into(), Unusable::Late)));
}

#[test]
fn a_source_whose_clock_is_far_ahead_ends_no_windows() {
    let by_source = Window { by: WindowTime::Source, ..window(1000, 1000) };
    let mut driver = Driver::new(&view(by_source));
    driver.offer(late(10_100, 10_100, 1, 1));
    driver.offer(late(10_200, u64::MAX, 2, 2));
    driver.offer(late(10_300, 10_300, 3, 3));
    driver.run_until(20_000);
    assert_eq!(driver.sent.len(), 1);
    assert_eq!(driver.sent[0].value()["count"], 3);
}

#[test]
fn a_kept_value_from_a_snapshot_is_in_no_window() {
    let mut driver = Driver::new(&view(window(1000, 1000)));
    let kept = MessageOptions { retain: true, ..Default::default() };
    driver.offer(with_options(message(10, "t", Format::Json, br#"{"v":7}"#.to_vec(), 1), kept));
    driver.run_until(5_000);
    assert_eq!(driver.texts(), [""; 0]);
}

#[test]
fn a_window_is_sent_once_also_where_a_reading_comes_behind_its_end() {
    let mut driver = Driver::new(&view(window(1000, 1000)));
    driver.publish(5_100, "t", r#"{"v":1}"#);
    driver.run_until(6_010);
    // taken before the end, and on its way between workers when the window was sent
    driver.offer(message(5_999, "t", Format::Json, br#"{"v":2}"#.to_vec(), 2));
    driver.run_until(8_000);
    let counts: Vec<_> = driver
        .sent
        .iter()
        .map(|sent| (sent.value()["start"].clone(), sent.value()["count"].clone()))
        .collect();
    assert_eq!(counts, [(json!(5_000), json!(1)), (json!(6_000), json!(1))]);
}
