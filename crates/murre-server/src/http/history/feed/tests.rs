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
use crate::http::history::{Against, HistoryForm, HistoryQuery};

const EPOCH: &str = "9f0c2a7d5b1e4c33";
const SHARDS: u8 = 4;
const BEGIN_MS: u64 = 1_000_000_000_000;

/// A log of a few shards, where every topic is kept.
struct World {
    log: MemoryLog,
    appended: u64,
    slice_bytes: usize,
}

impl World {
    fn new(last: Option<u64>, slice_bytes: usize) -> Self {
        let filter = TopicFilter::parse("#").unwrap().into_owned();
        let rules = KeepRules::new(vec![KeepRule { filter, last, age: None, bytes: None, durable: false }]);
        Self { log: MemoryLog::new(SHARDS, Arc::new(rules), 1 << 30), appended: 0, slice_bytes }
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
        let against = Against { now: Timestamp::from_millis(0), epoch: EPOCH, last_max: 1_000 };
        let query = HistoryQuery::parse("", query, against).unwrap();
        let mut feed = Feed::new(HistoryAnswer::new(query.clone(), HistoryForm::Json, EPOCH), 0..SHARDS);
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
