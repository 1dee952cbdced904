//! One topic's way through the parts of a view that remember something: deadband, windows, rate, patch, freshness.

use std::{borrow::Cow, collections::BTreeSet};

use murre_protocol::{
    Format, Position, Timestamp,
    packet::{Message, MessageOptions, OnError},
};

use crate::{
    deadband::{Judged, LastSent},
    fresh::{self, Heard},
    owed::Owed,
    patch,
    plan::Plan,
    rate::{Paced, Rate},
    trouble::Troubles,
    value::Unusable,
    view::Send,
    window::{Closed, Reading, TopicWindows, Window},
};

/// What is remembered of one topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Box<str>,
    pub(crate) shard: u8,
    pub(crate) last_sent: Option<LastSent>,
    /// The newest reading that the deadband left out since then, with its value, where it may have to be sent.
    pub(crate) near: Option<(Held, f64)>,
    pub(crate) windows: TopicWindows,
    /// The offset of the oldest reading of a window that has ended, or of the newest of a silence, that is on its way.
    pub(crate) closing: Option<u64>,
    pub(crate) paced: Paced<Held>,
    pub(crate) heard: Heard,
    /// The payload that receivers have, where they get patches.
    pub(crate) whole: Option<(Format, Vec<u8>)>,
    pub(crate) due_ms: Option<u64>,
    /// The offset of the oldest reading that it holds.
    pub(crate) oldest: Option<u64>,
}

/// A reading that waits.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) format: Format,
    pub(crate) payload: Vec<u8>,
    pub(crate) time: Timestamp,
    pub(crate) options: Option<Box<MessageOptions<'static>>>,
    /// The offset of the oldest reading that it stands for.
    pub(crate) offset: u64,
}

/// A reading on its way through the parts.
pub(crate) struct Passing<'a> {
    pub(crate) format: Format,
    pub(crate) payload: &'a [u8],
    pub(crate) time: Timestamp,
    pub(crate) options: Option<&'a MessageOptions<'a>>,
    pub(crate) offset: u64,
}

/// Whether a reading goes on to the next part.
#[derive(PartialEq)]
pub(crate) enum Step {
    GoesOn,
    Ends,
}

/// One topic, and what its view keeps of all topics together.
pub(crate) struct Work<'v> {
    pub(crate) place: usize,
    pub(crate) topic: &'v mut Topic,
    pub(crate) owed: &'v mut Owed,
    pub(crate) dues: &'v mut BTreeSet<(u64, usize)>,
    pub(crate) troubles: &'v mut Troubles,
    pub(crate) bytes: &'v mut usize,
    pub(crate) bytes_max: usize,
    pub(crate) rate: Option<Rate>,
    /// Readings that waited and were left out for a newer one.
    pub(crate) conflated: &'v mut u64,
}

impl Topic {
    /// Bytes of the payloads that it keeps.
    pub(crate) fn bytes(&self) -> usize {
        let whole = self.whole.as_ref().map_or(0, |(_, payload)| payload.len());
        let near = self.near.as_ref().map_or(0, |(held, _)| held.payload.len());
        whole + near + self.paced.waiting().map_or(0, |held| held.payload.len())
    }
}

impl Held {
    fn of(passing: &Passing<'_>) -> Self {
        Self {
            format: passing.format,
            payload: passing.payload.to_vec(),
            time: passing.time,
            options: passing.options.map(|options| Box::new(options.clone().into_owned())),
            offset: passing.offset,
        }
    }

    pub(crate) fn passing(&self) -> Passing<'_> {
        Passing {
            format: self.format,
            payload: &self.payload,
            time: self.time,
            options: self.options.as_deref(),
            offset: self.offset,
        }
    }
}

impl Work<'_> {
    /// Deadband and windows.
    pub(crate) fn before_rate(
        &mut self,
        plan: &Plan,
        (message, passing): (&Message<'_>, &Passing<'_>),
        send: Send<'_>,
    ) -> Step {
        let time_ms = passing.time.millis();
        if let Some(deadband) = &plan.deadband {
            let reading = (passing.format, passing.payload, time_ms);
            self.break_silence(plan, time_ms, send);
            match deadband.judge(reading, &mut self.topic.last_sent) {
                Ok(Judged::Moved) => self.forget_near(),
                Ok(Judged::Near(value)) => {
                    self.keep_near(plan, passing, value);
                    return Step::Ends;
                }
                Err(why) => {
                    if self.unusable(plan, why) == Step::Ends {
                        return Step::Ends;
                    }
                }
            }
        }
        let Some(window) = &plan.window else { return Step::GoesOn };
        let options = message.options.as_deref();
        if options.is_some_and(|options| options.retain) {
            // a kept value is of some time ago: windows are of readings as they come
            return Step::Ends;
        }
        let reading = Reading {
            time_ms,
            source_ms: options.and_then(|options| options.time).map(Timestamp::millis),
            number: passing.offset,
            format: passing.format,
        };
        self.close_windows(plan, window, self.topic.windows.ended_at(window, reading), send);
        let numbers = window.numbers(passing.format, passing.payload);
        match numbers.and_then(|numbers| self.topic.windows.add(window, reading, &numbers)) {
            Ok(()) => Step::Ends,
            Err(Unusable::Late) => {
                self.troubles.unusable(&self.topic.name, Unusable::Late, OnError::Skip);
                Step::Ends
            }
            Err(why) => self.unusable(plan, why),
        }
    }

    /// When the newest reading that the deadband left out has to be sent. Not where windows follow: these are of the
    /// readings' own times.
    fn silence_due_ms(&self, plan: &Plan) -> Option<u64> {
        let deadband = plan.deadband.as_ref().filter(|_| plan.window.is_none())?;
        deadband.due_ms(self.topic.last_sent?)
    }

    /// Keeps a reading that the deadband leaves out, if it may have to be sent.
    fn keep_near(&mut self, plan: &Plan, passing: &Passing<'_>, value: f64) {
        if self.silence_due_ms(plan).is_none() {
            return;
        }
        self.forget_near();
        if *self.bytes + passing.payload.len() > self.bytes_max {
            self.troubles.past_limits += 1;
            return;
        }
        *self.bytes += passing.payload.len();
        self.topic.near = Some((Held::of(passing), value));
    }

    fn forget_near(&mut self) {
        *self.bytes -= self.topic.near.take().map_or(0, |(held, _)| held.payload.len());
    }

    /// Sends the newest reading that the deadband left out, if nothing was sent for so long.
    pub(crate) fn break_silence(&mut self, plan: &Plan, now_ms: u64, send: Send<'_>) {
        let Some(due_ms) = self.silence_due_ms(plan).filter(|due_ms| *due_ms <= now_ms) else { return };
        let Some((held, value)) = self.topic.near.take() else { return };
        *self.bytes -= held.payload.len();
        self.topic.last_sent = plan.deadband.as_ref().map(|deadband| deadband.sent(value, due_ms));
        self.pace_made(plan, due_ms, &held.passing(), send);
    }

    pub(crate) fn unusable(&mut self, plan: &Plan, why: Unusable) -> Step {
        if self.troubles.unusable(&self.topic.name, why, plan.on_error) { Step::GoesOn } else { Step::Ends }
    }

    /// Hands on the windows that have ended.
    pub(crate) fn close_windows(&mut self, plan: &Plan, window: &Window, ended_ms: u64, send: Send<'_>) {
        loop {
            let oldest = self.topic.windows.oldest();
            let Some(closed) = self.topic.windows.close(window, ended_ms) else { return };
            let Closed { end_ms, payload, format } = closed;
            let offset = oldest.unwrap_or_else(|| self.owed.settled(self.topic.shard).offset());
            let time = Timestamp::from_millis(end_ms);
            let passing = Passing { format, payload: &payload, time, options: None, offset };
            self.pace_made(plan, end_ms, &passing, send);
        }
    }

    /// Rate and patch for what is made of readings that came before: a window, or the newest of a silence.
    fn pace_made(&mut self, plan: &Plan, now_ms: u64, passing: &Passing<'_>, send: Send<'_>) {
        self.topic.closing = Some(passing.offset);
        self.release(plan, now_ms, send);
        self.topic.closing = None;
        self.pace(plan, now_ms, passing, send);
    }

    /// Rate and patch for the reading that came, behind what it sets free.
    pub(crate) fn pace_reading(&mut self, plan: &Plan, passing: &Passing<'_>, send: Send<'_>) {
        let now_ms = passing.time.millis();
        self.release(plan, now_ms, send);
        self.owed.passed();
        self.pace(plan, now_ms, passing, send);
    }

    /// Rate and patch, at `now`; what was due before has to be [released](Self::release).
    fn pace(&mut self, plan: &Plan, now_ms: u64, passing: &Passing<'_>, send: Send<'_>) {
        let has_waited = self.topic.paced.waiting().is_some();
        let waited = self.topic.paced.waiting().map_or(0, |held| held.payload.len());
        let at_once = self.rate.is_none_or(|rate| rate.goes_at_once(&mut self.topic.paced, now_ms));
        if at_once {
            *self.bytes -= waited;
            return self.send(plan, passing, send);
        }
        let bytes = *self.bytes - waited + passing.payload.len();
        if bytes > self.bytes_max {
            self.troubles.past_limits += 1;
            return;
        }
        *self.bytes = bytes;
        *self.conflated += u64::from(has_waited);
        self.topic.paced.wait(Held::of(passing));
    }

    /// Sends the reading that waits, if its time has come.
    pub(crate) fn release(&mut self, plan: &Plan, now_ms: u64, send: Send<'_>) {
        let held = self.rate.and_then(|rate| rate.due(&mut self.topic.paced, now_ms));
        if let Some(held) = held {
            *self.bytes -= held.payload.len();
            self.send(plan, &held.passing(), send);
        }
    }

    /// Sends the newest reading that waits for its rate, or for the end of a silence, although its time has not come.
    pub(crate) fn release_at_once(&mut self, plan: &Plan, send: Send<'_>) {
        let paced = self.topic.paced.take();
        *self.bytes -= paced.as_ref().map_or(0, |held| held.payload.len());
        let near = self.topic.near.take();
        *self.bytes -= near.as_ref().map_or(0, |(held, _)| held.payload.len());
        if let (Some((held, value)), Some(deadband)) = (&near, &plan.deadband) {
            self.topic.last_sent = Some(deadband.sent(*value, held.time.millis()));
        }
        // what the deadband left out came behind what it let through
        if let Some(held) = near.map(|(held, _)| held).or(paced) {
            self.send(plan, &held.passing(), send);
        }
    }

    /// Sends a reading, as a patch where it can be one.
    fn send(&mut self, plan: &Plan, passing: &Passing<'_>, send: Send<'_>) {
        self.note_owed();
        let position = self.owed.settled(self.topic.shard);
        if !plan.patch {
            return emit(&self.topic.name, position, passing, false, send);
        }
        let mut changes = Vec::new();
        let whole = self.topic.whole.take();
        *self.bytes -= whole.as_ref().map_or(0, |(_, payload)| payload.len());
        let whole = whole.filter(|(format, _)| *format == passing.format);
        let is_patch =
            whole.is_some_and(|(format, old)| patch::write(format, &old, passing.payload, &mut changes));
        let payload = if is_patch { &*changes } else { passing.payload };
        emit(&self.topic.name, position, &Passing { payload, ..*passing }, is_patch, send);
        if *self.bytes + passing.payload.len() <= self.bytes_max {
            *self.bytes += passing.payload.len();
            self.topic.whole = Some((passing.format, passing.payload.to_vec()));
        }
    }

    /// Keeps what the topic holds, and when it wants to be asked again.
    pub(crate) fn settle(&mut self, plan: &Plan) {
        self.note_owed();
        let window = plan.window.as_ref().and_then(|window| self.topic.windows.due_ms(window));
        let silent = plan.fresh.and_then(|fresh| fresh.due_ms(&self.topic.heard));
        let near = self.topic.near.as_ref().and_then(|_| self.silence_due_ms(plan));
        let due_ms = [window, self.topic.paced.due_ms(), silent, near].into_iter().flatten().min();
        if due_ms != self.topic.due_ms {
            self.topic.due_ms.map(|before| self.dues.remove(&(before, self.place)));
            due_ms.map(|due_ms| self.dues.insert((due_ms, self.place)));
            self.topic.due_ms = due_ms;
        }
    }

    pub(crate) fn note_owed(&mut self) {
        let held = self.topic.paced.waiting().map(|held| held.offset);
        let near = self.topic.near.as_ref().map(|(near, _)| near.offset);
        let of = [self.topic.windows.oldest(), self.topic.closing, held, near];
        let oldest = of.into_iter().flatten().min();
        self.owed.change((self.topic.shard, self.place), self.topic.oldest, oldest);
        self.topic.oldest = oldest;
    }
}

/// Tells that a topic fell silent, or returned.
pub(crate) fn tell_fresh(topic: &str, (is_stale, last_ms): (bool, u64), time: Timestamp, send: Send<'_>) {
    let Some(topic) = fresh::topic_of(topic) else { return };
    send(&Message {
        topic: Cow::Owned(topic),
        format: Format::Json,
        payload: Cow::Owned(fresh::payload(is_stale, last_ms).into_bytes()),
        time,
        position: Position::NONE,
        options: None,
    });
}

pub(crate) fn emit(topic: &str, position: Position, passing: &Passing<'_>, patch: bool, send: Send<'_>) {
    let options = passing.options.map(|options| MessageOptions { patch, ..options.clone() });
    let options = options.or_else(|| patch.then(|| MessageOptions { patch, ..Default::default() }));
    send(&Message {
        topic: Cow::Borrowed(topic),
        format: passing.format,
        payload: Cow::Borrowed(passing.payload),
        time: passing.time,
        position,
        options: options.map(Box::new),
    });
}
