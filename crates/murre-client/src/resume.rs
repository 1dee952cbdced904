//! Where a subscription stands in the broker's order, and how to go on from there.

use murre_protocol::Position;
use serde::{Deserialize, Serialize};

use crate::owed::Owed;

/// A place to go on from: hand it to [`From::After`](crate::From::After), in this process or a later one.
///
/// It is what an application may keep beside the results of its work: one position for each shard of the broker and
/// the epoch that they belong to. Taken from [`Subscription::resume_point`](crate::Subscription::resume_point), it
/// counts in every message that the application has taken, and none that waits in the local queue.
///
/// ```
/// use murre_client::ResumePoint;
///
/// let point: ResumePoint = serde_json::from_str(r#"{"positions":[4096,5121],"epoch":"5f3c9a01"}"#)?;
/// assert_eq!(serde_json::to_string(&point)?, r#"{"positions":[4096,5121],"epoch":"5f3c9a01"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct ResumePoint {
    positions: Vec<Position>,
    epoch: String,
}

impl ResumePoint {
    pub(crate) fn new(positions: &[Position], epoch: &str) -> Self {
        Self { positions: positions.to_vec(), epoch: epoch.to_owned() }
    }

    /// The same, where less was handled than counts in.
    pub(crate) fn lowered(mut self, owed: &Owed) -> Self {
        owed.lower(&mut self.positions);
        self
    }

    /// One position for each shard.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Names the run of positions that these belong to.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }
}

/// Raises the entry of `position`'s shard, which is added where there is none; whether that changed anything.
pub(crate) fn raise(positions: &mut Vec<Position>, position: Position) -> bool {
    if position == Position::NONE {
        return false;
    }
    // Brokers give the list in the order of the shards, so that the first look mostly finds it.
    let expected = usize::from(position.shard());
    let known = match positions.get_mut(expected) {
        Some(known) if known.shard() == position.shard() => Some(known),
        _ => positions.iter_mut().find(|known| known.shard() == position.shard()),
    };
    match known {
        Some(known) if *known >= position => false,
        Some(known) => {
            *known = position;
            true
        }
        None => {
            positions.push(position);
            true
        }
    }
}

/// The form in which a [`ResumePoint`] is kept.
#[derive(Serialize, Deserialize)]
struct Raw {
    positions: Vec<u64>,
    epoch: String,
}

impl From<ResumePoint> for Raw {
    fn from(point: ResumePoint) -> Self {
        Self {
            positions: point.positions.iter().map(|position| position.get()).collect(),
            epoch: point.epoch,
        }
    }
}

impl TryFrom<Raw> for ResumePoint {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let position = |value| {
            let too_large = || format!("{value} is no position: positions are below 2^53");
            Position::from_wire(value).ok_or_else(too_large)
        };
        let positions = raw.positions.into_iter().map(position).collect::<Result<_, _>>()?;
        Ok(Self { positions, epoch: raw.epoch })
    }
}

/// Whether a subscription that went on from a [`ResumePoint`] has a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// No message that matches the filter is missing since the point.
    pub recovered: bool,
    /// Why some may be missing, where `recovered` is false and the broker says why. What is there follows all the
    /// same.
    pub lost: Option<Lost>,
}

/// Why messages since a [`ResumePoint`] may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// They are older than what the broker keeps of these topics.
    Kept,
    /// They expired, as their publishers wanted.
    Expired,
    /// A limit of the broker cut them off.
    Limit,
    /// The positions belong to another epoch: another store, or a broker without a store that was started again.
    Epoch,
    /// The broker crashed before it had them on disk.
    Crash,
    /// A reason that this version doesn't know.
    Other(String),
}

/// The reason in words, for people.
impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kept => "they are kept no longer",
            Self::Expired => "they have expired",
            Self::Limit => "they had to make room",
            Self::Epoch => "the broker was started anew, or has another store",
            Self::Crash => "the broker died, and what was not on disk with it",
            Self::Other(word) => word,
        })
    }
}

impl Lost {
    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "kept" => Self::Kept,
            "expired" => Self::Expired,
            "limit" => Self::Limit,
            "epoch" => Self::Epoch,
            "crash" => Self::Crash,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether the positions still mean something to the broker.
    fn leaves_the_epoch(&self) -> bool {
        matches!(self, Self::Kept | Self::Expired | Self::Limit | Self::Crash)
    }
}

impl Recovery {
    pub(crate) fn new(recovered: Option<bool>, lost: Option<&str>) -> Self {
        let recovered = recovered.unwrap_or(false);
        Self { recovered, lost: lost.filter(|_| !recovered).map(Lost::from_word) }
    }

    /// Whether the list from which it went on is still good, to be raised by what follows.
    pub(crate) fn keeps_the_list(&self) -> bool {
        self.recovered || self.lost.as_ref().is_some_and(Lost::leaves_the_epoch)
    }
}

/// Names a stretch of a subscription within which positions belong together; a new one begins where it had to begin
/// anew. Nothing of an old run says anything about a new one.
pub(crate) type Run = u32;

/// Keeps the resume point of one subscription.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    run: Run,
    point: Option<ResumePoint>,
}

impl Tracker {
    /// Begins with a point from elsewhere.
    pub(crate) fn new(point: Option<ResumePoint>) -> Self {
        Self { run: 0, point }
    }

    /// Goes on at `point` with a new run.
    pub(crate) fn go_on(&mut self, run: Run, point: Option<ResumePoint>) {
        *self = Self { run, point };
    }

    /// Where to go on; none before CAUGHT_UP.
    pub(crate) fn point(&self) -> Option<&ResumePoint> {
        self.point.as_ref()
    }

    /// The run of what came last.
    pub(crate) fn current_run(&self) -> Run {
        self.run
    }

    /// What follows belongs to `run`.
    pub(crate) fn run(&mut self, run: Run) {
        if self.run != run {
            *self = Self { run, point: None };
        }
    }

    /// A message of `run` was delivered.
    pub(crate) fn message(&mut self, run: Run, position: Position) {
        self.run(run);
        if let Some(point) = &mut self.point {
            raise(&mut point.positions, position);
        }
    }

    /// All kept messages of `run` came.
    pub(crate) fn caught_up(&mut self, run: Run, positions: &[Position], epoch: &str) {
        *self = Self { run, point: Some(ResumePoint::new(positions, epoch)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64, shard: u8) -> Position {
        Position::new(offset, shard)
    }

    fn caught_up() -> Tracker {
        let mut tracker = Tracker::default();
        tracker.caught_up(0, &[at(5, 0), at(7, 1)], "e1");
        tracker
    }

    fn positions(tracker: &Tracker) -> &[Position] {
        tracker.point().unwrap().positions()
    }

    #[test]
    fn before_caught_up_there_is_nothing_to_resume_from() {
        let mut tracker = Tracker::default();
        tracker.message(0, at(3, 1));
        assert_eq!(tracker.point(), None);
    }

    #[test]
    fn each_message_raises_the_position_of_its_shard_alone() {
        let mut tracker = caught_up();
        tracker.message(0, at(9, 1));
        tracker.message(0, at(4, 0));
        tracker.message(0, at(2, 7));
        assert_eq!(positions(&tracker), [at(5, 0), at(9, 1), at(2, 7)]);
    }

    #[test]
    fn a_list_in_any_order_is_raised_too() {
        let mut tracker = Tracker::default();
        tracker.caught_up(0, &[at(7, 1), at(5, 0)], "e1");
        tracker.message(0, at(8, 0));
        assert_eq!(positions(&tracker), [at(7, 1), at(8, 0)]);
    }

    #[test]
    fn a_message_for_one_client_alone_has_no_place_in_the_list() {
        let mut tracker = caught_up();
        tracker.message(0, Position::NONE);
        assert_eq!(positions(&tracker), [at(5, 0), at(7, 1)]);
    }

    #[test]
    fn positions_of_another_run_are_never_mixed_in() {
        let mut tracker = caught_up();
        tracker.message(1, at(9, 1));
        assert_eq!(tracker.point(), None);
    }

    #[test]
    fn only_what_leaves_the_epoch_leaves_the_list() {
        let keeps = |recovered, lost| Recovery::new(recovered, lost).keeps_the_list();
        assert!(
            keeps(Some(true), None) && keeps(Some(false), Some("kept")) && keeps(Some(false), Some("crash"))
        );
        assert!(
            !keeps(Some(false), Some("epoch")) && !keeps(Some(false), Some("strange")) && !keeps(None, None)
        );
    }

    #[test]
    fn a_kept_point_with_an_impossible_position_is_refused_by_name() {
        let error = serde_json::from_str::<ResumePoint>(r#"{"positions":[9007199254740992],"epoch":"e"}"#);
        assert!(error.unwrap_err().to_string().contains("9007199254740992 is no position"));
    }
}
