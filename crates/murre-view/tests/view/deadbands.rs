//! A deadband leaves out what is near the value sent last.

use murre_protocol::{
    Format,
    packet::{self, Figure, LeastChange, ViewOptions, Window, WindowTime},
};
use murre_view::{deadband::Deadband, value::Unusable};
use proptest::{collection::vec, prelude::*};

use crate::driver::Driver;

fn deadband(least: LeastChange, silence_max_ms: Option<u64>) -> Deadband {
    Deadband::compile(&packet::Deadband { path: "v".into(), least, silence_max_ms }).unwrap()
}

fn sent(deadband: &Deadband, readings: &[(u64, f64)]) -> Vec<bool> {
    let mut last = None;
    let mut each = |&(time, value): &(u64, f64)| {
        let payload = format!(r#"{{"v":{value}}}"#);
        deadband.passes((Format::Json, payload.as_bytes(), time), &mut last).unwrap()
    };
    readings.iter().map(&mut each).collect()
}

proptest! {
    #[test]
    fn nothing_is_sent_until_it_moved_or_was_silent_for_long(
        steps in vec((0..40_u64, -5..5_i32), 1..60),
        least in 0..6_i32,
        percent in any::<bool>(),
        silence in prop::option::of(1..100_u64),
    ) {
        let mut now = 0;
        let readings: Vec<_> = steps.iter().map(|&(wait, value)| { now += wait; (now, f64::from(value)) }).collect();
        let least = if percent {
            LeastChange::Percent(f64::from(least) * 10.0 + 1.0)
        } else {
            LeastChange::Absolute(f64::from(least))
        };
        let sent = sent(&deadband(least, silence), &readings);
        for at in 0..readings.len() {
            let (time, value) = readings[at];
            let before = (0..at).rev().find(|&at| sent[at]).map(|at| readings[at]);
            let expected = before.is_none_or(|(last_time, last)| {
                let moved = match least {
                    LeastChange::Absolute(least) => (value - last).abs() >= least,
                    LeastChange::Percent(percent) => value != last && (value - last).abs() * 100.0 >= last.abs() * percent,
                };
                moved || silence.is_some_and(|silence| time - last_time >= silence)
            });
            prop_assert_eq!(sent[at], expected, "reading {} of {:?}", at, readings);
        }
    }
}

#[test]
fn a_slow_drift_is_sent_once_it_adds_up() {
    let readings: Vec<_> = (0..11).map(|n| (n, f64::from(n as u32) * 0.125)).collect();
    let sent = sent(&deadband(LeastChange::Absolute(0.5), None), &readings);
    let indices: Vec<_> = (0..11).filter(|at| sent[*at]).collect();
    assert_eq!(indices, [0, 4, 8]);
}

#[test]
fn a_reading_without_the_number_changes_nothing() {
    let deadband = deadband(LeastChange::Absolute(1.0), None);
    let mut last = None;
    let mut offer = |payload: &[u8]| deadband.passes((Format::Json, payload, 0), &mut last);
    assert_eq!(offer(br#"{"v":1}"#), Ok(true));
    assert_eq!(offer(br#"{"v":"high"}"#), Err(Unusable::NotANumber));
    assert_eq!(offer(br#"{}"#), Err(Unusable::Missing));
    assert_eq!(offer(br#"{"v":1.5}"#), Ok(false));
    assert_eq!(offer(br#"{"v":2}"#), Ok(true));
}

/// A view that has a deadband of 2 and a silence of at most a second.
fn quiet() -> ViewOptions<'static> {
    let least = LeastChange::Absolute(2.0);
    let deadband = packet::Deadband { path: "v".into(), least, silence_max_ms: Some(1_000) };
    ViewOptions { deadband: Some(deadband), ..Default::default() }
}

/// When what is sent of a topic, in a plain simulation that goes from millisecond to millisecond.
fn plain(readings: &[(u64, i32)], end: u64) -> Vec<(u64, i32)> {
    let (mut sent, mut near): (Vec<(u64, i32)>, Option<i32>) = (Vec::new(), None);
    for now in 0..=end {
        if let (Some(value), Some((last, _))) = (near, sent.last())
            && now - last >= 1_000
        {
            sent.push((now, value));
            near = None;
        }
        for (_, value) in readings.iter().filter(|(at, _)| *at == now) {
            match sent.last() {
                Some((last, before)) if (value - before).abs() < 2 && now - last < 1_000 => {
                    near = Some(*value)
                }
                _ => {
                    sent.push((now, *value));
                    near = None;
                }
            }
        }
    }
    sent
}

proptest! {
    #[test]
    fn after_the_longest_silence_the_newest_reading_is_sent_if_there_was_one(
        steps in vec((1..900_u64, -3..3_i32), 1..40),
    ) {
        let mut driver = Driver::new(&quiet());
        let mut now = 0;
        let readings: Vec<_> = steps.iter().map(|&(wait, value)| { now += wait; (now, value) }).collect();
        for (at, value) in &readings {
            driver.publish(*at, "t", format!(r#"{{"v":{value}}}"#));
        }
        driver.run_until(now + 5_000);
        let expected: Vec<_> = plain(&readings, now + 5_000);
        let sent: Vec<_> = driver.values().iter().map(|(at, value)| (*at, value["v"].as_i64().unwrap() as i32)).collect();
        prop_assert_eq!(sent, expected);
    }
}

#[test]
fn nothing_is_sent_twice_however_long_a_topic_is_silent() {
    let mut driver = Driver::new(&quiet());
    driver.publish(0, "t", r#"{"v":1}"#);
    driver.run_until(60_000);
    assert_eq!(driver.texts(), [r#"{"v":1}"#]);
}

#[test]
fn what_waits_for_the_silence_to_end_is_owed() {
    let mut driver = Driver::new(&quiet());
    driver.publish(0, "t", r#"{"v":1}"#);
    driver.publish(10, "t", r#"{"v":2}"#);
    driver.publish(20, "other", r#"{"v":1}"#);
    driver.run_until(2_000);
    let offsets: Vec<_> = driver.sent.iter().map(|sent| sent.position.offset()).collect();
    assert_eq!(offsets, [1, 1, 3], "a client that resumes behind the second gets the third");
}

#[test]
fn windows_are_of_readings_as_they_come() {
    let (of, give) = (vec!["v".into()], vec![Figure::Count]);
    let window = Window { length_ms: 500, step_ms: 500, of, give, by: WindowTime::Broker, empty: false };
    let mut driver = Driver::new(&ViewOptions { window: Some(window), ..quiet() });
    driver.publish(0, "t", r#"{"v":1}"#);
    driver.publish(100, "t", r#"{"v":2}"#);
    driver.publish(1_200, "t", r#"{"v":2}"#);
    driver.run_until(5_000);
    let ends: Vec<_> = driver.values().iter().map(|(at, value)| (*at, value["count"].as_u64())).collect();
    assert_eq!(ends, [(500, Some(1)), (1_500, Some(1))]);
}
