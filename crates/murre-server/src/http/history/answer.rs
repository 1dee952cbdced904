//! One answer: which of the messages that were read go in, and what leads on to the rest.

use murre_core::log::Lost;
use murre_protocol::{Position, packet::Message};

use super::{
    Cursor, HistoryForm, HistoryQuery, HistoryWriter,
    view::{Bounds, HistoryView},
};

/// An answer that is being written. [`begin`](Self::begin) comes first; then [`offer`](Self::offer) for what is read, of
/// each shard in the order of positions, and [`passed`](Self::passed); last [`end`](Self::end). The bytes of each go out
/// as they come.
#[derive(Debug)]
pub(crate) struct HistoryAnswer {
    query: HistoryQuery,
    writer: HistoryWriter,
    view: Option<HistoryView>,
    /// How far this answer goes.
    cursor: Cursor,
    /// Whether a message was left for the next one.
    is_full: bool,
    /// Why messages behind `after` are not there, where some aren't.
    lost: Option<Lost>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is in the answer, or was not asked for: go on reading.
    Taken,
    /// One that was asked for has no room any more: end the answer.
    Full,
}

impl HistoryAnswer {
    /// An answer without messages yet, from a log whose positions are of the run `epoch`. Its view, if it has one, does
    /// no more than `bounds` let it.
    pub(crate) fn new(query: HistoryQuery, form: HistoryForm, epoch: &str, bounds: Bounds) -> Self {
        let cursor = query.after.clone().unwrap_or_else(|| Cursor::new(epoch));
        let view = query.view.as_ref().map(|asked| HistoryView::new(asked, cursor.clone(), bounds));
        Self { query, writer: HistoryWriter::new(form), view, cursor, is_full: false, lost: None }
    }

    /// Appends what stands before all messages.
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        self.writer.begin(out);
    }

    /// Appends a message that matches the filter, if it was asked for and there is room; or what the view makes of it.
    /// What it sets free at once stays together, past the limit too.
    pub(crate) fn offer(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> Offered {
        let is_wanted = self.query.wants(message.time, message.position);
        self.is_full |= is_wanted && !self.has_room(message.position);
        if self.is_full {
            return Offered::Full;
        }
        let Self { writer, view, .. } = self;
        match view {
            _ if !is_wanted => {}
            Some(view) => view.offer(message, &mut |message| writer.message(message, out)),
            None => writer.message(message, out),
        }
        self.cursor.raise(message.position);
        Offered::Taken
    }

    /// Whether the answer may have another message; for a view, read one that no answer has read before.
    fn has_room(&self, position: Position) -> bool {
        let has_room = self.writer.messages() < self.query.limit;
        match &self.view {
            Some(view) => !view.is_new(position) || has_room && !view.has_read_all(),
            None => has_room,
        }
    }

    /// Takes note that a shard was read up to a position, and all that it has up to there was offered: the next answer
    /// need not begin before it. Changes nothing once the answer is full.
    pub(crate) fn passed(&mut self, to: Position) {
        if !self.is_full {
            self.cursor.raise(to);
        }
    }

    /// Takes note that messages are missing; of several reasons the first is told.
    pub(crate) fn lost(&mut self, why: Lost) {
        self.lost.get_or_insert(why);
    }

    /// Appends what stands behind all messages.
    pub(crate) fn end(mut self, out: &mut Vec<u8>) {
        let Self { writer, view, cursor, is_full, .. } = &mut self;
        let mut notices = Vec::new();
        if let Some(view) = view {
            let send = &mut |message: &Message<'_>| writer.message(message, out);
            if *is_full {
                view.cut(cursor, send)
            } else {
                view.end(send)
            }
            notices = view.troubles();
        }
        self.writer.end(self.lost, &notices, self.is_full.then_some(&self.cursor), out);
    }
}

#[cfg(test)]
mod tests {
    use murre_core::log::ReadFrom;
    use murre_protocol::{Format, Timestamp, TopicName};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::http::history::Against;

    const EPOCH: &str = "9f0c2a7d5b1e4c33";
    const SHARDS: u8 = 4;
    const BOUNDS: Bounds =
        Bounds { limits: murre_view::Limits { topics_max: 100, bytes_max: 10_000 }, read_max: 1_000 };

    /// A message of each shard in turn, one a second.
    fn log(messages: usize) -> Vec<Message<'static>> {
        let message = |n: usize| Message {
            topic: format!("t/{}", n % 3).into(),
            format: Format::Json,
            payload: n.to_string().into_bytes().into(),
            time: Timestamp::from_millis(1_000_000_000_000 + n as u64 * 1000),
            position: Position::new(1 + (n / usize::from(SHARDS)) as u64, (n % usize::from(SHARDS)) as u8),
            options: None,
        };
        (0..messages).map(message).collect()
    }

    /// Answers as a reader of the log would that goes through one shard after the other.
    fn answer(log: &[Message<'_>], query: &str) -> Value {
        let against = Against { now: Timestamp::from_millis(0), epoch: EPOCH, last_max: 1_000 };
        let query = HistoryQuery::parse("", query, against).unwrap();
        let mut answer = HistoryAnswer::new(query.clone(), HistoryForm::Json, EPOCH, BOUNDS);
        let mut out = Vec::new();
        answer.begin(&mut out);
        'shards: for shard in 0..SHARDS {
            let from = query.read_from(shard);
            let is_read = |message: &&Message<'_>| match from {
                ReadFrom::After(position) | ReadFrom::Kept(position) => message.position > position,
                ReadFrom::Since(time) => message.time >= time,
                ReadFrom::LastN(_) => true,
            };
            for message in log.iter().filter(|message| message.position.shard() == shard).filter(is_read) {
                let topic = TopicName::parse(&*message.topic).unwrap();
                if !query.filter.matches(&topic) {
                    answer.passed(message.position);
                } else if answer.offer(message, &mut out) == Offered::Full {
                    break 'shards;
                }
            }
        }
        answer.end(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    /// The payloads of an answer and of all that it leads on to, and how many answers that took.
    fn all(log: &[Message<'_>], query: &str) -> (Vec<u64>, usize) {
        let (mut found, mut answers, mut next) = (Vec::new(), 0, String::new());
        loop {
            let page = answer(log, &format!("{query}{next}"));
            answers += 1;
            found.extend(page["messages"].as_array().unwrap().iter().map(|m| m["payload"].as_u64().unwrap()));
            match page["next"].as_str() {
                Some(cursor) => next = format!("&after={cursor}"),
                None => break,
            }
        }
        found.sort_unstable();
        (found, answers)
    }

    #[test]
    fn an_answer_that_has_just_room_for_all_leads_nowhere() {
        assert_eq!(all(&log(12), "limit=12"), ((0..12).collect(), 1));
        assert_eq!(all(&log(12), "limit=11"), ((0..12).collect(), 2));
        assert_eq!(all(&[], "limit=1"), (vec![], 1));
    }

    #[test]
    fn what_was_not_asked_for_takes_no_room() {
        let since = "since=1000000005000&until=1000000009000";
        assert_eq!(all(&log(20), &format!("{since}&limit=4")), (vec![5, 6, 7, 8], 1));
        assert_eq!(all(&log(9), "filter=t/2&limit=3"), (vec![2, 5, 8], 1));
    }

    #[test]
    fn a_full_answer_takes_no_note_of_what_comes_behind() {
        let log = log(12);
        let against = Against { now: Timestamp::from_millis(0), epoch: EPOCH, last_max: 1_000 };
        let query = HistoryQuery::parse("", "limit=1", against).unwrap();
        let mut answer = HistoryAnswer::new(query, HistoryForm::Json, EPOCH, BOUNDS);
        let mut out = Vec::new();
        answer.begin(&mut out);

        let offered = [0, 4, 8].map(|n| answer.offer(&log[n], &mut out));
        answer.passed(log[8].position);
        answer.end(&mut out);

        assert_eq!(offered, [Offered::Taken, Offered::Full, Offered::Full]);
        let page: Value = serde_json::from_slice(&out).unwrap();
        let cursor = Cursor::parse(page["next"].as_str().unwrap(), EPOCH).unwrap();
        assert_eq!(cursor.of_shard(0), log[0].position);
    }

    proptest! {
        #[test]
        fn who_follows_the_cursor_gets_every_message_once(
            messages in 0..60_usize, limit in 1..20_usize, topic in 0..3_usize, since in 0..70_u64,
        ) {
            let since_ms = 1_000_000_000_000 + since * 1000;
            let wanted: Vec<u64> =
                (since..messages as u64).filter(|n| *n as usize % 3 == topic).collect();
            let (found, answers) =
                all(&log(messages), &format!("filter=t/{topic}&limit={limit}&since={since_ms}"));
            prop_assert_eq!(&found, &wanted);
            prop_assert_eq!(answers, wanted.len().div_ceil(limit).max(1));
        }
    }
}
