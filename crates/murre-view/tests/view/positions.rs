//! Under a view that holds back, who resumes misses nothing.

use std::collections::BTreeMap;

use murre_protocol::packet::{Figure, ViewOptions, Window, WindowTime};
use proptest::{collection::vec, prelude::*};
use serde_json::Value;

use crate::driver::{Driver, Sent};

type Published = (u64, u64, u8);

/// Publishes what lies behind a position, and lets all that waits come. Over history nothing but readings tells the
/// time until it is through.
fn replay(
    options: &ViewOptions<'_>,
    (published, is_history): (&[Published], bool),
    behind: u64,
) -> Vec<Sent> {
    let mut driver = Driver::new(options);
    for (offset, (at, value, topic)) in (1_u64..).zip(published).filter(|(offset, _)| *offset > behind) {
        let payload = format!(r#"{{"v":{value}}}"#).into_bytes();
        let topic = format!("t{topic}");
        if !is_history {
            driver.run_until(*at);
        }
        driver.offer(crate::driver::message(*at, &topic, murre_protocol::Format::Json, payload, offset));
    }
    driver.run_until(published.last().map_or(0, |last| last.0) + 10_000);
    driver.sent
}

/// The newest value of each topic.
fn newest<'s>(sent: impl Iterator<Item = &'s Sent>) -> BTreeMap<String, Value> {
    sent.map(|sent| (sent.topic.clone(), sent.value())).collect()
}

fn published() -> impl Strategy<Value = Vec<Published>> {
    vec((0..300_u64, 0..5_u8), 1..60).prop_map(|steps| {
        let mut now = 10_000;
        let mut at = |wait| {
            now += wait;
            now
        };
        (0..).zip(steps).map(|(value, (wait, topic))| (at(wait), value, topic)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whoever_resumes_behind_any_message_ends_with_the_newest_values(published in (published(), any::<bool>())) {
        let options = ViewOptions { max_rate: Some(2.0), ..Default::default() };
        let all = replay(&options, (&published.0, published.1), 0);
        let expected = newest(all.iter());
        for seen in 1..=all.len() {
            // as the protocol has it: raise the position by each message, and resume behind it
            let behind = all[..seen].iter().map(|sent| sent.position.offset()).max().unwrap();
            let resumed = replay(&options, (&published.0, published.1), behind);
            prop_assert_eq!(newest(all[..seen].iter().chain(&resumed)), expected.clone(), "behind {}", behind);
        }
    }

    #[test]
    fn whoever_resumes_behind_any_window_gets_all_others(published in (published(), any::<bool>())) {
        let (of, give) = (vec!["v".into()], vec![Figure::Count, Figure::Max]);
        let window = Window { length_ms: 1000, step_ms: 1000, of, give, by: WindowTime::Broker, empty: false };
        let options = ViewOptions { window: Some(window), ..Default::default() };
        let all = replay(&options, (&published.0, published.1), 0);
        for seen in 1..=all.len() {
            let behind = all[..seen].iter().map(|sent| sent.position.offset()).max().unwrap();
            let resumed = replay(&options, (&published.0, published.1), behind);
            for missing in &all[seen..] {
                let again = resumed.iter().any(|sent| (&sent.topic, sent.value()) == (&missing.topic, missing.value()));
                prop_assert!(again, "behind {}: {:?} of {:?}", behind, missing, resumed);
            }
        }
    }

    #[test]
    fn whoever_resumes_behind_any_window_under_a_rate_gets_the_newest(published in (published(), any::<bool>())) {
        let (of, give) = (vec!["v".into()], vec![Figure::Count]);
        let window = Window { length_ms: 1000, step_ms: 1000, of, give, by: WindowTime::Broker, empty: false };
        let options = ViewOptions { window: Some(window), max_rate: Some(0.4), ..Default::default() };
        let all = replay(&options, (&published.0, published.1), 0);
        for seen in 1..=all.len() {
            let behind = all[..seen].iter().map(|sent| sent.position.offset()).max().unwrap();
            let resumed = newest(replay(&options, (&published.0, published.1), behind).iter());
            for (topic, value) in newest(all[seen..].iter()) {
                prop_assert_eq!(resumed.get(&topic), Some(&value), "{} behind {}", topic, behind);
            }
        }
    }

    #[test]
    fn positions_never_fall(published in (published(), any::<bool>()), per_second in 0.5..20.0) {
        let options = ViewOptions { max_rate: Some(per_second), ..Default::default() };
        let sent = replay(&options, (&published.0, published.1), 0);
        prop_assert!(sent.is_sorted_by_key(|sent| sent.position));
    }
}
