//! History on its way to one subscription: a worker's shards one after the other, a slice at a time.
//!
//! Of each shard first comes what the log has, then what is on its way into the log, from memory, and at one point of
//! the shard's order live takes over: all before it was sent, all after it comes live. Topics without a keep rule are
//! in no log; their last values come from the shard's table, each at its place in the order.

use murre_protocol::{Position, TopicFilter, TopicName};

use super::{Embedded, judging, tail::Tail};
use crate::{
    batch::MessageBatch,
    engine::{HistoryFrom, HubInput, Outputs, Slice},
    ids::{SnapshotId, WorkerId},
    log::{KeepRules, LogCommand, Lost, ReadCommand, ReadFrom, ReadId, ReadRequest, ReadSlice},
    now::Now,
    placement::Placement,
    shard::{Cursor, Shard, Topic},
    snapshot::{SLICE_BYTES, SLICE_TOPICS, value_message},
};

/// Bytes of the first slices after positions: mostly there is little to say, and all shards are asked at once.
const FIRST_BYTES: usize = 4096;

/// A history under way.
#[derive(Debug)]
pub(super) struct History {
    id: SnapshotId,
    filter: TopicFilter<'static>,
    from: HistoryFrom,
    /// A filter without wildcards wants one topic, of this shard.
    only: Option<u8>,
    /// Numbers its reads.
    serial: u64,
    /// By place.
    reads: Vec<ShardRead>,
    /// The shard that is being sent, by place.
    at: usize,
    /// Whether the hub waits for a slice.
    wanted: bool,
    /// First slices that have to come before it can be said what is missing.
    unjudged: usize,
    lost: Option<Lost>,
    /// Begins when the log has all that came before it: its batches up to this one.
    waits_for: u64,
}

/// How far one shard is.
#[derive(Debug, Default)]
struct ShardRead {
    opened: bool,
    awaited: bool,
    /// All of the log up to here was sent or is in `portion`.
    reached: u64,
    at_end: bool,
    portion: Option<Portion>,
    /// The last message of the log or the tail that was sent.
    last: Position,
    /// The place among the topics without a keep rule, and where the order stood when the walk began.
    walk: Option<(Cursor, Position)>,
}

/// Messages of the log or the tail that wait to be sent.
#[derive(Debug)]
struct Portion {
    messages: MessageBatch,
    sent: usize,
    /// Everything up to this offset is in it; `u64::MAX`: all there is.
    reached: u64,
}

/// What a step works with.
struct Parts<'a> {
    now: Now,
    worker: WorkerId,
    placement: &'a Placement,
    rules: &'a KeepRules,
    shards: &'a mut [Shard],
    tail: &'a Tail,
    log: &'a mut Vec<LogCommand>,
}

impl Embedded {
    /// Begins a history.
    pub(super) fn open_history(
        &mut self,
        now: Now,
        id: SnapshotId,
        filter: TopicFilter<'static>,
        from: HistoryFrom,
        out: &mut Outputs,
    ) {
        self.reads += 1;
        let only =
            filter.is_exact().then(|| self.placement.shard(self.placement.topic_hash(filter.as_str())));
        let reads = self.shards.iter().map(|_| ShardRead::default()).collect();
        // the newest messages of each topic can be told only when all of them are in the log
        let waits_for = if matches!(from, HistoryFrom::LastN(_)) { self.logging.gate() } else { 0 };
        let serial = self.reads;
        let mut history = History {
            id,
            filter,
            from,
            only,
            serial,
            reads,
            at: 0,
            wanted: true,
            unjudged: 0,
            lost: None,
            waits_for,
        };
        self.reading.insert(serial, id);
        if let HistoryFrom::After(positions) | HistoryFrom::Kept(positions) = &history.from {
            let positions = positions.clone();
            history.wanted = false;
            self.judge(now, &mut history, &positions, out);
        }
        self.histories.insert(id, history);
        self.step_history(now, id, out);
    }

    /// Asks all shards at once what there is after the positions, and whether it is all.
    fn judge(&self, now: Now, history: &mut History, positions: &[Position], out: &mut Outputs) {
        for (place, shard) in self.shards.iter().enumerate() {
            if history.only.is_some_and(|only| only != shard.number()) {
                continue;
            }
            let after = of_shard(positions, shard.number()).offset();
            if !history.is_kept() {
                let lost = judging::lost(shard, &self.placement, &self.logging.rules, &history.filter, after);
                history.lost = history.lost.or(lost);
            }
            history.unjudged += 1;
            if let Some(command) = history.open_read(now, self.worker, place, shard.number(), FIRST_BYTES) {
                out.log.push(command);
            }
        }
        if history.unjudged == 0 {
            out.hub(history.id.worker, HubInput::Judged { from: self.worker, id: history.id, lost: None });
        }
    }

    /// There is room for the next slice.
    pub(super) fn go_on_with_history(&mut self, now: Now, id: SnapshotId, out: &mut Outputs) {
        if let Some(history) = self.histories.get_mut(&id) {
            history.wanted = true;
            self.step_history(now, id, out);
        }
    }

    /// The log has read.
    pub(super) fn history_slice(&mut self, now: Now, slice: ReadSlice, out: &mut Outputs) {
        let Some(&id) = self.reading.get(&slice.id.serial) else { return };
        let place = self.place(slice.id.shard);
        let Some(history) = self.histories.get_mut(&id) else { return };
        if slice.lost == Some(Lost::Damaged) {
            self.counters.damaged_reads.add(1);
        }
        let Some(read) = history.reads.get_mut(place) else { return };
        read.awaited = false;
        read.at_end = slice.at_end;
        read.portion = Some(Portion { messages: slice.messages, sent: 0, reached: slice.reached });
        if history.unjudged > 0 {
            history.lost = history.lost.or(slice.lost);
            history.unjudged -= 1;
            if history.unjudged == 0 {
                let lost = history.lost;
                out.hub(id.worker, HubInput::Judged { from: self.worker, id, lost });
            }
        }
        self.step_history(now, id, out);
    }

    /// Batches of the log are through: histories that waited for them begin.
    pub(super) fn begin_histories(&mut self, now: Now, serial: u64, out: &mut Outputs) {
        let waiting = self.histories.values_mut().filter(|history| history.waits_for != 0);
        let mut ready = Vec::new();
        for history in waiting.filter(|history| history.waits_for <= serial) {
            history.waits_for = 0;
            ready.push(history.id);
        }
        ready.sort_unstable_by_key(|id| (id.worker, id.serial));
        for id in ready {
            self.step_history(now, id, out);
        }
    }

    /// Ends a history early.
    pub(super) fn cancel_history(&mut self, id: SnapshotId, out: &mut Outputs) {
        if let Some(history) = self.histories.remove(&id) {
            self.forget_history(history, out);
        }
    }

    fn forget_history(&mut self, mut history: History, out: &mut Outputs) {
        self.reading.remove(&history.serial);
        for (place, read) in history.reads.iter_mut().enumerate() {
            let Some(shard) = self.shards.get_mut(place) else { continue };
            if let Some((cursor, _)) = read.walk.take() {
                shard.topics.close_cursor(cursor);
            }
            if read.opened {
                let id = ReadId { worker: self.worker, serial: history.serial, shard: shard.number() };
                out.log.push(LogCommand::Read(ReadCommand::Cancel(id)));
            }
        }
    }

    fn step_history(&mut self, now: Now, id: SnapshotId, out: &mut Outputs) {
        let mut values = self.batch();
        let Some(history) = self.histories.get_mut(&id) else { return };
        let parts = Parts {
            now,
            worker: self.worker,
            placement: &self.placement,
            rules: &self.logging.rules,
            shards: &mut self.shards,
            tail: &self.logging.tail,
            log: &mut out.log,
        };
        let Some(finished) = history.step(parts, &mut values) else {
            return super::Engine::recycle(self, values);
        };
        values.gate = self.logging.gate();
        if values.gate != 0 {
            self.logging.waits().hubs |= id.worker.bit();
        }
        history.wanted = false;
        let done = history.at >= self.shards.len();
        if done && let Some(history) = self.histories.remove(&id) {
            self.forget_history(history, out);
        }
        let slice = Slice { id, from: self.worker, values, finished, done, overtaken: false };
        out.hub(id.worker, HubInput::Slice(slice));
    }
}

/// Where a list by shard stands.
fn of_shard(positions: &[Position], shard: u8) -> Position {
    positions.get(usize::from(shard)).copied().unwrap_or(Position::new(0, shard))
}

impl History {
    /// Whether it is of what is kept for a session: that is all in the log.
    fn is_kept(&self) -> bool {
        matches!(self.from, HistoryFrom::Kept(_))
    }

    fn is_behind_positions(&self) -> bool {
        matches!(self.from, HistoryFrom::After(_) | HistoryFrom::Kept(_))
    }

    /// Goes on until a slice is full; gives the shards that are through. None: it waits for the log, or for room.
    fn step(&mut self, mut parts: Parts<'_>, values: &mut MessageBatch) -> Option<Vec<Position>> {
        if !self.wanted || self.waits_for != 0 || self.unjudged > 0 {
            return None;
        }
        let mut finished = Vec::new();
        while let Some(shard) = parts.shards.get(self.at) {
            if self.only.is_some_and(|only| only != shard.number()) {
                finished.push(shard.position());
                self.at += 1;
                continue;
            }
            if !self.has_portion(&mut parts) {
                let something = !values.is_empty() || !finished.is_empty();
                return something.then_some(finished);
            }
            if !self.merge(&mut parts, values) {
                return Some(finished);
            }
            let (Some(read), Some(shard)) = (self.reads.get_mut(self.at), parts.shards.get_mut(self.at))
            else {
                break;
            };
            let reached = read.portion.take().map_or(u64::MAX, |portion| portion.reached);
            if reached == u64::MAX {
                if let Some((cursor, _)) = read.walk.take() {
                    shard.topics.close_cursor(cursor);
                }
                finished.push(shard.position());
                self.at += 1;
            } else {
                read.reached = reached;
            }
            if values.len() >= SLICE_BYTES {
                return Some(finished);
            }
        }
        Some(finished)
    }

    /// Sees to it that there are messages of the shard at hand to send, or that it is known that there are none.
    /// False where the log has to be asked.
    fn has_portion(&mut self, parts: &mut Parts<'_>) -> bool {
        let at = self.at;
        let Some(shard) = parts.shards.get(at) else { return false };
        let Some(read) = self.reads.get(at) else { return false };
        if read.portion.is_some() {
            return true;
        }
        if read.awaited {
            return false;
        }
        let (number, reached) = (shard.number(), read.reached);
        if read.opened && parts.tail.covers(number, reached, read.at_end) {
            let portion = self.tail_portion(parts, number, reached);
            if let Some(read) = self.reads.get_mut(at) {
                read.portion = Some(portion);
            }
            return true;
        }
        let command = match self.open_read(parts.now, parts.worker, at, number, SLICE_BYTES) {
            Some(open) => open,
            None => {
                if let Some(read) = self.reads.get_mut(at) {
                    read.awaited = true;
                }
                let id = ReadId { worker: parts.worker, serial: self.serial, shard: number };
                LogCommand::Read(ReadCommand::Next(id, SLICE_BYTES))
            }
        };
        parts.log.push(command);
        false
    }

    /// The command that begins the read of a shard; none where it has begun.
    fn open_read(
        &mut self,
        now: Now,
        worker: WorkerId,
        place: usize,
        shard: u8,
        bytes: usize,
    ) -> Option<LogCommand> {
        let read = self.reads.get_mut(place).filter(|read| !read.opened)?;
        read.opened = true;
        read.awaited = true;
        let from = match &self.from {
            HistoryFrom::LastN(n) => ReadFrom::LastN(*n),
            HistoryFrom::Since(time) => ReadFrom::Since(*time),
            HistoryFrom::After(positions) => ReadFrom::After(of_shard(positions, shard)),
            HistoryFrom::Kept(positions) => ReadFrom::Kept(of_shard(positions, shard)),
        };
        if let ReadFrom::After(position) | ReadFrom::Kept(position) = from {
            read.reached = position.offset();
        }
        let id = ReadId { worker, serial: self.serial, shard };
        let request =
            ReadRequest { id, filter: self.filter.clone(), from, until: None, bytes, now: now.wall };
        Some(LogCommand::Read(ReadCommand::Open(Box::new(request))))
    }

    /// What of the tail follows behind `reached`.
    fn tail_portion(&self, parts: &Parts<'_>, shard: u8, reached: u64) -> Portion {
        let mut messages = MessageBatch::new(parts.worker);
        let mut end = u64::MAX;
        for (batch, record) in parts.tail.after(shard, reached) {
            if messages.len() >= SLICE_BYTES {
                break;
            }
            end = record.position.offset();
            let wanted = record.expires.is_none_or(|at| at > parts.now.wall)
                && TopicName::parse(batch.topic(record)).is_ok_and(|name| {
                    self.filter.matches(&name)
                        && (self.is_behind_positions() || parts.rules.of(&name).is_some())
                });
            if wanted {
                messages.push_encoded(record.hash, 0, record.has_options, batch.tail(record));
            }
        }
        let last = parts.tail.after(shard, end).next().is_none();
        Portion { messages, sent: 0, reached: if last { u64::MAX } else { end } }
    }

    /// Sends what the portion has, with the values of topics without a keep rule between, in order. False where the
    /// slice is full before.
    fn merge(&mut self, parts: &mut Parts<'_>, values: &mut MessageBatch) -> bool {
        let (at, is_kept) = (self.at, self.is_kept());
        let (Some(shard), Some(read)) = (parts.shards.get_mut(at), self.reads.get_mut(at)) else {
            return true;
        };
        let Some(portion) = &mut read.portion else { return true };
        let hubs = self.id.worker.bit();
        let wanted = Wanted { filter: &self.filter, from: &self.from, now: parts.now };
        let reached = portion.reached;
        let mut through = true;
        if self.only.is_none() && !is_kept {
            let (cursor, began) =
                read.walk.get_or_insert_with(|| (shard.topics.open_cursor(), shard.position()));
            through = false;
            let end = shard.topics.advance(cursor, SLICE_TOPICS, |topic| {
                if topic.value.position.offset() > reached {
                    through = true;
                    return false;
                }
                if values.len() >= SLICE_BYTES {
                    return false;
                }
                if let Some(shown) = wanted.value(topic, *began) {
                    portion.send(values, hubs, topic.value.position.offset());
                    // a session may have had it logged all the same
                    if !portion.is_next(topic.value.position) {
                        values.push(0, hubs, value_message(topic, shown == Shown::Kept));
                    }
                }
                true
            });
            through |= end;
        }
        if !through {
            return false;
        }
        portion.send(values, hubs, u64::MAX);
        if let Some(last) = portion.messages.entries().last() {
            read.last = last.position;
        }
        if reached == u64::MAX
            && self.only.is_some()
            && let hash = parts.placement.topic_hash(self.filter.as_str())
            && let Some(topic) = shard.topics.named(hash, self.filter.as_str())
            && wanted.value(topic, shard.position()).is_some()
            && read.last != topic.value.position
        {
            values.push(0, hubs, value_message(topic, true));
        }
        true
    }
}

impl Portion {
    /// Whether the message at this position is the next to be sent.
    fn is_next(&self, position: Position) -> bool {
        self.messages.entries().get(self.sent).is_some_and(|entry| entry.position == position)
    }

    /// Sends the messages before an offset.
    fn send(&mut self, values: &mut MessageBatch, hubs: u64, before: u64) {
        while let Some(entry) = self.messages.entries().get(self.sent)
            && entry.position.offset() < before
        {
            values.push_encoded(entry.hash, hubs, entry.has_options, self.messages.tail(entry));
            self.sent += 1;
        }
    }
}

/// How a value of the table is shown.
#[derive(Debug, PartialEq)]
enum Shown {
    Kept,
    /// It was published after the replay began.
    Live,
}

/// Which values of the table belong into a history.
struct Wanted<'a> {
    filter: &'a TopicFilter<'static>,
    from: &'a HistoryFrom,
    now: Now,
}

impl Wanted<'_> {
    fn value(&self, topic: &Topic, began: Position) -> Option<Shown> {
        let value = &topic.value;
        let live = value.position > began;
        let belongs = match self.from {
            HistoryFrom::LastN(n) => topic.rule.is_none() && (*n > 0 || live),
            HistoryFrom::Since(time) => topic.rule.is_none() && (value.time >= *time || live),
            HistoryFrom::After(positions) => {
                let after = positions.get(usize::from(value.position.shard()));
                !value.logged && after.is_none_or(|after| value.position > *after)
            }
            HistoryFrom::Kept(_) => false,
        };
        let shown = belongs
            && (value.kept || live)
            && !value.is_expired(self.now.wall)
            && self.filter.matches_text(&topic.name);
        shown.then_some(if live { Shown::Live } else { Shown::Kept })
    }
}
