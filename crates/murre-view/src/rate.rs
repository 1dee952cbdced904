//! Rates: of the readings that come faster, the newest waits and the others are left out.

/// A greatest number of messages a second, for each topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    period_ms: f64,
}

/// What a topic's rate remembers, with the reading that waits.
#[derive(Debug)]
pub(crate) struct Paced<R> {
    /// From when on the next may go, in Unix milliseconds.
    next_ms: f64,
    waiting: Option<R>,
}

impl<R> Default for Paced<R> {
    fn default() -> Self {
        Self { next_ms: f64::NEG_INFINITY, waiting: None }
    }
}

impl Rate {
    /// `per_second` messages, above zero. The time between two is kept to a microsecond.
    pub(crate) fn new(per_second: f64) -> Self {
        Self { period_ms: (1e6 / per_second).round() / 1000.0 }
    }

    /// Whether a reading that comes now may go at once; one that waited is left out for it. Otherwise it has to
    /// [wait](Paced::wait).
    pub(crate) fn goes_at_once<R>(&self, paced: &mut Paced<R>, now_ms: u64) -> bool {
        let now = now_ms as f64;
        // A clock that was set back must not hold the topic up for longer than a period.
        paced.next_ms = paced.next_ms.min(now + self.period_ms);
        let goes = now >= paced.next_ms;
        if goes {
            paced.waiting = None;
            paced.next_ms = now + self.period_ms;
        }
        goes
    }

    /// The reading that waits, if its time has come.
    pub(crate) fn due<R>(&self, paced: &mut Paced<R>, now_ms: u64) -> Option<R> {
        let due_ms = paced.due_ms().filter(|due| *due <= now_ms)?;
        paced.next_ms = due_ms as f64 + self.period_ms;
        paced.waiting.take()
    }
}

impl<R> Paced<R> {
    /// Lets a reading wait in place of the one that waited.
    pub(crate) fn wait(&mut self, reading: R) {
        self.waiting = Some(reading);
    }

    /// When the waiting reading may go; none where none waits.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        // Rounded up: never too early.
        self.waiting.as_ref().map(|_| self.next_ms.max(0.0).ceil() as u64)
    }

    /// The reading that waits, whose time is taken to have come.
    pub(crate) fn take(&mut self) -> Option<R> {
        self.waiting.take()
    }

    /// The reading that waits.
    pub(crate) fn waiting(&self) -> Option<&R> {
        self.waiting.as_ref()
    }
}
