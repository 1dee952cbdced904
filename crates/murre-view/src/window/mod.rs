//! Windows: figures over spans of time instead of readings.
//!
//! Windows begin at whole multiples of their step since the Unix epoch and hold what is from their start up to, but
//! not at, their end. Readings are gathered in *panes* of one step, and a window is the sum of its panes.
//!
//! | file | has |
//! |---|---|
//! | `figures` | the figures of one value |
//! | `quantiles` | medians and percentiles in bounded memory |
//! | `topic` | the windows of one topic, in time |
//! | `output` | a window as a payload |

use murre_protocol::{
    Format,
    packet::{self, Figure, WindowTime},
};
use smallvec::SmallVec;

use crate::{
    path::{Path, PathError},
    value::Unusable,
};

mod figures;
mod output;
mod quantiles;
mod topic;

pub(crate) use topic::{Closed, Reading, TopicWindows};

/// The numbers of one reading, one for each path.
pub(crate) type Numbers = SmallVec<[Option<f64>; 4]>;

/// Windows, compiled once.
#[derive(Debug)]
pub(crate) struct Window {
    of: Vec<(Box<str>, Path)>,
    give: Vec<Figure>,
    length_ms: u64,
    step_ms: u64,
    by: WindowTime,
    empty: bool,
}

impl Window {
    /// Compiles what a client asked for.
    ///
    /// # Errors
    /// A path is none.
    pub(crate) fn compile(options: &packet::Window<'_>) -> Result<Self, PathError> {
        let path = |text: &str| {
            let name = if text.is_empty() { "value" } else { text };
            Ok((name.into(), Path::parse(text)?))
        };
        Ok(Self {
            of: options.of.iter().map(|text| path(text)).collect::<Result<_, _>>()?,
            give: options.give.clone(),
            length_ms: options.length_ms.max(1),
            step_ms: options.step_ms.clamp(1, options.length_ms.max(1)),
            by: options.by,
            empty: options.empty,
        })
    }

    /// The numbers of a reading.
    ///
    /// # Errors
    /// It has none at any of the paths; what is wrong with the first.
    pub(crate) fn numbers(&self, format: Format, payload: &[u8]) -> Result<Numbers, Unusable> {
        let mut first = None;
        let mut number = |(_, path): &(Box<str>, Path)| match path.number(format, payload) {
            Ok(number) => Some(number),
            Err(why) => {
                first.get_or_insert(why);
                None
            }
        };
        let numbers: Numbers = self.of.iter().map(&mut number).collect();
        if numbers.iter().any(Option::is_some) {
            Ok(numbers)
        } else {
            Err(first.unwrap_or(Unusable::Missing))
        }
    }

    /// Whether figures are wanted that need every value, not only sums.
    fn wants_quantiles(&self) -> bool {
        self.give.iter().any(|figure| matches!(figure, Figure::P50 | Figure::P95))
    }
}
