//! A deadband leaves out what is near the value sent last.

use murre_protocol::{
    Format,
    packet::{self, LeastChange},
};
use murre_view::{deadband::Deadband, value::Unusable};
use proptest::{collection::vec, prelude::*};

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
