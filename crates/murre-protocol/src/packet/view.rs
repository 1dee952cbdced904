//! The view: what a SUBSCRIBE asks the broker to do with messages before it sends them.

use std::{borrow::Cow, ops::RangeInclusive};

/// The options that make a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewKey {
    /// Messages a second.
    MaxRate,
    /// A condition.
    Where,
    /// Paths of the payload.
    Select,
    /// A least change.
    Deadband,
    /// Figures over time.
    Window,
    /// Only what changed.
    Patch,
    /// An expected interval.
    Expect,
    /// What to do with payloads that can't be read.
    OnError,
}

impl ViewKey {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::MaxRate,
        Self::Where,
        Self::Select,
        Self::Deadband,
        Self::Window,
        Self::Patch,
        Self::Expect,
        Self::OnError,
    ];

    /// The key on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MaxRate => "max_rate",
            Self::Where => "where",
            Self::Select => "select",
            Self::Deadband => "deadband",
            Self::Window => "window",
            Self::Patch => "patch",
            Self::Expect => "expect",
            Self::OnError => "on_error",
        }
    }

    /// From the key on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.word() == word)
    }
}

/// A view as a client asks for it. Numbers are within their bounds; paths and the condition are plain text here, and
/// whoever compiles them says what is wrong with them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ViewOptions<'a> {
    /// `max_rate`: messages a second for each topic, within [`MAX_RATE`].
    pub max_rate: Option<f64>,
    /// `where`: a condition in CEL, at most [`WHERE_BYTES_MAX`] bytes.
    pub condition: Option<Cow<'a, str>>,
    /// `select`: paths in the payload, 1 to [`PATHS_MAX`].
    pub select: Vec<Cow<'a, str>>,
    /// `deadband`: how far a value has to move.
    pub deadband: Option<Deadband<'a>>,
    /// `window`: figures over time instead of readings.
    pub window: Option<Window<'a>>,
    /// `patch`: only what changed in the payload.
    pub patch: bool,
    /// `expect`: milliseconds after which a silent topic is told of, within [`EXPECT_MS`].
    pub expect_ms: Option<u64>,
    /// `on_error`: what to do with a payload that a part of the view can't use.
    pub on_error: Option<OnError>,
}

impl<'a> ViewOptions<'a> {
    /// The keys that are set, in the order of [`ViewKey::ALL`].
    pub fn keys(&self) -> impl Iterator<Item = ViewKey> {
        let set = [
            self.max_rate.is_some(),
            self.condition.is_some(),
            !self.select.is_empty(),
            self.deadband.is_some(),
            self.window.is_some(),
            self.patch,
            self.expect_ms.is_some(),
            self.on_error.is_some(),
        ];
        ViewKey::ALL.into_iter().zip(set).filter_map(|(key, is_set)| is_set.then_some(key))
    }

    /// The same, owning its text.
    pub fn into_owned(self) -> ViewOptions<'static> {
        let own = |path: Cow<'a, str>| Cow::Owned(path.into_owned());
        ViewOptions {
            max_rate: self.max_rate,
            condition: self.condition.map(own),
            select: self.select.into_iter().map(own).collect(),
            deadband: self.deadband.map(|deadband| Deadband {
                path: own(deadband.path),
                least: deadband.least,
                silence_max_ms: deadband.silence_max_ms,
            }),
            window: self.window.map(|window| Window {
                length_ms: window.length_ms,
                step_ms: window.step_ms,
                of: window.of.into_iter().map(own).collect(),
                give: window.give,
                by: window.by,
                empty: window.empty,
            }),
            patch: self.patch,
            expect_ms: self.expect_ms,
            on_error: self.on_error,
        }
    }
}

/// What `max_rate` may be, in messages a second.
pub const MAX_RATE: RangeInclusive<f64> = 0.01..=1000.0;
/// The longest condition, in bytes.
pub const WHERE_BYTES_MAX: usize = 1024;
/// The most paths in `select`, and in `window.of`.
pub const PATHS_MAX: usize = 32;
/// The longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 256;
/// What `deadband.percent` may be; above zero.
pub const PERCENT_MAX: f64 = 1000.0;
/// How long `deadband.silence_max` may be, in milliseconds.
pub const SILENCE_MAX_MS: RangeInclusive<u64> = 100..=DAY_MS;
/// How long a window may be, and its step, in milliseconds.
pub const WINDOW_MS: RangeInclusive<u64> = 100..=DAY_MS;
/// The most steps in a window.
pub const WINDOW_STEPS_MAX: u64 = 120;
/// What `expect` may be, in milliseconds.
pub const EXPECT_MS: RangeInclusive<u64> = 100..=7 * DAY_MS;

const DAY_MS: u64 = 86_400_000;

/// How far a value has to move until it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Deadband<'a> {
    /// Where in the payload the value is; empty: the payload itself.
    pub path: Cow<'a, str>,
    /// How far from the value sent last.
    pub least: LeastChange,
    /// Milliseconds after which the next reading is sent however near it is.
    pub silence_max_ms: Option<u64>,
}

/// A distance from the value sent last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LeastChange {
    /// In the value's own unit, finite and not negative.
    Absolute(f64),
    /// Of the value sent last, in percent: above 0, at most [`PERCENT_MAX`].
    Percent(f64),
}

/// Figures over time instead of readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Window<'a> {
    /// How long each is, within [`WINDOW_MS`].
    pub length_ms: u64,
    /// How far apart windows begin: it divides `length_ms` into at most [`WINDOW_STEPS_MAX`] parts.
    pub step_ms: u64,
    /// Where in the payload the values are, 1 to [`PATHS_MAX`] paths; an empty one is the payload itself.
    pub of: Vec<Cow<'a, str>>,
    /// Which figures, each at most once.
    pub give: Vec<Figure>,
    /// By whose clock.
    pub by: WindowTime,
    /// Whether windows without a reading are sent.
    pub empty: bool,
}

/// A figure over the values of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The arithmetic mean.
    Mean,
    /// How many there were.
    Count,
    /// The earliest.
    First,
    /// The latest.
    Last,
    /// The standard deviation, of the population.
    Stddev,
    /// The median.
    P50,
    /// The 95th percentile.
    P95,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Min,
        Self::Max,
        Self::Mean,
        Self::Count,
        Self::First,
        Self::Last,
        Self::Stddev,
        Self::P50,
        Self::P95,
    ];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Count => "count",
            Self::First => "first",
            Self::Last => "last",
            Self::Stddev => "stddev",
            Self::P50 => "p50",
            Self::P95 => "p95",
        }
    }

    /// From the word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|figure| figure.word() == word)
    }
}

/// By whose clock windows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowTime {
    /// The broker's.
    #[default]
    Broker,
    /// The source's, where a reading has its time.
    Source,
}

impl WindowTime {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Source => "source",
        }
    }

    /// From the word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Broker, Self::Source].into_iter().find(|by| by.word() == word)
    }
}

/// What to do with a payload that a part of the view can't use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It is left out.
    #[default]
    Skip,
    /// That part lets it through as it is.
    Pass,
}

impl OnError {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Pass => "pass",
        }
    }

    /// From the word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Skip, Self::Pass].into_iter().find(|rule| rule.word() == word)
    }
}
