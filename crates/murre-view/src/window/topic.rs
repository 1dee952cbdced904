//! The windows of one topic, in time.

use std::collections::VecDeque;

use murre_protocol::{Format, packet::WindowTime};

use super::{Numbers, Window, figures::Figures};
use crate::value::Unusable;

/// The most windows without a reading that are sent in a row: behind a longer gap the latest of them.
const EMPTY_RUN_MAX: u64 = 1440;

/// What a window gathers of a topic.
#[derive(Debug, Default)]
pub(crate) struct TopicWindows {
    /// By their start, oldest first; only those with readings.
    panes: VecDeque<Pane>,
    /// When the next window ends; none before the first reading. Also while nothing is in it: those before were sent, and
    /// a reading on its way between workers may come behind the end of its window.
    next_end_ms: Option<u64>,
    format: Option<Format>,
    /// When the last reading came, by the broker's time.
    last_ms: u64,
}

#[derive(Debug)]
struct Pane {
    start_ms: u64,
    readings: u64,
    /// The number of the oldest reading in it.
    oldest: u64,
    figures: Vec<Figures>,
}

/// A reading's place in time and order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The broker's time, Unix milliseconds.
    pub(crate) time_ms: u64,
    /// The source's time, where it was sent.
    pub(crate) source_ms: Option<u64>,
    /// Rises with each reading; what [`TopicWindows::oldest`] gives.
    pub(crate) number: u64,
    /// How the payload was written.
    pub(crate) format: Format,
}

/// A window that has ended.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Where it ended, Unix milliseconds.
    pub(crate) end_ms: u64,
    /// Its payload.
    pub(crate) payload: Vec<u8>,
    /// How the payload is written: as the topic's last reading was, in JSON where that was text or bytes.
    pub(crate) format: Format,
}

impl TopicWindows {
    /// Adds a reading; windows that ended before it have to be taken first, with [`TopicWindows::close`].
    ///
    /// # Errors
    /// [`Unusable::Late`]: by the source's time every window that it belongs to has been sent.
    pub(crate) fn add(
        &mut self,
        window: &Window,
        reading: Reading,
        numbers: &Numbers,
    ) -> Result<(), Unusable> {
        self.last_ms = reading.time_ms;
        let time = self.time_of(window, reading)?;
        let start_ms = time - time % window.step_ms;
        self.next_end_ms.get_or_insert(start_ms.saturating_add(window.step_ms));
        self.format = Some(reading.format);
        let found = self.panes.binary_search_by_key(&start_ms, |pane| pane.start_ms);
        let at = found.unwrap_or_else(|at| {
            let figures = window.of.iter().map(|_| Figures::new(window.wants_quantiles())).collect();
            self.panes.insert(at, Pane { start_ms, readings: 0, oldest: reading.number, figures });
            at
        });
        let Some(pane) = self.panes.get_mut(at) else { return Ok(()) };
        pane.readings += 1;
        pane.oldest = pane.oldest.min(reading.number);
        for (figures, number) in pane.figures.iter_mut().zip(numbers) {
            if let Some(number) = number {
                figures.add(time, *number);
            }
        }
        Ok(())
    }

    /// The time that a reading counts at.
    fn time_of(&self, window: &Window, reading: Reading) -> Result<u64, Unusable> {
        let earliest = self.next_end_ms.map_or(0, |end| end.saturating_sub(window.length_ms));
        match reading.source_ms.filter(|_| window.by == WindowTime::Source) {
            // a clock that is far ahead would end all windows that others are still in
            Some(time) if time <= reading.time_ms.saturating_add(window.length_ms) => {
                let is_late = time - time % window.step_ms < earliest;
                if is_late { Err(Unusable::Late) } else { Ok(time) }
            }
            // its windows were sent, or the broker's clock was set back: it counts as of now
            _ => {
                let open = self.next_end_ms.map_or(0, |end| end - window.step_ms);
                Ok(if reading.time_ms < earliest { open } else { reading.time_ms })
            }
        }
    }

    /// Up to when windows have ended when a reading comes. By the source's time its own time says so, and where the
    /// topic was silent for the length of a window the broker's.
    pub(crate) fn ended_at(&self, window: &Window, reading: Reading) -> u64 {
        match reading.source_ms.filter(|_| window.by == WindowTime::Source) {
            None => reading.time_ms,
            Some(source) => {
                let is_ahead = source > reading.time_ms.saturating_add(window.length_ms);
                let by_source = if is_ahead { reading.time_ms } else { source };
                by_source.max(self.ended_by(window, reading.time_ms))
            }
        }
    }

    /// Up to when windows have ended at `now` when no reading comes.
    pub(crate) fn ended_by(&self, window: &Window, now_ms: u64) -> u64 {
        match window.by {
            WindowTime::Broker => now_ms,
            WindowTime::Source if now_ms >= self.silent_ms(window) => now_ms,
            WindowTime::Source => 0,
        }
    }

    /// When the topic will have been silent for the length of a window.
    fn silent_ms(&self, window: &Window) -> u64 {
        self.last_ms.saturating_add(window.length_ms)
    }

    /// The next window that has ended at `now`, in order; none where there is none. What it alone held is let go.
    pub(crate) fn close(&mut self, window: &Window, ended_ms: u64) -> Option<Closed> {
        loop {
            let end_ms = self.skip_gap(window, ended_ms).filter(|end| *end <= ended_ms)?;
            let start_ms = end_ms.saturating_sub(window.length_ms);
            let closed = self.window(window, start_ms, end_ms);
            let next_start = start_ms.saturating_add(window.step_ms);
            if end_ms >= window.length_ms {
                self.panes.retain(|pane| pane.start_ms >= next_start);
            }
            self.next_end_ms = Some(end_ms.saturating_add(window.step_ms));
            if closed.is_some() {
                return closed;
            }
        }
    }

    /// The end of the next window that can be sent: not those in a gap without readings, but the latest.
    fn skip_gap(&mut self, window: &Window, ended_ms: u64) -> Option<u64> {
        let end = self.next_end_ms?;
        let first_with_readings = self.panes.front().map(|pane| pane.start_ms.saturating_add(window.step_ms));
        let waiting = ended_ms.saturating_sub(end) / window.step_ms;
        let next = if !window.empty {
            first_with_readings?.max(end)
        } else {
            let skipped = waiting.saturating_sub(EMPTY_RUN_MAX).saturating_mul(window.step_ms);
            let latest = end.saturating_add(skipped);
            first_with_readings.map_or(latest, |first| latest.min(first.max(end)))
        };
        self.next_end_ms = Some(next);
        Some(next)
    }

    fn window(&self, window: &Window, start_ms: u64, end_ms: u64) -> Option<Closed> {
        let within = |pane: &&Pane| (start_ms..end_ms).contains(&pane.start_ms);
        let mut panes = self.panes.iter().filter(within);
        let first = panes.next();
        if first.is_none() && !window.empty {
            return None;
        }
        let mut readings = first.map_or(0, |pane| pane.readings);
        let mut figures = first.map(|pane| pane.figures.clone()).unwrap_or_default();
        for pane in panes {
            readings += pane.readings;
            for (all, more) in figures.iter_mut().zip(&pane.figures) {
                all.merge(more);
            }
        }
        let format =
            if self.format == Some(Format::MessagePack) { Format::MessagePack } else { Format::Json };
        let payload = window.payload(format, (start_ms, end_ms, readings), &figures);
        Some(Closed { end_ms, payload, format })
    }

    /// When the next window can be sent if no reading comes; none where none is open.
    pub(crate) fn due_ms(&self, window: &Window) -> Option<u64> {
        if self.panes.is_empty() && !window.empty {
            return None;
        }
        let earliest = if window.by == WindowTime::Source { self.silent_ms(window) } else { 0 };
        self.next_end_ms.map(|end| end.max(earliest))
    }

    /// The number of the oldest reading that a window still to be sent holds.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.panes.iter().map(|pane| pane.oldest).min()
    }
}
