//! A subscription at a lower rate than it asked for, since its client reads too slowly.
//!
//! Each step down halves the most messages a second of each topic, each step up doubles it; above the first step the
//! subscription gets all again. What comes faster is conflated: the newest value waits, so the last one always
//! arrives.

use murre_protocol::{Position, Timestamp, packet::Message};
use murre_view::{Limits, View, view::Send};

use super::LeftOut;
use crate::now::Tick;

/// The most that is worth holding a topic to, a second.
const PER_SECOND_MAX: f64 = 1000.0;

/// What holds a subscription to its rate.
#[derive(Debug)]
pub struct Degraded {
    view: View,
    /// Steps below the full view; at least 1.
    steps: u32,
    per_second: f64,
    per_second_min: f64,
    /// The greatest position that was sent, by shard.
    sent: Vec<Position>,
    /// When the hub asks again, if it is to.
    pub due: Option<Timestamp>,
    /// What was left out for newer messages and not told.
    pub conflated: LeftOut,
    /// What was dropped all the same since it is degraded.
    pub dropped: u64,
    /// How far behind the client was at a step that was not told, in milliseconds.
    pub untold_lag_ms: Option<u64>,
    /// When something was told last.
    pub told: Tick,
}

impl Degraded {
    /// One step below the full view, at `per_second` messages of each topic, or what is nearest to it and not below
    /// `per_second_min`.
    pub fn new(per_second: f64, per_second_min: f64, limits: Limits) -> Self {
        let per_second = per_second.clamp(per_second_min, PER_SECOND_MAX.max(per_second_min));
        Self {
            view: View::pacing(per_second, limits),
            steps: 1,
            per_second,
            per_second_min,
            sent: Vec::new(),
            due: None,
            conflated: LeftOut::default(),
            dropped: 0,
            untold_lag_ms: None,
            told: Tick::default(),
        }
    }

    /// The most messages a second of each topic.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Whether the rate is as low as it may be.
    pub fn is_lowest(&self) -> bool {
        self.per_second <= self.per_second_min
    }

    /// Halves the rate, as far as it may be.
    pub fn step_down(&mut self) {
        if !self.is_lowest() {
            self.steps += 1;
            self.hold_to((self.per_second / 2.0).max(self.per_second_min));
        }
    }

    /// Doubles the rate. False where that was the last step: the full view is next.
    pub fn step_up(&mut self) -> bool {
        self.steps -= 1;
        self.hold_to(self.per_second * 2.0);
        self.steps > 0
    }

    fn hold_to(&mut self, per_second: f64) {
        self.per_second = per_second;
        self.view.pace(per_second);
    }

    /// Takes a message, and sends what is to be sent now.
    pub fn offer(&mut self, message: &Message<'_>, send: Send<'_>) {
        let Self { view, sent, conflated, .. } = self;
        view.offer(message, &mut rising(sent, send));
        if view.take_troubles().is_some_and(|troubles| troubles.past_limits > 0) {
            // what can't be held has to go; the older value would come behind it
            view.pass_by(message, &mut rising(sent, send));
        }
        let superseded = view.take_conflated();
        if superseded > 0 {
            conflated.add(&message.topic, superseded);
        }
    }

    /// Sends what has come due at `now`.
    pub fn due(&mut self, now: Timestamp, send: Send<'_>) {
        self.view.due(now, &mut rising(&mut self.sent, send));
    }

    /// When [`Self::due`] has something to do; none while nothing waits.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.view.next_due()
    }

    /// Sends all that waits, at the end.
    pub fn send_waiting(&mut self, send: Send<'_>) {
        self.view.send_waiting(&mut rising(&mut self.sent, send));
    }
}

/// Positions must not fall. What comes through a view before may have one that was sent already, and be held: then that
/// position was true when it was sent, and still is.
fn rising<'s>(sent: &'s mut Vec<Position>, send: Send<'s>) -> impl FnMut(&Message<'_>) + 's {
    |message| {
        let shard = usize::from(message.position.shard());
        if sent.len() <= shard {
            sent.resize(shard + 1, Position::NONE);
        }
        let Some(greatest) = sent.get_mut(shard) else { return };
        *greatest = message.position.max(*greatest);
        send(&Message { position: *greatest, ..message.clone() });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use murre_protocol::Format;
    use proptest::prelude::*;

    use super::*;

    const TOPICS: [&str; 3] = ["a", "b", "c"];
    const ROOM: Limits = Limits { topics_max: 100, bytes_max: 1 << 20 };

    fn message(topic: &'static str, n: u64, time_ms: u64) -> Message<'static> {
        Message {
            topic: topic.into(),
            format: Format::Text,
            payload: n.to_string().into_bytes().into(),
            time: Timestamp::from_millis(time_ms),
            position: Position::new(n, 3),
            options: None,
        }
    }

    /// What was sent: topic, number, when, position.
    #[derive(Default)]
    struct Got(Vec<(String, u64, u64, u64)>);

    impl Got {
        fn at(&mut self, now_ms: u64) -> impl FnMut(&Message<'_>) {
            move |message| {
                let number = std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
                self.0.push((message.topic.to_string(), number, now_ms, message.position.offset()));
            }
        }
    }

    proptest! {
        #[test]
        fn no_topic_comes_faster_than_the_rate_and_each_ends_with_its_last_value(
            steps in prop::collection::vec((0..3usize, 0..400u64), 1..200),
            per_second in 1.0..50.0f64,
        ) {
            let (mut degraded, mut got) = (Degraded::new(per_second, 0.1, ROOM), Got::default());
            let (mut now, mut last) = (1_000_000, BTreeMap::new());
            for (n, (topic, pause)) in (1..).zip(&steps) {
                let end = now + pause;
                while let Some(due) = degraded.next_due().map(Timestamp::millis).filter(|due| *due <= end) {
                    degraded.due(Timestamp::from_millis(due), &mut got.at(due));
                }
                now = end;
                degraded.offer(&message(TOPICS[*topic], n, now), &mut got.at(now));
                last.insert(TOPICS[*topic], n);
            }
            while let Some(due) = degraded.next_due() {
                degraded.due(due, &mut got.at(due.millis()));
            }
            for (topic, last) in last {
                let of_topic: Vec<_> = got.0.iter().filter(|(name, ..)| name == topic).collect();
                prop_assert_eq!(of_topic.last().unwrap().1, last);
                prop_assert!(of_topic.iter().map(|(_, n, ..)| n).is_sorted());
                let least = 1000.0 / per_second;
                for pair in of_topic.windows(2) {
                    prop_assert!((pair[1].2 - pair[0].2) as f64 > least - 0.01, "{:?}", pair);
                }
            }
            prop_assert_eq!(got.0.len() as u64 + degraded.conflated.count(), steps.len() as u64);
            prop_assert!(got.0.iter().map(|(.., position)| position).is_sorted(), "positions never fall");
        }
    }

    #[test]
    fn the_way_up_has_as_many_steps_as_the_way_down() {
        let mut degraded = Degraded::new(8.0, 1.5, ROOM);
        let mut rates = vec![degraded.per_second()];
        while !degraded.is_lowest() {
            degraded.step_down();
            rates.push(degraded.per_second());
        }
        assert_eq!(rates, [8.0, 4.0, 2.0, 1.5]);
        assert_eq!((0..10).take_while(|_| degraded.step_up()).count(), 3);
    }

    #[test]
    fn what_can_not_be_held_goes_at_once_and_nothing_older_comes_behind_it() {
        let limits = Limits { topics_max: 1, bytes_max: 2 };
        let (mut degraded, mut got) = (Degraded::new(1.0, 0.1, limits), Got::default());
        for (topic, n) in [("a", 1), ("a", 2), ("a", 300), ("b", 301), ("a", 4)] {
            degraded.offer(&message(topic, n, 1000), &mut got.at(1000));
        }
        let numbers: Vec<u64> = got.0.iter().map(|(_, n, ..)| *n).collect();
        assert_eq!(numbers, [1, 300, 301, 4]);
    }
}
