//! A rate is never exceeded, and the last value always arrives.

use murre_protocol::packet::ViewOptions;
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::driver::Driver;

fn at_most(per_second: f64) -> ViewOptions<'static> {
    ViewOptions { max_rate: Some(per_second), ..Default::default() }
}

/// Millisecond by millisecond: whenever one may go and one is there, the newest goes.
fn naive(readings: &[(u64, u32)], period_ms: u64) -> Vec<(u64, u32)> {
    let (mut sent, mut waiting, mut next) = (Vec::new(), None, 0);
    let mut readings = readings.iter().peekable();
    let end = readings.clone().last().map_or(0, |last| last.0) + 2 * period_ms;
    for now in 0..=end {
        // one that is due goes before one that comes at the same moment
        if now >= next
            && let Some(value) = waiting.take()
        {
            sent.push((now, value));
            next = now + period_ms;
        }
        while let Some((_, value)) = readings.next_if(|reading| reading.0 == now) {
            if now >= next {
                sent.push((now, *value));
                next = now + period_ms;
            } else {
                waiting = Some(*value);
            }
        }
    }
    sent
}

proptest! {
    #[test]
    fn it_is_as_if_each_millisecond_was_looked_at(waits in vec(0..120_u64, 0..80), period_ms in 1..200_u64) {
        let mut now = 0;
        let readings: Vec<_> = waits.iter().zip(0..).map(|(wait, value)| { now += wait; (now, value) }).collect();
        let mut driver = Driver::new(&at_most(1000.0 / period_ms as f64));
        for (at, value) in &readings {
            driver.publish(*at, "t", value.to_string());
        }
        driver.run_until(now + 2 * period_ms);
        let expected: Vec<_> = naive(&readings, period_ms).into_iter().map(|(at, value)| (at, json!(value))).collect();
        prop_assert_eq!(driver.values(), expected);
    }

    #[test]
    fn each_topic_has_a_rate_of_its_own_and_ends_with_its_last_value(
        readings in vec((0..50_u64, 0..3_u8), 1..100),
        per_second in 0.5..100.0,
    ) {
        let mut driver = Driver::new(&at_most(per_second));
        let (mut now, mut last) = (0, [None; 3]);
        for (value, (wait, topic)) in readings.iter().enumerate() {
            now += wait;
            driver.publish(now, &format!("t{topic}"), value.to_string());
            last[usize::from(*topic)] = Some(value);
        }
        driver.run_until(now + 2_001);
        for (topic, last) in last.iter().enumerate() {
            let of_topic: Vec<_> = driver.sent.iter().filter(|sent| sent.topic == format!("t{topic}")).collect();
            let newest = of_topic.last().map(|sent| sent.value());
            prop_assert_eq!(newest, last.map(|last| json!(last)));
            let gaps = of_topic.windows(2).map(|two| two[1].at_ms - two[0].at_ms);
            prop_assert!(gaps.into_iter().all(|gap| gap as f64 + 1.0 > 1000.0 / per_second));
        }
    }
}

#[test]
fn a_clock_that_was_set_back_holds_nothing_up_for_longer_than_a_period() {
    let mut driver = Driver::new(&at_most(1.0));
    driver.publish(100_000, "t", "1");
    driver.offer(crate::driver::message(5_000, "t", murre_protocol::Format::Json, b"2".to_vec(), 2));
    driver.offer(crate::driver::message(6_000, "t", murre_protocol::Format::Json, b"3".to_vec(), 3));
    assert_eq!(driver.texts(), ["1", "2"]);
    driver.run_until(100_000);
    assert_eq!(driver.texts(), ["1", "2", "3"]);
}
