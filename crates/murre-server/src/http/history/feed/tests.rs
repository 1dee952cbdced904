//! Answers from a log in memory, read as the body reads it.

use std::sync::Arc;

use murre_core::{
    ids::WorkerId,
    log::{
        KeepRule, KeepRules, LogBatch, LogCommand, LogEvent, MemoryLog, ReadCommand, ReadId, ReadRequest,
        Record,
    },
};
use murre_protocol::{Codec, Format, Timestamp, TopicFilter, packet::Message};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::http::history::{Against, HistoryForm, HistoryQuery, view::Bounds};

const EPOCH: &str = "9f0c2a7d5b1e4c33";
const SHARDS: u8 = 4;
const BEGIN_MS: u64 = 1_000_000_000_000;

/// A log of a few shards, where every topic is kept.
struct World {
    log: MemoryLog,
    appended: u64,
    slice_bytes: usize,
    bounds: Bounds,
}

impl World {
    fn new(last: Option<u64>, slice_bytes: usize) -> Self {
        let filter = TopicFilter::parse("#").unwrap().into_owned();
        let rules = KeepRules::new(vec![KeepRule { filter, last, age: None, bytes: None, durable: false }]);
        let bounds =
            Bounds { limits: murre_view::Limits { topics_max: 100, bytes_max: 10_000 }, read_max: 1_000 };
        Self { log: MemoryLog::new(SHARDS, Arc::new(rules), 1 << 30), appended: 0, slice_bytes, bounds }
    }

    /// Appends a message a second: its number as its payload, a topic for each shard.
    fn append(&mut self, messages: u64) {
        let mut batch = LogBatch::new(WorkerId(0), self.appended + 1);
        for number in self.appended..self.appended + messages {
            // not in turn, so that shards run ahead of each other
            let shard = (number.wrapping_mul(7) / 3 % u64::from(SHARDS)) as u8;
            let topic = format!("t/{shard}");
            let message = Message {
                topic: topic.as_str().into(),
                format: Format::Json,
                payload: number.to_string().into_bytes().into(),
                time: Timestamp::from_millis(BEGIN_MS + number * 1000),
                position: Position::new(number + 1, shard),
                options: None,
            };
            let mut tail = Vec::new();
            let has_options = Codec::MessagePack.message_tail(&message, &mut tail);
            let (position, time, hash) = (message.position, message.time, u64::from(shard));
            let (expires, retain, ends, topic) = (None, false, false, topic.as_str());
            batch.push(Record {
                position,
                hash,
                time,
                expires,
                retain,
                ends,
                has_options,
                topic,
                tail: &tail,
            });
        }
        self.appended += messages;
        self.log.handle(
            Timestamp::from_millis(BEGIN_MS),
            LogCommand::Append(Arc::new(batch)),
            &mut Vec::new(),
        );
    }

    fn read(&mut self, feed: &mut Feed, command: ReadCommand) {
        let mut events = Vec::new();
        self.log.handle(Timestamp::from_millis(BEGIN_MS), LogCommand::Read(command), &mut events);
        for (_, event) in events {
            if let LogEvent::Slice(slice) = event {
                feed.take(slice);
            }
        }
    }

    /// An answer, and how often the log was asked.
    fn answer(&mut self, query: &str) -> (Value, usize) {
        let against =
            Against { now: Timestamp::from_millis(BEGIN_MS + 2_000_000), epoch: EPOCH, last_max: 1_000 };
        let query = HistoryQuery::parse("", query, against).unwrap();
        let mut feed =
            Feed::new(HistoryAnswer::new(query.clone(), HistoryForm::Json, EPOCH, self.bounds), 0..SHARDS);
        let id = |shard| ReadId { worker: WorkerId(0), serial: 1, shard };
        for shard in 0..SHARDS {
            let (filter, from) = (query.filter.clone(), query.read_from(shard));
            let (bytes, now) = (self.slice_bytes, Timestamp::from_millis(BEGIN_MS));
            let until = query.until;
            let request = ReadRequest { id: id(shard), filter, from, until, bytes, now };
            self.read(&mut feed, ReadCommand::Open(Box::new(request)));
        }
        let (mut out, mut asked) = (Vec::new(), 0);
        while !feed.has_ended() {
            let room = out.len() + 100;
            for shard in feed.write(room, &mut out).next {
                asked += 1;
                self.read(&mut feed, ReadCommand::Next(id(shard), self.slice_bytes));
            }
        }
        (serde_json::from_slice(&out).unwrap(), asked)
    }

    /// The numbers of an answer and of all that it leads on to; `meanwhile` happens between two of them.
    fn all(&mut self, query: &str, mut meanwhile: impl FnMut(&mut Self)) -> Vec<u64> {
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let (page, _) = self.answer(&format!("{query}{next}"));
            found.extend(numbers(&page));
            let Some(cursor) = page["next"].as_str() else { return found };
            next = format!("&after={cursor}");
            meanwhile(self);
        }
    }
}

fn numbers(page: &Value) -> Vec<u64> {
    page["messages"].as_array().unwrap().iter().map(|message| message["payload"].as_u64().unwrap()).collect()
}

#[test]
fn messages_come_in_the_order_of_their_times_whatever_their_shard() {
    let mut world = World::new(None, 50);
    world.append(40);
    let (page, asked) = world.answer("limit=1000");
    assert_eq!(numbers(&page), (0..40).collect::<Vec<_>>());
    assert!(asked > 4, "in many slices: {asked}");
}

#[test]
fn the_newest_of_each_topic_come_where_these_are_asked_for() {
    let mut world = World::new(None, 200);
    world.append(40);
    let (page, _) = world.answer("last=2");
    assert_eq!(numbers(&page).len(), 2 * usize::from(SHARDS));
    assert!(numbers(&page).iter().all(|number| *number >= 28), "{page}");
}

#[test]
fn who_goes_on_too_late_is_told_what_the_rules_let_go() {
    let mut world = World::new(Some(5), 200);
    world.append(20);
    let (page, _) = world.answer("limit=4");
    assert_eq!(page.get("lost"), None);
    world.append(100);
    let next = page["next"].as_str().unwrap();
    let (page, _) = world.answer(&format!("after={next}"));
    assert_eq!(page["lost"], "kept");
    assert_eq!(numbers(&page).len(), 5 * usize::from(SHARDS));
}

proptest! {
    #[test]
    fn who_follows_the_cursor_gets_each_message_once_and_in_order(
        before in 0..80_u64, limit in 1..30_usize, slice_bytes in 1..400_usize, each in 0..4_u64,
    ) {
        let mut world = World::new(None, slice_bytes);
        world.append(before);
        let mut rounds = 0;
        let found = world.all(&format!("limit={limit}"), |world| {
            rounds += 1;
            if rounds < 10 {
                world.append(each);
            }
        });
        prop_assert_eq!(found, (0..world.appended).collect::<Vec<_>>());
    }
}

/// The windows of an answer and of all that it leads on to, as they are in JSON. Nothing orders those that end
/// together.
fn windows(world: &mut World, query: &str) -> (Vec<String>, usize) {
    let (mut found, mut pages, mut next) = (Vec::new(), 0, String::new());
    loop {
        let (page, _) = world.answer(&format!("{query}{next}"));
        pages += 1;
        let messages = page["messages"].as_array().unwrap();
        found.extend(messages.iter().map(|of| format!("{} {}", of["topic"], of["payload"])));
        let Some(cursor) = page["next"].as_str() else {
            found.sort_unstable();
            return (found, pages);
        };
        next = format!("&after={cursor}");
    }
}

/// `window` as a query has it: of a payload that is a number.
fn window(seconds: u64, step: u64) -> String {
    let window = format!(r#"{{"seconds":{seconds},"step":{step},"of":[""],"give":["count","max"]}}"#);
    let encoded = window.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
    format!("window={}&until={}", encoded, BEGIN_MS + 1_000_000)
}

#[test]
fn the_limit_counts_what_the_view_lets_through() {
    let mut world = World::new(None, 200);
    world.append(40);
    let (page, _) = world.answer("where=payload%20%25%2010%20==%200&limit=3");
    assert_eq!(numbers(&page), [0, 10, 20]);
    assert_eq!(world.all("where=payload%20%25%2010%20==%200&limit=3", |_| ()), [0, 10, 20, 30]);
}

#[test]
fn a_condition_that_nothing_meets_gives_an_answer_that_leads_nowhere() {
    let mut world = World::new(None, 50);
    world.append(40);
    let (page, _) = world.answer("where=payload%20%3C%200&limit=1");
    assert_eq!((numbers(&page).len(), &page["next"]), (0, &Value::Null));
}

#[test]
fn an_answer_ends_when_its_view_has_read_as_much_as_it_may() {
    let mut world = World::new(None, 50);
    world.bounds.read_max = 15;
    world.append(40);
    let (page, _) = world.answer("where=payload%20==%2035&limit=2");
    assert!(numbers(&page).is_empty() && page["next"].is_string());
    let mut answers = 0;
    let found = world.all("where=payload%20==%2035&limit=2", |_| answers += 1);
    assert_eq!((found, answers), (vec![35], 2));
}

/// The newest number of each topic in an answer.
fn newest(page: &Value) -> Vec<Option<u64>> {
    let messages = page["messages"].as_array().unwrap();
    let of_topic = |shard: u8| messages.iter().rfind(|of| of["topic"] == format!("t/{shard}"));
    (0..SHARDS).map(|shard| of_topic(shard).and_then(|of| of["payload"].as_u64())).collect()
}

#[test]
fn what_waits_under_a_rate_or_a_deadband_comes_at_the_end_of_an_answer() {
    let mut world = World::new(None, 200);
    world.append(40);
    let (all, _) = world.answer("limit=1000");
    let deadband = "deadband=%7B%22path%22:%22%22,%22abs%22:1000,%22silence_max%22:86400%7D";
    for view in ["max_rate=0.05", deadband] {
        let (page, _) = world.answer(view);
        assert_eq!(newest(&page), newest(&all), "{view}");
        assert!(numbers(&page).len() < 20, "{page}");
        let (mut found, mut next) = (Vec::new(), String::new());
        while let (page, _) = world.answer(&format!("{view}&limit=3{next}"))
            && let Some(cursor) = page["next"].as_str()
        {
            found.extend(numbers(&page));
            next = format!("&after={cursor}");
        }
        found.sort_unstable();
        assert!(found.is_sorted_by(|a, b| a < b), "each once: {found:?}");
    }
}

#[test]
fn what_a_view_cannot_use_is_told_at_the_end() {
    let mut world = World::new(None, 200);
    world.append(5);
    let (page, _) = world.answer("select=a.b");
    let told = "the view left out 5 messages that it can't use; the first on t/0: the payload has nothing at the path";
    assert_eq!((&page["notices"], numbers(&page).len()), (&serde_json::json!([told]), 0));
    assert_eq!(world.answer("limit=5").0.get("notices"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn windows_are_the_same_in_one_answer_and_in_many(
        messages in 0..200_u64, limit in 1..8_usize, slice_bytes in 50..400_usize,
        (seconds, steps) in (1..20_u64, 1..4_u64),
    ) {
        let mut world = World::new(None, slice_bytes);
        world.append(messages);
        let view = window(seconds * steps, seconds);
        let (whole, pages) = windows(&mut world, &format!("{view}&limit=100000"));
        prop_assert_eq!(pages, 1);
        let (parts, pages) = windows(&mut world, &format!("{view}&limit={limit}"));
        prop_assert!(pages <= whole.len().div_ceil(limit) + 1, "{} pages", pages);
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn a_condition_gives_the_same_in_one_answer_and_in_many(
        messages in 0..100_u64, limit in 1..8_usize, least in 0..100_u64,
    ) {
        let mut world = World::new(None, 200);
        world.append(messages);
        let found = world.all(&format!("where=payload%20%3E=%20{least}&limit={limit}"), |_| ());
        prop_assert_eq!(found, (least..messages).collect::<Vec<_>>());
    }
}
