//! Views: what the broker is to do with readings before it sends them.

use std::time::Duration;

use murre_protocol::packet::{self, Figure, LeastChange, OnError, WindowTime};

use crate::SubscribeBuilder;

/// A view of the subscription: the broker does the work, once for all who ask for the same. The options compose in
/// this order: [`where_`](SubscribeBuilder::where_), [`select`](SubscribeBuilder::select),
/// [`deadband`](SubscribeBuilder::deadband), [`window`](SubscribeBuilder::window),
/// [`max_rate`](SubscribeBuilder::max_rate), [`patch`](SubscribeBuilder::patch). What is out of bounds is refused by the
/// broker with the reason.
///
/// ```no_run
/// # use murre_client::{Client, Figure, Window};
/// # use std::time::Duration;
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let hot = client.subscribe("plant/#").where_("payload.celsius > 30.0").max_rate(2.0).await?;
/// let minutes = Window::new(Duration::from_secs(60), ["celsius"], [Figure::Mean, Figure::Max]);
/// let chart = client.subscribe("plant/+/temp").window(minutes).await?;
/// # Ok(())
/// # }
/// ```
impl SubscribeBuilder {
    /// At most so many messages a second for each topic, 0.01 to 1000. Of what comes faster the newest waits, and
    /// comes at most one period late.
    pub fn max_rate(mut self, per_second: f64) -> Self {
        self.view().max_rate = Some(per_second);
        self
    }

    /// Only what meets a condition in CEL over `payload`, `topic`, `levels`, `time` and `format`.
    pub fn where_(mut self, condition: impl Into<String>) -> Self {
        self.view().condition = Some(condition.into().into());
        self
    }

    /// Only the values at these paths of the payload (`"celsius"`, `"position.lat"`), under the same structure.
    pub fn select(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.view().select = paths.into_iter().map(|path| path.into().into()).collect();
        self
    }

    /// Nothing until a value has moved.
    pub fn deadband(mut self, deadband: Deadband) -> Self {
        self.view().deadband = Some(deadband.0);
        self
    }

    /// Figures over time instead of readings.
    pub fn window(mut self, window: Window) -> Self {
        self.view().window = Some(window.0);
        self
    }

    /// The broker sends only what changed in a topic's payload, where that is shorter. The SDK puts the values together
    /// again: messages are as without it, for fewer bytes. A patch to a value that isn't known here (past 65,536 topics or
    /// 64 MiB) is left out, and counted by [`unmatched_patches`](crate::Subscription::unmatched_patches).
    pub fn patch(mut self, patch: bool) -> Self {
        self.view().patch = patch;
        self
    }

    /// A topic that was heard and is silent for longer than this is told of by a message that says so
    /// ([`Message::freshness`](crate::Message::freshness)), and again when it returns.
    pub fn expect(mut self, silence_max: Duration) -> Self {
        self.view().expect_ms = Some(millis(silence_max));
        self
    }

    /// What becomes of a payload that a part of the view can't use; [`OnError::Skip`] where it isn't said.
    pub fn on_error(mut self, rule: OnError) -> Self {
        self.view().on_error = Some(rule);
        self
    }
}

/// How far a value has to move until it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Deadband(packet::Deadband<'static>);

impl Deadband {
    /// By `distance` in its own unit from the value sent last. `path` is where it is in the payload; empty for the
    /// payload itself.
    pub fn absolute(path: impl Into<String>, distance: f64) -> Self {
        Self::new(path, LeastChange::Absolute(distance))
    }

    /// By `percent` of the value sent last.
    pub fn percent(path: impl Into<String>, percent: f64) -> Self {
        Self::new(path, LeastChange::Percent(percent))
    }

    fn new(path: impl Into<String>, least: LeastChange) -> Self {
        Self(packet::Deadband { path: path.into().into(), least, silence_max_ms: None })
    }

    /// After this time the next reading is sent however near it is.
    pub fn silence_max(mut self, time: Duration) -> Self {
        self.0.silence_max_ms = Some(millis(time));
        self
    }
}

/// Figures over spans of time: one message for each topic and window, sent when the window ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Window(packet::Window<'static>);

impl Window {
    /// Windows of this length, which begin at whole multiples of it since the Unix epoch, with these figures of the
    /// values at these paths.
    pub fn new(
        length: Duration,
        of: impl IntoIterator<Item = impl Into<String>>,
        give: impl IntoIterator<Item = Figure>,
    ) -> Self {
        let length_ms = millis(length);
        Self(packet::Window {
            length_ms,
            step_ms: length_ms,
            of: of.into_iter().map(|path| path.into().into()).collect(),
            give: give.into_iter().collect(),
            by: WindowTime::Broker,
            empty: false,
        })
    }

    /// A window begins after each step, a whole part of the length: they overlap.
    pub fn step(mut self, step: Duration) -> Self {
        self.0.step_ms = millis(step);
        self
    }

    /// By the time that readings were taken, where they say so, instead of the broker's.
    pub fn by_source(mut self) -> Self {
        self.0.by = WindowTime::Source;
        self
    }

    /// Windows without a reading come too.
    pub fn with_empty(mut self) -> Self {
        self.0.empty = true;
        self
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
